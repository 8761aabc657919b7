"""What a conversation may ask of the outside, as values that a coroutine awaits.

A conversation never does I/O. It awaits an effect, and the driver that runs it (`drive.py`) performs the
effect, synchronously or on the running event loop, and hands the outcome back. So every coroutine of the
core works under both drivers and is written once.

The effects of a conversation (`Complete`, `Execute`, `Ask`, `CallTool`, `Together`, `Hold`, `Pause`, `Emit`, `Tell`) say *what* is
wanted. A `Step` says *how*: it is the leaf that does I/O and has both faces. The implementations of `Model`,
`Executor` and `HumanInput` are coroutines that await steps.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from jupyter_agents.code_blocks import CodeBlock
    from jupyter_agents.events import Event, Notice
    from jupyter_agents.executors.base import ExecutionResult, Executor
    from jupyter_agents.human.base import Answer, HumanInput, Prompt
    from jupyter_agents.models.base import Model, ModelReply, ModelRequest

T = TypeVar("T")


class Effect(Generic[T]):
    """Something a coroutine awaits and a driver performs."""

    __slots__ = ()

    def __await__(self) -> Generator[Effect[T], T, T]:
        return (yield self)


class Step(Effect[T]):
    """An effect that performs itself, in either world. Both faces must do the same."""

    __slots__ = ()

    def perform(self) -> T:
        """Do it here and now, blocking this thread."""
        raise TypeError(f"{type(self).__name__} does not say how it is performed; define perform()")

    async def a_perform(self) -> T:
        """Do it on the running event loop. Without one of its own, a step blocks the loop for its duration."""
        return self.perform()


@dataclass(frozen=True, slots=True)
class Complete(Effect["ModelReply"]):
    """A model's reply. `agent` is the name of the agent who will say it; with `aside`, which says what for, nobody does."""

    agent: str
    model: Model
    request: ModelRequest
    aside: str = ""


@dataclass(frozen=True, slots=True)
class Execute(Effect["ExecutionResult"]):
    """The result of running a code block that has been approved."""

    agent: str
    executor: Executor
    block: CodeBlock


@dataclass(frozen=True, slots=True)
class Ask(Effect["Answer"]):
    """A person's answer. `human` is `None` for whoever sits at this session."""

    agent: str
    prompt: Prompt
    human: HumanInput | None = None


@dataclass(frozen=True, slots=True)
class CallTool(Effect[Any]):
    """The value of calling a user's function: a tool, a reply function, an override.

    A coroutine function is awaited; the outcome is its value, never the coroutine. Where `a_function` is given
    too, it is called instead by the driver of an event loop.
    """

    function: Callable[..., Any]
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    a_function: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class Together(Effect[list[Any]]):
    """The values of several coroutines that are driven at the same time, in the order in which they are given.

    On an event loop each has a task. Under the synchronous driver one goes on while another waits for an async
    callback; everything else is done in their order. When one fails, the others are cancelled, and its error is raised.
    """

    coroutines: Sequence[Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Hold(Effect[None]):
    """Wait while somebody has paused the chat: what comes next begins something. The effects above do it by themselves.

    `agent` is the key of who is at it next, where that is known, and `what` what it does.
    """

    agent: str = ""
    what: Literal["", "reply", "tool"] = ""


@dataclass(frozen=True, slots=True)
class Pause(Effect[None]):
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Emit(Effect[None]):
    """Append an event to the log, and let the listeners know. Only a driver does this."""

    event: Event


@dataclass(frozen=True, slots=True)
class Tell(Effect[None]):
    """Let the listeners know of something passing (a piece of a streaming reply, a wait) that no log keeps."""

    notice: Notice
