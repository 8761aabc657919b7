"""Pause, Resume and Step on the page, and what it shows of them: whether the chat rests, and what comes next."""

from __future__ import annotations

from typing import Literal

from jupyter_agents.control import Control
from jupyter_agents.display import front_end
from jupyter_agents.messages import scrub
from jupyter_agents.widgets.channel import Channel
from jupyter_agents.widgets.clock import Clock
from jupyter_agents.widgets.protocol import Standstill

SILENCE = 60.0
"""Seconds without a sign of the page after which what waits for it in a blocked kernel is given up."""

PAGE_GONE = "stopped since the page on which it was paused is gone"

Next = Literal["", "reply", "code", "tool", "person"]
Phase = Literal["pausing", "paused", "stepping"]

_LOOK = 1.0  # seconds between two looks at whether the page is still there


class Pausing:
    """Follows the buttons of a chat, whoever presses them: its page, another cell, or a thread."""

    def __init__(self, control: Control, channel: Channel, at: Clock) -> None:
        self._control, self._channel, self._at = control, channel, at
        self._resting: dict[int, tuple[str, Next]] = {}
        self._is_from_page = self._is_looking = False
        control.watch(self.show)

    def follow(self, control: Control) -> None:
        """The buttons are those of another chat from now on."""
        self._control.unwatch(self.show)
        self._control = control
        self._resting.clear()
        self._is_from_page = False
        control.watch(self.show)
        self.show()

    def leave(self) -> None:
        """The chat is over."""
        self._control.unwatch(self.show)
        self._resting.clear()
        self._channel.set(pause=None)

    def press(self, button: str) -> None:
        """A page has pressed one of its buttons. A step is one from rest: of two pages that press it, one does."""
        self._is_from_page = button != "resume"
        if button == "pause":
            self._control.pause()
        elif button == "resume":
            self._control.resume()
        elif self._control.must_wait:
            self._control.step()

    def rests(self, chat: int, agent: str, following: Next) -> None:
        """A chat comes to rest before this; it says so itself when it rests."""
        with self._channel.lock:
            self._resting[chat] = (agent, following)

    def goes_on(self, chat: int) -> None:
        """A chat rests no more."""
        with self._channel.lock:
            self._resting.pop(chat, None)
        self.show()

    def show(self) -> None:
        """Tell the pages where that has changed. In whichever thread it comes."""
        with self._channel.lock:  # else what another thread has found before could be told after it
            phase = self._phase()
            agent, following = next(reversed(self._resting.values()), ("", "")) if phase == "paused" else ("", "")
            pause = Standstill(phase, scrub(agent), following) if phase else None
            if pause != self._channel.state.pause:
                self._channel.set(pause=pause)
        if phase == "paused" and self._is_from_page and not self._is_looking:
            self._is_looking = True
            self._at.after(_LOOK, self._look_for_page)

    def _phase(self) -> Phase | None:
        control = self._control
        if not control.is_paused or control.is_stopping or not self._channel.state.is_going_on:
            return None
        if not control.must_wait:
            return "stepping"
        return "paused" if control.is_waiting else "pausing"

    def _look_for_page(self) -> None:
        """A page that is loaded anew cannot press anything while a cell blocks the kernel: nobody would let it go on."""
        self._is_looking = False
        if self._phase() != "paused" or not self._is_from_page:
            return
        is_deaf = self._control.blocks_main_thread or not front_end.hears_new_pages()
        if is_deaf and self._channel.silence > SILENCE:
            self._control.stop(PAGE_GONE)
            return
        self._is_looking = True
        self._at.after(_LOOK, self._look_for_page)


__all__ = ["PAGE_GONE", "SILENCE", "Next", "Pausing"]
