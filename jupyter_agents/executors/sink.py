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


@contextmanager
def use_sink(sink: OutputSink | None) -> Iterator[None]:
    """Have the blocks that are executed within hand what they show to `sink` instead of publishing it."""
    token = current_sink.set(sink)
    try:
        yield
    finally:
        current_sink.reset(token)
