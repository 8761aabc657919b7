"""Spans of chats for OpenTelemetry (the extra `otel`), by its conventions for generative AI.

A chat is a span (`invoke_workflow`), each turn of an agent one in it (`invoke_agent`), and in that are the calls of models
(`chat`) and of tools and code (`execute_tool`). The first chat hangs below whatever span is current where it begins.
Nothing of OpenTelemetry is imported before tracing is started.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeFinished,
    CodeStarted,
    Entry,
    Event,
    EventLog,
    HumanAsked,
    MessageSent,
    ModelAnswered,
    ModelAsked,
    ModelFailed,
    SeriesEnded,
    SeriesStarted,
    ToolFinished,
    ToolStarted,
)
from jupyter_agents.models.base import ModelReply
from jupyter_agents.observers import observe, stop_observing
from jupyter_agents.span_attributes import hidden, message_part, message_text, of_question, of_reply, requested

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

    from jupyter_agents.effects import Complete

CONTENT_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""Set to `true` to have spans hold what was said, where `start_tracing` says nothing of it."""


@dataclass(eq=False)
class _Chat:
    """The spans of a chat that is under way: its own, those of its agents' turns, and of what these do, the newest last."""

    span: Span
    name: str
    turns: dict[str, Span] = field(default_factory=dict)
    doing: dict[tuple[str, str], list[Span]] = field(default_factory=dict)

    def newest(self) -> Span:
        """What a chat that begins now is part of."""
        busy = [spans[-1] for spans in self.doing.values() if spans]
        return (busy or list(self.turns.values()) or [self.span])[-1]

    def all_open(self) -> Iterator[Span]:
        """All spans, the innermost first."""
        for spans in self.doing.values():
            yield from reversed(spans)
        yield from self.turns.values()
        yield self.span


