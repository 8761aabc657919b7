"""Whoever reads the page answers on it; where it cannot show a question, the kernel's own prompt asks instead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from jupyter_agents.display import front_end
from jupyter_agents.display.notebook import NotebookListener
from jupyter_agents.display.page import LivePage, OpenQuestion
from jupyter_agents.display.pausing import SILENCE
from jupyter_agents.drive import TICK, ThisRun
from jupyter_agents.effects import Step
from jupyter_agents.errors import NoHumanError
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.human.stdin import StdinHuman

HELLO = 4.0
"""Seconds within which a page must have loaded the widget of a question."""

_without_widgets: set[str] = set()
"""Clients that have not loaded a widget: their people are asked at the prompt at once from then on."""


class PageHuman:
    """Asks on the page, in the output where the chat is.

    Which way is taken is found out by trying: a page that has loaded the widget can show the question. A front end
    that has not within four seconds asks through `input()`, and at once from then on, until it has loaded one. Where
    neither is possible, `NoHumanError`.
    """

    def __init__(self) -> None:
        self._stdin = StdinHuman()

    def can_ask(self) -> bool:
        """Whether somebody may be there to answer; known for certain only when a page has."""
        return front_end.is_followed() or self._stdin.can_ask()

    async def ask(self, prompt: Prompt) -> Answer:
        """Wait for the answer. Raises `NoHumanError` when nobody can give one."""
        shown = next((one for one in (await ThisRun()).listeners if isinstance(one, NotebookListener)), None)
        if _has_no_widgets(shown):
            return await self._stdin.ask(prompt)
        with NotebookListener().alone() if shown is None else nullcontext(shown) as listener:
            answer = await self._ask_on(listener, prompt)
        return await self._stdin.ask(prompt) if answer is None else answer

    async def _ask_on(self, listener: NotebookListener, prompt: Prompt) -> Answer | None:
        """The answer of the page; `None` where it does not show the question."""
        question = listener.open_question(prompt)
        page = listener.page
        if question is None or page is None:
            return None
        try:
            # A page that has loaded the widget draws it when its place comes into sight, and calls the person to it.
            if not await Until(lambda: page.channel.has_page or question.answer is not None, HELLO):
                _without_widgets.add(_client())
                return None
            return await Answered(question, page)
        finally:
            listener.close_question(question)


def _has_no_widgets(shown: NotebookListener | None) -> bool:
    """Whether this client is known to draw none. One that has been late with its first is forgiven."""
    if shown is not None and shown.page is not None and shown.page.channel.has_page:
        _without_widgets.discard(_client())
    return _client() in _without_widgets


def _client() -> str:
    """The client whose request is handled: a page of JupyterLab is one, a console another."""
    return str(front_end.parent().get("header", {}).get("session", ""))


@dataclass(frozen=True, slots=True)
class Until(Step[bool]):
    """Whether something has become true within so many seconds."""

    condition: Callable[[], bool]
    seconds: float

    def perform(self) -> bool:
        """See `Step`."""
        end = time.monotonic() + self.seconds
        while not self.condition():
            if time.monotonic() >= end:
                return False
            time.sleep(TICK / 10)
        return True

    async def a_perform(self) -> bool:
        """See `Step`."""
        end = time.monotonic() + self.seconds
        while not self.condition():
            if time.monotonic() >= end:
                return False
            await asyncio.sleep(TICK / 10)
        return True


@dataclass(frozen=True, slots=True)
class Answered(Step[Answer]):
    """The answer to a question on a page, or the one that counts when its time is over."""

    question: OpenQuestion
    page: LivePage

    def perform(self) -> Answer:
        """See `Step`. The main shell is blocked meanwhile; answers come in by another one."""
        while not self.question.wait(TICK):
            self._look_at_clock()
            if self.page.channel.silence > SILENCE:
                raise NoHumanError(_GONE.format(SILENCE))
        return self._answer()

    async def a_perform(self) -> Answer:
        """See `Step`."""
        loop = asyncio.get_running_loop()
        answered = asyncio.Event()
        self.question.when_answered(lambda: _wake(loop, answered.set))
        while self.question.answer is None:
            try:
                await asyncio.wait_for(answered.wait(), TICK)
            except TimeoutError:
                self._look_at_clock()
                if self.page.channel.silence > SILENCE and not front_end.hears_new_pages():
                    raise NoHumanError(_GONE_AWAITING.format(SILENCE)) from None
        return self._answer()

    def _look_at_clock(self) -> None:
        deadline = self.question.card.deadline
        if deadline is not None and self.page.clock.now() >= deadline:
            prompt = self.question.prompt
            self.question.give(Answer(prompt.otherwise, "reject" if prompt.kind == "approval" else "reply"))

    def _answer(self) -> Answer:
        assert self.question.answer is not None
        return self.question.answer


def _wake(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)


_GONE = (
    "Cannot ask for human input: the page that shows the question has said nothing for {:g} s, and a page that "
    "is loaded anew cannot answer while a cell blocks the kernel. Run the cell again, with `await` and the `a_` method "
    "where that may happen."
)
_GONE_AWAITING = (
    "Cannot ask for human input: the page that shows the question has said nothing for {:g} s, and with this "
    "ipykernel a page that is loaded anew cannot answer while a cell runs. Run the cell again, after "
    "`pip install --upgrade ipykernel` or with the chat in the background where that may happen."
)

__all__ = ["HELLO", "SILENCE", "PageHuman"]
