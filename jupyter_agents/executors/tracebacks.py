"""Which part of a traceback is worth reading: the frames of the user's and the agents' code, and the error.

Frames of IPython, of this package and of libraries are left out. They are most of the text, tell a model next to
nothing, and change with every release of the library, so that a recording made with one would not replay with another.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterator
from functools import cache
from types import TracebackType

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_SHELL = (f"{os.sep}IPython{os.sep}", f"{os.sep}ipykernel{os.sep}")
_COMPILED = (".pyx", ".pxi", ".pxd", ".pyd")
_GENERATED = ("<frozen ", "<__array_function__", "<decorator-gen", "<attrs generated", "<makefun-gen")


def hide_frames(error: BaseException) -> None:
    """Cut the tracebacks of an error, and of the errors behind it, down to the code of the user and the agents.

    Where there is none of it, only the frames of IPython and of ours go. An error behind the error that was raised and
    caught within libraries is taken off the chain.
    """
    seen: set[int] = set()
    todo = [error]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        _shorten_chain(one)
        _cut(one, is_first=one is error)
        todo += [other for other in (one.__cause__, one.__context__) if other is not None]
        todo += getattr(one, "exceptions", ())


def frames_of(error: BaseException) -> Iterator[TracebackType]:
    """The entries of an error's traceback, outermost first."""
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next


def format_group(error: BaseException) -> list[str] | None:
    """The traceback of an exception group in Python's own form, which IPython would print; `None` for other errors."""
    if not _has_group(error):
        return None
    trace = error.__traceback__ and error.__traceback__.tb_next  # without IPython's own frame
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip("\n").split("\n")


def _cut(error: BaseException, *, is_first: bool) -> None:
    frames = [*frames_of(error)]
    # IPython skips the first frame of an error, its own, and shows all frames of those behind it.
    first, rest = (frames[:1], frames[1:]) if is_first else ([], frames)
    own = [frame for frame in rest if not _is_of_shell(frame)]
    kept = first + ([frame for frame in own if not _is_of_library(frame)] or own)
    trace = None
    for frame in reversed(kept):
        trace = TracebackType(trace, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    error.__traceback__ = trace


def _shorten_chain(error: BaseException) -> None:
    for name in ("__cause__", "__context__"):
        behind = getattr(error, name)
        while behind is not None and _is_inner_affair(behind):
            behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)
        suppresses = error.__suppress_context__
        setattr(error, name, behind)
        error.__suppress_context__ = suppresses


def _is_inner_affair(error: BaseException) -> bool:
    """Whether an error never touched the code of the user or the agents."""
    frames = [*frames_of(error)]
    return bool(frames) and all(_is_of_shell(frame) or _is_of_library(frame) for frame in frames)


def _is_of_shell(frame: TracebackType) -> bool:
    file = frame.tb_frame.f_code.co_filename
    return file.startswith(_HERE) or any(part in file for part in _SHELL)


def _is_of_library(frame: TracebackType) -> bool:
    file = frame.tb_frame.f_code.co_filename
    return file.startswith((*_libraries(), *_GENERATED)) or file.endswith(_COMPILED)


def _has_group(error: BaseException | None) -> bool:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, BaseExceptionGroup):
            return True
        seen.add(id(error))
        error = error.__context__
    return False


@cache
def _libraries() -> tuple[str, ...]:
    """The folders in which libraries are installed, the standard library among them."""
    found = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    return tuple(sorted(path + os.sep for path in found))
