"""What a block of code will probably do, for the person who is asked whether it may run.

Found by reading, never by running: which of the user's variables it reads, sets and deletes, and notes on what it may
do outside of them. These are notes, not protection: code can hide anything from a reader of its text.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jupyter_agents.code_blocks import PYTHON, SHELL

MAX_NAMES = 50
"""Names that each list holds at most."""

_MAX_CODE = 200_000
_MAX_NOTES = 20
_MAX_EVIDENCE = 4
_MAX_WORD = 60

WRITES = "writes or deletes files"
PROCESSES = "starts processes"
NETWORK = "uses the network"
INSTALLS = "installs packages"
ENVIRONMENT = "uses or changes the environment of the process"
ENDS = "ends programs or sends signals"
DYNAMIC = "runs code that is not written here"
INTERNALS = "reaches into Python or the shell"
COMPUTED = "reaches names that are computed while it runs"
RIGHTS = "asks for other rights"
RESETS = "deletes all variables"


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
    notes = _Notes()
    if len(code) > _MAX_CODE:
        notes.say(f"is too long to be looked at: {len(code):,} characters")
        return CodeFacts(notes=notes.lines())
    if language in SHELL:
        _note_script(code, notes)
        return CodeFacts(notes=notes.lines())
    if language not in PYTHON:
        return CodeFacts()
    return _python_facts(code, frozenset(names), notes)


class _Notes:
    """Notes in the order in which their kinds are declared, each with the first words that it was found by."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, None]] = {}
        self._said: list[str] = []

    def add(self, kind: str, evidence: str) -> None:
        words = self._found.setdefault(kind, {})
        if len(words) <= _MAX_EVIDENCE:
            words[_short(evidence)] = None

    def say(self, line: str) -> None:
        self._said.append(_short(line, 200))

    def lines(self) -> tuple[str, ...]:
        found = [f"{kind}: {_listed([*self._found[kind]])}" for kind in _KINDS if kind in self._found]
        return tuple((self._said + found)[:_MAX_NOTES])


_KINDS = (
    RESETS, WRITES, PROCESSES, NETWORK, INSTALLS, RIGHTS, ENVIRONMENT, ENDS, DYNAMIC, COMPUTED, INTERNALS,
)  # fmt: skip


def _listed(words: list[str]) -> str:
    return ", ".join(words[:_MAX_EVIDENCE]) + (", …" if len(words) > _MAX_EVIDENCE else "")


def _short(text: str, limit: int = _MAX_WORD) -> str:
    text = "".join(one if one.isprintable() else " " for one in text[: 2 * limit])
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


# -- Python ------------------------------------------------------------------------------------------------------


def _python_facts(code: str, names: frozenset[str], notes: _Notes) -> CodeFacts:
    tree, resets = _parsed(code, notes)
    if tree is None:
        return CodeFacts(deletes=_bounded(sorted(names)) if resets else (), notes=notes.lines())
    _note_python(tree, notes)
    found = _Names(names)
    try:
        found.visit(tree)
    except RecursionError:
        found = _names_anywhere(tree, names)
    deletes = sorted(names) if resets else found.deletes
    return CodeFacts(_bounded(found.reads), _bounded(found.sets), _bounded(deletes), notes.lines())


