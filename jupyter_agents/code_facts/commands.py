"""IPython's own syntax in a block (magics, `!` commands, help): taken out of the text, and noted."""

from __future__ import annotations

import re

from jupyter_agents.code_facts.notes import (
    DYNAMIC,
    ENVIRONMENT,
    INSTALLS,
    INTERNALS,
    PROCESSES,
    RESETS,
    WRITES,
    Notes,
)
from jupyter_agents.code_facts.scripts import note_script

_CELL_MAGIC = re.compile(r"\s*%%(?P<name>\S*)(?P<line>[^\n]*)(?:\n|$)")
_COMMAND = re.compile(
    r"(?P<indent>[ \t]*)(?P<target>\w[\w.\[\], \t]*=[ \t]*)?(?:(?P<sign>!!?|%)(?P<rest>.*)|(?P<help>\?+\S+|[\w.%]+\?+)[ \t]*)"
)
_PYTHON_MAGICS = frozenset("time timeit capture prun debug memit mprun lprun".split())
_SHELL_MAGICS = frozenset("bash sh script system sx ! zsh".split())
_MAGICS = {
    **dict.fromkeys(("pip", "conda", "mamba", "uv"), INSTALLS),
    **dict.fromkeys(("cd", "env", "set_env", "pushd", "popd"), ENVIRONMENT),
    **dict.fromkeys(("run", "load_ext", "load", "macro", "rerun", "recall"), DYNAMIC),
    **dict.fromkeys(("writefile", "file", "save", "store", "notebook", "logstart"), WRITES),
    **dict.fromkeys(("reset", "reset_selective", "xdel"), RESETS),
    **dict.fromkeys(("perl", "ruby", "python", "python2", "python3", "pypy"), PROCESSES),
    **dict.fromkeys(("html", "HTML", "javascript", "js", "svg", "SVG", "latex", "markdown"), INTERNALS),
}


class Commands:
    """Takes IPython's commands out of a text, and notes what they do."""

    def __init__(self, notes: Notes) -> None:
        self.resets = False
        self._notes = notes

    def without(self, code: str) -> str:
        """The text as Python: commands are replaced by statements that do nothing, or by what they time."""
        found = _CELL_MAGIC.match(code)
        if found is not None:
            self._note_magic(found["name"], found["line"], "%%")
            return self._cell(found["name"], code[found.end() :])
        lines, result, is_continued = code.split("\n"), [], False
        for line in lines:
            result.append("" if is_continued else self._line(line))
            is_command = is_continued or result[-1] != line
            is_continued = is_command and line.endswith("\\")
        return "\n".join(result)

    def _cell(self, name: str, body: str) -> str:
        if name in _SHELL_MAGICS:
            note_script(body, self._notes)
        return f"\n{self.without(body)}" if name in _PYTHON_MAGICS else ""

    def _line(self, line: str) -> str:
        found = _COMMAND.fullmatch(line)
        if found is None:
            return line
        statement = f"{found['target']}None" if found["target"] else "pass"
        rest = (found["rest"] or "").removesuffix("\\")
        if found["sign"] == "%":
            name, _, rest = rest.lstrip("%").partition(" ")
            self._note_magic(name, rest, "%")
            statement = rest.strip() if name in _PYTHON_MAGICS and not rest.lstrip().startswith("-") else statement
        elif found["sign"]:
            self._notes.add(PROCESSES, f"!{rest.split()[0] if rest.split() else ''}")
            note_script(rest, self._notes)
        return f"{found['indent']}{statement or 'pass'}"

    def _note_magic(self, name: str, line: str, sign: str) -> None:
        kind = _MAGICS.get(name)
        self.resets = self.resets or (kind == RESETS and name == "reset")
        if name in _SHELL_MAGICS:
            self._notes.add(PROCESSES, f"{sign}{name}")
            note_script(line, self._notes)
        elif kind is not None and not (kind == INSTALLS and "install" not in line.split()):
            self._notes.add(kind, f"{sign}{name}")
