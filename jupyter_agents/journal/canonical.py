"""Questions in a form that can be hashed: the same question gives the same hash in another kernel, on another day.

Canonical is JSON with sorted keys and no spaces, of what changes the question: messages, functions, tools, the
form of the reply. Left out is how the question travels (endpoint, key, time-outs) and what only changes the
dice (temperature, seed, the length allowed). The name of the model is left out as well: a recording is there for those
who cannot ask the model that made it, and their configuration names another one or none; the recording says
whose words it holds. What this module does not know counts as part of the question, so a replay errs
by refusing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from jupyter_agents.effects import Ask, Complete
from jupyter_agents.journal.redact import redact
from jupyter_agents.messages import scrub

Kind = Literal["model", "human"]
Span = list[int]
"""`[start, stop]`: these places of the messages before."""

T = TypeVar("T")

NOISE = frozenset({
    # whom to ask, and how the question travels
    "model", "engine", "deployment_id", "azure_deployment", "azure_endpoint", "base_url", "api_base", "api_key",
    "api_type", "api_version", "organization", "project", "http_client", "default_headers", "default_query",
    "extra_headers", "extra_query", "timeout", "request_timeout", "idle_timeout", "max_retries", "retry_time",
    "retry_wait_time", "max_retry_period", "stream", "stream_options", "config_list", "price", "cache",
    "cache_seed", "use_cache", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "service_tier", "store", "metadata",
    # the dice
    "temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty", "repetition_penalty",
    "logit_bias", "logprobs", "top_logprobs", "max_tokens", "max_completion_tokens", "reasoning_effort",
})  # fmt: skip
"""Options that do not change what is asked."""

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_BLOB = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{2048,}+={0,2}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in its place: the `turn`-th (from 1) of this kind that this agent asks in this chat.

    `hash` stands for this question and all before it in the chain. `head` is the options or the prompt, and
    `messages` the messages, each as canonical JSON. The first `kept` messages are those of the turn before.
    """

    chat: int
    agent: str
    kind: Kind
    turn: int
    hash: str
    head: str
    messages: tuple[str, ...] = ()
    kept: int = 0

    @property
    def key(self) -> tuple[int, str, Kind, int]:
        """Where an answer to it is to be found in a conversation."""
        return self.chat, self.agent, self.kind, self.turn


@dataclass(frozen=True, slots=True)
class _Before:
    """A chain before its last question, as far as that changed it."""

    turn: int
    hash: bytes
    given_head: Any
    head: str
    kept: int
    forgotten: list[list[Any]]


class Chain:
    """The questions of one kind that one agent asks in one chat, hashed as they come.

    A question to a model repeats all messages of the one before. Each message is made canonical, redacted and
    hashed once; later questions only compare it with a copy of our own. That also notices a message that its owner
    changed in place.
    """

    def __init__(self, chat: int, agent: str, kind: Kind) -> None:
        agent = scrub(agent)
        self._place = (chat, agent, kind)
        self._turn = 0
        self._hash = _sha256(canonical([kind, chat, agent]).encode())
        self._given_head: Any = None
        self._head = ""
        self._given: list[Any] = []
        self._lines: list[str] = []
        self._hashes: list[bytes] = []  # [i] is of all messages up to place i
        self._before: _Before | None = None

    def ask(self, effect: Complete | Ask, secrets: tuple[str, ...] = ()) -> Asked:
        """The effect as the next question of the chain."""
        head, messages = _question(effect)
        kept = self._count_kept(messages)
        forgotten = [of_messages[kept:] for of_messages in self._of_messages()]
        self._before = _Before(self._turn, self._hash, self._given_head, self._head, kept, forgotten)
        self._set_head(head, secrets)
        self._forget(kept)
        for message in messages[kept:]:
            self._add(message, secrets)
        self._turn += 1
        self._hash = _sha256(self._hash, self._head.encode(), b"\n", *self._hashes[-1:])
        return Asked(*self._place, self._turn, self._hash.hex()[:16], self._head, tuple(self._lines), kept)

    def take_back(self) -> None:
        """Be as before the last question, which came to nothing; to be called once for it."""
        before, self._before = self._before, None
        if before is None:
            return
        self._turn, self._hash = before.turn, before.hash
        self._given_head, self._head = before.given_head, before.head
        self._forget(before.kept)
        for of_messages, forgotten in zip(self._of_messages(), before.forgotten, strict=True):
            of_messages.extend(forgotten)

    def _set_head(self, head: Any, secrets: tuple[str, ...]) -> None:
        if self._given_head is None or self._given_head != head:
            self._given_head = plain(head)
            self._head = canonical(redacted(self._given_head, secrets))

    def _of_messages(self) -> tuple[list[Any], ...]:
        return self._given, self._lines, self._hashes

    def _count_kept(self, messages: list[Any]) -> int:
        """How many messages are as they were."""
        both = min(len(self._given), len(messages))
        if self._given[:both] != messages[:both]:
            both = next(place for place in range(both) if self._given[place] != messages[place])
        return both

    def _forget(self, kept: int) -> None:
        """Forget all messages but the first `kept`."""
        for of_messages in self._of_messages():
            del of_messages[kept:]

    def _add(self, message: Any, secrets: tuple[str, ...]) -> None:
        given = plain(message)
        line = canonical(redacted(given, secrets))
        self._given.append(given)
        self._lines.append(line)
        self._hashes.append(_sha256(*self._hashes[-1:], line.encode()))


