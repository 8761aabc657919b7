"""`%%agentchat`, `%%agent` and `%agents`: loaded with `%load_ext jupyter_agents`, unloaded without a trace."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_agents.culprits import without_our_frames
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.session import current_session, forget_session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_agents.magics.cells import Cells

_LINE = re.compile(r"%%(?P<name>agentchat|agent)(?=\s|$)")


@dataclass
class _Loaded:
    """What `load` found in a shell, and `cells` when the first magic has been used."""

    config: Any
    magics: dict[tuple[str, str], Any]
    cells: Cells | None = None


_loaded: dict[int, _Loaded] = {}


def load(shell: InteractiveShell) -> None:
    """Install the magics, their settings and the rewriting of `%%agentchat` into an awaited call."""
    from jupyter_agents.magics.config import JupyterAgents

    if id(shell) in _loaded:
        return
    untyped: Any = shell
    before = {place: shell.magics_manager.magics[place[0]].get(place[1]) for place in _MAGICS}
    _loaded[id(shell)] = _Loaded(deepcopy(dict.get(shell.config, _SECTION)), before)
    untyped.configurables.append(JupyterAgents(current_session().settings, parent=shell))
    for (kind, name), function in _MAGICS.items():
        untyped.register_magic_function(function, kind, name)
    shell.input_transformers_cleanup.append(rewrite)


def unload(shell: InteractiveShell) -> None:
    """Take everything away that `load` has put there, and put back what was there before."""
    from jupyter_agents.executors.undo import forget

    loaded = _loaded.pop(id(shell), None)
    if loaded is None:
        return
    if loaded.cells is not None:
        loaded.cells.close()
    if rewrite in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(rewrite)
    for (kind, name), function in _MAGICS.items():
        magics = shell.magics_manager.magics[kind]
        if magics.get(name) is function:
            _put_back(magics, name, loaded.magics[kind, name])
    shell.configurables[:] = [
        one for one in shell.configurables if type(one).__module__ != "jupyter_agents.magics.config"
    ]
    _put_back(shell.config, _SECTION, loaded.config)
    forget_session()
    forget()


def _put_back(place: dict[str, Any], name: str, before: Any) -> None:
    place.pop(name, None)
    if before is not None:
        place[name] = before


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


# Not for IPython's question whether a cell is complete: one that is being typed has no end yet, and the call has one.
rewrite.has_side_effects = True  # type: ignore[attr-defined]


async def cell(line: str, body: str) -> None:
    """What a `%%agentchat` cell awaits."""
    __tracebackhide__ = True  # as in the methods of agents
    try:
        await _of_this_shell().agentchat(line, body)
    except Exception as error:  # noqa: BLE001 - it is raised again
        raise without_our_frames(error)  # noqa: B904 - the error keeps its own cause


def _agentchat(line: str, body: str) -> None:
    """Hold a conversation between agents: the cell's text is the opening message. See %%agentchat --help."""
    __tracebackhide__ = True
    try:
        _of_this_shell().agentchat_now(line, body)
    except Exception as error:  # noqa: BLE001 - it is raised again
        raise without_our_frames(error)  # noqa: B904 - the error keeps its own cause


def definition(line: str, body: str) -> None:
    """Define an agent: the cell's text is its system message. See %%agent --help."""
    _of_this_shell().agent(line, body)


def _agents(line: str) -> Any:
    """List the agents of this notebook: their models, when they ask you (human), whether their code runs (approve)."""
    return _of_this_shell().agents(line)


def _agentconfig(line: str) -> Any:
    """Show every setting in force and where it came from: default, ipython_config, %config, environment, keyring, agent."""
    from jupyter_agents.magics.agentconfig import configuration

    cells = _of_this_shell()
    roster = cells.agents("")
    return configuration(cells.shell, {variable: roster[variable] for variable in roster})


def _of_this_shell() -> Cells:
    from IPython import get_ipython

    from jupyter_agents.magics.cells import Cells

    shell: Any = get_ipython()
    loaded = _loaded.get(id(shell))
    if loaded is None:
        raise ConfigurationError("Cannot run this cell: the extension is not loaded. Run %load_ext jupyter_agents.")
    if loaded.cells is None:
        loaded.cells = Cells(shell)
    return loaded.cells


_SECTION = "JupyterAgents"
_MAGICS = {
    ("cell", "agentchat"): _agentchat,
    ("cell", "agent"): definition,
    ("line", "agents"): _agents,
    ("line", "agentconfig"): _agentconfig,
}
