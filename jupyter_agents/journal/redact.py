"""Secrets taken out of text before it is written anywhere.

What has the shape of a credential, wherever it comes from, and what is known to be secret (`known_secrets.py`).
"""

from __future__ import annotations

import re

from jupyter_agents.known_secrets import MARK, hide, secret_values

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
    text = hide(text, secrets)
    return _SHAPES.sub(lambda found: (found["word"] or "") + MARK, text)


__all__ = ["MARK", "redact", "secret_values"]
