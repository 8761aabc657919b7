"""What a block of Python refers to outside of itself: functions, modules and attributes known for what they do."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping

from jupyter_agents.code_facts.notes import (
    COMPUTED,
    DYNAMIC,
    ENDS,
    ENVIRONMENT,
    INSTALLS,
    INTERNALS,
    NETWORK,
    PROCESSES,
    WRITES,
    Notes,
)


def _under(module: str, words: str) -> list[str]:
    return [f"{module}.{word}" for word in words.split()]


_RULES: dict[str, str] = {
    **dict.fromkeys(
        _under(
            "os",
            "remove unlink rename renames replace rmdir removedirs mkdir makedirs truncate chmod chown link symlink open "
            "write mkfifo",
        )
        + _under("shutil", "rmtree move copy copy2 copyfile copytree copyfileobj make_archive unpack_archive chown")
        + _under("numpy", "save savez savez_compressed savetxt memmap")
        + ["sqlite3", "tempfile", "dbm", "shelve"],
        WRITES,
    ),
    **dict.fromkeys(
        _under(
            "os",
            "system popen fork forkpty posix_spawn posix_spawnp startfile execl execle execlp execlpe execv execve execvp "
            "execvpe spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe",
        )
        + _under("asyncio", "create_subprocess_exec create_subprocess_shell")
        + ["subprocess", "pty", "multiprocessing", "pexpect", "concurrent.futures.ProcessPoolExecutor"],
        PROCESSES,
    ),
    **dict.fromkeys(
        (
            "socket ssl requests httpx aiohttp urllib3 urllib.request http.client http.server ftplib smtplib imaplib "
            "poplib telnetlib paramiko websocket websockets boto3 xmlrpc socketserver asyncio.open_connection "
            "asyncio.start_server webbrowser openai anthropic huggingface_hub"
        ).split(),
        NETWORK,
    ),
    **dict.fromkeys(("pip", "ensurepip", "micropip", "conda"), INSTALLS),
    **dict.fromkeys(
        _under("os", "environ environb getenv putenv unsetenv chdir fchdir umask setuid setgid nice")
        + _under("sys", "path modules settrace setprofile setrecursionlimit stdout stderr meta_path")
        + ["signal.signal", "locale.setlocale", "resource.setrlimit", "keyring", "dotenv"],
        ENVIRONMENT,
    ),
    **dict.fromkeys(
        [
            "exit",
            "quit",
            "sys.exit",
            "signal.raise_signal",
            "signal.pthread_kill",
            *_under("os", "_exit abort kill killpg"),
        ],
        ENDS,
    ),
    **dict.fromkeys(
        (
            "eval exec compile __import__ importlib runpy code codeop pickle.load pickle.loads dill cloudpickle marshal "
            "joblib.load types.FunctionType types.CodeType builtins.eval builtins.exec pandas.eval pandas.read_pickle"
        ).split(),
        DYNAMIC,
    ),
    **dict.fromkeys(("globals", "locals", "vars", "operator.attrgetter"), COMPUTED),
    **dict.fromkeys(
        ("ctypes", "cffi", "gc", "inspect.currentframe", "sys._getframe", "builtins", "get_ipython", "atexit"),
        INTERNALS,
    ),
}
"""Modules, functions and built-in names, by their full name. A rule for a module is one for all in it."""

_WRITING_METHODS = frozenset(
    "write_text write_bytes unlink rmdir symlink_to hardlink_to touch mkdir to_csv to_parquet to_excel to_pickle to_feather "
    "to_hdf to_sql to_stata to_netcdf to_zarr savefig write_csv write_parquet imwrite imsave".split()
)
_INTERNAL_ATTRIBUTES = frozenset(
    "__subclasses__ __globals__ __builtins__ __code__ __bases__ __mro__ __closure__ __getattribute__ f_globals f_locals "
    "f_back gi_frame __reduce__ __loader__".split()
)
_USUAL_NAMES = {"np": "numpy", "pd": "pandas", "sp": "subprocess", "plt": "matplotlib.pyplot"}
MODULES = frozenset(rule.partition(".")[0] for rule in _RULES) | _USUAL_NAMES.keys()
_NETWORK_ADDRESS = re.compile(r"(?:https?|ftp|s3|gs|wss?)://", re.IGNORECASE)


def note_python(tree: ast.Module, notes: Notes) -> None:
    """Note what the tree refers to, called or not: a function may be called by another name."""
    nodes = [*ast.walk(tree)]
    aliases = _aliases(nodes, notes)
    seen: set[int] = set()  # parts of a dotted name that has been looked at
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in seen:
            _note_reference(node, aliases, notes, seen)
        elif isinstance(node, ast.Call):
            _note_call(node, notes)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _NETWORK_ADDRESS.match(node.value):
            notes.add(NETWORK, node.value)


def _aliases(nodes: Iterable[ast.AST], notes: Notes) -> dict[str, str]:
    """By name, what the imports of the block bind it to."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update({one.asname: one.name for one in node.names if one.asname})
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                found[one.asname or one.name] = f"{node.module or ''}.{one.name}"
                _match(f"{node.module or ''}.{one.name}", notes)
                if one.name == "*":
                    notes.add(COMPUTED, f"from {node.module or '.'} import *")
    return found


