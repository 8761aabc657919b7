"""Indexes: chunks go in, and those that fit a question come out, the best first. BM25 is the one that is built in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.retrieval.chunks import Chunk

_WORD = re.compile(r"[^\W_]+(?:(?:_+|['’])[^\W_]+)*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_STOP_WORDS = frozenset(
    "a an and are as at be but by can do does for from how i if in into is it its me my no not of on or such that the their "
    "then there these they this to was we what when where which who why will with you your".split()
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that fits a question. Scores tell more from less, and mean nothing from one index to another."""

    chunk: Chunk
    score: float = 0.0


class Index(Protocol):
    """Where chunks are kept and found. The methods are coroutines, for what stands behind may be a function of a user."""

    async def add(self, chunks: Sequence[Chunk]) -> None:
        """Take in more chunks."""
        ...

    async def query(self, question: str, n: int, search_string: str = "") -> list[Hit]:
        """At most `n` chunks that fit, the best first; only such as hold `search_string`, letter for letter."""
        ...


class BM25Index:
    """Finds chunks that have the words of a question, the rare ones first (Okapi BM25, by the package `bm25s`).

    Works offline and gives the same result in every run. Names in code are found by their parts, too. What shares no
    word with the question is not found.
    """

    def __init__(self) -> None:
        self._chunks: list[Chunk] = []
        self._words: list[list[str]] = []
        self._ranking: Any = None

    async def add(self, chunks: Sequence[Chunk]) -> None:
        """See `Index`. All chunks are counted anew at the next question."""
        self._chunks += chunks
        self._words += [words_of(f"{chunk.heading}\n{chunk.text}") for chunk in chunks]
        self._ranking = None

    async def query(self, question: str, n: int, search_string: str = "") -> list[Hit]:
        """See `Index`."""
        words = words_of(question)
        if not words or not any(self._words):
            return []
        if self._ranking is None:
            self._ranking = _bm25()
            self._ranking.index(self._words, show_progress=False)
        scores = self._ranking.get_scores(words).tolist()
        return best(zip(scores, self._chunks, strict=True), n, search_string, above=0.0)


def best(
    scored: Iterator[tuple[float, Chunk]] | Any, n: int, search_string: str = "", *, above: float | None = None
) -> list[Hit]:
    """The `n` best hits among scored chunks; where two are alike, the one that was added first."""
    hits = (Hit(chunk, score) for score, chunk in scored if above is None or score > above)
    kept = [hit for hit in hits if search_string in hit.chunk.text]
    return sorted(kept, key=lambda hit: -hit.score)[:n]


def _bm25() -> Any:
    try:
        import bm25s  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigurationError(
            "Cannot search documents: bm25s is not installed. Install it with %pip install 'jupyter-agents[retrieve]', "
            "or give retrieve_config an 'embedding_function' or a 'vector_db'."
        ) from error
    return bm25s.BM25()


def words_of(text: str) -> list[str]:
    """The words of a text by which it is found: in lower case, without endings of the plural and without fillers.

    >>> words_of("How do I call read_CSV for the files?")
    ['call', 'read_csv', 'read', 'csv', 'file']
    """
    return [word for found in _WORD.finditer(text) for word in _forms(found[0])]


def _forms(word: str) -> Iterator[str]:
    if _IDEOGRAPHS.search(word):
        yield from _pairs(word)
        return
    word = re.sub(r"['’]s$", "", word, flags=re.IGNORECASE)
    low = word.lower()
    if low in _STOP_WORDS:
        return
    yield _singular(low)
    parts = [part for name in word.split("_") for part in _humps(name)]
    if len(parts) > 1:
        yield from (_singular(part.lower()) for part in parts if part.lower() not in _STOP_WORDS)


def _humps(name: str) -> list[str]:
    """The words of which a name like `readCSVFile` is made; any other name is one word."""
    parts = _PART.findall(name)
    return parts if "".join(parts) == name else [name]


def _pairs(word: str) -> Iterator[str]:
    """Chinese, Japanese and Korean are written without spaces: each two neighbours count as a word."""
    for found in _IDEOGRAPHS.finditer(word):
        run = found[0]
        yield from (run[at : at + 2] for at in range(max(len(run) - 1, 1)))
    yield from (part.lower() for part in _IDEOGRAPHS.split(word) if part)


def _singular(word: str) -> str:
    """A word without a plural's ending, by the three rules of Harman (JASIS 42, 1991)."""
    if len(word) > 4 and word.endswith("ies") and word[-4] not in "ae":
        return f"{word[:-3]}y"
    if len(word) > 3 and word.endswith("es") and word[-3] not in "aeo":
        return word[:-1]
    if len(word) > 3 and word.endswith("s") and word[-2] not in "us":
        return word[:-1]
    return word
