"""When a call is repeated: before it was answered, and after its answer has broken off."""

from __future__ import annotations

from typing import Literal

from jupyter_agents.effects import Pause, Tell
from jupyter_agents.errors import MalformedReplyError, ModelError, ModelUnavailableError, ReplyInterruptedError
from jupyter_agents.events import Retracted, Waiting
from jupyter_agents.models.opening import Failure
from jupyter_agents.models.patience import Patience

OnBreak = Literal["raise", "retry"]
"""What becomes of a reply that breaks off: its error, or another try."""


class Retries:
    """The tries that a call has left, within its patience."""

    __slots__ = ("_limit", "_made", "_on_break", "_patience", "_was_malformed")

    def __init__(self, limit: int, patience: Patience, on_break: OnBreak) -> None:
        self._limit = limit
        self._patience = patience
        self._on_break = on_break
        self._made = 0
        self._was_malformed = False

    async def wait(self, failure: Failure) -> None:
        """Wait until it is time for another try. Raises the error of this one where there is none."""
        seconds = self._seconds(failure)
        if seconds is None:
            raise failure.error
        self._made += 1
        await Tell(Waiting(seconds, failure.reason))
        await Pause(seconds)

    async def begin_anew(self, error: ModelError) -> None:
        """The same for a reply that has begun: what was shown of it is taken back.

        A call of a tool in it was never acted on: that needs the finish reason.
        """
        failure = Failure(error, may_retry=self._may_begin_anew(error))
        if self._seconds(failure) is None:
            raise error
        self._was_malformed |= isinstance(error, MalformedReplyError)
        await Tell(retraction(error))
        await self.wait(failure)

    def _seconds(self, failure: Failure) -> float | None:
        seconds = failure.wait(self._made)
        if self._made >= self._limit or seconds is None or seconds >= self._patience.left():
            return None
        return seconds

    def _may_begin_anew(self, error: ModelError) -> bool:
        if isinstance(error, MalformedReplyError):  # once: a server that is out of its mind stays so, and costs money
            return not self._was_malformed
        return self._on_break == "retry" and is_break(error)


def is_break(error: Exception) -> bool:
    """Whether a reply that had begun has broken off by an accident, so that another try may come to its end."""
    is_accident = isinstance(error, ModelUnavailableError | MalformedReplyError | ReplyInterruptedError)
    return is_accident and getattr(error, "partial", None) is not None


def retraction(error: ModelError) -> Retracted:
    """That what was shown of a reply which has failed is taken back."""
    partial = error.partial
    text, usage, model, cost = (getattr(partial, name, None) for name in ("content", "usage", "model", "cost"))
    return Retracted(str(error), text or "", usage, model, cost)
