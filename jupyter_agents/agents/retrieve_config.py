"""How a retrieval agent finds passages: the classic `retrieve_config`, checked and immutable."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.nearest import did_you_mean, nearest
from jupyter_agents.retrieval.chunks import Chunk, Counter, Cutting, cut, estimate_tokens
from jupyter_agents.retrieval.documents import Document
from jupyter_agents.retrieval.embeddings import EmbeddingIndex
from jupyter_agents.retrieval.index import BM25Index, Index
from jupyter_agents.retrieval.stores import index_of

_TASKS = ("default", "qa", "code")
_KEYS = (
    "task",
    "docs_path",
    "recursive",
    "chunk_token_size",
    "chunk_overlap",
    "chunk_mode",
    "must_break_at_empty_line",
    "context_max_tokens",
    "n_results",
    "customized_prompt",
    "customized_answer_prefix",
    "update_context",
    "embedding_function",
    "vector_db",
    "client",
    "collection_name",
    "custom_token_count_function",
    "custom_text_split_function",
)
_WITHOUT_EFFECT = {
    "model": "tokens are estimated",
    "embedding_model": "nothing is downloaded; give an embedding_function",
    "db_config": "give the store itself as vector_db",
    "get_or_create": "a collection is made where there is none",
    "new_docs": "what a collection has already is not added again",
    "extra_docs": "documents are added to what a collection has",
    "overwrite": "what a collection has stays",
    "distance_threshold": "the best passages are taken",
}
_NOT_HERE = {
    "custom_text_types": "files of a folder are taken by the ends of their names. Give patterns or the files themselves as docs_path",
}


@dataclass(frozen=True)
class RetrieveConfig:
    """What the classic dictionary says. `notes` say in a sentence each which of its keys have no effect here."""

    task: str = "default"
    docs_path: tuple[Any, ...] = ()
    recursive: bool = True
    cutting: Cutting = field(default_factory=Cutting)
    split: Callable[[str], list[str]] | None = None
    context_max_tokens: int = 3200
    n_results: int = 20
    prompt: str | None = None
    answer_prefix: str = ""
    updates: bool = True
    embed: Callable[[list[str]], Any] | None = None
    store: Any = None
    notes: tuple[str, ...] = ()

    @classmethod
    def from_classic(cls, config: Mapping[str, Any] | None) -> RetrieveConfig:
        """The configuration; `None` and `{}` mean the defaults. Raises `ConfigurationError` for what cannot be meant."""
        if config and not isinstance(config, Mapping):
            raise ConfigurationError(
                f"Cannot use retrieve_config={config!r}: it is no dictionary. Give {{'docs_path': ['docs/']}}."
            )
        given = dict(config or {})
        _check_keys(given)
        notes = [
            f"retrieve_config[{key!r}] has no effect: {why}." for key, why in _WITHOUT_EFFECT.items() if key in given
        ]
        if "collection_name" in given and given.get("client") is None:
            notes.append("retrieve_config['collection_name'] has no effect: it is that of a client, and there is none.")
        return cls(
            task=_choice(given, "task", _TASKS),
            docs_path=_paths(given.get("docs_path")),
            recursive=bool(given.get("recursive", True)),
            cutting=_cutting(given),
            split=given.get("custom_text_split_function"),
            context_max_tokens=read_count(given, "context_max_tokens", 3200),
            n_results=read_count(given, "n_results", 20),
            prompt=_prompt(given.get("customized_prompt")),
            answer_prefix=str(given.get("customized_answer_prefix") or ""),
            updates=bool(given.get("update_context", True)),
            embed=given.get("embedding_function"),
            store=_store(given),
            notes=tuple(notes),
        )

    def make_index(self) -> Index:
        """An empty index, or the store that was given, with what it holds."""
        if self.store is not None:
            return index_of(self.store, self.embed)
        return BM25Index() if self.embed is None else EmbeddingIndex(self.embed)

    def cut(self, document: Document) -> list[Chunk]:
        """The chunks of a document."""
        if self.split is None:
            return cut(document, self.cutting)
        pieces = self.split(document.text)
        return [_located(piece, document) for piece in pieces if piece.strip()]


def _located(piece: str, document: Document) -> Chunk:
    """A piece that somebody else has cut, with its lines where it is found as it stands."""
    at = document.text.find(piece)
    if at < 0:
        return Chunk(piece, document.source)
    first = document.text.count("\n", 0, at) + 1
    return Chunk(piece, document.source, place=document.place(first, first + piece.rstrip("\n").count("\n")))


# -- Checks ------------------------------------------------------------------------------------------------------


def _check_keys(given: Mapping[str, Any]) -> None:
    refused = next((key for key in given if key in _NOT_HERE), None)
    if refused is not None:
        raise ConfigurationError(f"Cannot use retrieve_config key {refused!r}: {_NOT_HERE[refused]}.")
    unknown = next((key for key in given if key not in _KEYS and key not in _WITHOUT_EFFECT), None)
    if unknown is not None:
        guess = nearest(str(unknown), (*_KEYS, *_WITHOUT_EFFECT))
        hint = f"Did you mean {guess!r}?" if guess else f"Known keys are {', '.join(_KEYS)}."
        raise ConfigurationError(f"Cannot use retrieve_config key {unknown!r}: there is no such key. {hint}")
    for key in ("embedding_function", "custom_token_count_function", "custom_text_split_function"):
        if given.get(key) is not None and not callable(given[key]):
            raise ConfigurationError(f"Cannot use {key}={given[key]!r}: it cannot be called. Give a function.")


def _choice(given: Mapping[str, Any], key: str, known: tuple[str, ...]) -> Any:
    value = given.get(key) or known[0]
    if value not in known:
        hint = did_you_mean(value, known) or " Change it."
        raise ConfigurationError(f"Cannot use {key}={value!r}: it must be one of {', '.join(known)}.{hint}")
    return value


def read_count(given: Mapping[str, Any], key: str, default: int, least: int = 1) -> int:
    """A whole number of a configuration. Raises `ConfigurationError` for what is none."""
    value = given.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < least:
        raise ConfigurationError(f"Cannot use {key}={value!r}: give a whole number of at least {least}.")
    return int(value)  # the classic notebooks give products such as 0.4 * 4000


def _cutting(given: Mapping[str, Any]) -> Cutting:
    size = read_count(given, "chunk_token_size", min(400, read_count(given, "context_max_tokens", 3200)))
    overlap = read_count(given, "chunk_overlap", size // 10, least=0)
    if overlap >= size:
        raise ConfigurationError(
            f"Cannot use chunk_overlap={overlap}: chunks have {size} tokens (chunk_token_size). Give less than half of it."
        )
    return Cutting(
        max_tokens=size,
        overlap=overlap,
        mode=_choice(given, "chunk_mode", ("multi_lines", "one_line")),
        at_blank_lines=bool(given.get("must_break_at_empty_line", True)),
        count=_counter(given.get("custom_token_count_function")),
    )


def _counter(function: Callable[..., int] | None) -> Counter:
    """The function that counts tokens; the classic one may take the name of a model as its second argument."""
    if function is None:
        return estimate_tokens
    counts = function
    try:
        inspect.signature(counts).bind("")
    except TypeError:
        return lambda text: int(counts(text, ""))
    except ValueError:
        pass  # a function of C that does not say what it takes
    return lambda text: int(counts(text))


def is_json(value: Any) -> bool:
    """Whether JSON can say it."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _prompt(template: Any) -> str | None:
    if template is None:
        return None
    try:
        filled = template.format(input_question="\1", input_context="\2", input_sources="")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"Cannot use customized_prompt={template!r}: {error!r}. Its fields are {{input_question}}, {{input_context}} and "
            "{input_sources}; write {{ and }} for braces that are text."
        ) from error
    if "\2" not in filled:
        raise ConfigurationError(
            f"Cannot use customized_prompt={template!r}: it has no {{input_context}}, so the passages would not be read. "
            "Add the field."
        )
    return str(template)


