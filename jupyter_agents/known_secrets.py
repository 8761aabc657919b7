"""The secrets that this process knows, hidden where text goes to a log, a page, a file or a model.

They are the values of environment variables whose names say that they are secret, and what configs of models carry:
keys, headers, the query, the password of an address. Hidden is what begins with one of them, to the end of that word, so
that no part of a longer key is left; what only looks like a credential is the matter of recordings (`journal/redact.py`).
"""

from __future__ import annotations

import base64
import functools
import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

MARK = "[redacted]"

_SECRET_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSW(?:OR)?D|CREDENTIAL)S?(?![A-Z])", re.IGNORECASE)
"""`OPENAI_API_KEY`, `PGPASSWORD`, `TOKEN_2`; neither `TOKENIZERS_PARALLELISM` nor `KEYBOARD`."""
_MIN_OF_ENVIRONMENT = 8
_MIN_OF_KEYS = 12  # shorter ones are placeholders: "ollama", "lm-studio", "not-needed"
_HARMLESS = frozenset(
    """accept accept-language anthropic-beta anthropic-version api-version content-type http-referer openai-beta
    openai-organization openai-project origin referer user-agent x-title""".split()
)
_remembered: frozenset[str] = frozenset()


def remember(*secrets: str) -> None:
    """Hide these from now on. What is short, or has no digit, is taken for a placeholder."""
    global _remembered
    found = {one.strip() for one in secrets if isinstance(one, str)}
    fresh = {one for one in found if _is_key(one) and one not in MARK}
    if not fresh <= _remembered:
        _remembered |= fresh


def remember_carried(pairs: Iterable[tuple[str, str]]) -> None:
    """Hide the values of headers or of a query, but for those that tell who asks and how."""
    for name, value in pairs:
        if name.lower() not in _HARMLESS:
            remember(value, *value.split())


def remember_address(url: str) -> None:
    """Hide the user and the password of an address, and the values in its query."""
    if "@" not in url and "?" not in url:
        return
    try:
        parts = urlsplit(url)
        carried = [parts.username or "", parts.password or ""]
    except ValueError:
        return
    remember(*carried, *map(unquote, carried))
    for name, _, value in (pair.partition("=") for pair in parts.query.split("&")):
        remember_carried([(name, value), (name, unquote(value))])


def secret_values(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of the variables whose names say that they are secret, of 8 characters or more, longest first.

    Files and folders that exist are none: a variable may say where a key is.

    >>> secret_values({"HOME": "/home/ada", "DB_PASSWORD": "correct horse"})
    ('correct horse',)
    """
    found = {environ.get(name, "").strip() for name in environ if _is_secret_name(name)}
    return _sorted(one for one in found if len(one) >= _MIN_OF_ENVIRONMENT and one not in MARK and not _is_place(one))


def known_secrets() -> tuple[str, ...]:
    """All that are known now, longest first: what goes to the file of a recording has none of them."""
    of_environment = secret_values(os.environ)
    return _sorted({*of_environment, *_remembered}) if _remembered else of_environment


def known_keys() -> tuple[str, ...]:
    """Those that no word of a language is like: 12 characters or more, with a digit.

    What models say and what code prints is shown and acted upon, and is not to change because a variable of the
    environment has a word for its value.
    """
    return _sorted({*filter(_is_key, secret_values(os.environ)), *_remembered})


def hide(text: str, secrets: tuple[str, ...] | None = None) -> str:
    """`text` with `[redacted]` in the place of each secret (by default of `known_keys`); the same text where there is none."""
    secrets = known_keys() if secrets is None else secrets
    return any_of(secrets).sub(MARK, text) if secrets and text else text


@functools.lru_cache(maxsize=8)
def any_of(secrets: tuple[str, ...]) -> re.Pattern[str]:
    """What finds each of the secrets, also as an address or a header spells it, with what of a longer one goes on."""
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    return re.compile(f"(?:{'|'.join(re.escape(one) for one in sorted(spellings, key=_longest_first))})[A-Za-z0-9_-]*+")


class HidingFilter(logging.Filter):
    """Takes what is secret out of the records of a logger: those of HTTP clients tell addresses as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, with no secret in it."""
        said = record.getMessage()
        hidden = hide(said)
        if hidden is not said and hidden != said:
            record.msg, record.args = hidden, ()
        return True


def hide_in_logs(*names: str) -> None:
    """Hide secrets in what these loggers say; telling it again changes nothing."""
    for logger in map(logging.getLogger, names):
        if not any(isinstance(one, HidingFilter) for one in logger.filters):
            logger.addFilter(HidingFilter())


def _spellings(secret: str) -> Iterable[str]:
    """The secret as it stands, in an address, and in a basic-authentication header."""
    return secret, quote(secret, safe=""), base64.b64encode(secret.encode("utf-8", "replace")).decode()


def _is_key(value: str) -> bool:
    return len(value) >= _MIN_OF_KEYS and any(map(str.isdigit, value))


@functools.lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


@functools.lru_cache(maxsize=1024)
def _is_place(value: str) -> bool:
    try:
        return value.startswith(("/", "~", "./")) and Path(value).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


def _sorted(secrets: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(secrets, key=_longest_first))


def _longest_first(text: str) -> tuple[int, str]:
    return -len(text), text
