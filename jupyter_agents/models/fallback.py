"""Models made of models: one with options of its own, and several of which the next answers when one cannot."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jupyter_agents.effects import Tell
from jupyter_agents.errors import (
    ConfigurationError,
    ContextLengthError,
    MalformedReplyError,
    ModelError,
    ModelNotConfiguredError,
    ModelRejectedError,
    ModelUnavailableError,
    ReplyInterruptedError,
)
from jupyter_agents.events import Retracted, Waiting
from jupyter_agents.models.base import Model, ModelReply, ModelRequest, check_configured
from jupyter_agents.models.cache import Cache
from jupyter_agents.models.cached import with_cache
from jupyter_agents.models.filters import Filter, checked_filter, passes
from jupyter_agents.models.masking import kind_of, shown
from jupyter_agents.models.retries import is_break, retraction


class WithOptions:
    """A model that is asked with inference options of its own; those of a request go before them."""

    def __init__(self, model: Model, options: Mapping[str, Any]) -> None:
        self._model = model
        self._options = options

    def __repr__(self) -> str:
        return f"WithOptions({self._model!r}, {shown(self._options)!r})"

    @property
    def parts(self) -> tuple[Model, ...]:
        """The models of which it is made."""
        return (self._model,)

    @property
    def source(self) -> str:
        """The model, for a person."""
        return _name(self._model)

    @property
    def on_break(self) -> str:
        """What becomes of a reply that breaks off."""
        return getattr(self._model, "on_break", "raise")

    @property
    def scripted(self) -> bool:
        """Whether its words are written by hand."""
        return bool(getattr(self._model, "scripted", False))

    def caching(self, cache: Cache) -> Model:
        """The same with a cache."""
        return WithOptions(with_cache(self._model, cache), self._options)

    def renamed(self, name: str) -> Model:
        """The same with another model at the same endpoint."""
        from jupyter_agents.models.named import named_model

        return WithOptions(named_model(name, self._model), self._options)

    def check_configured(self) -> None:
        """Raise `ModelNotConfiguredError` if a call could not be sent."""
        check_configured(self._model)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer the request."""
        return await self._model.complete(replace(request, options={**self._options, **request.options}))


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, which model of the list has given it, and whether the filter has accepted it (true where there is none).

    `refused` are those of models before it that the filter has not accepted.
    """

    reply: ModelReply
    config_id: int
    pass_filter: bool = True
    refused: tuple[Answer, ...] = ()


class FallbackModel:
    """Several models of which the next is asked when one cannot answer.

    It goes on after a failure that another model may not have: unavailable, rate limit, time-out, a refused key or
    quota, an option that is lacking, an unreadable reply. A reply that broke off after text of it was shown is begun
    anew by the next only where the config of the one says `on_break="retry"`, or where it made no sense; what was shown is
    taken back.

    `filter_func` is a function of `context` and `response` (or one for each model): while it does not accept a reply,
    the next model is asked. That of the last is given whatever the filter says. `total_timeout` is for all of them
    together, in seconds; a model that cannot be interrupted may take longer.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        filter_func: Filter | Sequence[Filter | None] | None = None,
        total_timeout: float | None = None,
    ) -> None:
        if not models:
            raise ConfigurationError("Cannot fall back: there are no models. Give at least one.")
        self.models = self.parts = tuple(models)
        filters = filter_func if isinstance(filter_func, list | tuple) else [filter_func] * len(self.models)
        self._filters = tuple(map(checked_filter, filters))
        self.total_timeout = _checked_seconds(total_timeout)

    def __repr__(self) -> str:
        return f"FallbackModel({list(self.models)!r})"

    @property
    def scripted(self) -> bool:
        """Whether the words of all of them are written by hand."""
        return all(getattr(model, "scripted", False) for model in self.models)

    @property
    def source(self) -> str:
        """The models, for a person."""
        return " or ".join(map(_name, self.models))

    def caching(self, cache: Cache) -> FallbackModel:
        """The same with a cache for each model, so that filters hear of cached replies, too."""
        other = copy.copy(self)
        other.models = other.parts = tuple(with_cache(model, cache) for model in self.models)
        return other

    def renamed(self, name: str) -> Model:
        """A model of this name at the endpoint of the first."""
        from jupyter_agents.models.named import named_model

        return named_model(name, self.models[0])

    def check_configured(self) -> None:
        """Raise `ModelNotConfiguredError` if no call could be sent to any of them."""
        for model in self.models[:-1]:
            with contextlib.suppress(ModelNotConfiguredError):
                check_configured(model)
                return
        check_configured(self.models[-1])

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The reply of the first model that has one. The last error is raised when none has, naming all tries."""
        return (await self.answer(request)).reply

    async def answer(self, request: ModelRequest) -> Answer:
        """The same, with what is known of how it came."""
        if self.total_timeout is not None:
            ends = time.monotonic() + self.total_timeout
            request = replace(request, deadline=min(ends, request.deadline or ends))
        failures: list[tuple[Model, Exception]] = []
        refused: list[Answer] = []
        last = len(self.models) - 1  # the same model may be listed twice
        for config_id, model in enumerate(self.models):
            if failures:
                await Tell(Waiting(0.0, f"the next model is asked: {_why(*failures[-1])}"))
            try:
                answer = await self._ask(config_id, request)
            except (ModelError, ModelNotConfiguredError) as error:
                failures.append((model, error))
                if config_id == last or not await self._goes_on(model, error, request):
                    break
                continue
            if answer.pass_filter or config_id == last or _is_over(request):
                return replace(answer, refused=tuple(refused))
            refused.append(answer)
            failures.append((model, await _refused(model, answer.reply)))
        raise self._all_failed(failures, request)

    async def _ask(self, config_id: int, request: ModelRequest) -> Answer:
        reply = await self.models[config_id].complete(request)
        return Answer(reply, config_id, await self.accepts(reply, request, config_id))

    async def accepts(self, reply: ModelReply, request: ModelRequest, config_id: int = -1) -> bool:
        """Whether the filter of a config accepts a reply."""
        accepts = self._filters[config_id]
        return accepts is None or await passes(accepts, request.context, reply, config_id)

    async def _goes_on(self, model: Model, error: Exception, request: ModelRequest) -> bool:
        """Whether the next model is asked after this error. What had been shown is taken back."""
        if _is_over(request) or not _next_may_help(model, error):
            return False
        if isinstance(error, ModelError) and _was_shown(error):
            await Tell(retraction(error))
        return True

    def _all_failed(self, failures: Sequence[tuple[Model, Exception]], request: ModelRequest) -> Exception:
        error = failures[-1][1]
        over = (
            f" The total_timeout of {self.total_timeout:g} s is over."
            if self.total_timeout and _is_over(request)
            else ""
        )
        if len(failures) > 1:
            tried = " ".join(f"[{number}] {_name(model)}: {why}" for number, (model, why) in enumerate(failures, 1))
            error.args = (f"Cannot get a reply from any of {len(failures)} models. {tried}{over}",)
        elif over:
            error.args = (f"{error}{over}",)
        return error


class _Refused(MalformedReplyError):
    """The filter does not accept a reply. It is never raised: the next model has the last word."""


async def _refused(model: Model, reply: ModelReply) -> Exception:
    """Take back a reply that the filter does not accept; the error that says so."""
    why = f"Cannot use the reply of {_name(model)}: filter_func does not accept it. The next config is asked."
    await Tell(Retracted(why, reply.content or "", reply.usage, reply.model, reply.cost))
    return _Refused(why)


def _why(model: Model, error: Exception) -> str:
    return (
        f"{_name(model)} failed" if not isinstance(error, _Refused) else f"a filter refused the reply of {_name(model)}"
    )


def _is_over(request: ModelRequest) -> bool:
    return request.deadline is not None and time.monotonic() >= request.deadline


def _was_shown(error: Exception) -> bool:
    partial = getattr(error, "partial", None)
    return partial is not None and bool(partial.content or partial.refusal)


def _next_may_help(model: Model, error: Exception) -> bool:
    if _was_shown(error):
        is_to_retry = getattr(model, "on_break", "raise") == "retry"
        return is_break(error) and (is_to_retry or isinstance(error, MalformedReplyError))
    if isinstance(error, ModelRejectedError) and not isinstance(error, ContextLengthError):
        return error.status not in (400, 422)
    return isinstance(
        error,
        ModelUnavailableError
        | ModelRejectedError
        | MalformedReplyError
        | ReplyInterruptedError
        | ModelNotConfiguredError,
    )


def _checked_seconds(seconds: Any) -> float | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise ConfigurationError(
            f"Cannot use total_timeout {kind_of(seconds)}: a number of seconds above 0 is accepted. Correct it."
        )
    return float(seconds)


def _name(model: Model) -> str:
    return str(getattr(model, "source", None) or type(model).__name__)
