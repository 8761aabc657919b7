"""Saving a block under the name that its first line gives, and nowhere but under the work directory."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from jupyter_agents.messages import scrub

_DATA = frozenset({".json", ".jsonl", ".ndjson", ".geojson", ".ipynb", ".csv", ".tsv", ".txt"})
_MARKUP = frozenset({".html", ".htm", ".xml", ".svg", ".md"})


class UnsafePathError(ValueError):
    """A file name leads out of the work directory, or cannot be written. Its text is for the model."""


def save_code(work_dir: str | os.PathLike[str] | None, filename: str, code: str) -> Path:
    """Write `code` to `filename` under `work_dir` (the current directory when `None`); the path within it.

    Its first line, which names the file, is written only where it is a comment of the file's format.

    Raises `UnsafePathError` for a name that is absolute, has `..` in it, passes a link that leads out, or cannot be
    written. An existing file is replaced.
    """
    root = Path(work_dir or ".").resolve()
    name = _relative(filename)
    target = (root / name).resolve()
    if not target.is_relative_to(root) or target == root:
        raise UnsafePathError(f"Cannot save the block as {filename!r}: this leads out of the work directory.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(scrub(_content(name, code)), encoding="utf-8", newline="\n")
    except OSError as error:
        raise UnsafePathError(f"Cannot save the block as {filename!r}: {error.strerror or error}.") from error
    return target.relative_to(root)


def _content(name: PurePosixPath, code: str) -> str:
    """The code without its first line, which names the file, where that line is no comment of the file's format."""
    first, _, rest = code.partition("\n")
    suffix, mark = name.suffix.lower(), first.strip()
    is_comment = mark.startswith("<!--") if suffix in _MARKUP else mark.startswith("/*") if suffix == ".css" else True
    return rest if suffix in _DATA or not is_comment else code


def _relative(filename: str) -> PurePosixPath:
    """The name as a path of either flavour: a notebook's code travels between systems."""
    windows, posix = PureWindowsPath(filename), PurePosixPath(filename.replace("\\", "/"))
    if posix.is_absolute() or windows.drive or windows.root or ".." in posix.parts or not filename.isprintable():
        raise UnsafePathError(
            f"Cannot save the block as {filename!r}: use a relative path without '..', like 'plot.py' or 'src/plot.py'."
        )
    return posix
