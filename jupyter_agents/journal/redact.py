"""Secrets taken out of text before it is written anywhere.

Two kinds are known: what has the shape of a credential, wherever it comes from, and the values of environment
variables whose names say that they are secret. All functions are pure; the environment is an argument.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

MARK = "[redacted]"

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW(?:OR)?D|CREDENTIAL", re.IGNORECASE)
_MIN_SECRET = 8

# Every branch begins where a run of its characters begins and never gives a character back, so that the time
# is linear in the text, whatever a model or a web page put there.
_SHAPES = re.compile(
    r"""
      (?<![A-Za-z0-9]) (?:
          sk-[A-Za-z0-9_-]{16,}+                                  # OpenAI, Anthropic and many others
        | [rs]k_(?:live|test)_[A-Za-z0-9]{16,}+                   # Stripe
        | gh[opsur]_[A-Za-z0-9]{20,}+ | github_pat_\w{20,}+       # GitHub
        | glpat-[A-Za-z0-9_-]{16,}+                               # GitLab
        | hf_[A-Za-z0-9]{20,}+                                    # Hugging Face
        | A[KS]IA[0-9A-Z]{16,}+                                   # AWS
        | AIza[A-Za-z0-9_-]{35,}+                                 # Google
        | xox[abeprs]-[A-Za-z0-9-]{10,}+                          # Slack
      )
    | (?<![A-Za-z0-9_-]) eyJ[A-Za-z0-9_-]{8,}+ \. [A-Za-z0-9_-]{8,}+ \. [A-Za-z0-9_-]{4,}+   # JSON Web Token
    | (?P<word> (?<![A-Za-z0-9]) (?i:bearer) \s{1,8} ) [A-Za-z0-9._~+/=-]{16,}+
    | (?<=://) [^\s/:@]{1,128}+ : [^\s/@]{1,256}+ (?=@)           # user:password in an address
    | -----BEGIN\ [A-Z0-9 ]{0,40}PRIVATE\ KEY-----
      (?: (?!-----) [A-Za-z0-9+/=\s\\:,.-] )*+
      (?: -----END\ [A-Z0-9 ]{0,40}PRIVATE\ KEY----- )?           # a key that was cut off is a key
    """,
    re.VERBOSE,
)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` with `[redacted]` in the place of each credential and of each of `secrets`.

    Applying it again changes nothing.

    >>> redact("curl -H 'Authorization: Bearer 0123456789abcdef0123'")
    "curl -H 'Authorization: Bearer [redacted]'"
    """
    if secrets:
        text = _any_of(secrets).sub(MARK, text)
    return _SHAPES.sub(lambda found: (found["word"] or "") + MARK, text)


def secret_values(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of the variables whose names say that they are secret, of 8 characters or more, longest first.

    >>> secret_values({"HOME": "/home/ada", "DB_PASSWORD": "correct horse"})
    ('correct horse',)
    """
    found = {environ.get(name, "").strip() for name in environ if _SECRET_NAME.search(name)}
    return tuple(sorted((one for one in found if len(one) >= _MIN_SECRET and one not in MARK), key=_longest_first))


@functools.lru_cache(maxsize=8)
def _any_of(secrets: tuple[str, ...]) -> re.Pattern[str]:
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    return re.compile("|".join(re.escape(one) for one in sorted(spellings, key=_longest_first)))


def _spellings(secret: str) -> Iterable[str]:
    """The secret as it stands, in an address, and in a basic-authentication header."""
    return secret, quote(secret, safe=""), base64.b64encode(secret.encode("utf-8", "replace")).decode()


def _longest_first(text: str) -> tuple[int, str]:
    return -len(text), text
