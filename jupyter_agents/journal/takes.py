"""Which of the conversations that begin with the same words is meant.

Takes of one beginning are numbered in the order in which they are asked for. A cell that runs again is given the
numbers that it had before, so that it records anew, or replays, what is its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable


class Takes:
    """The takes of one recording, over all cells of a session.

    >>> takes = Takes()
    >>> takes.of_run("first cell", 1).next("Hi"), takes.of_run("second cell", 2).next("Hi")
    (0, 1)
    >>> takes.of_run("first cell", 3).next("Hi")
    0
    """

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()
        self._of_cells: dict[Hashable, defaultdict[str, list[int]]] = {}
        self._runs: dict[Hashable, RunTakes] = {}

    def of_run(self, cell: Hashable = None, execution: Hashable = None) -> RunTakes:
        """The takes of one run of a cell; the same object for the same run."""
        run = self._runs.get(cell)
        if run is None or run.execution != execution:
            known = self._of_cells.setdefault(cell, defaultdict(list))
            run = self._runs[cell] = RunTakes(self._given, known, execution)
        return run


class RunTakes:
    """The takes of one run of a cell: those of its run before, then new ones."""

    def __init__(self, given: Counter[str], known: defaultdict[str, list[int]], execution: Hashable) -> None:
        self.execution = execution
        self._given, self._known = given, known
        self._before = {beginning: tuple(numbers) for beginning, numbers in known.items()}
        self._begun: Counter[str] = Counter()

    def next(self, beginning: str) -> int:
        """The number, from 0, of the next conversation of this run that begins so."""
        numbers, at = self._known[beginning], self._begun[beginning]
        self._begun[beginning] += 1
        if at == len(numbers):
            numbers.append(self._given[beginning])
            self._given[beginning] += 1
        return numbers[at]

    def outdated(self, beginning: str) -> tuple[int, ...]:
        """The takes of the cell's run before, which this run replaces; told once."""
        return self._before.pop(beginning, ())
