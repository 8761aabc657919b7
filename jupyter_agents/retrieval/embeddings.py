"""Finding chunks by what they mean: any function that makes vectors of texts, and the angles between these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jupyter_agents.culprits import was_in
from jupyter_agents.effects import CallTool
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.retrieval.chunks import Chunk
from jupyter_agents.retrieval.index import Hit, best

Embed = Callable[[list[str]], Any]
"""A function, plain or async, from texts to as many vectors: lists of numbers, or a NumPy array."""

_BATCH = 128


class EmbeddingIndex:
    """Finds the chunks whose vectors have the smallest angle to that of the question (cosine similarity)."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._chunks: list[Chunk] = []
        self._vectors: Any = None

    async def add(self, chunks: Sequence[Chunk]) -> None:
        """See `Index`. The function is given at most 128 texts at a time."""
        for at in range(0, len(chunks), _BATCH):
            batch = chunks[at : at + _BATCH]
            vectors = await embedded(self._embed, [text_of(chunk) for chunk in batch])
            self._vectors = vectors if self._vectors is None else _stacked(self._vectors, vectors)
            self._chunks += batch

    async def query(self, question: str, n: int, search_string: str = "") -> list[Hit]:
        """See `Index`."""
        if self._vectors is None:
            return []
        [vector] = await embedded(self._embed, [question])
        _check_size(self._vectors.shape[1], len(vector))
        return best(zip((self._vectors @ vector).tolist(), self._chunks, strict=True), n, search_string)


def text_of(chunk: Chunk) -> str:
    """What is embedded of a chunk: its headings belong to what it is about."""
    return f"{chunk.heading}\n{chunk.text}" if chunk.heading else chunk.text


async def embedded(embed: Embed, texts: list[str]) -> Any:
    """The vectors of texts, each of length 1, as the rows of an array. Raises `ConfigurationError` for what is none."""
    import numpy as np

    try:
        given = await CallTool(embed, (texts,))
    except Exception as error:
        was_in(error, "the embedding function", embed)
        raise
    name = getattr(embed, "__name__", type(embed).__name__)
    try:
        vectors = np.asarray(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"Cannot use what the embedding function {name!r} gave: {error}. Return one list of numbers for each text."
        ) from error
    if vectors.ndim != 2 or len(vectors) != len(texts) or not vectors.shape[1] or not np.isfinite(vectors).all():
        raise ConfigurationError(
            f"Cannot use what the embedding function {name!r} gave: an array of the shape {vectors.shape} for "
            f"{len(texts)} texts. Return one vector of finite numbers, all of the same length, for each text."
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1.0, lengths)


def _stacked(vectors: Any, more: Any) -> Any:
    import numpy as np

    _check_size(vectors.shape[1], more.shape[1])
    return np.vstack([vectors, more])


def _check_size(size: int, other: int) -> None:
    if size != other:
        raise ConfigurationError(
            f"Cannot compare vectors: the embedding function gave some of {size} numbers and some of {other}. "
            "Use one model for all texts."
        )
