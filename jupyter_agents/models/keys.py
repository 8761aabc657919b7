"""Keys that are in no notebook: variables of the environment and, where it is asked for, the keyring of the system."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.known_secrets import remember

KEYRING_SERVICE = "jupyter-agents"
"""Under which name keys are in the keyring: `keyring set jupyter-agents OPENAI_API_KEY`."""

KEYRING_VARIABLE = "JUPYTER_AGENTS_KEYRING"
"""The variable that, set to 1, is the default of the setting `keyring`."""

_SHORTEST_HIDDEN = 6
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class Secret:
    """A key. Its text leaves only through `reveal`: no `repr`, copy of a config or pickle shows it.

    >>> Secret("sk-1234")
    Secret(***)
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        remember(value)

    def reveal(self) -> str:
        """The key itself, for the one place that sends it."""
        return self._value

    def hide_in(self, text: str) -> str:
        """`text` without the key, for words that came from a server; nor is there the beginning of it, before a `…`."""
        if len(self._value) < _SHORTEST_HIDDEN:
            return text
        text = text.replace(self._value, "***")
        for length in range(len(self._value) - 1, _SHORTEST_HIDDEN - 1, -1):
            text = text.replace(f"{self._value[:length]}…", "***…")
        return text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; configure the model again where it is needed")


def to_secret(value: Any) -> Secret | None:
    """A key as given in a config."""
    if value is None or isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(
            f"Cannot use the API key: it is a {type(value).__name__}, and a text is accepted. "
            "Set 'api_key' to a text, or OPENAI_API_KEY in the environment."
        )
    return Secret(value.strip()) if value.strip() else None


@dataclass(frozen=True, slots=True)
class Found:
    """A value and where it came from, in words for a person."""

    value: Any
    origin: str


def is_variable_name(name: Any) -> bool:
    """Whether this can be shown as the name of a variable; anything else may be a key in the wrong place."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def checked_variable(name: Any) -> str | None:
    """The name of a variable that holds a key. Raises `ConfigurationError`, which does not show it, for another text."""
    if name is None or is_variable_name(name):
        return name and str(name)
    raise ConfigurationError(
        "Cannot use api_key_variable: it is no name of a variable (capital letters, digits and _). "
        "Put the key into a variable of the environment, and its name here."
    )


def find_key(variables: Iterable[str], *, keyring: bool = False) -> Found | None:
    """The first key that is there: in the environment, or else, if `keyring`, in the system's keyring."""
    wanted = tuple(dict.fromkeys(variables))
    for variable in wanted:
        key = to_secret(os.environ.get(variable))
        if key is not None:
            return Found(key, f"environment: {variable}")
    for variable in wanted if keyring else ():
        key = _in_keyring(variable)
        if key is not None:
            return Found(key, f"keyring: {variable}")
    return None


def keyring_of_environment() -> bool:
    """What `JUPYTER_AGENTS_KEYRING` says."""
    told = os.environ.get(KEYRING_VARIABLE, "").strip().lower()
    if told not in ("", "0", "1", "false", "true"):
        raise ConfigurationError(f"Cannot use {KEYRING_VARIABLE}={told!r}: 1 or 0 is accepted. Correct it.")
    return told in ("1", "true")


_remembered: dict[str, Secret] = {}


def _in_keyring(variable: str) -> Secret | None:
    """Read once in a process: some keyrings ask a person each time."""
    if variable not in _remembered:
        key = to_secret(_read_keyring(variable))
        if key is None:
            return None
        _remembered[variable] = key
    return _remembered[variable]


def forget_keys() -> None:
    """Read the keyring anew when a key is next needed."""
    _remembered.clear()


def _read_keyring(variable: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigurationError(
            "Cannot read keys from the keyring: the package is not installed. Run %pip install 'jupyter-agents[keyring]', "
            "or set %config JupyterAgents.keyring = False."
        ) from None
    try:
        return keyring.get_password(KEYRING_SERVICE, variable)
    except (KeyringError, RuntimeError) as error:
        raise ConfigurationError(
            f"Cannot read keys from the keyring: {type(error).__name__}. Unlock it, put the key into {variable} in the "
            "environment, or set %config JupyterAgents.keyring = False."
        ) from None
