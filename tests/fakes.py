"""What the tests of agents and chats share: both faces of a method, an executor with known results, quiet sessions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import pytest

from jupyter_agents import AssistantAgent, ResponsiveAgent, UserProxyAgent
from jupyter_agents.events import Entry, MessageSent, Paused
from jupyter_agents.executors.base import ExecutionResult
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import Session, Settings
from jupyter_agents.testing import RecordingExecutor
from tests.drivers import on_a_loop

SOON = 5.0  # seconds, more than it ever takes


def sync_face(agent: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """The value of the plain method."""
    return getattr(agent, name)(*args, **kwargs)


def async_face(agent: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """The value of the `a_` method, awaited on a loop of its own."""
    return on_a_loop(lambda: getattr(agent, f"a_{name}")(*args, **kwargs))


both_faces = pytest.mark.parametrize("face", [sync_face, async_face], ids=["sync", "async"])


class FakeExecutor(RecordingExecutor):
    """Gives these results, and then the output `done`."""

    def __init__(self, *results: Any) -> None:
        super().__init__([*results, *["done"] * 20])

    @property
    def codes(self) -> list[str]:
        """The code of the blocks that ran."""
        return [block.code for block in self.blocks]


def failure(text: str, exit_code: int = 1) -> ExecutionResult:
    """The result of code that failed."""
    return ExecutionResult(exit_code, text, status="error")


def quiet_session(**options: Any) -> Session:
    """A session in which nobody listens and nobody is there, unless the options say so."""
    settings = {name: options.pop(name) for name in ("code_policy", "max_repairs") if name in options}
    human, executor = options.pop("human", None), options.pop("executor", None)
    if executor is not None:
        options["find_executor"] = lambda asked: executor
    return Session(Settings(**settings), find_human=lambda: human, **options)


def assistant(*replies: Any, name: str = "assistant", **options: Any) -> AssistantAgent:
    """An assistant whose model says these replies."""
    return AssistantAgent(name, llm_config=ScriptedModel(replies), **options)


def user(name: str = "user", **options: Any) -> UserProxyAgent:
    """A user proxy that asks nobody and runs no code, unless the options say otherwise."""
    return UserProxyAgent(name, **({"human_input_mode": "NEVER", "code_execution_config": False} | options))


def talker(name: str, reply: Any = None, **options: Any) -> ResponsiveAgent:
    """An agent without model and code. `reply` is what it always says, or a function of the number of messages."""
    given = {"human_input_mode": "NEVER", "code_execution_config": False, "llm_config": False}
    agent = ResponsiveAgent(name, **(given | options))
    if reply is not None:
        agent.register_auto_reply(
            [lambda sender: True, None],
            lambda recipient, messages, sender, config: (True, reply(len(messages)) if callable(reply) else reply),
            position=1,
        )
    return agent


def texts(messages: Iterable[Any]) -> list[str]:
    """The contents of messages in classic form."""
    return [one["content"] for one in messages]


def wire_of(agent: Any, call: int = -1) -> list[dict[str, Any]]:
    """What the agent's scripted model was sent in one of its calls, without the instructions."""
    return [dict(one) for one in agent.model.requests[call].messages if one.get("role") != "system"]


class FakeListener:
    """Somebody to whom all is told that happens in chats; keeps what was heard."""

    def __init__(self):
        self.heard = []

    def __call__(self, what):
        self.heard.append(what)

    def of(self, *kinds):
        """The events of these kinds, those of the log and those that pass."""
        events = [one.event if isinstance(one, Entry) else one for one in self.heard]
        return [one for one in events if isinstance(one, kinds)]

    @property
    def said(self):
        """The texts of the messages."""
        return [one.message.text for one in self.of(MessageSent)]

    @property
    def pauses(self):
        """Whether a chat was paused, at each change."""
        return [one.is_paused for one in self.of(Paused)]

    async def until(self, kind, count=1):
        """Wait until so many events of a kind were heard."""
        end = time.monotonic() + SOON
        while len(self.of(kind)) < count:
            assert time.monotonic() < end, self.heard
            await asyncio.sleep(0.01)


class FakeClock:
    """A clock that stands still until it is told otherwise, and then calls what is due."""

    def __init__(self):
        self.time = 100.0
        self.due = []
        self.count = 0

    def now(self):
        return self.time

    def at(self, when, function):
        self.count += 1
        self.due.append((when, self.count, function))

    def after(self, seconds, function):
        self.at(self.time + seconds, function)

    def run(self, seconds):
        end = self.time + seconds
        while (ready := [one for one in sorted(self.due) if one[0] <= end]) and ready:
            self.due.remove(ready[0])
            self.time = max(self.time, ready[0][0])
            ready[0][2]()
        self.time = end
