"""What a server says when it does not answer, as the errors of this package.

Servers agree on little: the object may be `{"error": {…}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": …}`, a list
of one of these, or no JSON at all. What is told apart here is what makes a difference to whoever called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_agents.errors import (
    ContextLengthError,
    ModelError,
    ModelRejectedError,
    ModelUnavailableError,
    RateLimitedError,
)
from jupyter_agents.messages import scrub

_TOO_LONG = re.compile(
    r"context.{0,3}(length|window|size)|maximum context|prompt is too long|too many (input )?tokens", re.IGNORECASE
)
_NO_MONEY = re.compile(r"insufficient.(quota|balance|funds|credit)|billing|exceeded your current quota", re.IGNORECASE)
_BUSY = re.compile(r"rate.?limit|too many requests|resource.?exhausted", re.IGNORECASE)
_BLIND = re.compile(r"(image|audio|video)s?( input)? (is|are) not supported", re.IGNORECASE)
_MAX_WORDS = 500


@dataclass(frozen=True, slots=True)
class Refusal:
    """The parts of an error object that say something: the server's words, its code and type, an HTTP status."""

    words: str
    code: str = ""
    status: int | None = None

    @classmethod
    def from_payload(cls, payload: Any, status: int | None = None) -> Refusal:
        """What is in an error object of any shape."""
        payload = _innermost(payload)
        if not isinstance(payload, Mapping):
            return cls(_bounded(payload), "", status)
        words = payload.get("message") or payload.get("detail") or payload.get("msg") or payload.get("error")
        code = payload.get("code")
        if status is None and type(code) is int and 400 <= code < 600:
            status = code
        names = " ".join(str(payload.get(key) or "") for key in ("code", "type", "status"))
        return cls(_bounded(words), names.strip()[:100], status)

    def to_error(self, source: str, *, retry_after: float | None = None) -> ModelError:
        """The error to raise. `source` names the model and its server."""
        why = f"Cannot get a reply from {source}: {self}"
        said = f"{self.code} {self.words}"
        if _TOO_LONG.search(said) and self.status in (None, 400, 413, 422, 500):
            return ContextLengthError(
                f"{why}. Shorten the conversation, or use a model that reads more.", status=self.status
            )
        if kind := _BLIND.search(said):  # some say it with HTTP 500, but it will never be otherwise
            advice = f"Leave the {kind[1].lower()} out, or use a model that takes it."
            return ModelRejectedError(f"{why}. {advice}", status=self.status)
        if self.status in (402, 429, None) and _NO_MONEY.search(said):
            return ModelRejectedError(f"{why}. Check the plan and the credit of this key.", status=self.status)
        if self.status == 429 or (self.status is None and _BUSY.search(said)):
            wait = f"Wait {retry_after:.4g} s" if retry_after and retry_after > 0 else "Wait"
            return RateLimitedError(f"{why}. {wait}, or use another model.", retry_after=retry_after)
        if self.status is None or self.status >= 500 or self.status in (408, 409):
            return ModelUnavailableError(f"{why}. Try again later, or use another model.")
        return ModelRejectedError(f"{why}. {_advice(self.status)}", status=self.status)

    def __str__(self) -> str:
        named = f"HTTP {self.status}" if self.status else "the server reports an error"
        words = self.words.rstrip(".") or self.code
        return f"{named} ({words})" if words else named


def _innermost(payload: Any) -> Any:
    if isinstance(payload, list) and payload:
        payload = payload[0]
    inner = payload.get("error") if isinstance(payload, Mapping) else None
    return inner if isinstance(inner, Mapping) else payload


def _bounded(words: Any) -> str:
    text = scrub(str(words)) if words else ""
    text = " ".join(text.split())
    return text if len(text) <= _MAX_WORDS else text[: _MAX_WORDS - 1] + "…"


def _advice(status: int) -> str:
    return {
        401: "Check the API key.",
        403: "Check what the API key may use.",
        404: "Check 'model' and 'base_url'.",
    }.get(status, "Check the model's settings.")
