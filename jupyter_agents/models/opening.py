"""Sending a request: the answer, once its headers have come, or the failure, and when to try again.

This is the one module that knows the SDK. It is entered below its typed layer.
"""

from __future__ import annotations

import email.utils
import functools
import json
import math
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from jupyter_agents.effects import Step
from jupyter_agents.errors import (
    ConfigurationError,
    MalformedReplyError,
    ModelError,
    ModelUnavailableError,
    RateLimitedError,
)
from jupyter_agents.models.endpoint import Endpoint
from jupyter_agents.models.envelopes import Envelope
from jupyter_agents.models.patience import CONNECT_SECONDS, Patience, be_patient
from jupyter_agents.models.reading import Incoming
from jupyter_agents.models.refusals import Refusal
from jupyter_agents.models.transport import a_http_client, http_client, of_this_loop, of_this_process

if TYPE_CHECKING:
    import httpx2
    import openai

Envelopes = dict[str, Envelope]
"""By the path of the requests."""

_LONGEST_WAIT = 120.0
_FIRST_WAIT, _LONGEST_BACK_OFF = 0.5, 8.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not answered. `retry_after` is what the server asks for; `may_retry` is its word or ours."""

    error: ModelError
    may_retry: bool = False
    retry_after: float | None = None
    is_about_usage: bool = False

    def wait(self, attempt: int) -> float | None:
        """Seconds before another try, or `None` when there should be none. The rule is the SDK's."""
        if not self.may_retry or (self.retry_after or 0) > _LONGEST_WAIT:
            return None
        if self.retry_after and self.retry_after > 0:
            return self.retry_after
        back_off = min(_FIRST_WAIT * 2.0 ** min(attempt, 10), _LONGEST_BACK_OFF)
        return back_off * (1 - 0.25 * random.random())  # noqa: S311 - spreads retries, keeps no secret

    @property
    def reason(self) -> str:
        """Why there is a wait, for a person."""
        return "the server asks to wait" if isinstance(self.error, RateLimitedError) else "the server is not available"


@dataclass(frozen=True, slots=True)
class Open(Step["Incoming | Failure"]):
    """Send a request; the answer, once its headers have come."""

    endpoint: Endpoint
    path: str
    body: bytes
    patience: Patience
    source: str

    def perform(self) -> Incoming | Failure:
        """Send it from this thread."""
        be_patient(self.patience)
        try:
            envelopes: Envelopes = of_this_process((self.endpoint, "envelopes"), dict)
            known = self._known(envelopes)
            if known is None:
                response = _client(self.endpoint).post(self.path, **self._arguments(), stream_cls=_stream_class())
                self._keep(envelopes, response)
            else:
                http = http_client(local=self.endpoint.is_local)
                response = http.send(self._request(known), stream=True, follow_redirects=False)
                if not response.is_success:
                    response.read()
                    raise _status_error(response)
        except Exception as error:  # noqa: BLE001 - the SDK lets through errors of several other packages
            return self._failure(error)
        finally:
            be_patient(None)
        return self._checked(response)

    async def a_perform(self) -> Incoming | Failure:
        """Send it from the running loop."""
        be_patient(self.patience)
        try:
            envelopes: Envelopes = of_this_loop((self.endpoint, "envelopes"), dict)
            known = self._known(envelopes)
            if known is None:
                client = await _a_client(self.endpoint)
                response = await client.post(self.path, **self._arguments(), stream_cls=_stream_class(is_async=True))
                self._keep(envelopes, response)
            else:
                http = await a_http_client(local=self.endpoint.is_local)
                response = await http.send(self._request(known), stream=True, follow_redirects=False)
                if not response.is_success:
                    await response.aread()
                    raise _status_error(response)
        except Exception as error:  # noqa: BLE001 - see perform()
            return self._failure(error)
        finally:
            be_patient(None)
        return self._checked(response)

    def _known(self, envelopes: Envelopes) -> Envelope | None:
        return envelopes.get(self.path)

    def _request(self, known: Envelope) -> httpx2.Request:
        return known.around(self.body, self._timeout())

    def _keep(self, envelopes: Envelopes, response: Any) -> None:
        """Send the next ones in the envelope of this one, but for keys that change from one to the next."""
        if self.endpoint.token_provider is None:
            envelopes[self.path] = Envelope.of(response.request)

    def _timeout(self) -> httpx2.Timeout:
        import httpx2

        left = max(self.patience.left(), 0.001)
        return httpx2.Timeout(left, connect=min(left, CONNECT_SECONDS))

    def _arguments(self) -> Any:
        import httpx2

        options = {"timeout": self._timeout(), "max_retries": 0, "follow_redirects": False}
        return {"cast_to": httpx2.Response, "content": self.body, "options": options, "stream": True}

    def _checked(self, response: Any) -> Incoming | Failure:
        answer = Incoming(response, self.patience, self.source)
        kind = answer.content_type
        if kind in ("", "text/event-stream", "text/plain", "application/octet-stream") or "json" in kind:
            return answer
        answer.abandon()
        return Failure(
            MalformedReplyError(
                f"Cannot read the reply of {self.source}: {response.url.host} answered with {kind!r} where JSON or an "
                "event stream is due (a login page of a network, a proxy?). Check 'base_url' and the network."
            )
        )

    def _failure(self, error: Exception) -> Failure:
        import httpx2
        import openai

        if isinstance(error, ConfigurationError):
            raise error
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
            return Failure(self.patience.error(self.source), may_retry=True)
        if isinstance(error, openai.APIStatusError):
            return self._refused(error)
        if isinstance(error, (openai.APIConnectionError, *_connection_errors())):
            return Failure(ModelUnavailableError(self._unreachable(error)), may_retry=True)
        if isinstance(error, openai.OpenAIError):
            raise ConfigurationError(f"Cannot ask {self.source}: {self._hidden(str(error))}") from None
        return Failure(
            MalformedReplyError(
                f"Cannot read the reply of {self.source}: {type(error).__name__} ({self._hidden(str(error))[:200]}). "
                "Check 'base_url' and the network."
            )
        )

    def _refused(self, error: openai.APIStatusError) -> Failure:
        status, headers = error.status_code, error.response.headers
        if 300 <= status < 400:
            return Failure(self._redirected(headers.get("location", "")))
        refusal = Refusal.from_payload(error.body, status)
        refusal = replace(refusal, words=self._hidden(refusal.words), code=self._hidden(refusal.code))
        retry_after = _retry_after(headers)
        mapped = refusal.to_error(self.source, retry_after=retry_after)
        may_retry = isinstance(mapped, ModelUnavailableError) and headers.get("x-should-retry") != "false"
        about_usage = status in (400, 422) and ("stream_options" in refusal.words or "include_usage" in refusal.words)
        return Failure(mapped, may_retry, retry_after, about_usage)

    def _redirected(self, location: str) -> MalformedReplyError:
        import httpx2

        try:
            there = httpx2.URL(location).host or "another address"
        except httpx2.InvalidURL:
            there = "another address"
        return MalformedReplyError(
            f"Cannot get a reply from {self.source}: it redirects to {there}, and conversations are not carried there. "
            "Set 'base_url' to the right address."
        )

    def _unreachable(self, error: Exception) -> str:
        import openai

        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
        why = f"{type(cause).__name__}: {cause}" if cause and str(cause) else type(cause or error).__name__
        return (
            f"Cannot get a reply from {self.source}: the connection failed ({self._hidden(why)}). "
            "Check that the server is running and the network is up."
        )

    def _hidden(self, text: str) -> str:
        return self.endpoint.hide_in(text)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (seconds or a date); `None` where the server is silent."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        return seconds if math.isfinite(seconds) else None
    try:
        return email.utils.parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return None