def canonical(value: Any) -> str:
    """Plain data as JSON that is the same for equal data.

    >>> canonical({"role": "user", "content": "hi"})
    '{"content":"hi","role":"user"}'
    """
    return _encode(value)


def plain(value: Any) -> Any:
    """A copy in JSON's own types that can be encoded. What is no data is named by its type; a pydantic class becomes its schema."""
    if isinstance(value, str):
        return scrub(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {scrub(str(key)): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(one) for one in value), key=canonical)
    return _described(value)


def redacted(value: Any, secrets: tuple[str, ...] = (), *, whole: bool = False) -> Any:
    """Plain data without secrets. Long base64 (an image) becomes its length and hash, unless it is wanted `whole`."""
    if isinstance(value, str):
        return redact(value if whole else _BLOB.sub(_name_blob, value), secrets)
    if isinstance(value, dict):
        return {redact(key, secrets): redacted(one, secrets, whole=whole) for key, one in value.items()}
    if isinstance(value, list):
        return [redacted(one, secrets, whole=whole) for one in value]
    return value


def splice(base: Sequence[str], lines: Sequence[str], kept: int) -> list[Span | str]:
    """`lines` as spans of `base` and lines that are new; `expand` is the reverse.

    The first `kept` lines are known to be the same in both. Spans go forward and do not overlap, so what is
    expanded is never longer than both together.

    >>> splice(["system", "a", "b", "c"], ["system", "b", "c", "d"], 1)
    [[0, 1], [2, 4], 'd']
    """
    first = {base[place]: place for place in range(len(base) - 1, kept - 1, -1)}
    found: list[Span | str] = [[0, kept]] if kept else []
    at = kept
    for line in itertools.islice(lines, kept, None):
        place = at if at < len(base) and base[at] == line else first.get(line, -1)
        if place < at:
            found.append(line)
            continue
        last = found[-1] if found else None
        if isinstance(last, list) and last[1] == place:
            last[1] = place + 1
        else:
            found.append([place, place + 1])
        at = place + 1
    return found


def expand(base: Sequence[T], parts: Sequence[Span | T]) -> list[T]:
    """The reverse of `splice`."""
    found: list[T] = []
    for part in parts:
        if isinstance(part, list):
            found.extend(base[part[0] : part[1]])
        else:
            found.append(part)
    return found


def _question(effect: Complete | Ask) -> tuple[dict[str, Any], list[Any]]:
    if isinstance(effect, Ask):
        asked = effect.prompt.to_json()
        if effect.prompt.kind == "approval":
            asked.pop("sender", None)  # whoever has written it, it is the text that is approved
        return asked, []
    options = effect.request.options
    asked = {name: value for name, value in options.items() if name not in NOISE and not _is_unset(value)}
    return asked, list(effect.request.messages)


def _is_unset(value: Any) -> bool:
    return value is None or (isinstance(value, (list, tuple, Mapping)) and not value)


def _described(value: Any) -> Any:
    kind = value if isinstance(value, type) else type(value)
    schema, dump = getattr(kind, "model_json_schema", None), getattr(value, "model_dump", None)
    if callable(dump) and kind is not value:
        return plain(dump(mode="json"))
    name = f"<{kind.__module__}.{kind.__qualname__}>"
    return {name: plain(schema())} if callable(schema) else name


def _name_blob(found: re.Match[str]) -> str:
    return f"<{len(found[0])} characters of base64, sha256 {hashlib.sha256(found[0].encode()).hexdigest()[:16]}>"


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()
