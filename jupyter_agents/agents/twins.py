"""Copies of agents that know each other as the originals do: what a fork of a chat is made with."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, MethodType
from typing import Any

from jupyter_agents.agents.checkpoints import group_of
from jupyter_agents.agents.faces import core_of
from jupyter_agents.agents.group_chat import GroupChat
from jupyter_agents.agents.memory import memory_of
from jupyter_agents.agents.tool_use import ToolUse
from jupyter_agents.agents.transitions import Transitions
from jupyter_agents.replies import ReplyFunction, is_agent


class Twins:
    """A copy of each of some agents, and of the groups that they lead.

    Models, people, executors and whatever functions have in their closures are shared with the originals. Lists,
    dictionaries and sets that an agent holds are copied, one level deep; a class for which that is not enough defines
    `__copy__`.
    """

    def __init__(self, agents: Iterable[Any]) -> None:
        self._twins: dict[int, Any] = {}
        self._originals: dict[int, Any] = {}
        agents = list(agents)
        for one in agents:
            self._know(one, copy.copy(one))
        groups = {id(group): group for one in agents if (group := group_of(one)) is not None}
        for group in groups.values():
            self._know(group, copy.copy(group))
        for one in agents:
            self._settle(one, self.of(one))
        for group in groups.values():
            self._settle_group(group, self.of(group))

    def of(self, original: Any) -> Any:
        """The copy of an agent or group; anything else is itself."""
        return self._twins.get(id(original), original)

    def original_of(self, twin: Any) -> Any:
        """The reverse of `of`."""
        return self._originals.get(id(twin), twin)

    def _know(self, original: Any, twin: Any) -> None:
        self._twins[id(original)], self._originals[id(twin)] = twin, original

    # -- An agent ------------------------------------------------------------------------------------------------

    def _settle(self, original: Any, twin: Any) -> None:
        for name, value in vars(original).items():
            setattr(twin, name, self._mapped(value))
        twin._memory = memory_of(original).copied(self.of)
        twin._reply_functions = [self._entry(one) for one in original._reply_functions]
        twin.tool_use = ToolUse()
        twin.tool_use.offered.update(original.tool_use.offered)
        twin.tool_use.own.update(original.tool_use.own)
        twin.announced_in = twin.warned_in = None

    def _mapped(self, value: Any) -> Any:
        """A value of an attribute: copies take the place of originals, also in a list, dictionary or set."""
        if id(value) in self._twins:
            return self.of(value)
        if isinstance(value, MethodType) and id(value.__self__) in self._twins:
            return MethodType(value.__func__, self.of(value.__self__))
        if type(value) in (list, set):
            return type(value)(map(self._known, value))
        if type(value) is dict:
            return {self.of(key): self._known(one) for key, one in value.items()}
        return value

    def _known(self, value: Any) -> Any:
        return self._mapped(value) if id(value) in self._twins or isinstance(value, MethodType) else value

    def _entry(self, entry: ReplyFunction) -> ReplyFunction:
        found = copy.copy(entry)
        found.function = self._mapped(entry.function)
        found.config = self._mapped(entry.config)
        found.trigger = self._trigger(entry.trigger)
        return found

    def _trigger(self, trigger: Any) -> Any:
        if isinstance(trigger, list | tuple):
            return [self._trigger(one) for one in trigger]
        if is_agent(trigger):
            return self.of(trigger)
        if isinstance(trigger, FunctionType) and trigger.__closure__:  # it may compare with an original
            return lambda sender: trigger(self.original_of(sender))
        return trigger

    # -- A group -------------------------------------------------------------------------------------------------

    def _settle_group(self, original: GroupChat, twin: GroupChat) -> None:
        twin.agents = [self.of(one) for one in original.agents]
        twin.messages = list(original.messages)
        twin.last_speaker = self.of(original.last_speaker)
        twin.transitions = Transitions(
            tuple(twin.agents),
            {id(self.of(one)): tuple(map(self.of, original.transitions.after[id(one)])) for one in original.agents},
        )
        twin.allow_repeat_speaker = self._mapped(original.allow_repeat_speaker)
        graph = original.allowed_or_disallowed_speaker_transitions
        if isinstance(graph, Mapping):
            twin.allowed_or_disallowed_speaker_transitions = {
                self.of(one): [self.of(other) for other in others] for one, others in graph.items()
            }
        twin._random = copy.deepcopy(original._random)
        method: Any = self._mapped(original.speaker_selection_method)
        if callable(method) and core_of(method) is None:
            twin.speaker_selection_method = self._selecting(method, original)

    def _selecting(self, method: Callable[..., Any], original: GroupChat) -> Callable[..., Any]:
        """A function that selects speakers, and may compare them with the originals: it is shown those."""

        def selected(last: Any, group: GroupChat) -> Any:
            view = copy.copy(group)
            view.agents, view.transitions = original.agents, original.transitions
            view.last_speaker = self.original_of(group.last_speaker)
            found = method(self.original_of(last), view)
            return self._later(found) if inspect.isawaitable(found) else self.of(found)

        selected.__name__ = getattr(method, "__name__", "selected")
        return selected

    async def _later(self, found: Any) -> Any:
        return self.of(await found)
