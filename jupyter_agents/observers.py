"""Whoever follows all chats of this process, whether they are shown or not: logging and tracing do.

A listener hears of one chat that was given it. An observer hears of every event of every log, and of each answer of a model
together with the question, which no log holds. Nobody observes unless it was asked for.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jupyter_agents.effects import Complete
    from jupyter_agents.events import Entry, EventLog
    from jupyter_agents.models.base import ModelReply


class Observer(Protocol):
    """What follows chats. It is called in order, on the thread or task of each chat."""

    def happened(self, log: EventLog, entry: Entry) -> None:
        """An event was added to a log."""

    def answered(self, log: EventLog, chat: int, question: Complete, outcome: ModelReply | Exception) -> None:
        """A model has replied, or failed. The event that says so comes after it."""


_observers: tuple[Observer, ...] = ()


def observe(observer: Observer) -> None:
    """Have an observer follow all chats from now on."""
    global _observers
    _observers = (*(one for one in _observers if one is not observer), observer)


def stop_observing(observer: Observer) -> None:
    """Have it follow none any more."""
    global _observers
    _observers = tuple(one for one in _observers if one is not observer)


def tell_event(log: EventLog, entry: Entry) -> None:
    """Let all observers know of an event."""
    for one in _observers:
        try:
            one.happened(log, entry)
        except Exception as error:  # noqa: BLE001 - see `_warn`
            _warn(one, error)


def tell_answer(log: EventLog, chat: int, question: Complete, outcome: ModelReply | Exception) -> None:
    """Let all observers know of the answer of a model."""
    for one in _observers:
        try:
            one.answered(log, chat, question, outcome)
        except Exception as error:  # noqa: BLE001 - see `_warn`
            _warn(one, error)


def _warn(observer: Observer, error: Exception) -> None:
    """Whatever an observer raises, the chat is not its business."""
    warnings.warn(f"{type(observer).__name__} failed: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=3)