def _paths(given: Any) -> tuple[Any, ...]:
    if given is None:
        return ()
    if isinstance(given, (str, os.PathLike, Document)):
        return (given,)
    if not isinstance(given, Iterable):
        raise ConfigurationError(f"Cannot use docs_path={given!r}: give a path, or a list of paths.")
    return tuple(given)


def _store(given: Mapping[str, Any]) -> Any:
    """The store itself, or the collection of a client of Chroma. One that cannot be used is an error at once."""
    store, client = given.get("vector_db"), given.get("client")
    if isinstance(store, str):
        raise ConfigurationError(
            f"Cannot use vector_db={store!r}: no database is opened by its name. Give the collection or the store itself "
            "(of Chroma: client.get_or_create_collection('docs')), or leave it out to search with BM25."
        )
    if store is not None and client is not None:
        raise ConfigurationError("Cannot search in two places: vector_db and client are given. Give one.")
    if store is None and client is not None:
        store = _collection(client, str(given.get("collection_name") or "jupyter-agents-docs"))
    if store is not None:
        index_of(store)
    return store


def _collection(client: Any, name: str) -> Any:
    if not callable(getattr(client, "get_or_create_collection", None)):
        raise ConfigurationError(
            f"Cannot use client={client!r}: it has no get_or_create_collection. Give a client of Chroma, or a store as vector_db."
        )
    return client.get_or_create_collection(name)