# -- The SDK ----------------------------------------------------------------------------------------------------


def _client(endpoint: Endpoint) -> openai.OpenAI:
    import openai

    kind = openai.AzureOpenAI if endpoint.api_type == "azure" else openai.OpenAI
    http = http_client(local=endpoint.is_local)
    return of_this_process(endpoint, lambda: kind(**_client_arguments(endpoint), http_client=http))


async def _a_client(endpoint: Endpoint) -> openai.AsyncOpenAI:
    import openai

    kind = openai.AsyncAzureOpenAI if endpoint.api_type == "azure" else openai.AsyncOpenAI
    http = await a_http_client(local=endpoint.is_local)
    return of_this_loop(endpoint, lambda: kind(**_client_arguments(endpoint), http_client=http))


def _client_arguments(endpoint: Endpoint) -> Any:
    arguments: dict[str, Any] = {
        "api_key": endpoint.api_key.reveal() if endpoint.api_key else None,
        "organization": endpoint.organization,
        "default_headers": dict(endpoint.headers),
        "default_query": dict(endpoint.query),
        "max_retries": 0,
    }
    url = cast(str, endpoint.base_url)
    if endpoint.api_type == "openai":
        return arguments | {"base_url": url}
    arguments["api_version"] = endpoint.api_version or os.environ.get("OPENAI_API_VERSION")
    if endpoint.token_provider is not None:
        arguments |= {"azure_ad_token_provider": endpoint.token_provider, "api_key": None}
    return arguments | ({"base_url": url} if "/openai" in url else {"azure_endpoint": url})


def _status_error(response: httpx2.Response) -> openai.APIStatusError:
    """The error of an answer that is none, as the SDK has it. Its body has been read."""
    import openai

    try:
        said: Any = json.loads(response.text)
    except ValueError:
        said = response.text.strip()
    body = said.get("error", said) if isinstance(said, dict) else said
    return openai.APIStatusError(f"Error code: {response.status_code}", response=response, body=body)


@functools.cache
def _connection_errors() -> tuple[type[Exception], ...]:
    """What the HTTP client raises where there is no connection, and what it lets through."""
    import ssl

    import anyio
    import httpx2

    return httpx2.RequestError, ssl.SSLError, anyio.EndOfStream


@functools.cache
def _stream_class(*, is_async: bool = False) -> Any:
    """Asked for by the types of the SDK; never used, as the raw response is what is wanted."""
    import openai

    return openai.AsyncStream[Any] if is_async else openai.Stream[Any]
