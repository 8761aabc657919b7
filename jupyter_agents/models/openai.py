"""Models behind the OpenAI API and the many servers that speak it.

The SDK does what it does well (authentication, base addresses, Azure) and is entered below its typed layer, whose cost
grows with every message of the history: messages go out in wire form, and the event stream is read by `stream.py`.
"""

from __future__ import annotations

import copy
import email.utils
import functools
import itertools
import json
import math
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from jupyter_agents.effects import Pause, Step, Tell
from jupyter_agents.errors import (
    ConfigurationError,
    MalformedReplyError,
    ModelError,
    ModelUnavailableError,
    RateLimitedError,
)
from jupyter_agents.events import Delta, Waiting
from jupyter_agents.messages import Usage, scrub
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.endpoint import Endpoint, Secret, checked_url, pairs, to_secret
from jupyter_agents.models.keys import checked_variable
from jupyter_agents.models.masking import kind_of, shown
from jupyter_agents.models.presets import preset_named
from jupyter_agents.models.refusals import Refusal
from jupyter_agents.models.requests import adapted_messages, adapted_options, checked_role
from jupyter_agents.models.responses import to_response_request
from jupyter_agents.models.stream import Api, ReplyStream, parse_body
from jupyter_agents.models.transport import (
    Close,
    Incoming,
    Patience,
    Read,
    a_http_client,
    be_patient,
    http_client,
    of_this_loop,
    of_this_process,
)

if TYPE_CHECKING:
    import openai

DEFAULT_MODEL = "gpt-4.1"
"""What is asked for where neither a config nor `OPENAI_MODEL` names a model."""

_LONGEST_WAIT = 120.0
_FIRST_WAIT, _LONGEST_BACK_OFF = 0.5, 8.0
_FOR_USAGE = 5.0
_FOR_THE_END = 0.2
_CHARACTERS_PER_TOKEN = 4


