"""Where a block shows things when it is not the cell: a page that draws what comes while it comes.

The sink is a context variable, so it is that of one chat. A chat that code of a block starts shows its things where
the block does, unless it has a sink of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, Protocol


class OutputSink(Protocol):
    """Gets what a block shows, bounded as it would be for the cell, in the order in which it appears.

    Called in whichever thread the block writes from. An exception here is one in the code of the block.
    """

    def write(self, name: Literal["stdout", "stderr"], text: str) -> None:
        """More text of a stream, with its colours and carriage returns."""
        ...

    def show(
        self, data: Mapping[str, Any], metadata: Mapping[str, Any], *, display_id: str | None, update: bool
    ) -> None:
        """A rich output. With `update` it takes the place of the one with this `display_id`.

        The update of a display that is not of this block is published as well: it may be in a cell of the user.
        """
        ...


current_sink: ContextVar[OutputSink | None] = ContextVar("jupyter_agents_sink", default=None)
"""Where blocks that are executed here show things; `None` for the cell."""


_message: ContextVar[bool | None] = ContextVar("jupyter_agents_message", default=None)


@contextmanager
def showing_message(*, may_be_of_block: bool) -> Iterator[None]:
    """Show a message of a chat within: no output of a block that runs meanwhile, in whichever thread that is.

    With `may_be_of_block` it is one where the block itself holds the chat.
    """
    token = _message.set(may_be_of_block)
    try:
        yield
    finally:
        _message.reset(token)


def is_output_of_block(*, is_inside: bool, is_main: bool) -> bool:
    """Whether what is shown now is an output of the block that runs.

    `is_inside` says whether the block has started this code, which its threads do not know, and `is_main` whether this
    is the main thread.
    """
    may_be = _message.get()
    return is_inside or not is_main if may_be is None else is_inside and may_be


@contextmanager
def use_sink(sink: OutputSink | None) -> Iterator[None]:
    """Have the blocks that are executed within hand what they show to `sink` instead of publishing it."""
    token = current_sink.set(sink)
    try:
        yield
    finally:
        current_sink.reset(token)
