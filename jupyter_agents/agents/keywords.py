"""The keyword arguments of `initiate_chat`: settings of the chat, and what else its opening reads. A slip is refused.

What an opening reads is its own affair, so names that are no settings are taken; but a mistyped setting would hold a chat
that was not meant, and may cost money without a limit.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_agents.agents.faces import core_of, find_hook, is_overridden
from jupyter_agents.effects import Emit
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import Noted
from jupyter_agents.nearest import did_you_mean, mistyped, nearest
from jupyter_agents.run import Run

OF_CHAT = (
    "message",
    "carryover",
    "clear_history",
    "silent",
    "max_turns",
    "termination",
    "budget",
    "summary_method",
    "summary_args",
    "response_format",
    "cache",
    "verbose",
)
"""What every chat may be given; the last one is of later versions of the classic framework, and without effect."""
_SURE, _NEAR = 0.88, 0.83
"""How alike a name must be to be a slip: where anything might be read (so `results` is none of `n_results`), and where not."""


@dataclass(frozen=True)
class Readers:
    """What the opening of a chat reads: the names that are known, and whether there may be others."""

    names: tuple[str, ...]
    read_all: bool

    @classmethod
    def of(cls, sender: Any, message: Any) -> Readers:
        """What is read where `sender` begins a chat with this `message`, which may be a function of all keywords."""
        named, read_all = _read_by_opening(sender)
        read_all = read_all or callable(message) or is_overridden(sender, "initiate_chat")
        return cls((*named, *getattr(sender, "opening_arguments", ())), read_all)

    def meant(self, name: str, known: Collection[str]) -> str | None:
        """The known name of which this one is a slip."""
        if not self.read_all:
            return mistyped(name, known) or nearest(name, known, at_least=_NEAR)
        meant = mistyped(name, known) or nearest(name, known, at_least=_SURE)
        return None if meant is None or _is_word_of_its_own(name, meant) else meant


def check_keywords(sender: Any, context: Mapping[str, Any]) -> None:
    """Refuse a mistyped keyword of `initiate_chat`, before anything is read or asked."""
    if not _unknown(context, OF_CHAT):
        return
    readers = Readers.of(sender, context.get("message"))
    known = (*OF_CHAT, *readers.names)
    for name in _unknown(context, known):
        meant = readers.meant(name, known)
        if meant is not None:
            hint = " A keyword of your own needs another name." if readers.read_all else ""
            raise ConfigurationError(
                f"Cannot begin the chat: {name!r} is not one of its settings. Did you mean {meant!r}?{hint}"
            )


async def note_unread(run: Run, sender: Any, context: Mapping[str, Any]) -> None:
    """Say in the transcript which keywords nothing reads."""
    if not _unknown(context, OF_CHAT):
        return
    readers = Readers.of(sender, context.get("message"))
    if readers.read_all:
        return
    known = (*OF_CHAT, *readers.names)
    for name in _unknown(context, known):
        hint = did_you_mean(name, known) or " A function given as message would."
        text = f"Nothing reads {name!r}, which was given to initiate_chat.{hint}"
        await Emit(Noted(run.chat, text, run.log.key_of(sender), "warning"))


def _unknown(context: Mapping[str, Any], known: Collection[str]) -> list[str]:
    return [name for name in context if name not in known]


def _is_word_of_its_own(name: str, meant: str) -> bool:
    """Whether it is another form of the word, such as its plural: `messages`, `cached`."""
    return name[-1:] in ("s", "d") and name[:-1] == meant and not meant.endswith("s")


def _read_by_opening(sender: Any) -> tuple[list[str], bool]:
    """What an override of `generate_init_message` says that it takes, and whether it takes everything."""
    faces = [face for face in find_hook(sender, "generate_init_message") if face is not None]
    theirs = [function for function in (core_of(face) or face for face in faces) if not _is_ours(function)]
    try:
        found = [one for function in theirs for one in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):  # it is not written in Python
        return [], True
    names = [one.name for one in found if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)]
    return names, any(one.kind is one.VAR_KEYWORD for one in found)


def _is_ours(function: Any) -> bool:
    """Whether it is of this package: what that reads, its class says in `opening_arguments`."""
    return str(getattr(function, "__module__", "")).startswith("jupyter_agents.")
