"""Config lists: where they are read from, and which of their configs are wanted. The classic helpers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models.config_keys import check_keys
from jupyter_agents.models.masking import MaskedConfig, kind_of


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
    exclude: bool = False,
) -> list[dict[str, Any]]:
    """The configs that match (or, with `exclude`, do not): for each key of `filter_dict`, the value is among those accepted for it.

    Where a config's value is a list (`tags`), one of its items must be. `None` among the accepted values lets configs
    pass that lack the key. A function is asked about each config. The lists show no keys when they are printed.

    >>> filter_config([{"model": "a"}, {"model": "b"}], {"model": ["b", "c"]})
    [{'model': 'b'}]
    """
    if not filter_dict:
        return [MaskedConfig(config) for config in config_list]
    if not callable(filter_dict):
        check_keys(filter_dict, "filter_dict")
    return [MaskedConfig(config) for config in config_list if _is_wanted(config, filter_dict) is not exclude]


def _is_wanted(config: Mapping[str, Any], filter_dict: Mapping[str, Any] | Callable[[Mapping[str, Any]], bool]) -> bool:
    if callable(filter_dict):
        return bool(filter_dict(config))
    return all(_matches(config.get(key), accepted) for key, accepted in filter_dict.items())


def _matches(value: Any, accepted: Any) -> bool:
    if isinstance(accepted, str) or not isinstance(accepted, Iterable):
        accepted = [accepted]
    accepted = list(accepted)
    return any(one in accepted for one in value) if isinstance(value, list | tuple | set) else value in accepted
