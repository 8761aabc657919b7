"""Whether a block of code may run: a pure decision, and what a person is shown to make it.

Code in the live kernel has the user's full rights, so this decision is the only control there. It is about the
exact text: an approval is bound to the SHA-256 of what was shown, and what is shown hides no character.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Policy = Literal["ask", "auto", "deny"]
"""What an agent says about running code: ask a person, run without asking, never run."""

Decision = Literal["run", "ask", "deny"]

_DECISIONS: dict[Policy, Decision] = {"ask": "ask", "auto": "run", "deny": "deny"}
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_LEFT, _RIGHT = "\N{MATHEMATICAL LEFT ANGLE BRACKET}", "\N{MATHEMATICAL RIGHT ANGLE BRACKET}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy for some languages; for all of them when `languages` is `None`."""

    policy: Policy
    languages: frozenset[str] | None = None

    def matches(self, language: str) -> bool:
        """Whether the rule speaks of this language."""
        return self.languages is None or language in self.languages


def decide(policy: Policy | Sequence[Rule], *, language: str, interactive: bool) -> Decision:
    """What to do with a block: the first rule that matches decides, and to ask takes somebody to answer.

    Where no rule matches, a person is asked.

    >>> decide("ask", language="python", interactive=True)
    'ask'
    >>> decide("ask", language="python", interactive=False)
    'deny'
    >>> decide([Rule("deny", frozenset({"sh"})), Rule("auto")], language="sh", interactive=True)
    'deny'
    """
    rules = [Rule(policy)] if isinstance(policy, str) else policy
    found: Policy = next((rule.policy for rule in rules if rule.matches(language)), "ask")
    decision = _DECISIONS[found]
    return "deny" if decision == "ask" and not interactive else decision


def approval_key(code: str) -> str:
    """The SHA-256 of the exact text, to which an approval is bound."""
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def show_exact(code: str) -> str:
    """`code` with every character that cannot be seen, or that moves others about, written as its code point.

    Two different texts are never shown alike, but for letters of different alphabets that look the same.

    >>> show_exact("admin\\u202e = 1")
    'admin⟨U+202E⟩ = 1'
    """
    if code.isascii() and code.isprintable():
        return code
    return "".join(f"{_LEFT}U+{ord(one):04X}{_RIGHT}" if _is_hidden(one) else one for one in code)


def _is_hidden(one: str) -> bool:
    if one in "\n\t" or " " <= one <= "~":
        return False
    kind = unicodedata.category(one)
    is_selector = "\ufe00" <= one <= "\ufe0f" or "\U000e0100" <= one <= "\U000e01ef"
    return kind[0] in "CZ" or is_selector or one in _INVISIBLE or one == _LEFT
