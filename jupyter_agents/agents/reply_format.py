"""Replies of a given form: a model is sent the JSON Schema of a type, and what it answers becomes a value of that type.

What does not fit is mended before anybody hears it: the model is told aside what is wrong, a few times. On the wire, in
recordings and in the log there is nothing but JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_agents.agents.asides import find_json
from jupyter_agents.agents.reply_schema import VALUE, rooted, schema_of_kind, strictly
from jupyter_agents.culprits import was_in
from jupyter_agents.effects import Complete, Emit
from jupyter_agents.errors import ConfigurationError, ContextLengthError, MalformedReplyError, ModelRejectedError
from jupyter_agents.events import FormAsked, FormGiven
from jupyter_agents.messages import Message, scrub, wire_name
from jupyter_agents.models.base import Model, ModelReply, ModelRequest
from jupyter_agents.run import Run, ThisRun

if TYPE_CHECKING:
    from jupyter_agents.agents.responsive import ResponsiveAgent
    from jupyter_agents.events import EventLog
    from jupyter_agents.models.cache import Cache
    from jupyter_agents.progress import Limits

KEY = "response_format"
_ASIDE = "mending the form of a reply"
_DIGITS = 16  # of a digest
_MOST_MISTAKES = 5
_MOST_SHOWN = 100
_MODULES = re.compile(r"(?:\w+|<locals>)\.")
_CUT_OFF = {
    "length": "the reply was cut off at the token limit; say it shorter",
    "content_filter": "the reply was cut by the content filter",
    "interrupted": "the reply was interrupted",
}


class ReplyFormat(dict[str, Any]):
    """The form in which a model is to reply, made of a type: a pydantic model, a dataclass, a `TypedDict`, lists of these.

    It is the `response_format` of a request, a plain dictionary, and knows its type besides. `repairs` is how often a model
    may mend a reply that does not fit.

    >>> from dataclasses import make_dataclass
    >>> form = ReplyFormat(make_dataclass("Point", [("x", int), ("y", int)]))
    >>> form.read('```json\\n{"x": 1, "y": 2}\\n```')
    (Point(x=1, y=2), '{"x": 1, "y": 2}')
    """

    def __init__(self, kind: Any, repairs: int = 2) -> None:
        if isinstance(repairs, bool) or not isinstance(repairs, int) or repairs < 0:
            raise ConfigurationError(
                f"Cannot use repairs={repairs!r} in ReplyFormat: give a whole number of at least 0."
            )
        self.kind, self.repairs = kind, repairs
        is_class = isinstance(kind, type) and not hasattr(kind, "__args__")
        self.label = kind.__name__ if is_class else _MODULES.sub("", repr(kind))
        schema, self._validate = schema_of_kind(kind, self.label)
        self.schema, self.is_wrapped = rooted(schema)
        strict = strictly(self.schema)
        described: dict[str, Any] = {
            "name": wire_name(self.label).strip("_") or "reply",
            "schema": strict or self.schema,
        }
        if strict is not None:
            described["strict"] = True
        self.refused_by: list[Model] = []
        super().__init__(type="json_schema", json_schema=described)

    def __repr__(self) -> str:
        return f"ReplyFormat({self.label})"

    def __deepcopy__(self, memo: Any) -> ReplyFormat:
        return self  # nothing in it changes

    def __copy__(self) -> ReplyFormat:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return ReplyFormat, (self.kind, self.repairs)

    def read(self, text: str) -> tuple[Any, str]:
        """The value that a reply holds, and its JSON. Raises `ValueError`, with words for the model, where none fits."""
        mistakes: list[str] = []
        for found, json_text in find_json(text):
            try:
                return self._value(found), json_text
            except ValueError as error:
                mistakes.append(str(error))
        raise ValueError(mistakes[0] if mistakes else "there is no JSON in it that can be parsed")

    def value_of(self, text: str) -> Any:
        """The value of JSON that is of the form."""
        return self._value(json.loads(text))

    def _value(self, found: Any) -> Any:
        if self.is_wrapped and isinstance(found, Mapping) and found.keys() == {VALUE}:
            found = found[VALUE]
        try:
            return self._validate({VALUE: found})[VALUE]
        except ValueError as error:
            raise ValueError(_mistakes(error)) from error


def as_reply_format(given: Any) -> Any:
    """What a user gives as `response_format`, for the wire: a type becomes a `ReplyFormat`, plain JSON stays what it is."""
    if given is None or isinstance(given, Mapping):
        return given
    return ReplyFormat(given)


def with_reply_format(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """An `llm_config` in which a type that stands for the form of replies is one."""
    listed = config.get("config_list")
    for one in listed if isinstance(listed, list | tuple) else ():
        if isinstance(one, Mapping) and not isinstance(one.get(KEY), Mapping | str | None):
            raise ConfigurationError(
                f"Cannot use {KEY}={one[KEY]!r} in a config of config_list: replies are checked whoever gives them. "
                f"Put {KEY!r} beside config_list, for all."
            )
    given = config.get(KEY)
    return config if given is None else {**config, KEY: as_reply_format(given)}


def name_of_form(form: Any) -> str:
    """What the log calls a form: the name of its type, or else what the server is told that it is."""
    if isinstance(form, ReplyFormat):
        return form.label
    described = form.get("json_schema") if isinstance(form, Mapping) else None
    name = described.get("name") if isinstance(described, Mapping) else None
    return str(name or (form.get("type") if isinstance(form, Mapping) else form))


def digest_of(form: Any) -> str:
    """By what the log tells one form from another: what the server is sent."""
    text = json.dumps(form, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


# -- Asking for it -----------------------------------------------------------------------------------------------


def asked_of(recipient: Any, given: Any) -> tuple[str, Any] | None:
    """What a chat asks of a recipient whose replies are to have a form, as its limits hold it."""
    if given is None:
        return None
    if hasattr(recipient, "groupchat"):
        raise ConfigurationError(
            f"Cannot ask {recipient.name!r} for replies of a given form: it leads a group, and its members speak. "
            f"Give the member that is to answer llm_config={{{KEY!r}: …}}."
        )
    if recipient.model is None:
        raise ConfigurationError(
            f"Cannot ask {recipient.name!r} for replies of a given form: it has no model. Give it an llm_config."
        )
    return recipient.name, as_reply_format(given)


def asked_by_key(limits: Limits, log: EventLog, sender: Any, recipient: Any) -> Limits:
    """The same with the key that the recipient has in the log: two agents may share a name."""
    if limits.reply_format is None:
        return limits
    _, key = log.key_of(sender), log.key_of(recipient)
    return replace(limits, reply_format=(key, limits.reply_format[1]))


async def complete(agent: ResponsiveAgent, messages: list[dict[str, Any]]) -> ModelReply:
    """What an agent's model says, in the form that it is to have."""
    model = agent.model
    if model is None:
        raise ConfigurationError(f"Cannot ask a model: {agent.name!r} has none. Give it an llm_config.")
    run = await ThisRun()
    key, options = run.log.key_of(agent), agent.request_options
    asked = _asked_in_chat(run, key)
    form = asked or options.get(KEY)
    if form is not None:
        options = {**options, KEY: form}
    if form is not None:
        await _log_form(run, key, form)
    if not isinstance(form, ReplyFormat):
        return await Complete(key, model, ModelRequest(messages, options))
    request, model = ModelRequest(messages, options), _Told(model, form)
    reply = await Complete(key, model, request)
    return await _mended(form, key, model, request, reply, run, ends_chat=asked is not None)


