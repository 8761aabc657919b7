"""Requests per second to one endpoint, counted for the whole process: every agent, thread and event loop together."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from typing import Any

from jupyter_agents.effects import Pause, Tell
from jupyter_agents.errors import ConfigurationError, RateLimitedError
from jupyter_agents.events import Waiting
from jupyter_agents.models.masking import kind_of
from jupyter_agents.models.patience import Patience


def checked_rate(value: Any) -> float | None:
    """A number of requests per second. Raises `ConfigurationError` for what is none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        said = value if isinstance(value, int | float) else kind_of(value)
        raise ConfigurationError(
            f"Cannot use api_rate_limit {said}: a number of requests per second above 0 is accepted. Correct it."
        )
    return float(value)


class _Turns:
    """When the requests to an endpoint may begin, one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = -float("inf")

    def take(self, gap: float, longest: float) -> tuple[float, float | None]:
        """Seconds until the next request may begin, `gap` after the one before, and when that was.

        No time is taken, and `None` given, where the wait would be longer than `longest`.
        """
        with self._lock:
            now, before = time.monotonic(), self._last
            at = max(now, before + gap)
            if at - now >= longest:
                return at - now, None
            self._last = at
            return at - now, before

    def give_back(self, gap: float, before: float) -> None:
        """A request was not made after all. Its time is free again, unless somebody has lined up behind it."""
        with self._lock:
            if self._last == before + gap:
                self._last = before


_turns: dict[Hashable, _Turns] = {}
_making = threading.Lock()


def _turns_of(endpoint: Hashable) -> _Turns:
    with _making:
        return _turns.setdefault(endpoint, _Turns())


async def await_turn(endpoint: Hashable, rate: float, patience: Patience, source: str) -> None:
    """Wait until another request may go to an endpoint; the wait is told. It counts within the patience of the call.

    Raises `RateLimitedError` at once where the patience would end before.
    """
    turns, gap = _turns_of(endpoint), 1 / rate
    seconds, before = turns.take(gap, patience.left())
    if before is None:
        raise RateLimitedError(
            f"Cannot get a reply from {source}: with api_rate_limit={rate:g} the next request may begin in "
            f"{seconds:.1f} s, which is after the time limit of this call. Raise 'timeout', or ask less at the same time.",
            retry_after=seconds,
        )
    if seconds <= 0:
        return
    try:
        await Tell(Waiting(seconds, f"no more than {rate:g} requests per second"))
        await Pause(seconds)
    except BaseException:
        turns.give_back(gap, before)
        raise
