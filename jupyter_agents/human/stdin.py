"""A person at the keyboard: the kernel's own `input()` box, or the terminal.

It works wherever a prompt works, and says so at once where none does. Approving code is made hard to get wrong: the
prompt shows the exact text, only the very words for it run anything, and everything else rejects.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from types import FrameType
from typing import Any

from jupyter_agents.code_blocks import CodeBlock, show_exact
from jupyter_agents.effects import Step
from jupyter_agents.errors import NoHumanError
from jupyter_agents.human.base import Answer, Prompt

_RUN = frozenset({"r", "run", "y", "yes"})
_STOP = frozenset({"s", "stop", "exit", "q", "quit"})
_EDIT = frozenset({"e", "edit"})
_NO = re.compile(r"(?:reject|no|n)\b[\s:,.]*", re.IGNORECASE)
_MANY_BLANK_LINES = 5

_CHOICES = "r = run it, e = edit it, s = stop the chat; anything else rejects it and is the reason: "
_EDITING = "Type the code that is to run instead, and a line with a single . at its end.\n"


class StdinHuman:
    """Asks whoever sits at this session, with `input()`.

    A `text` prompt gives back the words as typed. A `choice` is made by its number or its text. An `approval` shows the exact code, control and invisible
    characters as code points; Enter alone rejects. `Ctrl-C` and the kernel's interrupt raise `KeyboardInterrupt`.
    """

    def can_ask(self) -> bool:
        """Whether somebody can answer here and now; see `can_ask`."""
        return can_ask()

    async def ask(self, prompt: Prompt) -> Answer:
        """Wait for the answer. Raises `NoHumanError` when nobody can give one."""
        if prompt.kind == "text":
            return Answer(await Line(f"{_asked(prompt)}{prompt.text}"))
        if prompt.kind == "choice":
            return Answer(await _choose(prompt))
        answer = read_approval(await Line(approval_question(prompt)))
        if answer.action != "edit":
            return answer
        code = await _read_code()
        return Answer(code, "edit") if code.strip() else Answer("", "reject")


def can_ask() -> bool:
    """Whether `input()` reaches a person: the front end of this request answers prompts, or stdin is a terminal.

    nbclient, nbconvert, nbval and papermill say of their requests that they do not answer. Nobody answers in the name
    of a cell that has ended, as the prompts of a background chat would be.
    """
    return _why_not() is None


def _why_not() -> str | None:
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        if not getattr(kernel, "_allow_stdin", False):
            return _NO_PROMPTS
        return None if _is_cell_running(kernel) else _CELL_ENDED
    with suppress(ValueError):  # stdin is closed
        if sys.stdin is not None and sys.stdin.isatty():
            return None
    return _NO_PROMPTS


_NO_PROMPTS = "this session cannot answer prompts (nbconvert, nbval or a script without a terminal?)"
_CELL_ENDED = "the cell that began this has ended, and front ends answer prompts of a running cell only"


# -- The cell that asks ------------------------------------------------------------------------------------------


def _is_cell_running(kernel: Any) -> bool:
    """Whether the request in whose name this code runs is a cell that has not ended.

    A task that outlives its cell keeps the request of it. ipykernel goes on to allow prompts when a cell has ended,
    and has no record of the requests under way that a click on a widget would not overwrite: only its frames tell.
    """
    try:
        ours = _id_of(kernel.get_parent("shell"))
    except LookupError:  # a thread without a request (ipykernel 7.0)
        return False
    frames = [*_frames_of_threads(), *_frames_of_tasks(kernel)]
    cells = [frame.f_locals.get("parent") for frame in frames if frame.f_code.co_name == "execute_request"]
    return ours is not None and any(_id_of(cell) == ours for cell in cells)


def _id_of(request: Any) -> Any:
    return request.get("header", {}).get("msg_id") if isinstance(request, dict) else None


def _frames_of_threads() -> Iterator[FrameType]:
    for top in sys._current_frames().values():
        frame: FrameType | None = top
        while frame is not None:
            yield frame
            frame = frame.f_back


def _frames_of_tasks(kernel: Any) -> Iterator[FrameType]:
    """The frames of what awaits, on the loop of the kernel and on that of this thread."""
    loops = {getattr(getattr(kernel, "io_loop", None), "asyncio_loop", None)}
    with suppress(RuntimeError):
        loops.add(asyncio.get_running_loop())
    for loop in loops - {None}:
        for task in asyncio.all_tasks(loop):
            awaits: Any = task.get_coro()
            while (frame := getattr(awaits, "cr_frame", None)) is not None:
                yield frame
                awaits = awaits.cr_await


def read_approval(words: str) -> Answer:
    """What a person's words say about running a block of code.

    Only `run` (or `r`, `yes`, `y`) by itself runs it. `edit` is followed by the code on the next lines. `stop` ends
    the chat. All else rejects, and is the reason that the model gets, without a leading `reject` or `no`.

    >>> read_approval("run").action, read_approval("run it, but only once").action
    ('run', 'reject')
    >>> read_approval("reject: too slow")
    Answer(text='too slow', action='reject', replayed=False, always=False)
    """
    words = words.strip()
    command, _, code = words.partition("\n")
    if words.lower() in _RUN:
        return Answer(action="run")
    if words.lower() in _STOP:
        return Answer(action="stop")
    if command.strip().lower() in _EDIT:
        return Answer(code, "edit")
    return Answer(_NO.sub("", words, count=1) if _NO.match(words) else words, "reject")


def _asked(prompt: Prompt) -> str:
    """As whom the person answers, in the classic words: several may sit at one keyboard."""
    return f"Replying as {show_exact(prompt.agent)}. " if prompt.agent else ""


def approval_question(prompt: Prompt) -> str:
    """What is shown to somebody who is to decide whether a block runs.

    Every line of code has a bar in front, so that no code can pass for the end of the code.
    """
    block = prompt.block or CodeBlock("", "")
    lines = show_exact(block.code).removesuffix("\n").split("\n")
    size = f"{len(lines):,} line{'s' * (len(lines) != 1)}"
    wrote = f"{show_exact(prompt.sender)} wrote this. " if prompt.sender else ""
    title = f"{_asked(prompt)}{wrote}{prompt.text} ({show_exact(block.language) or 'code'}, {size})"
    return "\n".join([title, *_with_bars(lines), _CHOICES])


def _with_bars(lines: list[str]) -> Iterator[str]:
    for is_blank, group in groupby(lines, lambda line: not line.strip()):
        found = list(group)
        if is_blank and len(found) > _MANY_BLANK_LINES:
            yield f"  … {len(found):,} blank lines …"
        else:
            yield from (f"  | {line}" for line in found)


async def _choose(prompt: Prompt) -> str:
    """One of the choices, by its number or its text; asked again until it is one."""
    enter = f" (Enter alone: {prompt.otherwise})" if prompt.empty == "auto" else ""
    choices = (f"  {number}. {choice}" for number, choice in enumerate(prompt.choices, 1))
    question = "\n".join([f"{_asked(prompt)}{prompt.text}", *choices, f"Which one?{enter} "])
    while (found := prompt.choice_of(await Line(question))) is None:
        pass
    return found


async def _read_code() -> str:
    lines = [await Line(_EDITING)]
    while lines[-1].strip() != ".":
        lines.append(await Line(""))
    return "".join(f"{line}\n" for line in lines[:-1])


@dataclass(frozen=True, slots=True)
class Line(Step[str]):
    """A line that a person types. It blocks this thread, and its event loop, until Enter is pressed."""

    prompt: str

    def perform(self) -> str:
        """See `Step`."""
        reason = _why_not()
        if reason is not None:
            raise NoHumanError(_nobody(reason))
        try:
            with _interruptible():
                return input(self.prompt)
        except EOFError:
            raise NoHumanError(_nobody("the input has ended")) from None
        except NotImplementedError as error:  # the kernel's StdinNotImplementedError is one
            raise NoHumanError(_nobody(f"the front end refuses ({error})")) from None


def _nobody(reason: str) -> str:
    return f"Cannot ask for human input: {reason}. Use human_input_mode='NEVER' or pass human=ScriptedHuman([...])."


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let an interrupt end a wait that blocks the event loop.

    While a cell awaits, the kernel's own handler only tells the loop, which does not run during a prompt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)


__all__ = ["Line", "StdinHuman", "approval_question", "can_ask", "read_approval"]