async def _log_form(run: Run, key: str, form: Any) -> None:
    """Have the log say once which form this agent is asked for in this chat."""
    name, digest = name_of_form(form), digest_of(form)
    if (key, digest) not in run.state.forms:
        run.state.forms.add((key, digest))
        await Emit(FormAsked(run.chat, key, name, digest))
    if isinstance(form, ReplyFormat):
        run.log.read_forms(key, digest, form.value_of)


def _asked_in_chat(run: Run, key: str) -> Any:
    """The form that a chat as such asks of this agent, if it does."""
    asked = run.state.progress.limits.reply_format if run.state.progress is not None else None
    return asked[1] if asked is not None and asked[0] == key else None


async def _mended(
    form: ReplyFormat, key: str, model: Model, request: ModelRequest, reply: ModelReply, run: Run, *, ends_chat: bool
) -> ModelReply:
    messages, wrong = list(request.messages), ""
    for repair in range(form.repairs + 1):
        if reply.tool_calls or reply.function_call or reply.refusal:
            return reply
        try:
            text = _read(form, reply)
        except ValueError as error:
            wrong = str(error)
        except Exception as error:
            was_in(error, f"the validation of {KEY}", form.kind, key)
            raise
        else:
            await Emit(FormGiven(run.chat, key, name_of_form(form), digest_of(form), scrub(text)))
            reply = replace(reply, content=text)
            run.state.answer = reply.to_message() if ends_chat else None
            return reply
        if repair < form.repairs:
            messages += _told(form, reply, wrong)
            reply = await Complete(key, model, ModelRequest(list(messages), request.options), _ASIDE)
    raise _unusable(form, key, reply, wrong)


