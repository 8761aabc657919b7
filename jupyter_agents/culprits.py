"""Errors that come out of functions of the user's: which function it was, and a traceback that leads there.

A conversation is many frames deep, and none of ours says anything about somebody's `KeyError`. So an error is told in
which function it was raised where we call that, in which chat when that ends, and leaves us without our frames.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from jupyter_agents.errors import JupyterAgentsError

E = TypeVar("E", bound=BaseException)

DEBUG_VARIABLE = "JUPYTER_AGENTS_DEBUG"
"""The variable of the environment with which all frames stay."""

_PLACE, _IS_TOLD = "_jupyter_agents_place", "_jupyter_agents_is_told"
_IS_AT_CALL, _HAS_LEFT = "_jupyter_agents_is_at_call", "_jupyter_agents_has_left"
_PACKAGE = __name__.partition(".")[0]
_OURS = f"{Path(__file__).parent}{os.sep}"
_STANDARD = f"{Path(os.__file__).parent}{os.sep}"
_PLUMBING = tuple(_STANDARD + name for name in (f"asyncio{os.sep}", f"concurrent{os.sep}", "contextlib.py"))
_FACES = ("synchronous", "asynchronous")
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


# -- Which function it was ---------------------------------------------------------------------------------------


def was_in(error: BaseException, role: str, function: Any = None, whose: Any = None) -> None:
    """Let an error know that a function of the user's has raised it: what it is there for, and whose it is.

    The first who says so is the nearest, unless the same error is raised again in another chat, after it had left the
    one before. Of functions of this package nothing is said.
    """
    has_left = getattr(error, _HAS_LEFT, False)
    if is_ours(function) or (place_of(error) and not has_left):
        return
    name = "" if function is None else f" ({name_of(function)})"
    _set(error, _PLACE, f"{role}{name}{_of(whose)}")
    _set(error, _IS_AT_CALL, not any(_after_ours(_frames(error))))
    if has_left:
        _set(error, _IS_TOLD, False)
        _set(error, _HAS_LEFT, False)


def raised_anew(error: BaseException) -> None:
    """Forget in which function it was raised in a chat that it has left: in this one nobody has said so yet."""
    if getattr(error, _HAS_LEFT, False):
        for mark, value in ((_PLACE, ""), (_IS_TOLD, False), (_HAS_LEFT, False)):
            _set(error, mark, value)


def place_of(error: BaseException) -> str:
    """In which function of the user's an error was raised, as words; empty where nobody has said so."""
    return str(getattr(error, _PLACE, ""))


def tell_place(error: BaseException, chat: str = "") -> None:
    """Note with an error, once, in which function it was raised, and in which chat."""
    if place_of(error) and not getattr(error, _IS_TOLD, False):
        add_note(error, f"It was raised in {place_of(error)}{chat and ', '}{chat}.")
        _set(error, _IS_TOLD, True)


def add_note(error: BaseException, text: str) -> None:
    """Note something with an error, which may be closed to it."""
    with suppress(AttributeError, TypeError):
        error.add_note(text)


def described(error: BaseException) -> str:
    """Of which class an error is, and what it says."""
    return f"{type(error).__name__}: {said_by(error)}"


def said_by(error: BaseException) -> str:
    """What an error says: its text, which may fail in turn, and of a group what its errors say."""
    try:
        text = str(error)
    except Exception as another:  # noqa: BLE001 - whatever it is, the first error is the one to be told
        return f"(it has no text: {type(another).__name__})"
    if not isinstance(error, BaseExceptionGroup):
        return text
    return f"{text}: {'; '.join(map(described, error.exceptions))}"


def in_short(error: BaseException, longest: int) -> str:
    """The first line of an error, and in which function of the user's it was raised."""
    line = described(error).partition("\n")[0]
    line = line if len(line) <= longest else f"{line[: longest - 1]}…"
    place = place_of(error)
    return f"{line} (in {place})" if place else line


def name_of(function: Any) -> str:
    """What a function is called, for people.

    >>> name_of(name_of), name_of(functools.partial(len)), name_of(lambda: 1), name_of([])
    ('name_of', 'len', 'a lambda', 'list')
    """
    while isinstance(function, functools.partial):
        function = function.func
    name = str(getattr(function, "__qualname__", "") or type(function).__qualname__).rpartition("<locals>.")[2]
    return "a lambda" if name.endswith("<lambda>") else name


