"""Message transforms: what of a long talk an agent's model reads. The talk itself, and the log, stay as they are.

A call and its results are kept or left out together, as a server demands; the last message is always kept, since it is
what the model answers. Instructions at the beginning are no part of what is counted.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from jupyter_agents.agents.faces import call_of, faces
from jupyter_agents.agents.hooks import Capability
from jupyter_agents.agents.message_units import Dicts, instructions, mended, unit_at_start, units_from_end
from jupyter_agents.agents.token_counts import Counter, Tokens
from jupyter_agents.arguments import refuses_unknown
from jupyter_agents.effects import Emit
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import EventLog, Noted
from jupyter_agents.meant import short
from jupyter_agents.run import ThisRun

# -- Adding them to an agent -------------------------------------------------------------------------------------


@refuses_unknown
class TransformMessages(Capability):
    """Changes what an agent's model is sent of a talk, by transforms that are applied one after the other.

    A transform (or a list of them) is one of those in this module, or any object with `apply_transform(messages) -> messages` (plain or
    async), which is given copies. With `verbose` the transcript says, once in a chat, that a model no longer reads
    everything. It may also be called with a list of messages, as `select_speaker_transform_messages` of a group is.

    >>> TransformMessages([MessageHistoryLimiter(1)])([{"role": "user", "content": one} for one in "abc"])
    [{'role': 'user', 'content': 'c'}]
    """

    def __init__(self, transforms: Any = (), verbose: bool = True) -> None:
        is_several = isinstance(transforms, Iterable) and not hasattr(transforms, "apply_transform")
        self.transforms = list(transforms) if is_several else [transforms]
        self.verbose = verbose
        self._noted: WeakKeyDictionary[EventLog, set[tuple[int, str]]] = WeakKeyDictionary()
        for one in self.transforms:
            _check_transform(one)

    def __repr__(self) -> str:
        return f"TransformMessages({self.transforms!r})"

    async def before_model(self, agent: Any, messages: Dicts) -> Dicts:
        """See `Capability`."""
        system = instructions(messages)
        given = found = messages[system:]
        for one in self.transforms if given else ():
            found = await _transformed(one, agent, found)
        if len(found) != len(given) and self.verbose:
            await self._note(agent, len(given), len(found))
        return [*messages[:system], *found] if found is not given else messages

    async def _apply(self, messages: Sequence[Mapping[str, Any]]) -> Dicts:
        """The messages as a model would be sent them. `Compaction` then needs an `llm_config` of its own."""
        return await self.before_model(None, [dict(one) for one in messages])

    apply, a_apply = faces(_apply)

    def __call__(self, messages: Sequence[Mapping[str, Any]]) -> Dicts:
        """The same."""
        return self.apply(messages)

    async def _note(self, agent: Any, before: int, after: int) -> None:
        run = await ThisRun()
        key = "" if agent is None else run.log.key_of(agent)
        noted = self._noted.setdefault(run.log, set())
        if agent is None or (run.chat, key) in noted:
            return
        noted.add((run.chat, key))
        names = ", ".join(type(one).__name__ for one in self.transforms)
        text = f"From here on the model of {agent.name} reads a part of the conversation ({after} of {before} messages: {names})."
        await Emit(Noted(run.chat, text, key))


def _check_transform(one: Any) -> None:
    if isinstance(one, type):
        raise ConfigurationError(
            f"Cannot transform messages with {one.__name__}: it is a class. Give an object of it: {one.__name__}(…)."
        )
    if not callable(getattr(one, "apply_transform", None)):
        raise ConfigurationError(
            f"Cannot transform messages with {short(one)}: it has no apply_transform(messages). "
            "Give a transform, such as MessageHistoryLimiter(20)."
        )


async def _transformed(one: Any, agent: Any, messages: Dicts) -> Dicts:
    if isinstance(one, Transform):
        return await one.transform(agent, messages)
    given = copy.deepcopy(messages)
    found = await call_of("the transform", agent, one.apply_transform, given)
    if not isinstance(found, list | tuple) or not found or not all(isinstance(message, Mapping) for message in found):
        what = "nothing" if found is None or found == [] else f"a {type(found).__name__}"
        raise ConfigurationError(
            f"Cannot use what the transform {type(one).__name__} gave: {what}. "
            "Return a list of messages with at least the last one."
        )
    return messages if list(found) == messages else mended([dict(message) for message in found])


# -- The transforms ----------------------------------------------------------------------------------------------


class Transform:
    """A transform of ours. It changes no dictionary, but puts others in their places."""

    async def transform(self, agent: Any, messages: Dicts) -> Dicts:
        """What an agent's model is to read. Where nothing is to be changed, this very list."""
        return self.apply_transform(messages)

    def apply_transform(self, messages: Dicts) -> Dicts:
        """The same, for what needs to ask nobody."""
        return messages


