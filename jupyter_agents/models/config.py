"""From what a user writes (`llm_config`, a config list, a name) to a model, with the next config as the fallback.

The classic keys are taken as they were: `config_list`, `api_base` and `request_timeout` among them. What has no meaning
here any more is accepted and ignored (`IGNORED_KEYS`): nothing is cached on disk unless asked for.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

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
from jupyter_agents.models.base import Model, ModelReply, ModelRequest
from jupyter_agents.models.masking import kind_of, shown
from jupyter_agents.nearest import mistyped

CONNECTION_KEYS = frozenset(
    """api_key api_type api_version azure_ad_token_provider azure_deployment azure_endpoint base_url default_headers
    extra_body extra_headers extra_query idle_timeout max_retries organization stream timeout""".split()
)
"""Keys of a config that say how to reach a model; all others are sent to it."""

IGNORED_KEYS = frozenset(
    """allow_format_str_template cache_seed max_retry_period price raise_on_ratelimit_or_timeout retry_time
    retry_timeout retry_wait_time tags use_cache""".split()
)
"""Classic keys that are accepted and do nothing here."""

_ALIASES = {
    "api_base": "base_url",
    "request_timeout": "timeout",
    "engine": "azure_deployment",
    "deployment_id": "azure_deployment",
}

INFERENCE_KEYS = (
    CONNECTION_KEYS
    | IGNORED_KEYS
    | frozenset(_ALIASES)
    | frozenset(
        """audio best_of config_list frequency_penalty function_call functions logit_bias logprobs
        max_completion_tokens max_tokens metadata modalities model n parallel_tool_calls prediction presence_penalty
        reasoning_effort response_format seed service_tier stop store stream_options temperature tool_choice tools
        top_logprobs top_p user verbosity""".split()
    )
)
"""Every key that is known in an `llm_config`. Others are sent to the model as they are."""


def model_from_config(llm_config: Mapping[str, Any] | str | Model | None = None) -> Model:
    """The model that a config means. The config is copied, and what becomes of it later is of no effect.

    Accepted are the classic dictionary (inference keys, and `config_list` for several models of which the next answers
    when one cannot), a model name, a `Model` (also as the value of `"model"`), and `None` for what the environment
    says. No key is needed yet: a missing one is a `ModelNotConfiguredError` at the first call, or at
    `check_configured()`.

    >>> model_from_config({"config_list": [{"model": "a", "api_key": "1"}, {"model": "b", "api_key": "2"}]})
    FallbackModel([OpenAIModel('a', 'api.openai.com'), OpenAIModel('b', 'api.openai.com')])
    """
    if llm_config is None or isinstance(llm_config, str):
        llm_config = {"model": llm_config} if llm_config else {}
    if isinstance(llm_config, Model):
        return llm_config
    if not isinstance(llm_config, Mapping):
        raise ConfigurationError(
            f"Cannot use llm_config {kind_of(llm_config)}: a dictionary, a model name or a Model is accepted. "
            "Pass one of them; a list of configs goes in {'config_list': […]}."
        )
    check_keys(llm_config)
    shared = {key: value for key, value in llm_config.items() if key != "config_list"}
    configs = llm_config.get("config_list")
    if configs is None:
        return _one_model(shared)
    merged = [shared | dict(config) for config in checked_list(configs)]
    models = [_one_model(_in_a_hurry(config)) for config in merged[:-1]] + [_one_model(merged[-1])]
    return models[0] if len(models) == 1 else FallbackModel(models)


def request_options(llm_config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a config goes into every request, whichever model answers it: a copy.

    >>> request_options({"model": "gpt-4.1", "api_key": "sk-1", "temperature": 0})
    {'temperature': 0}
    """
    check_keys(llm_config)
    listed = {key for config in llm_config.get("config_list") or () for key in config}  # what a config says itself
    elsewhere = {"model", "config_list", *CONNECTION_KEYS, *IGNORED_KEYS, *_ALIASES, *listed}
    return {key: copy.deepcopy(value) for key, value in llm_config.items() if key not in elsewhere}


def check_keys(config: Mapping[str, Any], where: str = "llm_config") -> None:
    """Refuse a key that is certainly mistyped: it would go to the server, and what was meant would not.

    Other keys that are not known here are sent as they are: servers have settings of their own. `where` says in an error
    what has the key.
    """
    for key in config:
        meant = None if key in INFERENCE_KEYS else mistyped(str(key), INFERENCE_KEYS)
        if meant is not None:
            raise ConfigurationError(f"Cannot use {where} with the key {key!r}. Did you mean {meant!r}?")


def check_configured(model: Model) -> None:
    """Raise `ModelNotConfiguredError` if `model` knows that it could not be asked."""
    check = getattr(model, "check_configured", None)
    if check is not None:
        check()


def is_configured(model: Model) -> bool:
    """Whether `model` could be asked, as far as it knows."""
    try:
        check_configured(model)
    except ConfigurationError:
        return False
    return True