def _read(form: ReplyFormat, reply: ModelReply) -> str:
    """The JSON in a reply that is of the form."""
    cut = _CUT_OFF.get(reply.finish_reason)
    if cut is not None:
        raise ValueError(cut)
    return form.read(reply.content or "")[1]


def _told(form: ReplyFormat, reply: ModelReply, wrong: str) -> list[dict[str, Any]]:
    """The reply, and what is wrong with it."""
    said = {"role": "assistant", "content": reply.content or ""}
    words = f"Your reply cannot be used: {wrong}.\n{_instruction(form)}"
    return [said, {"role": "user", "content": words}]


def _instruction(form: Mapping[str, Any]) -> str:
    schema = json.dumps(form["json_schema"]["schema"], ensure_ascii=False)
    return f"Reply with JSON only, without any words around it, that fits this JSON Schema:\n{schema}"


def _unusable(form: ReplyFormat, key: str, reply: ModelReply, wrong: str) -> MalformedReplyError:
    error = MalformedReplyError(
        f"Cannot use the reply of {key!r}: it is no {form.label}, and {form.repairs} repairs did not make it one ({wrong}). "
        "Ask for less at once, use a stronger model, or allow more: response_format=ReplyFormat(…, repairs=5)."
    )
    error.partial = reply
    return error


class _Told:
    """A model that is told in words which form its reply must have, where its server does not take the schema.

    It does so beneath a request: what is recorded is the same, whichever server answered.
    """

    def __init__(self, model: Model, form: ReplyFormat, known_as: Model | None = None) -> None:
        self._model, self._form = model, form
        self._known_as = model if known_as is None else known_as

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __repr__(self) -> str:
        return repr(self._model)

    def caching(self, cache: Cache) -> Model:
        """The same with a cache, which knows both ways of asking apart."""
        from jupyter_agents.models.cached import with_cache

        return _Told(with_cache(self._model, cache), self._form, self._known_as)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer the request."""
        if not any(one is self._known_as for one in self._form.refused_by):
            try:
                return await self._model.complete(request)
            except ModelRejectedError as error:
                if not _is_about_the_form(error):
                    raise
                self._form.refused_by.append(self._known_as)
        return await self._model.complete(_in_words(request))


def _is_about_the_form(error: ModelRejectedError) -> bool:
    words = str(error).lower()
    return not isinstance(error, ContextLengthError) and any(
        one in words for one in (KEY, "json_schema", "json schema")
    )


def _in_words(request: ModelRequest) -> ModelRequest:
    options = {**request.options, KEY: None}
    told = {"role": "user", "content": _instruction(request.options[KEY])}
    return ModelRequest([*request.messages, told], options)


# -- What is wrong -----------------------------------------------------------------------------------------------


def _mistakes(error: ValueError) -> str:
    """What is wrong with a value, for the model that wrote it: where, what was expected, what came."""
    errors: Any = getattr(error.__cause__, "errors", None)
    if errors is None:
        return str(error)
    found = errors(include_url=False, include_context=False)
    lines = [_mistake(one) for one in found[:_MOST_MISTAKES]]
    more = len(found) - len(lines)
    return "; ".join(lines) + (f"; and {more} more" if more else "")


def _mistake(one: Mapping[str, Any]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in one["loc"][1:]).lstrip(".")
    if one["type"] == "missing":
        return f"{path or 'the value'}: missing"
    shown = json.dumps(one["input"], ensure_ascii=False, default=str)
    shown = shown if len(shown) <= _MOST_SHOWN else f"{shown[: _MOST_SHOWN - 1]}…"
    return f"{path or 'the value'}: {one['msg']}, got {shown}"


def is_answer(run: Run, message: Message) -> bool:
    """Whether a message is what the chat was held for: a reply of the form that was asked of the recipient."""
    return run.state.answer is not None and run.state.answer == message