@refuses_unknown
@dataclass
class MessageHistoryLimiter(Transform):
    """Keeps the last `max_messages`, and with `keep_first_message` the first one (the task), which is counted.

    Messages of speakers in `exclude_names` are left out altogether. A call and its results that would not fit are left
    out together, so there may be fewer; where the last ones alone are more, they are kept.
    """

    max_messages: int | None = None
    keep_first_message: bool = False
    exclude_names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        check_whole(type(self).__name__, "max_messages", self.max_messages, 1)
        if isinstance(self.exclude_names, str):
            self.exclude_names = [self.exclude_names]
        names = [getattr(one, "name", one) for one in self.exclude_names or ()]
        if not all(isinstance(one, str) for one in self.exclude_names or ()):
            raise ConfigurationError(
                f"Cannot use exclude_names={short(self.exclude_names)} in MessageHistoryLimiter: not all are names. "
                f"Give exclude_names={[str(one) for one in names]!r}."
            )

    def apply_transform(self, messages: Dicts) -> Dicts:
        """The messages that are kept."""
        messages = self._without_excluded(messages)
        if self.max_messages is None or len(messages) <= self.max_messages:
            return messages
        first = unit_at_start(messages) if self.keep_first_message else 0
        room, begin = self.max_messages - first, len(messages)
        for start, end in units_from_end(messages):
            if start < first or (end - start > room and begin < len(messages)):
                break
            begin, room = start, room - (end - start)
        return [*messages[:first], *messages[begin:]] if begin > first else messages

    def _without_excluded(self, messages: Dicts) -> Dicts:
        names = set(self.exclude_names or ())
        if not any(one.get("name") in names for one in messages):
            return messages
        kept = [
            messages[start:end] for start, end in units_from_end(messages) if messages[start].get("name") not in names
        ]
        if not kept:  # somebody is to be answered
            kept = [messages[start:end] for start, end in [next(units_from_end(messages))]]
        return [one for unit in reversed(kept) for one in unit]


@refuses_unknown
@dataclass
class MessageTokenLimiter(Transform):
    """Keeps the last messages of together at most `max_tokens`, and shortens each to `max_tokens_per_message`.

    Text is shortened in its middle, which says so; arguments of calls and images are not. Where the last message, with
    the call that it answers, is more than `max_tokens` alone, it is shortened. With `min_tokens` nothing is done below that number.
    `filter_dict` (such as `{"name": ["critic"]}`) exempts messages from being shortened; with `exclude_filter=False` it says which
    ones are. Tokens are estimated (four bytes each) unless `count` counts those of a text. `model` is accepted, and not needed.
    """

    max_tokens_per_message: int | None = None
    max_tokens: int | None = None
    min_tokens: int | None = None
    model: str | None = None
    filter_dict: Mapping[str, Any] | None = None
    exclude_filter: bool = True
    count: Counter | None = None
    keep_first_message: bool = False

    def __post_init__(self) -> None:
        for name, least in (("max_tokens_per_message", 1), ("max_tokens", 1), ("min_tokens", 0)):
            check_whole(type(self).__name__, name, getattr(self, name), least)
        if self.filter_dict is not None and not isinstance(self.filter_dict, Mapping):
            raise ConfigurationError(
                f"Cannot use filter_dict={short(self.filter_dict)} in MessageTokenLimiter: it is no dictionary. "
                "Give keys of messages with the values that are meant, such as {'name': ['critic']}."
            )
        self._tokens = Tokens(self.count)

    def apply_transform(self, messages: Dicts) -> Dicts:
        """The messages that are kept, shortened where they must be."""
        if self.min_tokens and not self._tokens.exceed(messages, self.min_tokens - 1):
            return messages
        kept = self._last(messages)
        is_same = len(kept) == len(messages) and all(one is other for one, other in zip(kept, messages, strict=True))
        return messages if is_same else kept

    def _last(self, messages: Dicts) -> Dicts:
        first = unit_at_start(messages) if self.keep_first_message else 0
        head = [self._shortened(one) for one in messages[:first]]
        room = None if self.max_tokens is None else max(self.max_tokens - sum(map(self._tokens.of, head)), 0)
        kept: list[Dicts] = []
        for start, end in units_from_end(messages):
            if start < first:
                break
            unit = [self._shortened(one) for one in messages[start:end]]
            size = sum(map(self._tokens.of, unit)) if room is not None else 0
            if room is not None and size > room:
                if not kept:
                    kept.append(self._tokens.fitted(unit, room))
                break
            kept.append(unit)
            room = None if room is None else room - size
        return [*head, *(one for unit in reversed(kept) for one in unit)]

    def _shortened(self, message: dict[str, Any]) -> dict[str, Any]:
        limit = self.max_tokens_per_message
        if limit is None or not self._may_shorten(message):
            return message
        return self._tokens.shortened(message, limit)

    def _may_shorten(self, message: Mapping[str, Any]) -> bool:
        if not self.filter_dict:
            return True
        is_named = all(message.get(key) in _listed(values) for key, values in self.filter_dict.items())
        return is_named != self.exclude_filter


def _listed(values: Any) -> Collection[Any]:
    return values if isinstance(values, list | tuple | set | frozenset) else [values]


def check_whole(owner: str, name: str, value: Any, least: int) -> None:
    """Refuse what is neither `None` nor a whole number of at least `least`."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= least):
        return
    raise ConfigurationError(
        f"Cannot use {name}={value!r} in {owner}: give a whole number of at least {least}, or None."
    )
