"""What an agent remembers of its talks, and how often it has answered by itself, as those who use it see that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from jupyter_agents.agents.history import History
from jupyter_agents.agents.identity import Identity
from jupyter_agents.agents.memory import Memory
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import EventLog
from jupyter_agents.messages import Message
from jupyter_agents.run import Run


class Remembering(Identity):
    """The part of an agent that remembers. All of it is kept in one `Memory`."""

    _memory: Memory

    @property
    def chat_messages(self) -> defaultdict[Any, list[dict[str, Any]]]:
        """The messages exchanged with each other agent, as classic dictionaries; copies, made at every look.

        For an agent with whom there was no talk it is an empty list.
        """
        found = {other: [dict(one) for one in talk.to_dicts()] for other, talk in self._memory.talks.items()}
        return defaultdict(list, found)

    _oai_messages = chat_messages  # the name by which subclasses in the classic notebooks read it

    @staticmethod
    def _message_to_dict(message: Any) -> dict[str, Any]:
        """A message as a dictionary; subclasses in the classic notebooks call it."""
        return dict(message) if isinstance(message, Mapping) else Message.from_dict(message).to_dict()

    @property
    def has_talked(self) -> bool:
        """Whether it remembers a talk with anybody."""
        return bool(self._memory.talks)

    def last_message(self, agent: Any = None) -> dict[str, Any] | None:
        """The last message exchanged with an agent, or with the only one; `None` before any conversation.

        Raises `ValueError` when there were several and none is named.
        """
        talks = self._memory.talks
        _check_no_name(agent)
        if agent is None:
            if len(talks) > 1:
                names = ", ".join(sorted(other.name for other in talks))
                raise ValueError(
                    f"Cannot tell which last message is meant: {self.name!r} talked with {names}. Name one."
                )
            agent = next(iter(talks), None)
        messages = talks[agent].to_dicts() if agent in talks else []
        return messages[-1] if messages else None

    def clear_history(
        self, agent: Any = None, nr_messages_to_preserve: int | None = None, *, recipient: Any = None
    ) -> None:
        """Forget the talk with one agent, or with all, but for the last `nr_messages_to_preserve` messages.

        Where the first of these is the result of a call, the call stays, too. `recipient` is the later name of `agent`.
        """
        if recipient is not None and agent is not None and recipient is not agent:
            raise ConfigurationError("Cannot clear the history with two agents: agent and recipient are one. Give one.")
        _check_no_name(agent if recipient is None else recipient)
        self._memory.forget(agent if recipient is None else recipient, _checked_number(nr_messages_to_preserve))

    def log_with(self, other: Any) -> EventLog | None:
        """The log that holds the talk with another agent."""
        return self._memory.log_with(other)

    async def attach(self, run: Run, other: Any) -> History:
        """Remember the talk with another agent from this run's log on, carrying over what is remembered already."""
        return await self._memory.attach(run, self, other)

    def check_free(self, other: Any, around: object = None) -> None:
        """Refuse a chat with an agent with whom one is under way, other than the one (`around`) that this is nested in."""
        if self._memory.chat_with(other) is not around:
            raise ConfigurationError(
                f"Cannot begin a chat: {self.name!r} and {other.name!r} are in another one that has not ended. "
                "Wait for its end, stop it (chat.stop(); _chat.stop() after %%agentchat), take other agents, or reset() "
                "both if it never will."
            )

    # -- Counting automatic replies ------------------------------------------------------------------------------

    def max_consecutive_auto_reply(self, sender: Any = None) -> int:
        """How many automatic replies a sender gets in a row."""
        return self._memory.limit_for(sender)

    def update_max_consecutive_auto_reply(self, value: int, sender: Any = None) -> None:
        """Change that limit, for one sender or for all."""
        _check_no_name(sender)
        self._memory.set_limit(value, sender)

    def reset_consecutive_auto_reply_counter(self, sender: Any = None) -> None:
        """Count anew, for one sender or for all."""
        _check_no_name(sender)
        self._memory.count_anew(sender)

    def auto_replies_to(self, sender: Any) -> int:
        """How many automatic replies a sender has had in a row."""
        return self._memory.auto_replies_to(sender)

    def count_auto_reply(self, sender: Any, *, starts_anew: bool) -> None:
        """Count one more automatic reply, or begin at 0."""
        self._memory.count_auto_reply(sender, starts_anew=starts_anew)

    def replies_to(self, sender: Any) -> bool:
        """Whether the agent answers what this sender says, when nobody asks it to."""
        return self._memory.replies_to(sender)

    def expect(self, sender: Any) -> None:
        """Answer what this sender says from now on, and count automatic replies to it anew."""
        self._memory.expect(sender)

    def stop_reply_at_receive(self, sender: Any = None) -> None:
        """Do not answer this sender (or anyone) of one's own accord from now on."""
        _check_no_name(sender)
        self._memory.stop_replying(sender)


def _check_no_name(agent: Any) -> None:
    """Refuse the name of an agent in its place: of that nothing would be remembered."""
    if isinstance(agent, str):
        raise ConfigurationError(
            f"Cannot find what is remembered: {agent!r} is a name, and several agents may have it. Give the agent itself."
        )


def _checked_number(value: Any) -> int:
    """How many messages are kept; `None` are none."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(
            f"Cannot clear the history: nr_messages_to_preserve is {value!r}. Give a whole number of at least 0, or nothing."
        )
    return int(value)
