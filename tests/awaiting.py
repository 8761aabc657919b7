"""A program in plain functions as one writes it with `await`: what its author would change by hand, changed by rule."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_agents import GroupChatManager
from tests.drivers import on_a_loop

FACES = frozenset(name for name in dir(GroupChatManager) if hasattr(GroupChatManager, f"a_{name}"))


def run_program(path: Path, *, awaited: bool = False) -> dict[str, Any]:
    """Run a script; the variables that it leaves behind.

    With `awaited` it calls the `a_` methods, at its top level as a notebook's cell does.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if awaited else 0
    code = compile(with_await(tree) if awaited else tree, str(path), "exec", flags=flags)
    variables: dict[str, Any] = {"__name__": "__main__"}

    def run() -> Any:
        return eval(code, variables)

    if code.co_flags & inspect.CO_COROUTINE:
        on_a_loop(run)
    else:
        run()
    return variables


def with_await(tree: ast.Module) -> ast.Module:
    """The program with `a_` methods: their calls are awaited, the functions that make them async, and so on outwards."""
    return ast.fix_missing_locations(_Awaiting(_becoming_async(tree)).visit(tree))


def _becoming_async(tree: ast.Module) -> frozenset[str]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    found: frozenset[str] = frozenset()
    while (more := found | {one.name for one in functions if _calls(one, FACES | found)}) != found:
        found = more
    return found


def _calls(function: ast.FunctionDef, names: frozenset[str]) -> bool:
    return any(isinstance(node, ast.Call) and _name_of(node.func) in names for node in ast.walk(function))


def _name_of(called: ast.expr) -> str | None:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else None


class _Awaiting(ast.NodeTransformer):
    def __init__(self, functions: frozenset[str]) -> None:
        self._functions = functions

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if node.name not in self._functions:
            return node
        make: Callable[..., ast.AST] = ast.AsyncFunctionDef
        return ast.copy_location(make(**dict(ast.iter_fields(node))), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = _name_of(node.func)
        if isinstance(node.func, ast.Attribute) and name in FACES:
            node.func.attr = f"a_{name}"
        elif name not in self._functions:
            return node
        return ast.copy_location(ast.Await(node), node)
