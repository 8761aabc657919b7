"""What the events of the Responses API mean: text, refusals and function calls become a `ModelReply`.

The events are those of https://platform.openai.com/docs/api-reference/responses-streaming. A response is whole with the
event that ends it (`response.completed`, `response.incomplete`), which repeats all of it: what had come before is kept,
and what had not is taken from there, as servers leave out one or the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_agents.messages import Usage, scrub
from jupyter_agents.models.assembly import Call, Calls, Choice, usage_of
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.refusals import Refusal
from jupyter_agents.models.server_events import list_of, malformed, mapping, words

_ENDS = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
_TEXTS = ("output_text", "text")


class ResponseAssembler:
    """Puts a reply together from the events of a response, or from one whole response."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._choice = Choice(source)
        self._items: list[tuple[int, str, Call]] = []
        self._usage: Usage | None = None
        self._model: str | None = None
        self.has_choice = False

    @property
    def reason(self) -> str | None:
        """Why the response ended, once it has."""
        return self._choice.reason

    @property
    def is_complete(self) -> bool:
        """Whether it has ended."""
        return self._choice.reason is not None

    def add(self, event: Any) -> str:
        """Take one event, or a response that came whole; the text that it adds."""
        if self.is_complete:
            return ""
        event = mapping(event, "an event", self._source)
        kind = event.get("type")
        if kind == "error" or (event.get("error") and kind is None):
            raise Refusal.from_payload(event).to_error(self._source)
        if kind is None:
            return self._add_whole(event)
        if isinstance(kind, str) and kind in _ENDS:
            return self._add_response(self._mapping(event.get("response"), "'response'"), _ENDS[kind])
        return self._add_piece(str(kind), event)

    def partial(self) -> ModelReply:
        """What there is, marked as interrupted."""
        return self._choice.partial(self._usage, self._model)

    def finish(self) -> ModelReply:
        """The reply, as whole."""
        calls = Calls(self._source)
        for number, (_, _, call) in enumerate(sorted(self._items, key=lambda one: one[0])):
            calls.add({"id": call.id, "function": {"name": call.name, "arguments": "".join(call.arguments)}}, number)
        self._choice.calls = calls
        return self._choice.finish(self._usage, self._model)

    def _add_whole(self, response: Mapping[str, Any]) -> str:
        if not isinstance(response.get("output"), list):
            raise malformed(self._source, "it holds neither an event of the Responses API nor a response")
        return self._add_response(response, str(response.get("status") or "completed"))

    def _add_piece(self, kind: str, event: Mapping[str, Any]) -> str:
        if kind == "response.output_text.delta":
            self._add_logprobs(event.get("logprobs"))
            return self._add_text(event.get("delta"))
        if kind == "response.refusal.delta":
            return self._choice.refusal.add(words(event.get("delta") or "", self._source))
        if kind == "response.function_call_arguments.delta":
            self._call_of(event).add({"arguments": event.get("delta")}, self._source)
        elif kind == "response.function_call_arguments.done":
            self._end_call(self._call_of(event), event)
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._add_item(event, is_done=kind.endswith("done"))
        elif kind in ("response.created", "response.in_progress"):
            self._add_model(event.get("response"))
        return ""

    def _add_text(self, delta: Any) -> str:
        return self._choice.content.add(words(delta, self._source)) if delta else ""

    def _add_logprobs(self, tokens: Any) -> None:
        if tokens:
            self._choice.add_logprobs({"content": list_of(tokens, "'logprobs'", self._source)})

    def _add_model(self, response: Any) -> None:
        model = response.get("model") if isinstance(response, dict) else None
        if self._model is None and isinstance(model, str):
            self._model = scrub(model)

    # -- Calls --

    def _add_item(self, event: Mapping[str, Any], *, is_done: bool) -> None:
        item = self._mapping(event.get("item"), "an item")
        if item.get("type") != "function_call":
            return
        call = self._known(_index(event), _text(item.get("id")), _text(item.get("call_id")))
        if call is None:
            call = self._new_call(_index(event), _text(item.get("id")))
        call.id = call.id or _text(item.get("call_id"))
        if is_done:
            self._end_call(call, item)
        else:
            call.add(item, self._source)

    def _call_of(self, event: Mapping[str, Any]) -> Call:
        """The call that a piece goes on with: that of its item, or else the latest at its place, or of all."""
        index, item_id = _index(event), _text(event.get("item_id"))
        latest = reversed(self._items)
        call = next((call for _, known, call in latest if item_id and known == item_id), None)
        if call is None:
            call = next((call for place, _, call in reversed(self._items) if index in (None, place)), None)
        return call or self._new_call(index, item_id)

    def _known(self, index: int | None, item_id: str, call_id: str) -> Call | None:
        """The call that an item is, if some of it has come: at its place, or else of its id. Ids may be the same."""
        for place, known, call in reversed(self._items):
            if call_id and call.id and call_id != call.id:
                continue
            is_it = place == index if index is not None else known == item_id if item_id else call.id == call_id
            if is_it:
                return call
        return None

    def _new_call(self, index: int | None, item_id: str) -> Call:
        call = Call()
        self._items.append((len(self._items) if index is None else index, item_id, call))
        return call

    def _end_call(self, call: Call, whole: Mapping[str, Any]) -> None:
        """Take the whole of a call: its arguments stand in the place of the pieces."""
        arguments = whole.get("arguments")
        if arguments not in (None, ""):
            call.arguments.clear()
        call.add({"name": whole.get("name") if not call.name else None, "arguments": arguments or None}, self._source)

    # -- The end --

    def _add_response(self, response: Mapping[str, Any], status: str) -> str:
        self._add_model(response)
        if response.get("error") or status == "failed":
            raise Refusal.from_payload(response).to_error(self._source)
        if usage := response.get("usage"):
            self._usage = usage_of(self._mapping(usage, "'usage'")) or self._usage
        if status not in ("completed", "incomplete", "cancelled"):
            raise malformed(self._source, f"its status is {status[:40]!r}, and not that it is done")
        text = self._add_output(response.get("output"))
        self._choice.reason = _reason(status, response.get("incomplete_details"))
        return text

    def _add_output(self, output: Any) -> str:
        """Take from the whole what had not come in pieces."""
        self.has_choice = self.has_choice or isinstance(output, list)
        items = [self._mapping(item, "an item") for item in list_of(output, "'output'", self._source)]
        calls = [(at, item) for at, item in enumerate(items) if item.get("type") == "function_call"]
        if calls:
            self._items.clear()
        for at, item in calls:
            self._add_item({"output_index": at, "item": item}, is_done=True)
        text, is_new = "", self._choice.content.whole() is None and self._choice.refusal.whole() is None
        for item in items if is_new else ():
            text += self._add_message(item)
        return text

    def _add_message(self, item: Mapping[str, Any]) -> str:
        text = ""
        content = item.get("content") if item.get("type", "message") == "message" else None
        if isinstance(content, str):
            return self._add_text(content)
        for part in list_of(content, "'content'", self._source):
            part = self._mapping(part, "a part of the content")
            if part.get("type") in _TEXTS:
                self._add_logprobs(part.get("logprobs"))
                text += self._add_text(part.get("text"))
            elif part.get("type") == "refusal":
                text += self._choice.refusal.add(words(part.get("refusal") or "", self._source))
        return text

    def _mapping(self, value: Any, what: str) -> Mapping[str, Any]:
        return mapping(value, what, self._source)


def _index(event: Mapping[str, Any]) -> int | None:
    index = event.get("output_index")
    return index if type(index) is int else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _reason(status: str, details: Any) -> str:
    if status == "incomplete":
        reason = details.get("reason") if isinstance(details, dict) else None
        return reason if reason in ("max_output_tokens", "content_filter") else "interrupted"
    return "stop" if status == "completed" else "cancelled"
