"""A run: what the driver of a conversation works with, and how whoever is driven finds it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_agents.budget import Ledger
from jupyter_agents.control import Control
from jupyter_agents.effects import Effect
from jupyter_agents.events import EventLog, Listener
from jupyter_agents.messages import Message
from jupyter_agents.session import Session, current_session

if TYPE_CHECKING:
    from jupyter_agents.agents.begun import Begun
    from jupyter_agents.executors.sink import OutputSink
    from jupyter_agents.journal.recording import Tape
    from jupyter_agents.models.cache import Cache
    from jupyter_agents.progress import Progress

T = TypeVar("T")


@dataclass
class RunState:
    """What changes about a run: whether its chat is over, and how far that has come.

    A task that goes on after the chat begins chats of its own. `reserved` are the ordinals of chats that will begin
    under it, where several begin at the same time and their numbers shall not depend on which is first, and `name` is what
    the first of them is called. `forms` are those
    of which the log knows that they are asked for, `answer` is the message for which the chat was held, if it was for such. `nested` is how many chats between two agents are
    under way directly within this one. `begun` is what agents, by their keys in the log, have begun to do in this chat
    when it was broken off, and are not to do again. With `is_fresh` the next reply of a model is not to come from a cache.
    """

    is_over: bool = False
    progress: Progress | None = None
    reserved: list[int] = field(default_factory=list)
    name: str = ""
    forms: set[tuple[str, str]] = field(default_factory=set)
    answer: Message | None = None
    nested: int = 0
    begun: dict[str, Begun] = field(default_factory=dict)
    is_fresh: bool = False


@dataclass(frozen=True)
class Run:
    """What a driver works with: the log, the ledger, who listens, the tape, and which chat of the log this is.

    `cache` is asked before any model. `name` is what that is called, if anything. With `passes_on` the one who listens tells another run of it. `pairs` are the pairs of agents (by `id`) whose chats are under way around this one, each with a token of its own.
    """

    log: EventLog = field(default_factory=EventLog)
    ledger: Ledger = field(default_factory=Ledger)
    listeners: tuple[Listener, ...] = ()
    session: Session = field(default_factory=current_session)
    tape: Tape | None = None
    chat: int = 0
    name: str = ""
    depth: int = 0
    pairs: Mapping[frozenset[int], object] = field(default_factory=dict)
    state: RunState = field(default_factory=RunState)
    control: Control = field(default_factory=Control)
    passes_on: bool = False
    cache: Cache | None = None

    def output_sink(self) -> OutputSink | None:
        """Where code shows things, if a listener takes them; otherwise they go to the cell."""
        sinks = (listener.output_sink() for listener in self.listeners if hasattr(listener, "output_sink"))
        return next((sink for sink in sinks if sink is not None), None)

    def tell(self, what: Any) -> None:
        """Let every listener know. One that fails is warned about, and does not end the chat."""
        if not self.listeners:
            return
        if self.passes_on:
            self.listeners[0](what)
            return
        with self.control.undisturbed():
            for listener in self.listeners:
                try:
                    listener(what)
                except Exception as error:  # noqa: BLE001 - whatever a listener raises, the chat is not its business
                    warnings.warn(f"A listener failed: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=2)


current_run: ContextVar[Run | None] = ContextVar("jupyter_agents_run", default=None)


class ThisRun(Effect[Run]):
    """The run of the driver that performs this effect."""

    __slots__ = ()


class ThisTask(Effect[asyncio.Task[Any] | None]):
    """The task in which an event loop's driver performs this effect; `None` under the synchronous one."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Within(Effect[T]):
    """The value of a coroutine that is driven under another run: a chat nested in this one, or a new root chat."""

    run: Run
    coroutine: Coroutine[Any, Any, T]
