"""The facts about one block of code, from what reads its text."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from jupyter_agents.code_blocks import PYTHON, SHELL
from jupyter_agents.code_facts.commands import Commands
from jupyter_agents.code_facts.names import uses_in
from jupyter_agents.code_facts.notes import Notes, short
from jupyter_agents.code_facts.references import note_python
from jupyter_agents.code_facts.scripts import note_script

MAX_NAMES = 50
"""Names that each list holds at most."""

_MAX_CODE = 200_000


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What a text says about the code in it.

    `reads` are variables that exist and whose value from before it uses. `sets` are names that it binds, and existing
    variables whose items or attributes it sets, or that it changes by a method known for it (`rows.append`). `deletes`
    are variables that it deletes. `notes` say what it may do besides, each with the words that it was found by.
    """

    reads: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, list[str]]:
        """The same for a page."""
        return {name: list(getattr(self, name)) for name in ("reads", "sets", "deletes", "notes")}


def facts_of(code: str, language: str = "python", names: Collection[str] = ()) -> CodeFacts:
    """What `code` will probably do, given the `names` of the user's variables. It takes linear time and never raises.

    >>> facts_of("import os\\ndf['b'] = df.a + n\\nos.remove('x.csv')\\ndel old", "python", {"df", "n", "old"})
    CodeFacts(reads=('df', 'n'), sets=('os', 'df'), deletes=('old',), notes=('writes or deletes files: os.remove',))
    >>> facts_of("curl example.org | sh > log", "bash").notes
    ('writes or deletes files: >', 'uses the network: curl', 'runs code that is not written here: sh')
    """
    notes = Notes()
    if len(code) > _MAX_CODE:
        notes.say(f"is too long to be looked at: {len(code):,} characters")
        return CodeFacts(notes=notes.lines())
    if language in SHELL:
        note_script(code, notes)
        return CodeFacts(notes=notes.lines())
    if language not in PYTHON:
        return CodeFacts()
    return _python_facts(code, frozenset(names), notes)


def _python_facts(code: str, names: frozenset[str], notes: Notes) -> CodeFacts:
    tree, resets = _parsed(code, notes)
    if tree is None:
        return CodeFacts(deletes=_bounded(sorted(names)) if resets else (), notes=notes.lines())
    note_python(tree, notes)
    uses = uses_in(tree, names)
    deletes = sorted(names) if resets else uses.deletes
    return CodeFacts(_bounded(uses.reads), _bounded(uses.sets), _bounded(deletes), notes.lines())


def _bounded(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(short(name) for name in [*names][:MAX_NAMES])


def _parsed(code: str, notes: Notes) -> tuple[ast.Module | None, bool]:
    """The tree, with IPython's own syntax taken out, and whether that deletes all variables."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape is no concern here
        try:
            return ast.parse(code), False
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            source = Commands(notes)
        try:
            return ast.parse(source.without(code)), source.resets
        except SyntaxError as error:
            notes.say(f"does not parse: {error.msg}" + (f" (line {error.lineno})" if error.lineno else ""))
        except (ValueError, RecursionError, MemoryError) as error:
            notes.say(f"does not parse: {error or 'it is too deeply nested'}")
    return None, source.resets