class Tracer:
    """An observer that turns events into spans. Texts are in them only with `content`."""

    def __init__(self, provider: TracerProvider | None, *, content: bool) -> None:
        from opentelemetry import trace

        self._trace = trace
        self._tracer = trace.get_tracer("jupyter_agents", tracer_provider=provider)
        self._content = content
        self._chats: dict[tuple[int, int], _Chat] = {}
        self._alone: dict[tuple[int, int, str], Span] = {}  # calls outside any chat
        self._lock = threading.RLock()

    def happened(self, log: EventLog, entry: Entry) -> None:
        """See `Observer`."""
        handle = _HANDLERS.get(type(entry.event))
        if handle is not None:
            with self._lock:
                handle(self, log, entry.event)

    def answered(self, log: EventLog, chat: int, question: Complete, outcome: ModelReply | Exception) -> None:
        """See `Observer`."""
        with self._lock:
            span = self._call_span(log, chat, question.agent)
            if span is None or not span.is_recording():
                return
            span.set_attributes(of_question(question))
            model = requested(question.model, question.request.options) or getattr(outcome, "model", None)
            span.update_name(f"chat {model}" if model else "chat")
            if isinstance(outcome, ModelReply):
                self._describe_reply(span, question, outcome)
            else:
                self._fail(span, str(outcome), type(outcome).__qualname__)

    def close(self) -> None:
        """End the spans of chats that are under way."""
        with self._lock:
            for chat in list(self._chats.values()):
                _end_all(chat)
            for span in self._alone.values():
                span.end()
            self._chats.clear()
            self._alone.clear()

    # -- What happens ----------------------------------------------------------------------------------------------

    def _chat_begins(self, log: EventLog, event: ChatStarted) -> None:
        name = event.name or f"{event.initiator} → {event.recipient}"
        self._open_chat(log, event.chat, name, event.parent)

    def _series_begins(self, log: EventLog, event: SeriesStarted) -> None:
        self._open_chat(log, event.chat, f"{event.chats} chats", None)

    def _open_chat(self, log: EventLog, number: int, name: str, parent: int | None) -> None:
        around = self._chats.get((id(log), -1 if parent is None else parent))
        span = self._start(f"invoke_workflow {name}", around.newest() if around else None)
        _set(span, {"operation.name": "invoke_workflow", "workflow.name": name, "conversation.id": _id(span)})
        self._chats[id(log), number] = _Chat(span, name)

    def _chat_ends(self, log: EventLog, event: ChatEnded) -> None:
        chat = self._chats.pop((id(log), event.chat), None)
        if chat is None:
            return
        chat.span.set_attribute("jupyter_agents.ended_by", event.ended_by)
        if event.ended_by == "error":
            self._fail(chat.span, event.detail, "_OTHER")
        _end_all(chat)

    def _series_ends(self, log: EventLog, event: SeriesEnded) -> None:
        chat = self._chats.pop((id(log), event.chat), None)
        if chat is not None:
            _end_all(chat)

    def _model_asked(self, log: EventLog, event: ModelAsked) -> None:
        span = self._begin(log, event, "model", "chat", {"operation.name": "chat"}, is_client=True)
        if event.aside:
            span.set_attribute("jupyter_agents.aside", event.aside)

    def _model_answered(self, log: EventLog, event: ModelAnswered | ModelFailed) -> None:
        span = self._finish(log, event.chat, event.agent, "model")
        if span is None:
            return
        if isinstance(event, ModelFailed) and span.is_recording() and event.error == "interrupted":
            self._fail(span, "interrupted", "interrupted")
        span.end()

    def _tool_begins(self, log: EventLog, event: ToolStarted) -> None:
        known = {"operation.name": "execute_tool", "tool.name": event.name, "tool.type": "function"}
        known |= {"tool.call.id": event.call_id} if event.call_id else {}
        known |= {"tool.call.arguments": hidden(event.arguments)} if self._content else {}
        self._begin(log, event, f"tool {event.call_id or event.name}", f"execute_tool {event.name}", known)

    def _tool_ends(self, log: EventLog, event: ToolFinished) -> None:
        span = self._finish(log, event.chat, event.agent, f"tool {event.call_id or event.name}")
        if span is None:
            return
        if self._content:
            _set(span, {"tool.call.result": hidden(event.content)})
        if not event.ok:
            self._fail(span, event.content, "tool_error")
        span.end()

    def _code_begins(self, log: EventLog, event: CodeStarted) -> None:
        known = {"operation.name": "execute_tool", "tool.name": event.language or "code"}
        known |= {"tool.call.arguments": hidden(event.code)} if self._content else {}
        self._begin(log, event, "code", f"execute_tool {event.language or 'code'}", known)

    def _code_ends(self, log: EventLog, event: CodeFinished) -> None:
        span = self._finish(log, event.chat, event.agent, "code")
        if span is None:
            return
        if self._content:
            _set(span, {"tool.call.result": hidden(event.text)})
        if event.exit_code:
            self._fail(span, event.text, event.status)
        span.end()

    def _human_asked(self, log: EventLog, event: HumanAsked) -> None:
        self._turn(log, event.chat, event.agent)

    def _said(self, log: EventLog, event: MessageSent) -> None:
        chat = self._chats.get((id(log), event.chat))
        span = None if chat is None else chat.turns.pop(event.sender, None)
        if span is None:
            return
        if self._content:
            _set(span, {"output.messages": message_text("assistant", event.message.text, event.message.finish_reason)})
        span.end()

    # -- Spans -----------------------------------------------------------------------------------------------------

    def _start(self, name: str, around: Span | None, *, is_client: bool = False) -> Span:
        """A span below another one, or below the one that is current."""
        context = None if around is None else self._trace.set_span_in_context(around)
        kind = self._trace.SpanKind.CLIENT if is_client else self._trace.SpanKind.INTERNAL
        return self._tracer.start_span(name, context, kind)

    def _turn(self, log: EventLog, number: int, agent: str) -> Span | None:
        """The span of an agent's turn, which begins with the first thing that it does."""
        chat = self._chats.get((id(log), number))
        if chat is None:
            return None
        if agent not in chat.turns:
            span = chat.turns[agent] = self._start(f"invoke_agent {agent}", chat.span)
            _set(span, {"operation.name": "invoke_agent", "agent.name": agent, "conversation.id": _id(chat.span)})
        return chat.turns[agent]

    def _begin(
        self, log: EventLog, event: Any, what: str, name: str, known: Mapping[str, Any], *, is_client: bool = False
    ) -> Span:
        span = self._start(name, self._turn(log, event.chat, event.agent), is_client=is_client)
        chat = self._chats.get((id(log), event.chat))
        if chat is None:
            self._alone[id(log), event.chat, event.agent] = span
        else:
            chat.doing.setdefault((event.agent, what), []).append(span)
            known = {**known, "conversation.id": _id(chat.span)}
        _set(span, {**known, "agent.name": event.agent})
        return span

    def _finish(self, log: EventLog, number: int, agent: str, what: str) -> Span | None:
        chat = self._chats.get((id(log), number))
        if chat is None:
            return self._alone.pop((id(log), number, agent), None)
        spans = chat.doing.pop((agent, what), [])
        span = spans.pop() if spans else None
        if spans:
            chat.doing[agent, what] = spans
        return span

    def _call_span(self, log: EventLog, number: int, agent: str) -> Span | None:
        chat = self._chats.get((id(log), number))
        if chat is None:
            return self._alone.get((id(log), number, agent))
        return next(reversed(chat.doing.get((agent, "model"), [])), None)

    def _describe_reply(self, span: Span, question: Complete, reply: ModelReply) -> None:
        _set(span, of_reply(reply))
        whence = {"replayed": reply.replayed, "cached": reply.cached}
        span.set_attributes({f"jupyter_agents.{name}": True for name, is_so in whence.items() if is_so})
        if self._content:
            asked = [message_part(one.get("role", "user"), one.get("content")) for one in question.request.messages]
            said = reply.to_message().text
            _set(span, {"input.messages": hidden(json.dumps(asked, ensure_ascii=False, default=str))})
            _set(span, {"output.messages": message_text("assistant", said, reply.finish_reason)})

    def _fail(self, span: Span, why: str, kind: str) -> None:
        """Mark a span as failed. Why is what somebody has said, as it may quote them."""
        status = self._trace.Status(self._trace.StatusCode.ERROR, hidden(why) if self._content else None)
        span.set_status(status)
        span.set_attribute("error.type", kind)