def checked_list(configs: Any, source: str = "") -> Sequence[Mapping[str, Any]]:
    """The configs of a config list: at least one, without mistyped keys. Raises `ConfigurationError` for anything else.

    `source` says in an error where the list was read.
    """
    called = f"the config list in {source}" if source else "config_list"
    if isinstance(configs, Mapping | str) or not isinstance(configs, Iterable):
        raise ConfigurationError(
            f"Cannot use {called} of type {type(configs).__name__}: a list of dictionaries is accepted. "
            "Put the config in a list."
        )
    found = list(configs)
    wrong = [(at, config) for at, config in enumerate(found, 1) if not isinstance(config, Mapping)]
    if wrong or not found:
        what = f"entry {wrong[0][0]} is a {type(wrong[0][1]).__name__}" if wrong else "it is empty"
        raise ConfigurationError(
            f"Cannot use {called}: {what}, where at least one dictionary like {{'model': …, 'api_key': …}} is due. "
            + ("Correct it there." if source else "Check the filter, or the file from which it was read.")
        )
    for at, config in enumerate(found, 1):
        check_keys(config, f"entry {at} of {source or 'config_list'}")
    return found


def _in_a_hurry(config: dict[str, Any]) -> dict[str, Any]:
    """No retries where another config can answer at once, as in the classic framework."""
    return {"max_retries": 0} | config


def _one_model(config: Mapping[str, Any]) -> Model:
    model = config.get("model")
    if model is not None and not isinstance(model, str):
        return _given_model(model, config)
    from jupyter_agents.models.openai import OpenAIModel

    settings: dict[str, Any] = {}
    for key, value in config.items():
        if not isinstance(key, str):
            raise ConfigurationError(f"Cannot use a key {kind_of(key)} in llm_config: keys are texts. Correct it.")
        if key not in IGNORED_KEYS:
            settings[_ALIASES.get(key, key)] = value if callable(value) else copy.deepcopy(value)
    return OpenAIModel(**{key: value for key, value in settings.items() if value is not None})


def _given_model(model: Any, config: Mapping[str, Any]) -> Model:
    if not isinstance(model, Model):
        raise ConfigurationError(
            f"Cannot use a model {kind_of(model)}: a name or an object with a complete() method is accepted. Pass one."
        )
    not_sent = {"model", *IGNORED_KEYS, *CONNECTION_KEYS, *_ALIASES}
    options = {key: value for key, value in config.items() if key not in not_sent}
    return WithOptions(model, copy.deepcopy(options)) if options else model


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
        return await self._model.complete(ModelRequest(request.messages, {**self._options, **request.options}))


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


# -- Config lists -----------------------------------------------------------------------------------------------


def config_list_from_json(
    env_or_file: str, file_location: str | None = "", filter_dict: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The config list in an environment variable, as JSON or as the path of a JSON file, or else in a file.

    `file_location` is the folder of the file. `filter_dict` is as for `filter_config`.
    """
    if not isinstance(env_or_file, str) or env_or_file.lstrip().startswith(("[", "{")):
        raise ConfigurationError(
            f"Cannot read a config list: the first argument is {'JSON' if isinstance(env_or_file, str) else kind_of(env_or_file)} and not a name. Give the name "
            "of an environment variable or of a file; a list that you have already goes into 'config_list' as it is."
        )
    text = os.environ.get(env_or_file)
    where = f"the environment variable {env_or_file}"
    path = Path(file_location or "") / env_or_file if text is None else _path_in(text)
    if path is not None:
        text, where = _read(path, env_or_file), str(path)
    try:
        configs = json.loads(cast(str, text))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"Cannot read a config list from {where}: it is not JSON ({error}). Write a list of dictionaries there."
        ) from None
    return filter_config([dict(config) for config in checked_list(configs, where)], filter_dict)


_LIKE_A_NAME = re.compile(r"[A-Za-z_]\w{0,99}|[\w./\\-]+\.json")
"""What an error may show as the name of a variable or a file. Anything else may be a key."""


def _path_in(text: str) -> Path | None:
    """The file that a variable names, if it names one."""
    is_json = len(text) > 4096 or text.lstrip().startswith(("[", "{"))
    try:
        return Path(text) if not is_json and Path(text).is_file() else None
    except (OSError, ValueError):  # no name of a file can be so long, or hold these characters
        return None


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        called = repr(name) if _LIKE_A_NAME.fullmatch(name) else "of this name"
        raise ConfigurationError(
            f"Cannot read a config list: there is no environment variable {called}, and no such file can be read in "
            f"{str(path.parent)!r} ({type(error).__name__}). Set one or write the other."
        ) from None


def filter_config(
    config_list: Sequence[Mapping[str, Any]],
    filter_dict: Mapping[str, Any] | Callable[[Mapping[str, Any]], bool] | None = None,
) -> list[dict[str, Any]]:
    """The configs that match: for each key of `filter_dict`, the value is among those accepted for it.

    Where a config's value is a list (`tags`), one of its items must be. `None` among the accepted values lets configs
    pass that lack the key. A function is asked about each config.

    >>> filter_config([{"model": "a"}, {"model": "b"}], {"model": ["b", "c"]})
    [{'model': 'b'}]
    """
    if not filter_dict:
        return [dict(config) for config in config_list]
    if callable(filter_dict):
        return [dict(config) for config in config_list if filter_dict(config)]
    check_keys(filter_dict, "filter_dict")
    return [
        dict(config)
        for config in config_list
        if all(_matches(config.get(key), accepted) for key, accepted in filter_dict.items())
    ]


def _matches(value: Any, accepted: Any) -> bool:
    if isinstance(accepted, str) or not isinstance(accepted, Iterable):
        accepted = [accepted]
    accepted = list(accepted)
    return any(one in accepted for one in value) if isinstance(value, list | tuple | set) else value in accepted
