"""What code in the live kernel can break for the cells after it, taken before a block and put back afterwards.

The variables that a block makes or changes are the product and stay. What belongs to the session is put back: the
standard streams, hooks, signal handlers, built-in names, the working directory, `_`, `In` and `Out`. What a cell changes by
running (its number, `_`, the history, the working directory) is left alone when another cell ran in the meantime.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import signal
import sys
import threading
from typing import Any

_SYS = ("stdin", "stdout", "stderr", "displayhook", "excepthook", "__stdin__", "__stdout__", "__stderr__")
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP") if hasattr(signal, name))
_PARTS_OF_SHELL = (
    "display_pub", "displayhook", "display_trap", "builtin_trap", "display_formatter", "events", "compile",
    "history_manager", "payload_manager", "input_transformer_manager", "prefilter_manager", "magics_manager",
    "InteractiveTB", "SyntaxTB", "CustomTB", "custom_exceptions", "user_module", "user_ns", "user_ns_hidden",
)  # fmt: skip
_PARTS_OF_HOOK = ("_", "__", "___", "exec_result")
_NAMES = (
    "_ih", "_oh", "_dh", "In", "Out",
    "get_ipython", "exit", "quit", "open", "__name__", "__builtins__", "__builtin__",
)  # fmt: skip
_NAMES_OF_CELLS = ("_", "__", "___", "_i", "_ii", "_iii")
_MISSING = object()


class Snapshot:
    """The state of the process and of an IPython shell, now."""

    def __init__(self, shell: Any) -> None:
        self._process = _Process()
        self._shell = shell
        self._overrides = {name: value for name, value in vars(shell).items() if _is_method(shell, name)}
        self._parts = {name: getattr(shell, name, _MISSING) for name in _PARTS_OF_SHELL}
        self._names = {name: shell.user_ns.get(name, _MISSING) for name in _NAMES}
        self._flags = getattr(shell.compile, "flags", None)
        self._cells = _Cells(shell)

    def restore_builtins(self) -> None:
        """Put the built-in names back: the first thing to do, for all code needs them."""
        self._process.restore_builtins()

    def restore(self, *, is_alone: bool = True) -> None:
        """Put everything back. What cannot be put back does not keep the rest from it.

        Unless the block `is_alone`, another cell has run since: what cells change by running is newer than this.
        """
        self._process.restore(directory=is_alone)
        shell = self._shell
        for name in [name for name in vars(shell) if _is_method(shell, name) and name not in self._overrides]:
            delattr(shell, name)
        vars(shell).update(self._overrides)
        _set_parts(shell, self._parts)
        if self._flags is not None:
            shell.compile.flags = self._flags
        _set_names(shell.user_ns, self._names)
        if is_alone:
            self._cells.restore(shell)


class _Process:
    """The part that every Python process has."""

    def __init__(self) -> None:
        self._sys = {name: getattr(sys, name, None) for name in _SYS}
        self._builtins = vars(builtins).copy()
        self._recursion_limit = sys.getrecursionlimit()
        in_main_thread = threading.current_thread() is threading.main_thread()
        self._handlers = {one: signal.getsignal(one) for one in _SIGNALS} if in_main_thread else {}
        self._directory = _current_directory()

    def restore_builtins(self) -> None:
        now = builtins.__dict__  # vars() may be gone
        for name, value in self._builtins.items():
            if now.get(name, _MISSING) is not value:
                now[name] = value

    def restore(self, *, directory: bool) -> None:
        self.restore_builtins()
        for name, value in self._sys.items():
            setattr(sys, name, value)
        if sys.getrecursionlimit() != self._recursion_limit:
            sys.setrecursionlimit(self._recursion_limit)
        for number, handler in self._handlers.items():
            if handler is not None:  # one that C code has installed cannot be put back from here
                signal.signal(number, handler)
        if directory and self._directory is not None and _current_directory() != self._directory:
            with contextlib.suppress(OSError):
                os.chdir(self._directory)


class _Cells:
    """What every cell changes by running."""

    def __init__(self, shell: Any) -> None:
        self._count = {"execution_count": shell.execution_count}
        self._hook = {name: getattr(shell.displayhook, name, _MISSING) for name in _PARTS_OF_HOOK}
        self._names = {name: shell.user_ns.get(name, _MISSING) for name in _NAMES_OF_CELLS}
        self._payloads = list(shell.payload_manager.read_payload())
        self._history = _History(shell)

    def restore(self, shell: Any) -> None:
        _set_parts(shell, self._count)
        _set_parts(shell.displayhook, self._hook)
        if shell.payload_manager.read_payload() != self._payloads:
            shell.payload_manager._payload = self._payloads  # clear_payload() would drop the user's own as well
        self._history.restore(shell)
        _set_names(shell.user_ns, self._names)


class _History:
    """The inputs and outputs that `In`, `Out` and `_5` give; `%reset` empties them."""

    def __init__(self, shell: Any) -> None:
        manager = shell.history_manager
        names = ("input_hist_parsed", "input_hist_raw", "dir_hist")
        self._lists = {name: list(getattr(manager, name, ())) for name in names}
        self._outputs = dict(getattr(manager, "output_hist", ()))

    def restore(self, shell: Any) -> None:
        manager, namespace = shell.history_manager, shell.user_ns
        for name, before in self._lists.items():
            now = getattr(manager, name, None)
            if isinstance(now, list) and len(now) != len(before):
                now[:] = before
        now = getattr(manager, "output_hist", None)
        if not isinstance(now, dict) or now.keys() == self._outputs.keys():
            return
        now.clear()
        now.update(self._outputs)
        namespace.update({f"_{number}": value for number, value in self._outputs.items()})


def _set_parts(owner: Any, parts: dict[str, Any]) -> None:
    for name, value in parts.items():
        if value is not _MISSING and getattr(owner, name, _MISSING) is not value:
            setattr(owner, name, value)


def _set_names(namespace: dict[str, Any], names: dict[str, Any]) -> None:
    for name, value in names.items():
        if value is _MISSING:
            namespace.pop(name, None)
        else:
            namespace[name] = value


def _is_method(shell: Any, name: str) -> bool:
    """Whether the name is that of a method of the class, which an object should not shadow for longer than needed."""
    return callable(getattr(type(shell), name, None))


def _current_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it has been deleted
        return None
