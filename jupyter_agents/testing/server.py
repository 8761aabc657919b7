"""A server on this machine, of chat completions and responses, that answers from a script, and fails as real servers and networks do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply
from jupyter_agents.testing.completions import (
    calls_of,
    chunk_of,
    completion_of,
    cut,
    event_of,
    finish_reason_of,
    stream_of,
    usage_of,
)
from jupyter_agents.testing.response_events import events_of, response_of

Ending = Literal["end", "eof", "reset", "stall"]

_REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """A request as it arrived. `body` is the JSON in it, `None` where there is none; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReply:
    """What the server answers to one request, and how the connection behaves meanwhile.

    The first group of fields is the completion; the server builds a stream or one body from it, as the request asks,
    for chat completions and for the Responses API alike. `alternatives` are the texts of further choices, and
    `logprobs` what each choice says of its tokens; only chat completions have them. `usage` is `"count"` for words counted, `None` to leave it out, or the object itself. `chunk` is the size of a
    streamed piece in characters; 0 means one word a piece.

    The second group takes its place: any `status`, `headers` and `body`.

    The third is time and trouble: seconds of `delay` before the first byte and of `pause` between pieces; `cut` is
    how many bytes of the body are sent (`None`: all), and `ending` what comes then: a proper `end`, an `eof` (the
    connection closes in the middle), a `reset` of the connection, or a `stall` (nothing, for ever). `status=0` stands
    for no answer at all, so that `eof`, `reset` and `stall` come before the headers.

    >>> ServerReply(text="half a rep", ending="reset", cut=40).ending
    'reset'
    """

    text: str | None = None
    tool_calls: Sequence[ToolCall | Mapping[str, Any]] = ()
    function_call: ToolCall | None = None
    refusal: str | None = None
    finish_reason: str | None = ""
    usage: Mapping[str, Any] | Literal["count"] | None = "count"
    chunk: int = 0
    alternatives: Sequence[str] = ()
    logprobs: Mapping[str, Any] | None = None

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    pieces: Iterable[bytes] | None = None

    delay: float = 0.0
    pause: float = 0.0
    cut: int | None = None
    ending: Ending = "end"

    @classmethod
    def error(
        cls, status: int, message: str = "a fault of the script", *, code: str | None = None, **headers: str
    ) -> Self:
        """An error as the API words it. Headers are given as keywords: `retry_after="1"`."""
        body = json.dumps({"error": {"message": message, "type": code or "error", "code": code}}).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status=status, body=body, headers={"content-type": "application/json"} | named)

    @classmethod
    def error_event(cls, message: str, *, code: str | None = None, after: str = "") -> Self:
        """A stream that breaks off with an error object, after some text."""
        start = [event_of(chunk_of({"content": after}))] if after else []
        return cls(pieces=[*start, event_of({"error": {"message": message, "code": code}}), b"data: [DONE]\n\n"])

    @classmethod
    def html(cls, page: str = "<html><title>Sign in</title></html>") -> Self:
        """A page where an answer is due, as captive networks and proxies send it."""
        return cls(body=page.encode(), headers={"content-type": "text/html; charset=utf-8"})

    @classmethod
    def redirect(cls, location: str) -> Self:
        """Go elsewhere."""
        return cls(status=307, body=b"", headers={"location": location})

    @classmethod
    def raw(cls, *pieces: bytes, content_type: str = "text/event-stream", **trouble: Any) -> Self:
        """These bytes, as they are, with any fields of the third group."""
        return cls(pieces=pieces, headers={"content-type": content_type}, **trouble)

    @classmethod
    def nothing(cls, ending: Ending = "eof", *, delay: float = 0.0) -> Self:
        """No answer: the connection closes, is reset or stalls before a header was sent."""
        return cls(status=0, ending=ending, delay=delay)

    @classmethod
    def forever(cls, piece: bytes = b": keep-alive\n\n", *, pause: float = 0.01) -> Self:
        """The same piece again and again, with pauses: alive, and never done."""
        return cls(pieces=itertools.repeat(piece), pause=pause, ending="stall")