def is_ours(function: Any) -> bool:
    """Whether a function, or the class of what is called, is of this package."""
    module = getattr(function, "__module__", None)
    return str(module).partition(".")[0] == _PACKAGE


def _of(whose: Any) -> str:
    if whose is None:
        return ""
    name = whose if isinstance(whose, str) else getattr(whose, "name", None)
    return f" of {name!r}" if isinstance(name, str) else f" of {type(whose).__name__}"


def _set(error: BaseException, name: str, value: Any) -> None:
    with suppress(AttributeError, TypeError):  # an error of somebody else's may be closed to it
        setattr(error, name, value)


# -- The traceback -----------------------------------------------------------------------------------------------


def without_our_frames(error: E) -> E:
    """The error as its user is to see it: with the frames of their own code, in all errors that stand behind it, too.

    One that comes of a mistake in this package keeps everything, and so do all with `JUPYTER_AGENTS_DEBUG`.
    """
    tell_place(error)
    if os.environ.get(DEBUG_VARIABLE) or not _is_of_user(error):
        return error
    for one, is_our_matter in _behind(error):
        choose = _users_own if is_our_matter else _after_ours
        one.with_traceback(_joined(list(choose(_frames(one)))))
    return error


def leaving(error: E) -> E:
    """The same of one that leaves the outermost chat. When it is raised again in another, it is told anew in which function."""
    _set(error, _HAS_LEFT, True)
    return without_our_frames(error)


def _is_of_user(error: BaseException) -> bool:
    """Whether it says by itself what is wrong: it is one of ours, or was raised in a function of the user's.

    Such a function may have called us in turn, and the mistake be ours.
    """
    if isinstance(error, JupyterAgentsError) or getattr(error, _IS_AT_CALL, False):
        return True
    frames = list(_frames(error))
    is_known = bool(place_of(error)) or any(_users_own(frames))
    return is_known and not (frames and _is_our_code(frames[-1]))


def _behind(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """An error, and those because of which it was raised; with each, whether only we know what led to it."""
    left: list[tuple[BaseException | None, bool]] = [(error, False)]
    seen = set[int]()
    while left:
        one, is_our_matter = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        is_our_matter = is_our_matter or isinstance(one, JupyterAgentsError)
        yield one, is_our_matter
        parts = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        left += [(other, is_our_matter) for other in (one.__cause__, one.__context__, *parts)]


def _frames(error: BaseException) -> Iterator[TracebackType]:
    found = error.__traceback__
    while found is not None:
        yield found
        found = found.tb_next


def _after_ours(frames: Iterable[TracebackType]) -> Iterator[TracebackType]:
    """Those of whatever is not ours, without the event loops and threads by which we have called it."""
    is_called_by_us = True
    for one in frames:
        path = _path(one)
        is_called_by_us = path.startswith(_OURS) or (is_called_by_us and path.startswith(_PLUMBING))
        if not is_called_by_us:
            yield one


def _users_own(frames: Iterable[TracebackType]) -> Iterator[TracebackType]:
    """Those of the user's own code: neither ours, nor of anything that is installed."""
    for one in frames:
        path = _path(one)
        is_installed = path.startswith((_OURS, _STANDARD, "<frozen")) or any(part in path for part in _INSTALLED)
        if not is_installed:
            yield one


def _is_our_code(one: TracebackType) -> bool:
    """Whether a frame is ours, and more than the face of a method, in which a call with wrong arguments fails."""
    return _path(one).startswith(_OURS) and one.tb_frame.f_code.co_name not in _FACES


def _path(one: TracebackType) -> str:
    return one.tb_frame.f_code.co_filename


def _joined(frames: list[TracebackType]) -> TracebackType | None:
    found: TracebackType | None = None
    for one in reversed(frames):
        found = TracebackType(found, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return found


__all__ = [
    "DEBUG_VARIABLE",
    "add_note",
    "described",
    "in_short",
    "is_ours",
    "leaving",
    "name_of",
    "place_of",
    "raised_anew",
    "said_by",
    "tell_place",
    "was_in",
    "without_our_frames",
]
