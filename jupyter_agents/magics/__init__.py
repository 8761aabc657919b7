"""`%%agentchat`, `%%agent` and `%agents`: loaded with `%load_ext jupyter_agents`, unloaded without a trace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jupyter_agents.session import current_session, forget_session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_agents.magics.cells import Cells

_LINE = re.compile(r"%%(?P<name>agentchat|agent)(?=\s|$)")
_NAMES = ("agentchat", "agent")
_cells: dict[int, Any] = {}


def load(shell: InteractiveShell) -> None:
    """Install the magics, their settings and the rewriting of `%%agentchat` into an awaited call."""
    from jupyter_agents.magics.config import JupyterAgents

    if id(shell) in _cells:
        return
    _cells[id(shell)] = None
    untyped: Any = shell
    untyped.configurables.append(JupyterAgents(current_session().settings, parent=shell))
    for function, kind, name in (
        (_agentchat, "cell", "agentchat"),
        (definition, "cell", "agent"),
        (_agents, "line", "agents"),
    ):
        untyped.register_magic_function(function, kind, name)
    shell.input_transformers_cleanup.append(rewrite)


def unload(shell: InteractiveShell) -> None:
    """Take everything away that `load` has put there."""
    if id(shell) not in _cells:
        return
    cells = _cells.pop(id(shell))
    if cells is not None:
        cells.close()
    if rewrite in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(rewrite)
    for kind, names in (("cell", _NAMES), ("line", ("agents",))):
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.configurables[:] = [
        one for one in shell.configurables if type(one).__module__ != "jupyter_agents.magics.config"
    ]
    forget_session()


def rewrite(lines: list[str]) -> list[str]:
    """An input transformer: a cell that begins with `%%agentchat` becomes one awaited call, so that the cell stays busy.

    `%%agent` becomes a call as well: IPython refuses a cell magic whose cell has no text, which help has not.
    """
    found = _LINE.match(lines[0]) if lines else None
    if found is None:
        return lines
    name, line, body = found["name"], lines[0][found.end() :].strip(), "".join(lines[1:])
    call = "await {}.cell" if name == "agentchat" else "{}.definition"
    module = "__import__('jupyter_agents.magics', fromlist=['cell'])"
    return [f"{call.format(module)}({line!r}, {body!r})\n"]


async def cell(line: str, body: str) -> None:
    """What a `%%agentchat` cell awaits."""
    await _of_this_shell().agentchat(line, body)


def _agentchat(line: str, body: str) -> None:
    """Hold a conversation between agents: the cell's text is the opening message. See %%agentchat --help."""
    _of_this_shell().agentchat_now(line, body)


def definition(line: str, body: str) -> None:
    """Define an agent: the cell's text is its system message. See %%agent --help."""
    _of_this_shell().agent(line, body)


def _agents(line: str) -> Any:
    """List the agents of this notebook."""
    return _of_this_shell().agents(line)


def _of_this_shell() -> Cells:
    from IPython import get_ipython

    from jupyter_agents.magics.cells import Cells

    shell: Any = get_ipython()
    if _cells.get(id(shell)) is None:
        _cells[id(shell)] = Cells(shell)
    found: Cells = _cells[id(shell)]
    return found
