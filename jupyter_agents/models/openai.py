"""Models behind the OpenAI API and the many servers that speak it.

The SDK does what it does well (authentication, base addresses, Azure) and is entered below its typed layer, whose cost
grows with every message of the history: messages go out in wire form, and the event stream is read by `stream.py`.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from jupyter_agents.effects import Tell
from jupyter_agents.errors import ConfigurationError, ModelError
from jupyter_agents.events import Delta
from jupyter_agents.messages import Usage, scrub
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.endpoint import Endpoint, Secret, checked_url, pairs, to_secret
from jupyter_agents.models.forced_calls import check_forced_call
from jupyter_agents.models.keys import checked_variable
from jupyter_agents.models.masking import kind_of, shown
from jupyter_agents.models.opening import Open
from jupyter_agents.models.patience import Patience
from jupyter_agents.models.presets import preset_named
from jupyter_agents.models.pricing import CHARACTERS_PER_TOKEN, Price, checked_price
from jupyter_agents.models.rate_limit import await_turn, checked_rate
from jupyter_agents.models.reading import Close, Incoming, Read
from jupyter_agents.models.requests import adapted_messages, adapted_options, checked_role
from jupyter_agents.models.responses import to_response_request
from jupyter_agents.models.retries import OnBreak, Retries
from jupyter_agents.models.stream import Api, ReplyStream, parse_body

DEFAULT_MODEL = "gpt-4.1"
"""What is asked for where neither a config nor `OPENAI_MODEL` names a model."""

_FOR_USAGE = 5.0
_FOR_THE_END = 0.2


class OpenAIModel:
    """A model of OpenAI, of Azure, or of any server with their chat-completions API.

    `timeout` is for a whole call, retries included; `idle_timeout` is the longest silence within a reply. Calls that
    cannot be answered now are repeated `max_retries` times, with the wait that the server asks for. So is a call whose
    reply breaks off, with `on_break="retry"`, and then what was shown of it is taken back; a reply that makes no sense is
    asked for once more in any case. `api_rate_limit` is how many requests may begin in a second at the endpoint, by
    all models in this process. `options` are sent with every request, whatever they are; those of a request go before
    them.

    `preset` names a known server (`models/presets.py`), `api_key_variable` the variable of the environment that holds
    the key. `api` is the language that is spoken: `"chat"` for chat completions, `"responses"` for the Responses API.
    `system_role` is the role of instructions, where a model wants `"developer"` or `"user"` instead of `"system"`. `price`
    is what 1,000 tokens of a request and of a reply cost, in US dollars; without it published prices count.

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
        api_rate_limit: float | None = None,
        on_break: OnBreak = "raise",
        stream: bool = True,
        api: str = "chat",
        system_role: str | None = None,
        price: Sequence[float] | None = None,
        **options: Any,
    ) -> None:
        base_url = azure_endpoint or base_url
        self.model = model
        self.timeout = _positive(timeout, "timeout")
        self.idle_timeout = _positive(idle_timeout, "idle_timeout")
        self.max_retries = _count(max_retries, "max_retries")
        self.api_rate_limit = checked_rate(api_rate_limit)
        self.on_break = _on_break(on_break)
        self.stream = stream
        self.api = _api(api)
        self.system_role = checked_role(system_role)
        self.price = checked_price(price)
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
        other.model, other._endpoint, other.price = name, replace(self._endpoint, deployment=None), None
        return other

    def question(self, request: ModelRequest) -> dict[str, Any]:
        """What is asked of which server, as plain data: the same for the same question. No key is in it."""
        endpoint = self._endpoint.resolve()
        body, path = self._encode(request, endpoint)
        asked = {key: value for key, value in json.loads(body).items() if key not in ("stream", "stream_options")}
        return {"at": [endpoint.base_url, path, endpoint.query], "asked": asked}

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer the request. Text is told as it comes."""
        endpoint, patience = self._endpoint.resolve(), Patience(self._seconds(request), self.idle_timeout)
        retries = Retries(self.max_retries, patience, self.on_break)
        while True:
            try:
                return await self._answer(request, endpoint, patience, retries)
            except ModelError as error:
                if error.partial is None:
                    raise
                await retries.begin_anew(error)

    async def _answer(
        self, request: ModelRequest, endpoint: Endpoint, patience: Patience, retries: Retries
    ) -> ModelReply:
        """One reply, from its headers to its end. The error of one that had begun has a `partial`."""
        sent, answer = await self._open(request, endpoint, patience, retries)
        try:
            is_body = "json" in answer.content_type
            due = self._choices(request)
            reply = await (_receive_body(answer, self.api) if is_body else _receive_stream(answer, self.api, due))
            check_forced_call({**self._options, **request.options}, reply, self.source)
        except BaseException as error:
            answer.abandon()
            if isinstance(error, ModelError):
                error.args = (endpoint.hide_in(str(error)),)
                error.partial = error.partial and self._price().put_on(error.partial)
            raise
        return self._price().put_on(reply if reply.usage else replace(reply, usage=_estimate(sent, reply)))

    def expected_cost(self, request: ModelRequest) -> float | None:
        """What a call may cost, as far as that is known before: US dollars, or `None`."""
        options = {**self._options, **request.options}
        return self._price().least_of(str(options.get("model") or self.name), request, options)

    def _price(self) -> Price:
        return Price(self.price, self._endpoint.host)

    async def _open(
        self, request: ModelRequest, endpoint: Endpoint, patience: Patience, retries: Retries
    ) -> tuple[int, Incoming]:
        """The size of what was sent and the answer to it, after as many tries as are allowed."""
        while True:
            body, path = self._encode(request, endpoint)
            if self.api_rate_limit is not None:
                await await_turn(endpoint.base_url, self.api_rate_limit, patience, self.source)
            outcome = await Open(endpoint, path, body, patience, self.source)
            if isinstance(outcome, Incoming):
                return len(body), outcome
            if outcome.is_about_usage and self._asks_usage:
                self._asks_usage = False
                continue
            await retries.wait(outcome)

    def _seconds(self, request: ModelRequest) -> float:
        """What a call may take: the time-out of this model, or what is left to all models together."""
        left = math.inf if request.deadline is None else request.deadline - time.monotonic()
        return min(self.timeout, max(left, 0.001))

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


def _on_break(what: Any) -> OnBreak:
    if what not in ("raise", "retry"):
        raise ConfigurationError(
            f"Cannot use on_break {str(what)[:40]!r}: 'raise' and 'retry' are accepted. Correct it."
        )
    return cast(OnBreak, what)


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
    return Usage(math.ceil(sent / CHARACTERS_PER_TOKEN), math.ceil(words / CHARACTERS_PER_TOKEN), estimated=True)


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
    try:
        while piece := await read:
            pieces.append(piece)
        await Close(answer)
        return parse_body(b"".join(pieces), answer.source, api=api)
    except ModelError as error:
        error.partial = error.partial or ModelReply(None, "interrupted")  # nothing of it can be used
        raise
