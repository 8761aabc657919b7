"""One thread that does what is due: sends what has gathered, opens a slot that has been waited for, asks pages whether they are there.

The chat's own thread may be blocked for minutes, by code or by a model; what a page shows goes on meanwhile. The
thread begins with the first thing that is due and ends when nothing has been for a while.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
import threading
import time
import warnings
from collections.abc import Callable

_IDLE = 5.0


class Clock:
    """Calls functions at their time, one after the other, each in the context of whoever asked for it.

    What is displayed by such a function lands in the cell that ran when it was asked for.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._due: list[tuple[float, int, Callable[[], None], contextvars.Context]] = []
        self._counter = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def at(self, when: float, function: Callable[[], None]) -> None:
        """Call `function` at this time of the clock, or soon after."""
        entry = (when, next(self._counter), function, contextvars.copy_context())
        with self._changed:
            heapq.heappush(self._due, entry)
            if self._due[0] is entry:  # otherwise the thread wakes up early enough
                self._changed.notify()
            if self._thread is None or not self._thread.is_alive():  # an interrupt may have kept it from its start
                self._thread = threading.Thread(target=self._run, name="jupyter-agents-page", daemon=True)
                self._thread.start()

    def after(self, seconds: float, function: Callable[[], None]) -> None:
        """Call `function` in so many seconds."""
        self.at(self.now() + seconds, function)

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            _, _, function, context = entry
            try:
                context.run(function)
            except Exception as error:  # noqa: BLE001 - one page's trouble must not stop the others
                warnings.warn(f"Cannot update a page: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=1)

    def _next(self) -> tuple[float, int, Callable[[], None], contextvars.Context] | None:
        with self._changed:
            while True:
                if not self._due and not self._changed.wait(_IDLE) and not self._due:
                    self._thread = None
                    return None
                if not self._due:
                    continue
                wait = self._due[0][0] - self.now()
                if wait <= 0:
                    return heapq.heappop(self._due)
                self._changed.wait(wait)


clock = Clock()
"""The clock of this process."""
