"""What is the same in all requests to one address: where they go, and the headers, the key among them.

The SDK makes the first request, with all that it knows of authentication, Azure and the environment. The next ones are put
into the same envelope: making one takes the SDK and the HTTP client longer than sending it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

_OF_ONE_REQUEST = frozenset(
    (b"content-length", b"transfer-encoding", b"cookie", b"idempotency-key", b"x-stainless-read-timeout")
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """An address, and the headers that go there. No key is shown."""

    url: httpx2.URL
    headers: tuple[tuple[bytes, bytes], ...]

    def __repr__(self) -> str:
        return f"Envelope({self.url.host!r})"

    @classmethod
    def of(cls, request: httpx2.Request) -> Envelope:
        """That of a request which was sent."""
        kept = ((name, value) for name, value in request.headers.raw if name.lower() not in _OF_ONE_REQUEST)
        return cls(request.url, tuple(kept))

    def around(self, body: bytes, timeout: httpx2.Timeout) -> httpx2.Request:
        """A request with another body."""
        import httpx2

        headers = [*self.headers, (b"content-length", b"%d" % len(body))]
        return httpx2.Request(
            "POST", self.url, headers=headers, content=body, extensions={"timeout": timeout.as_dict()}
        )
