"""Where a model is, and what opens the door: address, key, kind of server. Keys are kept where no text shows them."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn
from urllib.parse import quote, urlsplit

from jupyter_agents.errors import ConfigurationError, ModelNotConfiguredError

OPENAI_URL = "https://api.openai.com/v1"
_NO_KEY = "not-needed"
_SHORTEST_HIDDEN = 6


class Secret:
    """A key. Its text leaves only through `reveal`: no `repr`, copy of a config or pickle shows it.

    >>> Secret("sk-1234")
    Secret(***)
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach a server. Two models with equal endpoints share one client.

    `headers` and `query` go with every request; `token_provider` gives a new Azure AD token at each call. What is
    `None` comes from the environment when it is needed (`resolve`), so that a key may be set after the model is made.
    """

    base_url: str | None = None
    api_key: Secret | None = None
    api_type: Literal["openai", "azure"] = "openai"
    api_version: str | None = None
    organization: str | None = None
    deployment: str | None = None
    token_provider: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Endpoint({self.host!r}, {self.api_type!r})"

    def resolve(self) -> Endpoint:
        """The same with all that the environment adds. Raises `ModelNotConfiguredError` when it is not enough."""
        azure = self.api_type == "azure"
        url = self.base_url or os.environ.get("AZURE_OPENAI_ENDPOINT" if azure else "OPENAI_BASE_URL")
        key = self.api_key or _secret(os.environ.get("AZURE_OPENAI_API_KEY" if azure else "OPENAI_API_KEY"))
        url = url or ("" if azure else OPENAI_URL)
        if not url:
            raise ModelNotConfiguredError(
                "Cannot ask the model: an Azure model needs the address of its resource. "
                "Set 'base_url' in its config, or AZURE_OPENAI_ENDPOINT in the environment."
            )
        if key is None and self.token_provider is None:
            key = self._key_for_nobody(url)
        return replace(self, base_url=checked_url(url), api_key=key and _checked_key(key))

    def _key_for_nobody(self, url: str) -> Secret:
        if is_loopback(url):
            return Secret(_NO_KEY)
        raise ModelNotConfiguredError(
            f"Cannot ask the model: no API key for {host_of(url)}. Set OPENAI_API_KEY (and OPENAI_BASE_URL for another "
            "server) in the environment, or %config JupyterAgents.model, or start a local server "
            "(Ollama, LM Studio, llama.cpp), or replay a recording with --replay."
        )

    @property
    def host(self) -> str:
        """Where it is, for a person: host and port, without what may be secret in the address."""
        return host_of(self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL)

    def hide_in(self, text: str) -> str:
        """`text` without what opens the door: the key, and whatever the headers and the query carry."""
        carried = [word for _, value in (*self.headers, *self.query) for word in (value, *value.split())]
        for secret in (self.api_key, *map(Secret, carried)):
            text = secret.hide_in(text) if secret else text
        return text

    @property
    def is_local(self) -> bool:
        """Whether plain HTTP on this machine reaches it: no proxy, no certificates."""
        return self.base_url is not None and self.base_url.startswith("http://") and is_loopback(self.base_url)

    def path(self, model: str) -> str:
        """The path of chat completions, relative to the base address of the client."""
        if self.api_type != "azure" or "/deployments/" in (self.base_url or ""):
            return "/chat/completions"
        return f"/deployments/{quote(self.deployment or model, safe='')}/chat/completions"


def _secret(value: str | None) -> Secret | None:
    return Secret(value.strip()) if value and value.strip() else None


def to_secret(value: Any) -> Secret | None:
    """A key as given in a config."""
    if value is None or isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(
            f"Cannot use the API key: it is a {type(value).__name__}, and a text is accepted. "
            "Set 'api_key' to a text, or OPENAI_API_KEY in the environment."
        )
    return _secret(value)


def _checked_key(key: Secret) -> Secret:
    text = key.reveal()
    if not text.isascii() or not text.isprintable():
        raise ConfigurationError(
            "Cannot use the API key: it holds characters that no HTTP header can carry. Copy it again, as plain text."
        )
    return key


def checked_url(url: str) -> str:
    """`url` if it is the address of a server. Raises `ConfigurationError` if not."""
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        what = "names no host" if parts.scheme in ("http", "https") else "does not begin with http:// or https://"
        raise ConfigurationError(
            f"Cannot use base_url: it {what}. An address like 'http://127.0.0.1:11434/v1' is accepted. Correct it."
        )
    return url


def host_of(url: str) -> str:
    """Host and port of an address."""
    parts = _split(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or "?"
    return f"{host}:{parts.port}" if parts.port else host


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    host = _split(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def pairs(value: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """A mapping of texts as something that can be compared and hashed."""
    return tuple(sorted((str(key), str(one)) for key, one in (value or {}).items()))


def _split(url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except (ValueError, AttributeError, TypeError):  # whose words would show the address, and there may be a key in it
        raise ConfigurationError(
            "Cannot use base_url: its host or its port is none. An address like 'http://127.0.0.1:11434/v1' is "
            "accepted. Correct it."
        ) from None
    return parts
