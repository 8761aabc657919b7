"""A model that says what a script has for it: for tests, examples and notebooks that need no server."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jupyter_agents.effects import CallTool, Pause, Tell
from jupyter_agents.errors import ConfigurationError, ScriptEndedError
from jupyter_agents.events import Delta
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply, ModelRequest

Reply = str | ModelReply | Mapping[str, Any] | BaseException | Callable[[ModelRequest], Any]
"""A line of a script: text, a reply, a message as a dictionary, an error to raise, or a function of the request."""

_WORD = re.compile(r"\S+\s*|\s+")


class ScriptedModel:
    """A model that gives the replies of a script, in order, as if they streamed.

    A function in place of the list answers every request; one in the list answers its turn. Functions may be
    `async`, and give whatever a line of a script may be. `delay` is the time between two pieces of text, in seconds;
    `chunk` the size of a piece in characters, or `None` for one word a piece. `requests` holds all that was asked,
    unless `record` is false (`calls` counts in any case).

    >>> from jupyter_agents.drive import drive
    >>> model = ScriptedModel(["Hello.", lambda request: request.messages[-1]["content"].upper()])
    >>> drive(model.complete(ModelRequest([{"role": "user", "content": "hi"}]))).content
    'Hello.'
    >>> drive(model.complete(ModelRequest([{"role": "user", "content": "echo"}]))).content
    'ECHO'
    """

    scripted = True
    """Its words are written by hand: recordings and pages say so."""

    def __init__(
        self,
        replies: Iterable[Reply] | Callable[[ModelRequest], Any] = (),
        *,
        delay: float = 0.0,
        chunk: int | None = None,
        record: bool = True,
    ) -> None:
        self._answer_all = replies if callable(replies) else None
        self._replies: list[Reply] = [] if callable(replies) else _lines(replies)
        self._delay = delay
        self._chunk = chunk
        self._record = record
        self._size = _Size()
        self.requests: list[ModelRequest] = []
        self.calls = 0

    def __repr__(self) -> str:
        left = "a function" if self._answer_all else f"{max(len(self._replies) - self.calls, 0)} replies left"
        return f"<ScriptedModel: {self.calls} calls, {left}>"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The next reply. Raises `ScriptEndedError` when there is none."""
        if self._record:
            self.requests.append(ModelRequest(list(request.messages), dict(request.options), request.context))
        self.calls += 1
        line = self._next_line(request)
        while callable(line):
            line = await CallTool(line, (request,))
        if isinstance(line, BaseException):
            await self._speak(getattr(line, "partial", None))
            raise line
        reply = _to_reply(line)
        await self._speak(reply)
        return reply if reply.usage else replace(reply, usage=self._estimate(request, reply))

    def _next_line(self, request: ModelRequest) -> Any:
        if self._answer_all:
            return self._answer_all
        if self.calls <= len(self._replies):
            return self._replies[self.calls - 1]
        last = str(request.messages[-1].get("content"))[:80] if request.messages else ""
        raise ScriptEndedError(
            f"Cannot answer request {self.calls}: the script of this ScriptedModel has {len(self._replies)} replies, "
            f"and the last message was {last!r}. Add a reply, or end the chat earlier."
        )

    def _estimate(self, request: ModelRequest, reply: ModelReply) -> Usage:
        said = len(reply.content or "") + sum(len(call.arguments) for call in reply.tool_calls)
        return Usage(math.ceil(self._size.of(request.messages) / 4), math.ceil(said / 4), estimated=True)

    async def _speak(self, reply: ModelReply | None) -> None:
        text = (reply.content or reply.refusal or "") if reply else ""
        for number, piece in enumerate(_pieces(text, self._chunk)):
            if self._delay and number:
                await Pause(self._delay)
            await Tell(Delta(piece))


class _Size:
    """Characters of a history. One that goes on from the last is not counted anew: long chats stay cheap."""

    def __init__(self) -> None:
        self._last: Mapping[str, Any] | None = None
        self._counted = 0
        self._characters = 0

    def of(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """The size of all messages."""
        if not 0 < self._counted <= len(messages) or messages[self._counted - 1] != self._last:
            self._counted = self._characters = 0
        for number in range(self._counted, len(messages)):
            self._characters += len(str(messages[number].get("content") or ""))
        self._counted = len(messages)
        self._last = messages[-1] if messages else None
        return self._characters


def _lines(replies: Any) -> list[Reply]:
    """The lines of a script, all of which must be something that can be said."""
    if isinstance(replies, Mapping | ModelReply) or not isinstance(replies, Iterable):
        raise ConfigurationError(f"Cannot script a model with {replies!r}: it must be a list of replies. Write […].")
    found: list[Reply] = [replies] if isinstance(replies, str) else [*replies]
    for line in found:
        if not callable(line) and not isinstance(line, BaseException):
            _to_reply(line)
    return found


def _to_reply(line: Any) -> ModelReply:
    if isinstance(line, ModelReply):
        return line
    if isinstance(line, str):
        return ModelReply(line)
    if isinstance(line, Mapping):
        reply = ModelReply.from_json(line)
        if "finish_reason" in line:
            return reply
        return replace(
            reply,
            finish_reason="tool_calls" if reply.tool_calls else "function_call" if reply.function_call else "stop",
        )
    raise ConfigurationError(
        f"Cannot reply {line!r}: a {type(line).__name__} stands in the script of a ScriptedModel. "
        "Convert it with str(); texts, ModelReply objects, message dictionaries, exceptions and functions giving one of them are accepted."
    )


def _pieces(text: str, size: int | None) -> Iterator[str]:
    if size is None:
        return (found[0] for found in _WORD.finditer(text))
    return (text[start : start + size] for start in range(0, len(text), size))
