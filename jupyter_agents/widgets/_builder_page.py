"""The form of an agent builder as a widget, and what its shell says."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod


def running_shell() -> Any:
    """IPython's shell, where there is one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def after_each_cell(shell: Any, action: Callable[..., None]) -> None:
    """Call a method after every cell, for as long as its object lives."""
    method = WeakMethod(action)

    def call(*_: Any) -> None:
        found = method()
        if found is None:
            shell.events.unregister("post_run_cell", call)
        else:
            found()

    shell.events.register("post_run_cell", call)


def make_widget(hear: Callable[[Any], None]) -> Any:
    """The widget of a form; `hear` is given what pages say."""
    from jupyter_agents.widgets.live import answer_anywhere

    widget = widget_class()()
    widget.on_msg(lambda _, content, buffers: hear(content))
    answer_anywhere(widget.comm)
    return widget


@functools.cache
def widget_class() -> type[Any]:
    """The class, made at the first need: it reads the built files."""
    import anywidget

    from jupyter_agents.widgets.live import static_text

    class AgentForm(anywidget.AnyWidget):
        """The form on a page. It has no state of its own: what is typed must not be saved in the notebook."""

        _esm = static_text("builder.js")
        _css = static_text("agents.css")

        def __repr__(self) -> str:
            return "AgentForm()"

    return AgentForm
