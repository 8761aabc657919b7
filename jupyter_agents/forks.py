"""A chat that goes on otherwise from one of its messages, with agents of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jupyter_agents.agents.checkpoints import Checkpoint, Place
from jupyter_agents.agents.faces import call_hook, faces
from jupyter_agents.agents.twins import Twins
from jupyter_agents.continuing import Resumable
from jupyter_agents.progress import Limits

if TYPE_CHECKING:
    from jupyter_agents.conversation import ChatResult


@dataclass(frozen=True)
class Fork(Resumable):
    """Copies of the agents of a chat that remember what those did after message `at`, and how to go on with them.

    They are agents as any others: `fork.initiator.initiate_chat(fork.recipient, clear_history=False, …)` works, too.
    Models, executors and people are shared with the originals; so are the variables of the kernel.

    >>> from jupyter_agents import AssistantAgent, UserProxyAgent
    >>> from jupyter_agents.testing import ScriptedModel
    >>> user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    >>> poet = AssistantAgent("poet", llm_config=ScriptedModel(["Snow falls.", "Rain falls."]))
    >>> result = user.initiate_chat(poet, message="A line, please.", max_turns=1, silent=True)
    >>> other = result.fork(at=0).resume(silent=True)
    >>> result.messages[-1]["content"], other.messages[-1]["content"]
    ('Snow falls.', 'Rain falls.')
    """

    at: int
    limits: Limits
    _place: Place = field(repr=False)
    _agents: tuple[Any, ...] = field(repr=False)

    @classmethod
    def made(cls, checkpoint: Checkpoint, at: int, limits: Limits) -> Fork:
        """A fork at a checkpoint, which is that of message `at`."""
        originals = checkpoint.participants()
        twins = Twins(originals)
        place = replace(checkpoint.place(twins.of), log=None)
        place.restore()
        place.restore_counts()
        return cls(at, limits, place, tuple(map(twins.of, originals)))

    @property
    def agents(self) -> dict[str, Any]:
        """The new agents by name."""
        return {one.name: one for one in self._agents}

    @property
    def initiator(self) -> Any:
        """The new agent in place of the one who began the chat."""
        return self._place.initiator

    @property
    def recipient(self) -> Any:
        """The new agent in place of the one with whom it was begun."""
        return self._place.recipient

    def _standing(self) -> Place:
        return self._place

    async def _send(self, message: Any, **options: Any) -> ChatResult:
        """Have the initiator say something, and go on from that. Options are those of `initiate_chat`."""
        options = {"max_turns": self.limits.max_turns, "termination": self.limits.termination} | options
        if self.limits.cache is not None:
            options = {"cache": self.limits.cache} | options
        given = {"budget": self.limits.budget, "clear_history": False, "message": message} | options
        result: ChatResult = await call_hook(self.initiator, "initiate_chat", self.recipient, **given)
        return result

    send, a_send = faces(_send)
