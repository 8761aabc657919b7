"""What is asked of a chat that is under way, and takes something back: its last reply anew, or its last message otherwise."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.run import current_run

if TYPE_CHECKING:
    from jupyter_agents.background import Chat
    from jupyter_agents.control import Control
    from jupyter_agents.conversation import ChatResult

GoOn = Callable[["ChatResult"], Coroutine[Any, Any, "ChatResult"]]


@dataclass(frozen=True, eq=False)
class TakingBack:
    """That a chat is asked to go on in another way. It need not be awaited: `await` it, or `wait()`, until the chat does."""

    chat: Chat
    action: str
    go_on: GoOn = field(repr=False)
    _control: Control = field(repr=False)
    _begun: Future[None] = field(default_factory=Future, repr=False)

    def __await__(self) -> Generator[Any, None, Chat]:
        self._check_outside()
        yield from asyncio.shield(asyncio.wrap_future(self._begun)).__await__()
        return self.chat

    def wait(self, timeout: float | None = None) -> Chat:
        """Wait in another thread than that of the chat's event loop. Raises `TimeoutError` after so many seconds."""
        self._check_outside()
        self._begun.result(timeout)
        return self.chat

    def begin(self) -> None:
        """The chat goes on in that way."""
        self._begun.set_result(None)

    def drop(self, why: str) -> None:
        """It does not."""
        self._begun.set_exception(ConfigurationError(f"Cannot {self.action} in this chat: {why}"))

    def _check_outside(self) -> None:
        run = current_run.get()
        if run is not None and run.depth and not run.state.is_over and run.control is self._control:
            raise ConfigurationError(
                f"Cannot wait for this chat to {self.action}: what waits is part of the chat. Leave out the `await`."
            )


@dataclass
class NextMove:
    """The one thing that is asked of a chat, if anything is: of two that come before it can be done, the later one.

    Whoever asks and tells the chat, or looks at how it ended and takes what was asked, holds the `lock` for both.
    """

    is_over: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    _asked: TakingBack | None = None

    def ask(self, move: TakingBack) -> None:
        """Have the chat go on in this way when it has ended."""
        with self.lock:
            before, self._asked = self._asked, move
        if before is not None:
            before.drop(f"it was asked to {move.action} before it could.")

    def take(self) -> TakingBack | None:
        """What is to be done now that the chat has ended."""
        with self.lock:
            move, self._asked = self._asked, None
            return move

    def end(self, why: str) -> None:
        """The chat has ended for good: nothing can be asked of it any more."""
        with self.lock:
            move, self._asked, self.is_over = self._asked, None, True
        if move is not None:
            move.drop(why)


__all__ = ["NextMove", "TakingBack"]
