"""Which chats of a log go on beside each other, so that a reader must be told which one a message belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_agents.events import ChatStarted


@dataclass
class Beside:
    """Knows of each chat whether another one of the same parent has gone on at the same time.

    What somebody has given a name goes by it from the beginning: others may begin at any time.

    >>> chats = Beside()
    >>> chats.begin(ChatStarted(1, "user", "ann", 0))
    >>> chats.begin(ChatStarted(2, "user", "bob", 1, "facts"))
    >>> chats.label(1), chats.label(2)
    ('', 'facts')
    >>> chats.begin(ChatStarted(3, "user", "eve", 0))
    >>> chats.label(1), chats.label(3)
    ('chat 1', 'chat 2')
    """

    _labels: dict[int, str] = field(default_factory=dict)
    _open: dict[int, set[int]] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)
    _shown: set[int] = field(default_factory=set)

    def begin(self, chat: ChatStarted) -> None:
        """A chat begins. Chats without a name are counted among those of their parent."""
        if chat.parent is None:
            return
        self._counts[chat.parent] = self._counts.get(chat.parent, 0) + 1
        self._labels[chat.chat] = chat.name or f"chat {self._counts[chat.parent]}"
        siblings = self._open.setdefault(chat.parent, set())
        siblings.add(chat.chat)
        if chat.name:
            self._shown.add(chat.chat)
        if len(siblings) > 1:
            self._shown |= siblings

    def end(self, chat: int) -> None:
        """A chat is over."""
        for siblings in self._open.values():
            siblings.discard(chat)

    def label(self, chat: int) -> str:
        """What a chat is called where it has a name, or others have gone on beside it; else nothing."""
        return self._labels[chat] if chat in self._shown else ""


__all__ = ["Beside"]