def _note_reference(node: ast.Name | ast.Attribute, aliases: Mapping[str, str], notes: Notes, seen: set[int]) -> None:
    parts: list[str] = []
    part: ast.expr = node
    while isinstance(part, ast.Attribute):
        parts.append(part.attr)
        seen.add(id(part))
        part = part.value
    if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
        seen.add(id(part))
        root = aliases.get(part.id) or _USUAL_NAMES.get(part.id, part.id)
        if _match(".".join([root, *reversed(parts)]), notes):
            return
    for name in parts:
        if name in _WRITING_METHODS:
            notes.add(WRITES, f".{name}")
        elif name in _INTERNAL_ATTRIBUTES:
            notes.add(INTERNALS, f".{name}")


def _match(dotted: str, notes: Notes) -> bool:
    """Note what the rule for a full name, or for the module that it is in, says; whether there is one."""
    words = dotted.split(".")[:6]
    for length in range(1, len(words) + 1):
        kind = _RULES.get(".".join(words[:length]))
        if kind is not None:
            notes.add(kind, ".".join(words[: length + 1]))
            return True
    return False


def _note_call(node: ast.Call, notes: Notes) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    special = _CALLS.get(name)
    if special is not None:
        special(node, notes)


def _note_open(node: ast.Call, notes: Notes) -> None:
    place = 1 if isinstance(node.func, ast.Name) or getattr(node.func.value, "id", "") == "io" else 0  # type: ignore[attr-defined]
    given = [*node.args[place : place + 1], *(one.value for one in node.keywords if one.arg == "mode")]
    mode = given[0].value if given and isinstance(given[0], ast.Constant) else None
    if given and (not isinstance(mode, str) or set(mode) & set("wax+")):
        notes.add(WRITES, f"open(…, {mode!r})" if isinstance(mode, str) else "open(…)")
    elif any(one.arg is None for one in node.keywords) or any(isinstance(one, ast.Starred) for one in node.args):
        notes.add(WRITES, "open(…)")


def _note_getattr(node: ast.Call, notes: Notes) -> None:
    name = node.args[1] if len(node.args) > 1 else None
    if not isinstance(node.func, ast.Name) or (
        isinstance(name, ast.Constant) and name.value not in _INTERNAL_ATTRIBUTES
    ):
        return
    notes.add(COMPUTED, f"{node.func.id}(…)")


_CALLS: dict[str, Callable[[ast.Call, Notes], None]] = {
    "open": _note_open,
    "getattr": _note_getattr,
    "setattr": _note_getattr,
    "delattr": _note_getattr,
}