class OpenAIModel:
    """A model of OpenAI, of Azure, or of any server with their chat-completions API.

    `timeout` is for a whole call, retries included; `idle_timeout` is the longest silence within a reply. Calls that
    cannot be answered now are repeated `max_retries` times, with the wait that the server asks for; once a reply has
    begun, never. `options` are sent with every request, whatever they are; those of a request go before them.

    `preset` names a known server (`models/presets.py`), `api_key_variable` the variable of the environment that holds
    the key. `api` is the language that is spoken: `"chat"` for chat completions, `"responses"` for the Responses API.
    `system_role` is the role of instructions, where a model wants `"developer"` or `"user"` instead of `"system"`.

    >>> OpenAIModel("gpt-4.1", api_key="sk-secret", temperature=0)
    OpenAIModel('gpt-4.1', 'api.openai.com', temperature=0)
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        base_url: str | None = None,
        api_key: str | Secret | None = None,
        api_type: str | None = None,
        api_version: str | None = None,
        organization: str | None = None,
        preset: str | Literal[False] | None = None,
        api_key_variable: str | None = None,
        azure_endpoint: str | None = None,
        azure_deployment: str | None = None,
        azure_ad_token_provider: Any = None,
        default_headers: Mapping[str, str] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float = 600.0,
        idle_timeout: float = 60.0,
        max_retries: int = 2,
        stream: bool = True,
        api: str = "chat",
        system_role: str | None = None,
        **options: Any,
    ) -> None:
        base_url = azure_endpoint or base_url
        self.model = model
        self.timeout = _positive(timeout, "timeout")
        self.idle_timeout = _positive(idle_timeout, "idle_timeout")
        self.max_retries = _count(max_retries, "max_retries")
        self.stream = stream
        self.api = _api(api)
        self.system_role = checked_role(system_role)
        self._options = copy.deepcopy({**options, **(extra_body or {})})
        self._asks_usage = True
        self._endpoint = Endpoint(
            base_url=checked_url(base_url) if base_url else None,
            api_key=to_secret(api_key),
            api_type=_kind(api_type, azure_endpoint),
            api_version=api_version,
            organization=organization,
            preset=preset_named(preset).name if preset else preset,
            key_variable=checked_variable(api_key_variable),
            deployment=azure_deployment,
            token_provider=azure_ad_token_provider,
            headers=pairs({**(default_headers or {}), **(extra_headers or {})}),
            query=pairs(extra_query),
        )

    def __repr__(self) -> str:
        options = "".join(f", {key}={value!r}" for key, value in shown(self._options).items())
        return f"OpenAIModel({self.name!r}, {self._endpoint.host!r}{options})"

    @property
    def name(self) -> str:
        """The model that is asked for."""
        return self.model or os.environ.get("OPENAI_MODEL") or DEFAULT_MODEL

    @property
    def endpoint(self) -> Endpoint:
        """Where it is, as the config says it; `resolve()` adds what the environment says."""
        return self._endpoint

    @property
    def source(self) -> str:
        """The model and its server, for a person."""
        return f"{self.name!r} at {self._endpoint.host}"

    def check_configured(self) -> None:
        """Raise `ModelNotConfiguredError` if a call could not be sent."""
        self._endpoint.resolve()

    def renamed(self, name: str) -> OpenAIModel:
        """The same with another model at the same endpoint. With Azure, the name is that of the deployment."""
        other = copy.copy(self)
        other.model, other._endpoint = name, replace(self._endpoint, deployment=None)
        return other

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer the request. Text is told as it comes."""
        endpoint, patience = self._endpoint.resolve(), Patience(self.timeout, self.idle_timeout)
        sent, answer = await self._open(request, endpoint, patience)
        try:
            is_body = "json" in answer.content_type
            due = self._choices(request)
            reply = await (_receive_body(answer, self.api) if is_body else _receive_stream(answer, self.api, due))
        except BaseException as error:
            answer.abandon()
            if isinstance(error, ModelError):
                error.args = (endpoint.hide_in(str(error)),)
            raise
        return reply if reply.usage else replace(reply, usage=_estimate(sent, reply))

    async def _open(self, request: ModelRequest, endpoint: Endpoint, patience: Patience) -> tuple[int, Incoming]:
        """The size of what was sent and the answer to it, after as many tries as are allowed."""
        for attempt in itertools.count():
            body, path = self._encode(request, endpoint)
            outcome = await Open(endpoint, path, body, patience, self.source)
            if isinstance(outcome, Incoming):
                return len(body), outcome
            if outcome.is_about_usage and self._asks_usage:
                self._asks_usage = False
                continue
            wait = outcome.wait(attempt)
            if attempt >= self.max_retries or wait is None or wait >= patience.left():
                raise outcome.error
            await Tell(Waiting(wait, outcome.reason))
            await Pause(wait)
        raise AssertionError("unreachable")

    def _encode(self, request: ModelRequest, endpoint: Endpoint) -> tuple[bytes, str]:
        """The body and the path of a request. What the caller gave is only read; an option of `None` is left out."""
        said = {"stream": self.stream, **self._options, **request.options}
        if said["stream"] and self._asks_usage:
            said.setdefault("stream_options", {"include_usage": True})
        else:
            said.pop("stream_options", None)
        model = str(said.get("model") or self.name)
        body: dict[str, Any] = {"model": self.name} | adapted_options(said, model, is_openai=endpoint.is_openai)
        body["messages"] = adapted_messages(request.messages, model, self.system_role)
        body = endpoint.server.adapted(body) if endpoint.server else body
        if self.api == "responses":
            return _to_json(to_response_request(body)), "/responses"
        return _to_json(body), endpoint.path(str(body["model"]))

    def _choices(self, request: ModelRequest) -> int:
        """How many choices are asked for."""
        n = request.options.get("n", self._options.get("n"))
        return n if type(n) is int and n > 0 else 1


def _kind(api_type: str | None, azure_endpoint: str | None) -> Any:
    kind = (api_type or ("azure" if azure_endpoint else "openai")).lower().replace("_", "")
    if kind not in ("openai", "azure"):
        raise ConfigurationError(
            f"Cannot use api_type {api_type!r}: 'openai' and 'azure' are accepted. Other services have an address "
            "that speaks OpenAI's language: set it as 'base_url'."
        )
    return kind


