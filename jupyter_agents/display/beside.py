"""Which chats of a log stand beside each other, so that a reader must be told which one a message belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_agents.events import ChatStarted, SeriesStarted


@dataclass
class Beside:
    """Knows of each chat whether it is one of several: of a series, or of those that go on at the same time.

    What somebody has given a name goes by it from the beginning, and so does what is known to be one of several then.

    >>> chats = Beside()
    >>> chats.begin(ChatStarted(1, "user", "ann", 0))
    >>> chats.begin(ChatStarted(2, "user", "bob", 1, "facts"))
    >>> chats.label(1), chats.label(2)
    ('', 'facts')
    >>> chats.begin(ChatStarted(3, "user", "eve", 0))
    >>> chats.label(1), chats.label(3)
    ('chat 1', 'chat 2')
    >>> chats.begin_series(SeriesStarted(4, 2))
    >>> chats.begin(ChatStarted(5, "user", "ann", 4))
    >>> chats.label(5)
    'chat 1'
    """

    _labels: dict[int, str] = field(default_factory=dict)
    _open: dict[int, set[int]] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)
    _shown: set[int] = field(default_factory=set)
    _series: set[int] = field(default_factory=set)

    def begin_series(self, series: SeriesStarted) -> None:
        """A series begins, which says how many chats it is."""
        if series.chats > 1:
            self._series.add(series.chat)

    def begin(self, chat: ChatStarted) -> None:
        """A chat begins. Chats without a name are counted among those of their parent."""
        if chat.parent is None:
            return
        self._counts[chat.parent] = self._counts.get(chat.parent, 0) + 1
        self._labels[chat.chat] = chat.name or f"chat {self._counts[chat.parent]}"
        siblings = self._open.setdefault(chat.parent, set())
        siblings.add(chat.chat)
        if chat.name or chat.parent in self._series:
            self._shown.add(chat.chat)
        if len(siblings) > 1:
            self._shown |= siblings

    def end(self, chat: int) -> None:
        """A chat is over."""
        for siblings in self._open.values():
            siblings.discard(chat)

    def label(self, chat: int) -> str:
        """What a chat is called where it has a name, or is one of several; else nothing."""
        return self._labels[chat] if chat in self._shown else ""


__all__ = ["Beside"]
