"""Models made of models: one with options of its own, and several of which the next answers when one cannot."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from jupyter_agents.events import Waiting
from jupyter_agents.models.base import Model, ModelReply, ModelRequest, check_configured
from jupyter_agents.models.masking import shown


class WithOptions:
    """A model that is asked with inference options of its own; those of a request go before them."""

    def __init__(self, model: Model, options: Mapping[str, Any]) -> None:
        self._model = model
        self._options = options

    def __repr__(self) -> str:
        return f"WithOptions({self._model!r}, {shown(self._options)!r})"

    @property
    def scripted(self) -> bool:
        """Whether its words are written by hand."""
        return bool(getattr(self._model, "scripted", False))

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


class FallbackModel:
    """Several models of which the next is asked when one cannot answer.

    It goes on after a failure that another model may not have: unavailable, rate limit, time-out, a refused key or
    quota, an unreadable reply. A reply that broke off after text of it was shown is not begun anew by somebody else:
    its error is raised.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        if not models:
            raise ConfigurationError("Cannot fall back: there are no models. Give at least one.")
        self.models = tuple(models)

    def __repr__(self) -> str:
        return f"FallbackModel({list(self.models)!r})"

    @property
    def scripted(self) -> bool:
        """Whether the words of all of them are written by hand."""
        return all(getattr(model, "scripted", False) for model in self.models)

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
        failures: list[tuple[Model, Exception]] = []
        for model in self.models:
            if failures:
                await Tell(Waiting(0.0, f"the next model is asked: {_name(failures[-1][0])} failed"))
            try:
                return await model.complete(request)
            except (ModelError, ModelNotConfiguredError) as error:
                failures.append((model, error))
                if not _next_may_help(error):
                    break
        raise _all_failed(failures)


def _next_may_help(error: Exception) -> bool:
    partial = getattr(error, "partial", None)
    if partial is not None and (partial.content or partial.refusal):
        return False
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


def _all_failed(failures: Sequence[tuple[Model, Exception]]) -> Exception:
    error = failures[-1][1]
    if len(failures) > 1:
        tried = " ".join(f"[{number}] {_name(model)}: {why}" for number, (model, why) in enumerate(failures, 1))
        error.args = (f"Cannot get a reply from any of {len(failures)} models. {tried}",)
    return error


def _name(model: Model) -> str:
    return str(getattr(model, "source", None) or type(model).__name__)