class FakeOpenAIServer:
    """A real HTTP server on a free port of 127.0.0.1, in a thread of its own, with replies that you put in its queue.

    Put in a text, a `ModelReply`, a `ServerReply` or a list of several with `enqueue`; or give a function of the
    request with `respond_with`. `requests` holds what arrived. When nothing is left, it answers with status 400.

    >>> from jupyter_agents.drive import drive
    >>> from jupyter_agents.models import ModelRequest, OpenAIModel
    >>> with FakeOpenAIServer() as server:
    ...     _ = server.enqueue("Hello!")
    ...     model = OpenAIModel("any", base_url=server.base_url)
    ...     reply = drive(model.complete(ModelRequest([{"role": "user", "content": "Hi"}])))
    >>> reply.content, reply.finish_reason, server.requests[0].body["messages"][0]["content"]
    ('Hello!', 'stop', 'Hi')
    """

    def __init__(self, *, models: Sequence[str] = ("fake-model",)) -> None:
        self.requests: list[ServerRequest] = []
        self.connections = 0
        self._models = tuple(models)
        self._replies: deque[Any] = deque()
        self._respond: Callable[[ServerRequest], Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._open: set[_Connection] = set()
        self._port = 0

    def __repr__(self) -> str:
        state = self.base_url if self._thread else "not started"
        return f"<FakeOpenAIServer: {state}, {len(self.requests)} requests, {len(self._replies)} replies left>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """What to give as `base_url` of a config."""
        if not self._port:
            raise ConfigurationError("Cannot tell the address of a FakeOpenAIServer: it is not started. Use `with`.")
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def config(self) -> dict[str, Any]:
        """What to give as `llm_config`."""
        return {"model": self._models[0], "base_url": self.base_url, "api_key": "fake-key"}

    def enqueue(self, *replies: str | ModelReply | ServerReply) -> Self:
        """Add replies, one for each request to come."""
        self._replies.extend(to_server_reply(reply) for reply in replies)
        return self

    def respond_with(self, function: Callable[[ServerRequest], str | ModelReply | ServerReply]) -> Self:
        """Ask a function for the reply to each request that finds the queue empty. It runs in the server's thread."""
        self._respond = function
        return self

    def start(self) -> Self:
        """Listen. Done by `with`."""
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="fake-openai-server", daemon=True)
        self._thread.start()
        started.wait()
        return self

    def stop(self) -> None:
        """Close all connections and stop listening. Done by `with`."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
        self._thread = None

    def _run(self, started: threading.Event) -> None:
        asyncio.run(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        listening = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self._port = listening.sockets[0].getsockname()[1]
        started.set()
        await self._stopping.wait()
        while self._is_accepting():  # a connection on its way in would be leaked, not closed
            await asyncio.sleep(0)
        listening.close()
        while self._open:
            for connection in list(self._open):
                connection.abort()
            await asyncio.sleep(0)

    def _is_accepting(self) -> bool:
        return bool(asyncio.all_tasks() - {asyncio.current_task(), *(one.sending for one in self._open)})

    def answer(self, request: ServerRequest) -> ServerReply:
        """What is answered to a request. A failing function is an answer with status 400, and says why."""
        self.requests.append(request)
        if request.method == "GET" and request.path.endswith("/models"):
            data = [{"id": name, "object": "model"} for name in self._models]
            return _json_reply({"object": "list", "data": data})
        if not request.path.partition("?")[0].endswith(("/chat/completions", "/responses")):
            return ServerReply.error(404, f"nothing is at {request.path}")
        try:
            return self._next(request)
        except Exception as error:  # noqa: BLE001 - a function of the user's, in a thread where nobody sees an error
            return ServerReply.error(400, f"the function given to respond_with failed: {error!r}")

    def _next(self, request: ServerRequest) -> ServerReply:
        if self._replies:
            reply = self._replies.popleft()
        elif self._respond:
            reply = to_server_reply(self._respond(request))
        else:
            return ServerReply.error(400, "the script of this FakeOpenAIServer has ended; enqueue() another reply")
        return _rendered(reply, request)


def to_server_reply(reply: Any) -> ServerReply:
    """Whatever `enqueue` takes, as a `ServerReply`."""
    if isinstance(reply, ServerReply):
        return reply
    if isinstance(reply, str):
        return ServerReply(text=reply)
    if isinstance(reply, ModelReply):
        return ServerReply(
            text=reply.content,
            tool_calls=reply.tool_calls,
            function_call=reply.function_call,
            refusal=reply.refusal,
            finish_reason=reply.finish_reason,
            usage=reply.usage.to_json() if reply.usage else "count",
            alternatives=[one.content or "" for one in reply.alternatives],
            logprobs=reply.logprobs,
        )
    raise ConfigurationError(
        f"Cannot answer with {reply!r}: a {type(reply).__name__} was put in the queue of a FakeOpenAIServer. "
        "Texts, ModelReply and ServerReply objects are accepted."
    )


# -- What is sent -----------------------------------------------------------------------------------------------


def _json_reply(value: Any, status: int = 200) -> ServerReply:
    body = json.dumps(value).encode()
    return ServerReply(status=status, body=body, headers={"content-type": "application/json"})


def _rendered(reply: ServerReply, request: ServerRequest) -> ServerReply:
    """The reply with its bytes, in the form that the request asks for."""
    if reply.status == 0 or reply.body is not None:
        return reply
    if reply.pieces is not None:
        return replace(reply, headers={"content-type": "text/event-stream"} | dict(reply.headers))
    body = request.body if isinstance(request.body, dict) else {}
    usage = usage_of(reply, body)
    if request.path.partition("?")[0].endswith("/responses"):
        return _rendered_response(reply, usage, streams=bool(body.get("stream")))
    if body.get("stream"):
        options = body.get("stream_options") or {}
        pieces = stream_of(reply, usage if options.get("include_usage") else None)
        return replace(reply, pieces=pieces, headers={"content-type": "text/event-stream"} | dict(reply.headers))
    whole = json.dumps(completion_of(reply, usage)).encode()
    return replace(reply, body=whole, headers={"content-type": "application/json"} | dict(reply.headers))


def _rendered_response(reply: ServerReply, usage: Mapping[str, Any] | None, *, streams: bool) -> ServerReply:
    calls = list(calls_of(reply).get("tool_calls", ()))
    if reply.function_call:
        calls.append({"id": "call_fake", "function": reply.function_call.to_json()})
    whole = response_of(reply.text, calls, refusal=reply.refusal, finish_reason=finish_reason_of(reply), usage=usage)
    if streams:
        pieces = events_of(whole, cut(reply.text or "", reply.chunk))
        return replace(reply, pieces=pieces, headers={"content-type": "text/event-stream"} | dict(reply.headers))
    return replace(_json_reply(whole), **_trouble(reply))


def _trouble(reply: ServerReply) -> dict[str, Any]:
    return {"delay": reply.delay, "pause": reply.pause, "cut": reply.cut, "ending": reply.ending}


# -- The connection ---------------------------------------------------------------------------------------------


class _Connection(asyncio.Protocol):
    """One connection: HTTP/1.1 with as much of it as clients of an API use, requests one after the other."""

    def __init__(self, server: FakeOpenAIServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections += 1
        self._server._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server._open.discard(self)
        if self.sending is not None:
            self.sending.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        request = self._take_request()
        if request is None or self._transport is None:
            return
        reply = self._server.answer(request)
        if not (reply.delay or reply.pause) and reply.ending == "end":
            self._transport.write(b"".join((_head(reply), *_framed(reply))))
        else:
            self.sending = asyncio.get_running_loop().create_task(self._send(self._transport, reply))

    def abort(self) -> None:
        """Give it up at once."""
        if self.sending is not None:
            self.sending.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _take_request(self) -> ServerRequest | None:
        """The request in the buffer, once it is complete."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        until = end + 4 + int(headers.get("content-length", 0))
        if len(self._buffer) < until:
            return None
        body = bytes(self._buffer[end + 4 : until])
        del self._buffer[:until]
        method, path, *_ = first.split(" ")
        return ServerRequest(method, path, headers, _json_or_none(body))

    async def _send(self, transport: asyncio.Transport, reply: ServerReply) -> None:
        await asyncio.sleep(reply.delay)
        if reply.status:
            transport.write(_head(reply))
            for piece in _framed(reply):
                transport.write(piece)
                if transport.is_closing():
                    return
                if reply.pause:
                    await asyncio.sleep(reply.pause)
        self._finish(transport, reply.ending)

    def _finish(self, transport: asyncio.Transport, ending: Ending) -> None:
        if ending == "eof":
            transport.close()
        elif ending == "reset":
            with contextlib.suppress(OSError):
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()


def _json_or_none(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _head(reply: ServerReply) -> bytes:
    length = "transfer-encoding: chunked" if reply.body is None else f"content-length: {len(reply.body)}"
    headers = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    return f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Reply')}\r\n{headers}{length}\r\n\r\n".encode()


def _framed(reply: ServerReply) -> Iterator[bytes]:
    """The body as it goes over the wire, as far as it is sent."""
    if reply.body is not None:
        yield reply.body[: reply.cut]
        return
    left = reply.cut
    for piece in reply.pieces or ():
        if left is not None:
            piece = piece[:left]
            left -= len(piece)
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
        if left == 0:
            break
    if reply.ending == "end":
        yield b"0\r\n\r\n"
