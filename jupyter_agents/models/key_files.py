"""Config lists of the classic framework from keys alone: in the environment, in key files, in a `.env` file.

Nothing is written into the environment, and lists show no keys when they are printed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models.config_lists import filter_config
from jupyter_agents.models.masking import MaskedConfig, kind_of

_API_VERSION = "2024-10-21"  # the latest of Azure's that is no preview
_CHAT_MODELS = ("gpt-4", "gpt-3.5-turbo")
_DEFAULT_KEYS = dict.fromkeys(_CHAT_MODELS, "OPENAI_API_KEY")


def get_config(
    api_key: str | None,
    base_url: str | None = None,
    api_type: str | None = None,
    api_version: str | None = None,
) -> dict[str, Any]:
    """One config, of what is given.

    >>> get_config("sk-1234", api_type="azure")
    {'api_key': '***', 'api_type': 'azure'}
    """
    given = {"api_key": api_key, "base_url": base_url, "api_type": api_type, "api_version": api_version}
    return MaskedConfig({key: value for key, value in given.items() if value})


def get_config_list(
    api_keys: Sequence[str],
    base_urls: Sequence[str] | None = None,
    api_type: str | None = None,
    api_version: str | None = None,
) -> list[dict[str, Any]]:
    """A config for each key, with the address at the same place where there are some. Empty keys are left out."""
    if isinstance(api_keys, str) or not isinstance(api_keys, Sequence):
        raise ConfigurationError(f"Cannot use api_keys {kind_of(api_keys)}: a list of texts is accepted. Pass one.")
    if base_urls is not None and len(base_urls) != len(api_keys):
        raise ConfigurationError(
            f"Cannot make a config list: there are {len(api_keys)} keys and {len(base_urls)} addresses. "
            "Pass as many of one as of the other."
        )
    urls = base_urls or [""] * len(api_keys)
    pairs = [(key.strip(), url.strip()) for key, url in zip(api_keys, urls, strict=True)]
    return [get_config(key, url, api_type, api_version) for key, url in pairs if key]


def config_list_openai_aoai(
    key_file_path: str | None = ".",
    openai_api_key_file: str | None = "key_openai.txt",
    aoai_api_key_file: str | None = "key_aoai.txt",
    openai_api_base_file: str | None = "base_openai.txt",
    aoai_api_base_file: str | None = "base_aoai.txt",
    exclude: str | None = None,
) -> list[dict[str, Any]]:
    """Configs of OpenAI and of Azure, the latter first, from the environment or else from files in `key_file_path`.

    Of Azure there may be several, one a line. `exclude` leaves out `"openai"` or `"aoai"`. Models are not named in
    them: put a `"model"` beside the list.
    """
    if exclude not in (None, "openai", "aoai"):
        raise ConfigurationError("Cannot leave that out: exclude is 'openai', 'aoai' or None. Pass one of them.")
    folder = None if key_file_path is None else Path(key_file_path)
    azure = [] if exclude == "aoai" else _azure_configs(folder, aoai_api_key_file, aoai_api_base_file)
    keys = [] if exclude == "openai" else _lines("OPENAI_API_KEY", folder, openai_api_key_file)[:1]
    urls = _lines("OPENAI_BASE_URL", folder, openai_api_base_file)[:1]
    return azure + get_config_list(keys, urls if keys and urls else None)


def _azure_configs(folder: Path | None, key_file: str | None, base_file: str | None) -> list[dict[str, Any]]:
    keys = _lines("AZURE_OPENAI_API_KEY", folder, key_file)
    urls = _lines("AZURE_OPENAI_API_BASE", folder, None) or _lines("AZURE_OPENAI_ENDPOINT", folder, base_file)
    return (
        get_config_list(keys, urls or None, "azure", os.environ.get("OPENAI_API_VERSION") or _API_VERSION)
        if keys
        else []
    )


def config_list_from_models(
    key_file_path: str | None = ".",
    openai_api_key_file: str | None = "key_openai.txt",
    aoai_api_key_file: str | None = "key_aoai.txt",
    aoai_api_base_file: str | None = "base_aoai.txt",
    exclude: str | None = None,
    model_list: Iterable[str] | None = None,
) -> list[dict[str, Any]]:
    """Each of the models at each of the places of `config_list_openai_aoai`: all places of the first model first.

    Without models, the places.
    """
    places = config_list_openai_aoai(
        key_file_path, openai_api_key_file, aoai_api_key_file, None, aoai_api_base_file, exclude
    )
    if model_list is None:
        return places
    return [MaskedConfig({**place, "model": model}) for model in model_list for place in places]


def config_list_gpt4_gpt35(
    key_file_path: str | None = ".",
    openai_api_key_file: str | None = "key_openai.txt",
    aoai_api_key_file: str | None = "key_aoai.txt",
    aoai_api_base_file: str | None = "base_aoai.txt",
    exclude: str | None = None,
) -> list[dict[str, Any]]:
    """`config_list_from_models` for the two models of the classic examples, `gpt-4` and `gpt-3.5-turbo`."""
    return config_list_from_models(
        key_file_path, openai_api_key_file, aoai_api_key_file, aoai_api_base_file, exclude, _CHAT_MODELS
    )


def _lines(variable: str, folder: Path | None, file: str | None) -> list[str]:
    """The lines of a variable, or else those of a file, without the empty ones."""
    text = os.environ.get(variable) or ""
    if not text.strip() and folder is not None and file is not None and (folder / file).is_file():
        text = _text_of(folder / file)
    return [line.strip() for line in text.splitlines() if line.strip()]


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Cannot read {str(path)!r}: {type(error).__name__}. Make it a readable text file, or remove it."
        ) from None


# -- .env ---------------------------------------------------------------------------------------------------------


def config_list_from_dotenv(
    dotenv_file_path: str | Path | None = None,
    model_api_key_map: Mapping[str, str | Mapping[str, Any]] | None = None,
    filter_dict: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """A config for each model whose key is in the environment or in a `.env` file; the environment goes first.

    `model_api_key_map` says which variable holds the key of a model, or gives a dictionary with `api_key_env_var` and
    other keys of a config (`base_url`, `api_type`, …). Without a path, `.env` is looked for here and in the folders
    above. Models without a key are left out; an error says so when none is left.
    """
    held = {**_read_dotenv(dotenv_file_path), **{key: value for key, value in os.environ.items() if value}}
    wanted = _DEFAULT_KEYS if model_api_key_map is None else model_api_key_map
    configs = [_config_of(model, place, held) for model, place in wanted.items()]
    found = filter_config([config for config in configs if config is not None], filter_dict)
    if found or not any(config is None for config in configs):
        return found
    variables = sorted({_variable_of(model, place) for model, place in wanted.items()})
    raise ConfigurationError(
        f"Cannot make a config list: none of {', '.join(variables)} is in the environment or in a .env file. "
        "Set one, or name other variables in model_api_key_map."
    )


def _config_of(model: str, place: str | Mapping[str, Any], held: Mapping[str, str]) -> dict[str, Any] | None:
    key = held.get(_variable_of(model, place))
    if not key:
        return None
    others = {} if isinstance(place, str) else {name: one for name, one in place.items() if name != "api_key_env_var"}
    return MaskedConfig({"model": model, "api_key": key, **{name: one for name, one in others.items() if one}})


def _variable_of(model: str, place: str | Mapping[str, Any]) -> str:
    variable = place if isinstance(place, str) else place.get("api_key_env_var") if isinstance(place, Mapping) else None
    if not isinstance(variable, str) or not re.fullmatch(r"[A-Za-z_]\w*", variable):
        raise ConfigurationError(
            f"Cannot find the key of {model!r}: model_api_key_map names no variable for it. "
            "Give its name, or a dictionary with 'api_key_env_var'."
        )
    return variable


def _read_dotenv(path: str | Path | None) -> dict[str, str]:
    if path is not None:
        if not Path(path).is_file():
            raise ConfigurationError(
                f"Cannot read {str(path)!r}: there is no such file. Give the path of a .env file, or None."
            )
        return parse_dotenv(_text_of(Path(path)))
    here = Path.cwd()
    near = next((folder / ".env" for folder in (here, *here.parents) if (folder / ".env").is_file()), None)
    return {} if near is None else parse_dotenv(_text_of(near))


_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*=[ \t]*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^\r\n]*?))[ \t]*(?:(?<=\s)\#[^\r\n]*)?$""",
    re.MULTILINE | re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def parse_dotenv(text: str) -> dict[str, str]:
    """The assignments of a `.env` file: `NAME=value`, quoted or not, perhaps after `export`; comments are left out.

    Values are taken as they are: a `$NAME` in one stays.

    >>> parse_dotenv("A=1 # one\\nexport B='two words'\\n# C=3")
    {'A': '1', 'B': 'two words'}
    """
    found = {}
    for one in _ASSIGNMENT.finditer(text.replace("\r\n", "\n")):
        if one["double"] is not None:
            found[one["name"]] = re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), one["double"])
        else:
            found[one["name"]] = one["single"] if one["single"] is not None else one["bare"].strip()
    return found
