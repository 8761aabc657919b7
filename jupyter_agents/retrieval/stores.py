"""Vector stores of other packages as indexes. They are known by their methods, so none of them is imported here."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from jupyter_agents.effects import CallTool
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.retrieval.chunks import Chunk
from jupyter_agents.retrieval.embeddings import Embed, embedded, text_of
from jupyter_agents.retrieval.index import Hit, Index


class VectorStore(Protocol):
    """What a store of your own must have; the methods may be `async`."""

    def add(self, chunks: Sequence[Chunk]) -> Any:
        """Keep chunks."""
        ...

    def query(self, question: str, n: int) -> Any:
        """At most `n` chunks, the best first: `Hit` or `Chunk` objects, texts, or pairs of one of these and a score."""
        ...


def index_of(store: Any, embed: Embed | None = None) -> Index:
    """The index that a store is.

    It may be a `VectorStore`, a collection of Chroma (or whatever has `upsert(ids=, documents=, metadatas=)` and
    `query(query_texts=, n_results=)`), or a vector store of LangChain. A collection is given the vectors of `embed`; without
    that it makes its own. Raises `ConfigurationError` for anything else.
    """
    if _has(store, "similarity_search_with_score", "add_texts"):
        return _LangChain(store)
    if _has(store, "query", "upsert") and "query_texts" in _parameters(store.query):
        return _Collection(store, embed)
    if _has(store, "query", "add"):
        return _Own(store)
    raise ConfigurationError(
        f"Cannot search in {store!r}: it is no vector store. Give an object with add(chunks) and query(question, n), a Chroma "
        "collection or a LangChain vector store, or leave 'vector_db' out to search with BM25."
    )


def _has(store: Any, *names: str) -> bool:
    return all(callable(getattr(store, name, None)) for name in names)


def _parameters(function: Any) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return frozenset()


class _Own:
    """A store that takes chunks and gives chunks. It is asked for more where only such as hold a text are wanted."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def add(self, chunks: Sequence[Chunk]) -> None:
        """See `Index`."""
        if chunks:
            await CallTool(self._store.add, (chunks,))

    async def query(self, question: str, n: int, search_string: str = "") -> list[Hit]:
        """See `Index`."""
        found = hits_of(await CallTool(self._store.query, (question, 10 * n if search_string else n)))
        return [hit for hit in found if search_string in hit.chunk.text][:n]


class _LangChain:
    def __init__(self, store: Any) -> None:
        self._store = store

    async def add(self, chunks: Sequence[Chunk]) -> None:
        """See `Index`."""
        if chunks:
            texts = [chunk.text for chunk in chunks]
            options = {"metadatas": [_metadata(chunk) for chunk in chunks], "ids": [chunk.id for chunk in chunks]}
            await CallTool(self._store.add_texts, (texts,), options)

    async def query(self, question: str, n: int, search_string: str = "") -> list[Hit]:
        """See `Index`."""
        wanted = 10 * n if search_string else n
        found = await CallTool(self._store.similarity_search_with_score, (question,), {"k": wanted})
        hits = [Hit(_chunk(one.page_content, one.metadata), float(score)) for one, score in found]
        return [hit for hit in hits if search_string in hit.chunk.text][:n]


class _Collection:
    def __init__(self, collection: Any, embed: Embed | None) -> None:
        self._collection = collection
        self._embed = embed

    async def add(self, chunks: Sequence[Chunk]) -> None:
        """See `Index`. Chunks that the collection has already are not there twice."""
        unique = [*{chunk.id: chunk for chunk in chunks}.values()]
        if not unique:
            return
        entries: dict[str, Any] = {
            "ids": [chunk.id for chunk in unique],
            "documents": [chunk.text for chunk in unique],
            "metadatas": [_metadata(chunk) for chunk in unique],
        }
        if self._embed is not None:
            entries["embeddings"] = (await embedded(self._embed, [text_of(chunk) for chunk in unique])).tolist()
        await CallTool(self._collection.upsert, (), entries)

    async def query(self, question: str, n: int, search_string: str = "") -> list[Hit]:
        """See `Index`."""
        wanted: dict[str, Any] = {"n_results": n}
        if self._embed is None:
            wanted["query_texts"] = [question]
        else:
            wanted["query_embeddings"] = (await embedded(self._embed, [question])).tolist()
        if search_string:
            wanted["where_document"] = {"$contains": search_string}
        return hits_of(await CallTool(self._collection.query, (), wanted))


def _metadata(chunk: Chunk) -> dict[str, Any]:
    return {"source": chunk.source, "heading": chunk.heading, "place": chunk.place}


def _chunk(text: Any, metadata: Mapping[str, Any] | None, name: Any = "") -> Chunk:
    about = metadata or {}
    source = about.get("source") or name
    return Chunk(str(text), str(source), str(about.get("heading") or ""), str(about.get("place") or ""))


# -- What they give ----------------------------------------------------------------------------------------------


def hits_of(found: Any) -> list[Hit]:
    """The hits that a store, or an override of `retrieve_docs`, gave in one of the forms that are understood.

    They are the dictionary of lists of lists of Chroma (`documents`, `ids`, `metadatas`, `distances`), or a list of hits, chunks,
    texts, or pairs of one of these and a score. Raises `ConfigurationError` for anything else.
    """
    if isinstance(found, Mapping) and "documents" in found:
        return _from_lists(found)
    if isinstance(found, Iterable) and not isinstance(found, (str, bytes, Mapping)):
        return [_hit(one) for one in found]
    raise _not_understood(found)


def _hit(one: Any) -> Hit:
    if isinstance(one, Hit):
        return one
    if isinstance(one, (Chunk, str)):
        return Hit(one if isinstance(one, Chunk) else Chunk(one))
    if isinstance(one, tuple) and len(one) == 2:
        return Hit(_hit(one[0]).chunk, float(one[1]))
    raise _not_understood(one)


def _not_understood(found: Any) -> ConfigurationError:
    return ConfigurationError(
        f"Cannot use what was retrieved: {found!r}. Return a list of chunks or texts, or a dictionary "
        "{'ids': [[…]], 'documents': [[…]]}."
    )


def _from_lists(found: Mapping[str, Any]) -> list[Hit]:
    """The answer to the first question, of which there is one only."""
    documents = _row(found, "documents")
    names, about = _row(found, "ids"), _row(found, "metadatas")
    distances = _row(found, "distances")
    return [
        Hit(_chunk(text, _at(about, number), _at(names, number) or ""), -float(_at(distances, number) or 0.0))
        for number, text in enumerate(documents)
    ]


def _row(found: Mapping[str, Any], key: str) -> Sequence[Any]:
    rows = found.get(key)
    return [] if rows is None or not len(rows) else rows[0] if not isinstance(rows[0], (str, Mapping)) else rows


def _at(row: Sequence[Any], number: int) -> Any:
    return row[number] if row is not None and number < len(row) else None