def _api(api: Any) -> Api:
    if api not in ("chat", "responses"):
        raise ConfigurationError(
            f"Cannot use api {str(api)[:40]!r}: 'chat' (chat completions) and 'responses' (the Responses API) are "
            "accepted. Correct it."
        )
    return cast(Api, api)


def _positive(seconds: Any, what: str) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        said = seconds if isinstance(seconds, int | float) else kind_of(seconds)
        raise ConfigurationError(f"Cannot use {what} {said}: a number of seconds above 0 is accepted. Correct it.")
    return float(seconds)


def _count(value: Any, what: str) -> int:
    if type(value) is not int or value < 0:
        said = value if isinstance(value, int | float) else kind_of(value)
        raise ConfigurationError(f"Cannot use {what} {said}: a whole number, 0 or more, is accepted. Correct it.")
    return value


def _to_json(body: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"Cannot send the request: it holds what JSON cannot express ({error}). "
            "Look at the options of the model and at the messages."
        ) from None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return scrub(text).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"an object of type {type(value).__name__}")


def _estimate(sent: int, reply: ModelReply) -> Usage:
    """Tokens as they would be counted, about: for servers that do not count."""
    words = sum(map(_length, (reply, *reply.alternatives)))
    return Usage(math.ceil(sent / _CHARACTERS_PER_TOKEN), math.ceil(words / _CHARACTERS_PER_TOKEN), estimated=True)


def _length(reply: ModelReply) -> int:
    return len(reply.content or "") + sum(len(call.name) + len(call.arguments) for call in reply.tool_calls)


# -- Receiving --------------------------------------------------------------------------------------------------


async def _receive_stream(answer: Incoming, api: Api, n: int) -> ModelReply:
    """The reply, told as it comes. Once it is finished, nothing that happens to the connection matters."""
    stream, read = ReplyStream(answer.source, api=api, n=n), Read(answer)
    try:
        while piece := await read:
            if text := stream.feed(piece):
                await Tell(Delta(text))
            if stream.is_complete:
                answer.patience.hurry(_FOR_USAGE if api == "chat" and not stream.is_done else _FOR_THE_END)
            elif stream.is_done:
                break
    except ModelError as error:
        if not stream.is_finished:
            error.partial = stream.partial()
            raise
    await Close(answer)
    return stream.finish()


async def _receive_body(answer: Incoming, api: Api) -> ModelReply:
    pieces, read = [], Read(answer)
    while piece := await read:
        pieces.append(piece)
    await Close(answer)
    return parse_body(b"".join(pieces), answer.source, api=api)


# -- Opening ----------------------------------------------------------------------------------------------------


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
            client = _client(self.endpoint)
            response = client.post(self.path, **self._arguments(), stream_cls=_stream_class())
        except Exception as error:  # noqa: BLE001 - the SDK lets through errors of several other packages
            return self._failure(error)
        finally:
            be_patient(None)
        return self._checked(response)

    async def a_perform(self) -> Incoming | Failure:
        """Send it from the running loop."""
        be_patient(self.patience)
        try:
            client = await _a_client(self.endpoint)
            response = await client.post(self.path, **self._arguments(), stream_cls=_stream_class(is_async=True))
        except Exception as error:  # noqa: BLE001 - see perform()
            return self._failure(error)
        finally:
            be_patient(None)
        return self._checked(response)

    def _arguments(self) -> Any:
        import httpx2

        left = max(self.patience.left(), 0.001)
        timeout = httpx2.Timeout(left, connect=min(left, 10.0))
        options = {"timeout": timeout, "max_retries": 0, "follow_redirects": False}
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
        import openai

        if isinstance(error, ConfigurationError):
            raise error
        if isinstance(error, openai.APITimeoutError):
            return Failure(self.patience.error(self.source), may_retry=True)
        if isinstance(error, openai.APIStatusError):
            return self._refused(error)
        if isinstance(error, openai.APIConnectionError):
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
        cause = error.__cause__
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


@functools.cache
def _stream_class(*, is_async: bool = False) -> Any:
    """Asked for by the types of the SDK; never used, as the raw response is what is wanted."""
    import openai

    return openai.AsyncStream[Any] if is_async else openai.Stream[Any]