def _bounded(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(_short(name) for name in [*names][:MAX_NAMES])


def _parsed(code: str, notes: _Notes) -> tuple[ast.Module | None, bool]:
    """The tree, with IPython's own syntax taken out, and whether that deletes all variables."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape is no concern here
        try:
            return ast.parse(code), False
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            source = _Commands(notes)
        try:
            return ast.parse(source.without(code)), source.resets
        except SyntaxError as error:
            notes.say(f"does not parse: {error.msg}" + (f" (line {error.lineno})" if error.lineno else ""))
        except (ValueError, RecursionError, MemoryError) as error:
            notes.say(f"does not parse: {error or 'it is too deeply nested'}")
    return None, source.resets


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


class _Commands:
    """Takes IPython's commands out of a text, and notes what they do."""

    def __init__(self, notes: _Notes) -> None:
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
            _note_script(body, self._notes)
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
            _note_script(rest, self._notes)
        return f"{found['indent']}{statement or 'pass'}"

    def _note_magic(self, name: str, line: str, sign: str) -> None:
        kind = _MAGICS.get(name)
        self.resets = self.resets or (kind == RESETS and name == "reset")
        if name in _SHELL_MAGICS:
            self._notes.add(PROCESSES, f"{sign}{name}")
            _note_script(line, self._notes)
        elif kind is not None and not (kind == INSTALLS and "install" not in line.split()):
            self._notes.add(kind, f"{sign}{name}")


# -- Which names -------------------------------------------------------------------------------------------------

_CHANGING_METHODS = frozenset(
    "add append appendleft clear discard extend fill insert intersection_update pop popitem popleft remove reverse "
    "setdefault sort update".split()
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(slots=True)
class _Scope:
    """The names that a function, a class or a comprehension has for itself."""

    kind: str
    local: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)  # declared `global`


class _Names(ast.NodeVisitor):
    """Follows a module in the order in which it is evaluated, and tells its own names from those of the user."""

    def __init__(self, names: frozenset[str]) -> None:
        self.reads: dict[str, None] = {}
        self.sets: dict[str, None] = {}
        self.deletes: dict[str, None] = {}
        self._names = names
        self._scopes: list[_Scope] = []
        self._bound: set[str] = set()  # here for certain, by this block
        self._branches: list[list[str]] = []

    def visit_Name(self, node: ast.Name) -> None:
        if not self._is_global(node.id):
            return
        if isinstance(node.ctx, ast.Load):
            self._read(node.id)
        elif isinstance(node.ctx, ast.Store):
            self._bind(node.id)
        elif node.id in self._names:
            self.deletes[node.id] = None
            self.sets.pop(node.id, None)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.visit(node.value)
        self._note_change(node, node.ctx)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        self.visit(node.slice)
        self._note_change(node, node.ctx)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute):
            is_in_place = any(
                one.arg == "inplace" and getattr(one.value, "value", None) is True for one in node.keywords
            )
            if is_in_place or node.func.attr in _CHANGING_METHODS:
                self._change(node.func)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._visit_all([node.value, *node.targets])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and self._is_global(node.target.id):
            self._read(node.target.id)
        self._visit_all([node.value, node.target])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_all([node.annotation, *([node.value, node.target] if node.value else [])])

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        inner = self._scopes
        while self._scopes and self._scopes[-1].kind == "comprehension":
            self._scopes = self._scopes[:-1]
        self.visit(node.target)
        self._scopes = inner

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for one in node.names:
            name = one.asname or one.name.partition(".")[0]
            if name != "*" and self._is_global(name):
                self._bind(name)

    visit_ImportFrom = visit_Import  # noqa: N815 - the names of NodeVisitor

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._visit_branches([node.target, *node.body], node.orelse)

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_While(self, node: ast.While | ast.If) -> None:
        self.visit(node.test)
        self._visit_branches(node.body, node.orelse)

    visit_If = visit_While  # noqa: N815

    def visit_Try(self, node: Any) -> None:
        self._visit_branches(node.body, *([one] for one in node.handlers), node.orelse)
        self._visit_all(node.finalbody)

    visit_TryStar = visit_Try  # noqa: N815

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name and self._is_global(node.name):
            self._bind(node.name)
        self.generic_visit(node)

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        self._visit_branches(*([one] for one in node.cases))

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self.generic_visit(node)
        if node.name and self._is_global(node.name):
            self._bind(node.name)

    visit_MatchStar = visit_MatchAs  # noqa: N815

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest and self._is_global(node.rest):
            self._bind(node.rest)

    def visit_FunctionDef(self, node: _Function) -> None:
        self._visit_all([*node.decorator_list, *_defaults(node.args), *_annotations(node)])
        if self._is_global(node.name):
            self._bind(node.name)
        self._visit_scope(_scope_of("function", node.body, _parameters(node.args)), node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_all(_defaults(node.args))
        self._visit_scope(_Scope("function", _parameters(node.args)), [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        self._visit_scope(_scope_of("class", node.body, set()), node.body)
        if self._is_global(node.name):
            self._bind(node.name)

    def visit_ListComp(self, node: _Comprehension) -> None:
        first = node.generators[0]
        self.visit(first.iter)
        targets = {one.id for each in node.generators for one in ast.walk(each.target) if isinstance(one, ast.Name)}
        rest = [part for each in node.generators for part in (each.iter, *each.ifs) if part is not first.iter]
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._visit_scope(_Scope("comprehension", targets), [*rest, *values])

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # noqa: N815

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _visit_scope(self, scope: _Scope, nodes: Iterable[ast.AST]) -> None:
        self._scopes.append(scope)
        self._visit_all(nodes)
        self._scopes.pop()

    def _visit_branches(self, *branches: Iterable[ast.AST]) -> None:
        for branch in branches:
            with self._branch():
                self._visit_all(branch)

    @contextmanager
    def _branch(self) -> Iterator[None]:
        """What is bound within may not be bound afterwards."""
        self._branches.append([])
        yield
        self._bound.difference_update(self._branches.pop())

    def _is_global(self, name: str) -> bool:
        for depth, scope in enumerate(reversed(self._scopes)):
            if name in scope.shared:
                return True
            if name in scope.local and (depth == 0 or scope.kind != "class"):
                return False
        return True

    def _read(self, name: str) -> None:
        if name in self._names and name not in self._bound:
            self.reads[name] = None

    def _bind(self, name: str) -> None:
        self.sets[name] = None
        self.deletes.pop(name, None)
        if self._scopes or name in self._bound:
            return
        self._bound.add(name)
        if self._branches:
            self._branches[-1].append(name)

    def _note_change(self, node: ast.expr, context: ast.expr_context) -> None:
        if not isinstance(context, ast.Load):
            self._change(node)

    def _change(self, node: ast.expr) -> None:
        """Note that the variable which an attribute or item belongs to is changed."""
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        name = node.id if isinstance(node, ast.Name) else ""
        if name in self._names and name not in _MODULES and name not in self._bound and self._is_global(name):
            self.sets[name] = None


def _parameters(arguments: ast.arguments) -> set[str]:
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {one.arg for one in (*listed, arguments.vararg, arguments.kwarg) if one is not None}


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [one for one in (*arguments.defaults, *arguments.kw_defaults) if one is not None]


def _annotations(node: _Function) -> list[ast.expr]:
    listed = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    found = [one.annotation for one in listed if one is not None] + [node.returns]
    return [one for one in found if one is not None]


def _scope_of(kind: str, body: list[ast.stmt], parameters: set[str]) -> _Scope:
    """The scope of a body: what is assigned in it, but not within the functions in it, is its own."""
    scope, todo = _Scope(kind, set(parameters)), list[ast.AST](body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Global):
            scope.shared.update(node.names)
        scope.local.update(_bound_by(node))
        if not isinstance(node, _Function | ast.ClassDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return scope


def _bound_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [one.asname or one.name.partition(".")[0] for one in node.names]
    if isinstance(node, _Function | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return [node.name] if node.name else []
    return [node.rest] if isinstance(node, ast.MatchMapping) and node.rest else []


def _names_anywhere(tree: ast.Module, names: frozenset[str]) -> _Names:
    """The same without scopes and order, for a tree that is too deep to be followed."""
    found = _Names(names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.visit_Name(node)
    found.reads = {
        node.id: None
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names
    }
    return found


# -- What else ---------------------------------------------------------------------------------------------------


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
_MODULES = frozenset(rule.partition(".")[0] for rule in _RULES) | _USUAL_NAMES.keys()
_NETWORK_ADDRESS = re.compile(r"(?:https?|ftp|s3|gs|wss?)://", re.IGNORECASE)


def _note_python(tree: ast.Module, notes: _Notes) -> None:
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


def _aliases(nodes: Iterable[ast.AST], notes: _Notes) -> dict[str, str]:
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


def _note_reference(node: ast.Name | ast.Attribute, aliases: Mapping[str, str], notes: _Notes, seen: set[int]) -> None:
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


def _match(dotted: str, notes: _Notes) -> bool:
    """Note what the rule for a full name, or for the module that it is in, says; whether there is one."""
    words = dotted.split(".")[:6]
    for length in range(1, len(words) + 1):
        kind = _RULES.get(".".join(words[:length]))
        if kind is not None:
            notes.add(kind, ".".join(words[: length + 1]))
            return True
    return False


def _note_call(node: ast.Call, notes: _Notes) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    special = _CALLS.get(name)
    if special is not None:
        special(node, notes)


def _note_open(node: ast.Call, notes: _Notes) -> None:
    place = 1 if isinstance(node.func, ast.Name) or getattr(node.func.value, "id", "") == "io" else 0  # type: ignore[attr-defined]
    given = [*node.args[place : place + 1], *(one.value for one in node.keywords if one.arg == "mode")]
    mode = given[0].value if given and isinstance(given[0], ast.Constant) else None
    if given and (not isinstance(mode, str) or set(mode) & set("wax+")):
        notes.add(WRITES, f"open(…, {mode!r})" if isinstance(mode, str) else "open(…)")
    elif any(one.arg is None for one in node.keywords) or any(isinstance(one, ast.Starred) for one in node.args):
        notes.add(WRITES, "open(…)")


def _note_getattr(node: ast.Call, notes: _Notes) -> None:
    name = node.args[1] if len(node.args) > 1 else None
    if not isinstance(node.func, ast.Name) or (
        isinstance(name, ast.Constant) and name.value not in _INTERNAL_ATTRIBUTES
    ):
        return
    notes.add(COMPUTED, f"{node.func.id}(…)")


_CALLS: dict[str, Callable[[ast.Call, _Notes], None]] = {
    "open": _note_open,
    "getattr": _note_getattr,
    "setattr": _note_getattr,
    "delattr": _note_getattr,
}


# -- Shell scripts -----------------------------------------------------------------------------------------------

_SEPARATOR = re.compile(r"\$\(|[;\n|&(){}`]+")
_REDIRECT = re.compile(r"(?:^|[^-=<>&])\d?>{1,2}(?!&)\s*(?!/dev/null\b)\S")
_PREFIXES = frozenset(
    "env nohup time exec command builtin xargs then do else elif if while until nice ! timeout".split()
)
_SHELL_RULES: dict[str, str] = {
    **dict.fromkeys(
        "rm rmdir unlink shred mv cp dd mkfs truncate tee touch mkdir ln chmod chown install unzip tar patch".split(),
        WRITES,
    ),
    **dict.fromkeys(
        "curl wget ssh scp sftp rsync nc ncat netcat ftp telnet git gh aws gcloud gsutil ping docker kubectl".split(),
        NETWORK,
    ),
    **dict.fromkeys("sudo su doas".split(), RIGHTS),
    **dict.fromkeys("export source . unset cd umask ulimit crontab systemctl".split(), ENVIRONMENT),
    **dict.fromkeys("kill pkill killall shutdown reboot halt poweroff".split(), ENDS),
    **dict.fromkeys("eval sh bash zsh python python3 perl ruby node osascript".split(), DYNAMIC),
}
_INSTALLERS = frozenset(
    "pip pip3 conda mamba micromamba uv npm pnpm yarn apt apt-get brew dnf yum apk pacman gem cargo".split()
)
_INSTALLING = frozenset("install add -S i sync update upgrade uninstall remove".split())


def _note_script(script: str, notes: _Notes) -> None:
    """Note what the commands of a script, the first words of its parts, are known for."""
    redirect = _REDIRECT.search(script[:_MAX_CODE])
    if redirect is not None:
        notes.add(WRITES, ">")
    for part in _SEPARATOR.split(script):
        words = part.split()
        while words and (words[0] in _PREFIXES or re.match(r"\w+=", words[0])):
            words = words[1:]
        _note_command(words, notes)


def _note_command(words: list[str], notes: _Notes) -> None:
    if not words or words[0].startswith("#"):
        return
    name = words[0].strip("\"'\\").rpartition("/")[2]
    kind = _SHELL_RULES.get(name)
    if kind is not None:
        notes.add(kind, name)
    if kind == RIGHTS:
        _note_command(words[1:], notes)
    is_pip = name.startswith("python") and words[1:3] == ["-m", "pip"]
    if is_pip or (name in _INSTALLERS and _INSTALLING & set(words[1:4])):
        notes.add(INSTALLS, " ".join(words[:3]))
    if name in ("sed", "perl") and any(word.startswith("-i") for word in words[1:4]):
        notes.add(WRITES, f"{name} -i")
    if name == "find" and {"-delete", "-exec"} & set(words):
        notes.add(WRITES, "find")