_HANDLERS: dict[type[Event], Callable[[Tracer, EventLog, Any], None]] = {
    ChatStarted: Tracer._chat_begins,
    ChatEnded: Tracer._chat_ends,
    SeriesStarted: Tracer._series_begins,
    SeriesEnded: Tracer._series_ends,
    ModelAsked: Tracer._model_asked,
    ModelAnswered: Tracer._model_answered,
    ModelFailed: Tracer._model_answered,
    ToolStarted: Tracer._tool_begins,
    ToolFinished: Tracer._tool_ends,
    CodeStarted: Tracer._code_begins,
    CodeFinished: Tracer._code_ends,
    HumanAsked: Tracer._human_asked,
    MessageSent: Tracer._said,
}


def _set(span: Span, found: Mapping[str, Any]) -> None:
    span.set_attributes({f"gen_ai.{name}": value for name, value in found.items() if value is not None})


def _id(span: Span) -> str:
    return f"{span.get_span_context().span_id:016x}"


def _end_all(chat: _Chat) -> None:
    for span in chat.all_open():
        span.end()


# -- On and off ------------------------------------------------------------------------------------------------------

_active: Tracer | None = None


def start_tracing(tracer_provider: TracerProvider | None = None, *, content: bool | None = None) -> None:
    """Make spans of all chats from now on, with this provider or the one that is set for the process.

    What was said and done is left out of them: with `content`, or `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true`
    in the environment, they hold it, without known secrets. Raises `ConfigurationError` where OpenTelemetry is not installed.
    """
    global _active
    if content is None:
        content = os.environ.get(CONTENT_VARIABLE, "").strip().lower() in ("true", "1", "span_only", "span_and_event")
    try:
        tracer = Tracer(tracer_provider, content=content)
    except ImportError as error:
        raise ConfigurationError(
            "Cannot trace chats: OpenTelemetry is not installed. Run `pip install 'jupyter-agents[otel]'`."
        ) from error
    stop_tracing()
    _active = tracer
    observe(tracer)


def stop_tracing() -> None:
    """Make no more spans. Those of chats that are under way end now."""
    global _active
    if _active is not None:
        stop_observing(_active)
        _active.close()
        _active = None


@contextmanager
def use_tracing(tracer_provider: TracerProvider | None = None, *, content: bool | None = None) -> Iterator[None]:
    """Make spans of all chats in the block."""
    start_tracing(tracer_provider, content=content)
    try:
        yield
    finally:
        stop_tracing()
