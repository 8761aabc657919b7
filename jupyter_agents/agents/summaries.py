"""What a chat comes to, in a text: its last message, a model's summing up, or what a function says.

A model, or a function, is asked when the talk is over and before the chat has ended; so its tokens are the chat's, its
words are on the tape, and a budget covers them. Where it fails, the last message stands: a chat is never lost over it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jupyter_agents.agents.faces import call, call_of
from jupyter_agents.agents.history import Talk
from jupyter_agents.agents.memory import memory_of
from jupyter_agents.culprits import described, place_of
from jupyter_agents.effects import Complete, Emit
from jupyter_agents.errors import ConfigurationError, RecordingError
from jupyter_agents.events import Noted, Summarised
from jupyter_agents.messages import Message
from jupyter_agents.models.base import ModelRequest
from jupyter_agents.nearest import did_you_mean, nearest
from jupyter_agents.run import Run, ThisRun

SummaryMethod = Literal["last_msg", "reflection_with_llm"] | Callable[[Any, Any, dict[str, Any]], Any] | None

REFLECTION = "reflection_with_llm"
_NAMED = ("last_msg", REFLECTION)
_ASIDE = "summing up"
_PROMPT = (
    "Sum up the conversation above for somebody who has not read it and goes on from here: what was found or decided, "
    "with the names and numbers that matter. Say only that, without greetings, comments or questions."
)
_ROLES = ("user", "system", "assistant")
_KEYS = ("summary_prompt", "summary_role", "cache")
_FOR_CALLS = frozenset({"functions", "function_call", "tools", "tool_choice", "parallel_tool_calls", "response_format"})
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Summary:
    """How a chat is summed up. `args` are the prompt and the role of a model's summing up, or whatever a function takes."""

    method: SummaryMethod = "last_msg"
    args: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.method, str):
            _check_name(self.method)
        elif self.method is not None and not callable(self.method):
            raise ConfigurationError(
                f"Cannot use summary_method={self.method!r}: give 'last_msg', 'reflection_with_llm', a function of "
                "(sender, recipient, summary_args), or None."
            )
        if not isinstance(self.args, Mapping):
            raise ConfigurationError(f"Cannot use summary_args={self.args!r}: give a dictionary, or None.")
        if self.method == REFLECTION:
            _check_args(self.args)

    def check(self, sender: Any, recipient: Any) -> None:
        """Refuse a summing up that nobody can do, before the chat begins."""
        if self.method == REFLECTION and _summing_up(sender, recipient) is None:
            raise ConfigurationError(
                f"Cannot have a model sum up the chat: neither {recipient.name!r} nor {sender.name!r} has one. Give one of "
                "them an llm_config, or use summary_method='last_msg'."
            )

    async def make(self, sender: Any, recipient: Any, run: Run) -> None:
        """Put the summary into the log. Of the last message nothing need be put there."""
        if self.method == "last_msg":
            return
        if self.method is None:
            await Emit(Summarised(run.chat, "", "none"))
            return
        method = REFLECTION if self.method == REFLECTION else "function"
        try:
            text = await self._text(sender, recipient)
        except RecordingError:  # what is replayed is not what was recorded: that is never hidden
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model or a function raises, the chat stays
            await _fall_back(run, recipient, error)
            return
        if text.strip():
            await Emit(Summarised(run.chat, text, method))
        else:
            await _fall_back(run, recipient, "it was given no words")

    async def _text(self, sender: Any, recipient: Any) -> str:
        if self.method == REFLECTION:
            heard = await call(recipient.chat_messages_for_summary, sender)
            return await reflect(_summing_up(sender, recipient), heard, self.args)
        method: Any = self.method
        found = await call_of("the summary_method", None, method, sender, recipient, dict(self.args))
        if isinstance(found, Mapping):
            found = Message.from_dict(found).text
        return found if isinstance(found, str) else str(found)


async def reflect(agent: Any, heard: list[dict[str, Any]], args: Mapping[str, Any]) -> str:
    """What an agent's model says that messages come to."""
    if agent is None or agent.model is None:
        raise ConfigurationError("Cannot have a model sum up: the agent has none. Give it an llm_config.")
    run = await ThisRun()
    options = {name: value for name, value in agent.request_options.items() if name not in _FOR_CALLS}
    request = ModelRequest(_asked(heard, args), options)
    reply = await Complete(run.log.key_of(agent), agent.model, request, _ASIDE)
    return reply.content or ""


def _asked(heard: list[dict[str, Any]], args: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was said, and what is wanted; a call that was left without a result is given one on the way."""
    asked = {"role": args.get("summary_role") or "user", "content": args.get("summary_prompt") or _PROMPT}
    return Talk.from_dicts([*heard, asked]).wire


def heard_by(agent: Any, other: Any) -> list[dict[str, Any]]:
    """What is summed up of a talk: what the agent remembers of it; of a group that it leads, what all have said there."""
    group = getattr(agent, "groupchat", None)
    if group is None:
        return memory_of(agent).talk_with(other).to_dicts()
    return [{**one, "content": ""} if one.get("content") is None else dict(one) for one in group.messages]


def _summing_up(sender: Any, recipient: Any) -> Any:
    """Whose model sums up: the recipient's, or else the sender's."""
    return next((one for one in (recipient, sender) if one.model is not None), None)


async def _fall_back(run: Run, agent: Any, reason: Exception | str) -> None:
    why = reason if isinstance(reason, str) else could_not_be_made(reason)
    text = f"The summary of the chat is its last message: {why}."
    await Emit(Noted(run.chat, text, agent=run.log.key_of(agent), level="warning"))


def could_not_be_made(error: Exception) -> str:
    """Why there is no summary, in a line."""
    place = place_of(error)
    line = described(error).partition("\n")[0][:_LONGEST_REASON].rstrip(".")
    return f"it could not be made ({line}{place and ', in '}{place})"


def _check_name(method: str) -> None:
    if method in _NAMED:
        return
    meant = nearest(method, _NAMED)
    raise ConfigurationError(
        f"Cannot use summary_method={method!r}: it must be 'last_msg', 'reflection_with_llm', a function of (sender, "
        f"recipient, summary_args), or None.{f' Use {meant!r}.' if meant else ''}"
    )


def _check_args(args: Mapping[str, Any]) -> None:
    for name in args:
        if name not in _KEYS:
            meant = nearest(str(name), _KEYS)
            raise ConfigurationError(
                f"Cannot use {name!r} in summary_args: it may have {', '.join(_KEYS)}."
                + (f" Use {meant!r}." if meant else " Leave it out.")
            )
    prompt, role = args.get("summary_prompt"), args.get("summary_role")
    if prompt is not None and not (isinstance(prompt, str) and prompt.strip()):
        raise ConfigurationError(f"Cannot use summary_prompt={prompt!r}: give a text that says what is wanted.")
    if role is not None and role not in _ROLES:
        raise ConfigurationError(
            f"Cannot use summary_role={role!r}: it must be one of {', '.join(_ROLES)}.{did_you_mean(role, _ROLES)}"
        )


__all__ = ["REFLECTION", "Summary", "SummaryMethod", "could_not_be_made", "heard_by", "reflect"]
