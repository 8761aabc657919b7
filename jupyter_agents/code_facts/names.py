"""Which of the user's variables a block of Python reads, sets and deletes."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jupyter_agents.code_facts.references import MODULES

_CHANGING_METHODS = frozenset(
    "add append appendleft clear discard extend fill insert intersection_update pop popitem popleft remove reverse "
    "setdefault sort update".split()
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True, slots=True)
class Uses:
    """The user's variables that are read and deleted, and all names that are set, in the order of the text."""

    reads: tuple[str, ...]
    sets: tuple[str, ...]
    deletes: tuple[str, ...]


def uses_in(tree: ast.Module, names: frozenset[str]) -> Uses:
    """What the tree does with names, where `names` are those of the user's variables."""
    found = _Names(names)
    try:
        found.visit(tree)
    except RecursionError:
        found = _names_anywhere(tree, names)
    return Uses(tuple(found.reads), tuple(found.sets), tuple(found.deletes))


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
        if name in self._names and name not in MODULES and name not in self._bound and self._is_global(name):
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
