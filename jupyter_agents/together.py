"""Several coroutines driven at the same time: as tasks of an event loop, or taking turns in one thread."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from jupyter_agents.effects import CallTool
from jupyter_agents.private_loop import Elsewhere, wait_for_one


async def at_the_same_time(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """The values of what is awaited in tasks of its own. When one fails, the others are cancelled and have ended."""
    tasks = [asyncio.ensure_future(_awaited(one)) for one in awaitables]
    try:
        return await asyncio.gather(*tasks)
    except BaseException as failure:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(failure, _Carried):
            raise failure.error from None
        raise


class _Carried(Exception):
    """Brings out of a task what would end the event loop, and in a kernel the kernel, if it left the task as it is."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


async def _awaited(one: Awaitable[Any]) -> Any:
    try:
        return await one
    except (KeyboardInterrupt, SystemExit) as error:
        raise _Carried(error) from None


def take_turns(coroutines: Sequence[Coroutine[Any, Any, Any]], perform: Callable[[Any], Any]) -> list[Any]:
    """The same in this thread: while one waits for an async callback, the next goes on."""
    turns = [_Turn(one, perform) for one in coroutines]
    try:
        while waiting := [turn for turn in turns if not turn.is_over]:
            for turn in waiting:
                turn.go_on()
            pending = [turn.pending for turn in waiting if turn.pending is not None]
            if pending:
                wait_for_one(pending)
    except BaseException:
        for turn in turns:
            turn.give_up()
        raise
    return [turn.value for turn in turns]


class _Turn:
    """One of several coroutines, as far as it has come."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], perform: Callable[[Any], Any]) -> None:
        self._coroutine, self._perform = coroutine, perform
        self._reply: Any = None
        self._error: BaseException | None = None
        self.pending: Elsewhere[Any] | None = None
        self.is_over = False
        self.value: Any = None

    def go_on(self) -> None:
        """Step it until it has ended, or waits for a callback that has not."""
        while not self.is_over:
            if self.pending is not None:
                if not self.pending.outcome.done():
                    return
                self._try(self.pending.value)
                self.pending = None
            self._step()

    def give_up(self) -> None:
        """Stop it where it is."""
        if self.pending is not None:
            self.pending.stop()
        self._coroutine.close()

    def _step(self) -> None:
        reply, error, self._reply, self._error = self._reply, self._error, None, None
        try:
            wanted = self._coroutine.send(reply) if error is None else self._coroutine.throw(error)
        except StopIteration as end:
            self.is_over, self.value = True, end.value
            return
        self._try(lambda: self._begin(wanted) if isinstance(wanted, CallTool) else self._perform(wanted))

    def _begin(self, effect: CallTool) -> Any:
        value = effect.function(*effect.args, **effect.kwargs)
        if not inspect.isawaitable(value):
            return value
        self.pending = Elsewhere(value)
        self.pending.begin()
        return None

    def _try(self, function: Callable[[], Any]) -> None:
        try:
            self._reply = function()
        except BaseException as raised:  # noqa: BLE001 - the coroutine decides what an error or an interrupt means
            self._error = throwable(raised)


def throwable(error: BaseException) -> BaseException:
    """An error as it can be thrown into a coroutine: a `StopIteration` would end it."""
    if not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError("a callback raised StopIteration")
    wrapped.__cause__ = error
    return wrapped
