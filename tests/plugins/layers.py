"""Reads a package's imports from its source, and tells which of them break the rules of its layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path


@dataclass(frozen=True)
class Rules:
    """The layer of each top-level module or subpackage, and what only some modules may import.

    `variants` are subpackages of interchangeable things: one may import another's `base` module and nothing else
    of it. `only` says which modules (or subpackages) may import a package from outside, be it inside a function.
    """

    layers: Mapping[str, int]
    variants: frozenset[str] = frozenset()
    only: Mapping[str, frozenset[str]] | None = None


@dataclass(frozen=True)
class Import:
    """One import statement's target. `lazy` says that it is inside a function."""

    target: str
    line: int
    lazy: bool


class Package:
    """The modules of a package, by name (`pkg`, `pkg.models`, `pkg.models.base`), and what they import."""

    def __init__(self, root: Path) -> None:
        self.name = root.name
        self.paths = {_module_name(path, root): path for path in sorted(root.rglob("*.py"))}
        self.trees = {name: ast.parse(path.read_text("utf-8")) for name, path in self.paths.items()}
        self.imports = {name: list(self._imports(name)) for name in self.paths}

    def part(self, module: str) -> str:
        """The top-level module or subpackage that `module` belongs to; `__init__` for the package itself."""
        return module.split(".")[1] if "." in module else "__init__"

    def is_inside(self, target: str) -> bool:
        return target == self.name or target.startswith(f"{self.name}.")

    def _imports(self, module: str) -> Iterator[Import]:
        for node, lazy in _statements(self.trees[module]):
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, node.lineno, lazy) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(module, node)
                for alias in node.names:
                    full = f"{base}.{alias.name}"
                    yield Import(full if full in self.paths else base, node.lineno, lazy)

    def _absolute(self, module: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        is_package = self.paths[module].name == "__init__.py"
        parents = module.split(".")
        kept = parents[: len(parents) - node.level + is_package]
        return ".".join([*kept, *([node.module] if node.module else [])])


def violations(root: Path, rules: Rules) -> list[str]:
    """Everything that breaks the rules, one line each, as `module:line what is wrong`."""
    package = Package(root)
    found = [line for module in package.paths for line in _of_module(package, module, rules)]
    return found + _cycles(package)


def _of_module(package: Package, module: str, rules: Rules) -> Iterator[str]:
    part = package.part(module)
    if part not in rules.layers:
        yield f"{module}:1 {part!r} has no layer"
        return
    for one in package.imports[module]:
        where = f"{module}:{one.line}"
        if package.is_inside(one.target):
            wrong = _inner(package, module, one.target, rules)
        else:
            wrong = _outer(module, one.target, package.name, rules)
        if wrong:
            yield f"{where} {wrong}"
    for line in _prints(package.trees[module]):
        yield f"{module}:{line} prints"


def _inner(package: Package, module: str, target: str, rules: Rules) -> str | None:
    own, other = package.part(module), package.part(target)
    if own == other:
        return None
    if rules.layers.get(other, -1) > rules.layers[own]:
        return f"imports {target}, which is in a higher layer"
    if {own, other} <= rules.variants and target != f"{package.name}.{other}.base":
        return f"imports {target} sideways"
    return None


def _outer(module: str, target: str, name: str, rules: Rules) -> str | None:
    allowed = (rules.only or {}).get(target.partition(".")[0])
    inside = module.removeprefix(f"{name}.")
    if allowed is None or any(inside == one or inside.startswith(f"{one}.") for one in allowed):
        return None
    return f"imports {target}, which is for {', '.join(sorted(allowed))} only"


def _cycles(package: Package) -> list[str]:
    """The first cycle of imports that run when a module is imported."""
    graph = {
        module: {one.target for one in found if not one.lazy and one.target in package.paths} - {module}
        for module, found in package.imports.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [f"{error.args[1][0]}:1 imports itself: {' <- '.join(error.args[1])}"]
    return []


def _prints(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield node.lineno


def _statements(node: ast.AST, *, lazy: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes below `node`, with whether they are inside a function; nothing that only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _is_type_checking(child.test):
            for other in child.orelse:
                yield other, lazy
                yield from _statements(other, lazy=lazy)
            continue
        yield child, lazy
        inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _statements(child, lazy=inside)


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))


def _module_name(path: Path, root: Path) -> str:
    parts = [root.name, *path.relative_to(root).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
