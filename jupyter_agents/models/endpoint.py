"""Where a model is, and what opens the door: address, key, kind of server.

What a config does not say is looked for when it is needed: in the settings (`%config JupyterAgents`), in the
environment, and a key in the keyring of the system, if the settings allow it. A key is for one server: that of a known
one has a variable of its own, and `OPENAI_API_KEY` is not sent to it, unless `OPENAI_BASE_URL` says that it is meant.
"""

from __future__ import annotations

import functools
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

from jupyter_agents.errors import ConfigurationError, ModelNotConfiguredError
from jupyter_agents.known_secrets import hide, remember_address, remember_carried
from jupyter_agents.models.keys import Found, Secret, find_key, to_secret
from jupyter_agents.models.presets import Preset, preset_named, preset_of

if TYPE_CHECKING:
    from jupyter_agents.session import Settings

__all__ = [
    "OPENAI_URL",
    "Endpoint",
    "Found",
    "Secret",
    "checked_url",
    "host_of",
    "is_loopback",
    "pairs",
    "to_secret",
]

OPENAI_URL = "https://api.openai.com/v1"
_NO_KEY = "not-needed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach a server. Two models with equal endpoints share one client.

    `headers` and `query` go with every request; `token_provider` gives a new Azure AD token at each call. `preset` is
    the name of a known server (`False`: take it for none), `key_variable` the variable that holds the key. What is
    `None` is looked for when it is needed (`resolve`), so that a key may be set after the model is made.
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
    preset: str | Literal[False] | None = None
    key_variable: str | None = None

    def __post_init__(self) -> None:
        """What opens the door is hidden wherever it may be repeated."""
        remember_carried((*self.headers, *self.query))
        if self.base_url:
            remember_address(self.base_url)

    def __repr__(self) -> str:
        return f"Endpoint({self.host!r}, {self.api_type!r})"

    def resolve(self) -> Endpoint:
        """The same with all that is said elsewhere. Raises `ModelNotConfiguredError` when it is not enough."""
        url = checked_url(self.find_url().value)
        if self.api_key is None and self.token_provider is not None:
            return replace(self, base_url=url)
        return replace(self, base_url=url, api_key=_checked_key(self.find_key().value))

    def find_url(self) -> Found:
        """The address, and who says it. Raises `ModelNotConfiguredError` for an Azure model without one."""
        if self.base_url:
            return Found(self.base_url, "llm_config")
        known = self._named_preset()
        if known is not None and known.base_url:
            return Found(known.base_url, f"preset: {known.name}")
        if self.api_type == "azure":
            return self._find_azure()
        if _settings().base_url:
            return Found(_settings().base_url, "settings: base_url")
        if os.environ.get("OPENAI_BASE_URL"):
            return Found(os.environ["OPENAI_BASE_URL"], "environment: OPENAI_BASE_URL")
        return Found(OPENAI_URL, "default")

    @staticmethod
    def _find_azure() -> Found:
        url = os.environ.get("AZURE_OPENAI_ENDPOINT")
        if url:
            return Found(url, "environment: AZURE_OPENAI_ENDPOINT")
        raise ModelNotConfiguredError(
            "Cannot ask the model: an Azure model needs the address of its resource. "
            "Set 'base_url' in its config, or AZURE_OPENAI_ENDPOINT in the environment."
        )

    def find_key(self) -> Found:
        """The key, and who says it. Raises `ModelNotConfiguredError` where one is needed and there is none."""
        if self.api_key is not None:
            return Found(self.api_key, "llm_config")
        found = find_key(self.key_variables(), keyring=_settings().keyring)
        return found or self._key_for_nobody()

    def key_variables(self) -> list[str]:
        """The variables that may hold the key, in the order in which they are asked."""
        if self.key_variable:
            return [self.key_variable]
        setting = _settings().api_key_variable
        if setting and not (self.base_url or self.preset or self.api_type == "azure"):
            return [setting]
        if self.server is None:
            return [_USUAL[self.api_type]]
        own = [self.server.key_variable] if self.server.key_variable else []
        is_meant = not self.preset and self.find_url().value == os.environ.get("OPENAI_BASE_URL")
        return [*own, _USUAL["openai"]] if is_meant else own

    @property
    def server(self) -> Preset | None:
        """The server by its name, if it is a known one: named by the config, or known by its address."""
        if self.preset is False:
            return None
        return self._named_preset() or (None if self.api_type == "azure" else preset_of(self.find_url().value))

    def _named_preset(self) -> Preset | None:
        return preset_named(self.preset) if self.preset else None

    def _key_for_nobody(self) -> Found:
        url, known = self.find_url().value, self.server
        if is_loopback(url) or (known is not None and not known.needs_key):
            return Found(Secret(_NO_KEY), "not needed")
        variables = " or ".join(self.key_variables())
        raise ModelNotConfiguredError(
            f"Cannot ask the model: no API key for {host_of(url)}. Set {variables}"
            f"{' (and OPENAI_BASE_URL for another server)' if variables == 'OPENAI_API_KEY' else ''} in the environment, "
            "or %config JupyterAgents.model, or start a local server (Ollama, LM Studio, llama.cpp), or replay a "
            "recording with --replay."
        )

    @property
    def host(self) -> str:
        """Where it is, for a person: host and port, without what may be secret in the address."""
        try:
            return host_of(self.find_url().value)
        except ModelNotConfiguredError:
            return host_of(OPENAI_URL)

    def hide_in(self, text: str) -> str:
        """`text` without what opens the door: the key, and whatever the headers and the query carry."""
        carried = [word for _, value in (*self.headers, *self.query) for word in (value, *value.split())]
        for secret in (self.api_key, *map(Secret, carried)):
            text = secret.hide_in(text) if secret else text
        return hide(text)

    @property
    def is_local(self) -> bool:
        """Whether plain HTTP on this machine reaches it: no proxy, no certificates."""
        return self.base_url is not None and self.base_url.startswith("http://") and is_loopback(self.base_url)

    @property
    def is_openai(self) -> bool:
        """Whether OpenAI's own models are there, at OpenAI or at Azure."""
        return self.api_type == "azure" or self.host == "api.openai.com"

    def path(self, model: str) -> str:
        """The path of chat completions, relative to the base address of the client."""
        if self.api_type != "azure" or "/deployments/" in (self.base_url or ""):
            return "/chat/completions"
        return f"/deployments/{quote(self.deployment or model, safe='')}/chat/completions"


_USUAL = {"openai": "OPENAI_API_KEY", "azure": "AZURE_OPENAI_API_KEY"}


def _settings() -> Settings:
    from jupyter_agents.session import current_session

    return current_session().settings


def _checked_key(key: Secret) -> Secret:
    text = key.reveal()
    if not text.isascii() or not text.isprintable():
        raise ConfigurationError(
            "Cannot use the API key: it holds characters that no HTTP header can carry. Copy it again, as plain text."
        )
    return key


@functools.lru_cache(maxsize=64)
def checked_url(url: str) -> str:
    """`url` if it is the address of a server. Raises `ConfigurationError` if not."""
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        what = "names no host" if parts.scheme in ("http", "https") else "does not begin with http:// or https://"
        raise ConfigurationError(
            f"Cannot use base_url: it {what}. An address like 'http://127.0.0.1:11434/v1' is accepted. Correct it."
        )
    return url


@functools.lru_cache(maxsize=64)
def host_of(url: str) -> str:
    """Host and port of an address."""
    parts = _split(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or "?"
    return f"{host}:{parts.port}" if parts.port else host


@functools.lru_cache(maxsize=64)
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
