"""What the bytes of an answer mean: an event stream, or one body, becomes a `ModelReply`.

Pure and total: bytes may come in any pieces, and whatever they hold, the outcome is a reply or a `ModelError`. A
stream is whole only when its finish reason has come; everything else is a `ReplyInterruptedError` with the part that
came. The events carry https://platform.openai.com/docs/api-reference/chat-streaming objects, or those of the Responses
API, in the many dialects that servers speak.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, Protocol

from jupyter_agents.messages import Usage, scrub
from jupyter_agents.models.assembly import Choice, usage_of
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.refusals import Refusal
from jupyter_agents.models.response_stream import ResponseAssembler
from jupyter_agents.models.server_events import (
    EventReader,
    any_json,
    interrupted,
    list_of,
    malformed,
    mapping,
    parse_json,
)

Api = Literal["chat", "responses"]
"""The language that is spoken with a server: `/chat/completions` or `/responses`."""

_DONE = b"[DONE]"
_MAX_BYTES = 64 * 1024 * 1024
_MAX_CHOICES = 128


class _Assembler(Protocol):
    """Puts a reply together from the events of one API."""

    has_choice: bool

    @property
    def reason(self) -> str | None: ...

    @property
    def is_complete(self) -> bool: ...

    def add(self, chunk: Any) -> str: ...

    def partial(self) -> ModelReply: ...

    def finish(self) -> ModelReply: ...


class ReplyStream:
    """A reply that is coming in. `source` names the model and its server in errors; `n` choices of it are due.

    >>> stream = ReplyStream("a model")
    >>> stream.feed(b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\\n\\n')
    'Hi'
    >>> stream.finish().content
    'Hi'
    """

    def __init__(self, source: str, *, api: Api = "chat", n: int = 1) -> None:
        self._source = source
        self._reader = EventReader()
        self._reply = _assembler(source, api, n)
        self._bytes = 0
        self.is_done = False

    @property
    def is_finished(self) -> bool:
        """Whether the finish reason has come: the reply can be used, and nothing after it can spoil it."""
        return self._reply.reason is not None

    @property
    def is_complete(self) -> bool:
        """Whether all choices have finished: what may still follow is the usage."""
        return self._reply.is_complete

    def feed(self, piece: bytes) -> str:
        """Take bytes; the new text in them. Raises a `ModelError` for what makes no sense, or reports an error."""
        self._bytes += len(piece)
        if self._bytes > _MAX_BYTES:
            raise malformed(self._source, f"it is longer than {_MAX_BYTES // 2**20} MiB")
        text = ""
        for data, name in self._reader.feed(piece):
            if self.is_done:
                break
            if name == b"error":
                raise Refusal.from_payload(any_json(data)).to_error(self._source)
            if data[:1] == b"{":
                text += self._reply.add(parse_json(data, self._source))
            elif (stripped := data.strip()) == _DONE:
                self.is_done = True
            elif stripped:
                text += self._reply.add(parse_json(stripped, self._source))
        return text

    def partial(self) -> ModelReply:
        """What has come so far, marked as interrupted."""
        return self._reply.partial()

    def finish(self) -> ModelReply:
        """The reply. Raises `ReplyInterruptedError` when it never said that it is whole."""
        if not self.is_finished:
            raise interrupted(self._source, "it ended without a finish reason", self.partial())
        return self._reply.finish()


def parse_body(body: bytes, source: str, *, api: Api = "chat") -> ModelReply:
    """The reply in a body that was not streamed."""
    if len(body) > _MAX_BYTES:
        raise malformed(source, f"it is longer than {_MAX_BYTES // 2**20} MiB")
    reply = _assembler(source, api)
    reply.add(parse_json(body, source))
    if not reply.has_choice:
        raise malformed(source, "it holds no choices" if api == "chat" else "it holds no response that is done")
    return reply.finish()


def _assembler(source: str, api: Api, n: int = 1) -> _Assembler:
    return ResponseAssembler(source) if api == "responses" else ReplyAssembler(source, n)


class ReplyAssembler:
    """Puts a reply together from chunks, or from one whole completion. The first choice speaks; others stand by."""

    def __init__(self, source: str, n: int = 1) -> None:
        self._source = source
        self._n = n
        self._first = Choice(source)
        self._choices = {0: self._first}
        self._usage: Usage | None = None
        self._model: str | None = None
        self.has_choice = False

    @property
    def reason(self) -> str | None:
        """Why the first choice ended, once it has."""
        return self._first.reason

    @property
    def is_complete(self) -> bool:
        """Whether as many choices as are due have ended."""
        if self._n == 1:
            return self._first.reason is not None
        return len(self._choices) >= self._n and all(choice.reason for choice in self._choices.values())

    def add(self, chunk: Any) -> str:
        """Take one chunk; the text that it adds to the first choice."""
        chunk = mapping(chunk, "a chunk", self._source)
        if chunk.get("error") or chunk.get("object") == "error":
            raise Refusal.from_payload(chunk).to_error(self._source)
        if usage := chunk.get("usage"):
            self._usage = usage_of(mapping(usage, "'usage'", self._source)) or self._usage
        if self._model is None and isinstance(model := chunk.get("model"), str):
            self._model = scrub(model)
        text = ""
        for choice in list_of(chunk.get("choices"), "'choices'", self._source):
            text += self._add_choice(mapping(choice, "a choice", self._source))
        return text

    def partial(self) -> ModelReply:
        """What there is of the first choice, marked as interrupted."""
        return self._first.partial(self._usage, self._model)

    def finish(self) -> ModelReply:
        """The reply, as whole. An alternative that did not finish is marked as interrupted."""
        reply = self._first.finish(self._usage, self._model)
        if len(self._choices) == 1:
            return reply
        others = [choice for index, choice in sorted(self._choices.items()) if index]
        alternatives = [
            one.finish(None, self._model) if one.reason else one.partial(None, self._model) for one in others
        ]
        return replace(reply, alternatives=tuple(alternatives))

    def _add_choice(self, choice: dict[str, Any]) -> str:
        index = choice.get("index")
        if index is None:
            index = 0
        elif type(index) is not int or not 0 <= index < _MAX_CHOICES:
            return ""
        known = self._choices.get(index)
        if known is None:
            known = self._choices[index] = Choice(self._source)
        if known.reason and choice.get("message"):
            return ""  # some servers end a stream with the whole of what they have streamed
        if index:
            known.add(choice)
            return ""
        self.has_choice = True
        return known.add(choice)
