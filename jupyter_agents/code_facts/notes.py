"""The notes on what code may do outside of the variables: their kinds, and how they are worded."""

from __future__ import annotations

_MAX_NOTES = 20
_MAX_EVIDENCE = 4
_MAX_WORD = 60

WRITES = "writes or deletes files"
PROCESSES = "starts processes"
NETWORK = "uses the network"
INSTALLS = "installs packages"
ENVIRONMENT = "uses or changes the environment of the process"
ENDS = "ends programs or sends signals"
DYNAMIC = "runs code that is not written here"
INTERNALS = "reaches into Python or the shell"
COMPUTED = "reaches names that are computed while it runs"
RIGHTS = "asks for other rights"
RESETS = "deletes all variables"


class Notes:
    """Notes in the order in which their kinds are declared, each with the first words that it was found by."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, None]] = {}
        self._said: list[str] = []

    def add(self, kind: str, evidence: str) -> None:
        """Note a kind of thing, and the words that tell of it."""
        words = self._found.setdefault(kind, {})
        if len(words) <= _MAX_EVIDENCE:
            words[short(evidence)] = None

    def say(self, line: str) -> None:
        """Note something else in a line of its own, before all others."""
        self._said.append(short(line, 200))

    def lines(self) -> tuple[str, ...]:
        """All notes, as a person reads them."""
        found = [f"{kind}: {_listed([*self._found[kind]])}" for kind in _KINDS if kind in self._found]
        return tuple((self._said + found)[:_MAX_NOTES])


_KINDS = (
    RESETS, WRITES, PROCESSES, NETWORK, INSTALLS, RIGHTS, ENVIRONMENT, ENDS, DYNAMIC, COMPUTED, INTERNALS,
)  # fmt: skip


def _listed(words: list[str]) -> str:
    return ", ".join(words[:_MAX_EVIDENCE]) + (", …" if len(words) > _MAX_EVIDENCE else "")


def short(text: str, limit: int = _MAX_WORD) -> str:
    """The beginning of a text, without what cannot be printed."""
    text = "".join(one if one.isprintable() else " " for one in text[: 2 * limit])
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
