"""Listening in on a block: its outputs go to the cell as the user's own code would show them, and are collected.

Methods are overridden on the objects that IPython and the streams are, for the duration of a block. So output is
also collected when it comes by way of an older reference: a logging handler, a thread, and (under ipykernel, which
reads the file descriptors) a child process or C code.
"""

from __future__ import annotations

import builtins
import getpass
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Any, Literal

from jupyter_agents.executors.outputs import (
    Page,
    Transcript,
    as_json,
    describe,
    error_bundle,
    for_page,
    plain,
    plain_traceback,
    shorten,
)
from jupyter_agents.executors.override import override
from jupyter_agents.executors.sink import OutputSink
from jupyter_agents.executors.tracebacks import format_group, frames_of, hide_frames
from jupyter_agents.known_secrets import hide, known_keys

_EXIT_HINT = "To exit: use 'exit', 'quit', or Ctrl-D."
_MAX_TRACEBACK = 20_000
_MAX_ERROR_VALUE = 2_000


class NotForAgentsError(RuntimeError):
    """Code of an agent called what only a person may. IPython shows it as one line, without our frames."""

    def _render_traceback_(self) -> list[str]:
        return [f"RuntimeError: {self}"]


class Capture:
    """What one block shows and how it fares, while `listening`. With a `sink` the cell gets nothing of it."""

    def __init__(
        self,
        shell: Any,
        code: str,
        *,
        as_lines: Callable[[str, bool], Any],
        max_text: int,
        max_page: int,
        sink: OutputSink | None = None,
    ) -> None:
        self.error: dict[str, Any] | None = None
        self.command_status = 0
        self.is_stopped: Callable[[], bool] = lambda: False
        self.is_told: Callable[[], bool] = lambda: False
        self.is_ours: Callable[[], bool] = lambda: True
        self.write: Callable[[str], Any] = _nothing
        self._write_out: Callable[[str], Any] = _nothing
        self._shell, self._code, self._as_lines, self._max_text = shell, code, as_lines, max_text
        self._transcript, self._page = Transcript(max_text), Page(max_page)
        self._lock = threading.RLock()
        self._is_native = hasattr(shell, "kernel")  # a shell without a kernel prints what it displays
        self._is_paused = False
        self._publish = shell.display_pub.publish
        self._sink = sink
        self._shown: set[str] = set()  # the display ids of this block
        self._children = _child_work()
        self._secrets = known_keys()

    @property
    def text(self) -> str:
        """What a model reads."""
        with self._lock:
            return self._transcript.text()

    @property
    def outputs(self) -> tuple[Mapping[str, Any], ...]:
        """What the cell shows, in the notebook format."""
        with self._lock:
            return self._transcript.outputs()

    @contextmanager
    def listening(self, *, allow_input: bool) -> Iterator[None]:
        """Override the methods by which a block shows things, and those that it must not reach.

        A cell of the user that runs while the block awaits has them as they were; `is_ours` tells.
        """
        names: tuple[Literal["stderr", "stdout"], ...] = ("stderr", "stdout")
        streams = {id(stream): (name, stream) for name in names if (stream := getattr(sys, name, None))}
        with ExitStack() as stack:
            for name, stream in streams.values():
                self._write_out = self._way_out(name, stream.write)
                self.write = self._writer(name, self._write_out)
                stack.enter_context(override(stream, "write", self._if_ours(self.write, stream.write)))
                stack.enter_context(override(stream, "close", stream.flush))
            for owner, attribute, value in self._overrides(allow_input):
                before = getattr(owner, attribute, _nothing)  # a shell without a terminal has no `ask_exit`
                is_shell_command = attribute in ("system", "getoutput")  # they count the frames between them and us
                stack.enter_context(
                    override(owner, attribute, value if is_shell_command else self._if_ours(value, before))
                )
            try:
                yield
            finally:
                self._finish([stream for _, stream in streams.values()])

    def show_error(self, kind: str, value: str, lines: list[str]) -> None:
        """Show an error in the cell, and keep it."""
        text = [shorten(plain_traceback(hide(line)), _MAX_TRACEBACK) for line in lines]
        self.error = {
            "output_type": "error",
            "ename": kind,
            "evalue": shorten(plain_traceback(hide(value)), _MAX_ERROR_VALUE),
            "traceback": shorten("\n".join(text), _MAX_TRACEBACK).split("\n"),
        }
        with self._lock:
            self._transcript.add("\n".join(self.error["traceback"]), self.error)
        self._show(error_bundle(self.error), {}, self._publish)

    def say(self, text: str) -> None:
        """Write a line of our own, into the cell and for the model."""
        self.write(f"{text}\n")

    def _if_ours(self, ours: Callable[..., Any], others: Callable[..., Any]) -> Callable[..., Any]:
        def either(*args: Any, **options: Any) -> Any:
            return (ours if self.is_ours() else others)(*args, **options)

        return either

    def _overrides(self, allow_input: bool) -> Iterator[tuple[Any, str, Any]]:
        shell = self._shell
        yield shell.display_pub, "publish", self._on_publish
        yield shell.display_pub, "clear_output", self._on_clear
        yield shell.displayhook, "write_format_data", self._value_writer(shell.displayhook.write_format_data)
        yield shell.displayhook, "quiet", self._is_quiet
        yield shell.displayhook, "update_user_ns", _nothing  # `_` and `Out` are the user's
        yield shell.displayhook, "log_output", _nothing
        if not self._is_native:
            yield shell.displayhook, "write_output_prompt", _nothing
        yield shell, "showtraceback", self._traceback_shower(shell.showtraceback)
        yield shell, "_showtraceback", self._on_traceback
        yield shell, "ask_exit", _refuse_exit
        yield shell, "system", self._system(shell.system)
        yield shell, "getoutput", self._getoutput
        yield shell.hooks, "show_in_pager", self._on_page
        if hasattr(shell, "_tee"):  # IPython keeps all that a cell writes, without a bound
            yield shell, "_tee", lambda channel: nullcontext()
        if not allow_input:
            yield builtins, "input", _refuse_input
            yield getpass, "getpass", _refuse_input

    # -- Streams ----------------------------------------------------------------------------------------------------

    def _way_out(self, name: Literal["stderr", "stdout"], write: Callable[[str], Any]) -> Callable[[str], Any]:
        sink = self._sink
        return write if sink is None else lambda text: sink.write(name, text)

    def _writer(self, name: str, write: Callable[[str], Any]) -> Callable[[str], int]:
        def written(text: str) -> int:
            if not isinstance(text, str):
                raise TypeError(f"write() argument must be str, not {type(text).__name__}")
            said = hide(text, self._secrets)
            with self._lock:
                if not self._is_paused:
                    self._transcript.write(name, said)
                shown = self._page.admit(for_page(said))
            if shown:
                write(shown)
            return len(text)

        return written

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """What a shell without a kernel prints of an output has been collected already."""
        before, self._is_paused = self._is_paused, not self._is_native
        try:
            yield
        finally:
            self._is_paused = before

    def _finish(self, streams: list[Any]) -> None:
        had_children = _child_work() != self._children
        for stream in streams:
            _drain(stream, had_children=had_children)
        with self._lock:
            rest, self._page = self._page.rest(), Page()
        if rest:
            self._write_out(rest)

    # -- Rich outputs -----------------------------------------------------------------------------------------------

    def _on_publish(self, data: Mapping[str, Any], metadata: Any = None, *args: Any, **options: Any) -> None:
        bundle = as_json(data)
        display_id = (options.get("transient") or {}).get("display_id")
        output = {"output_type": "display_data", "data": bundle, "metadata": dict(metadata or {})}
        with self._lock:
            if options.get("update"):
                self._transcript.update(describe(bundle), output, str(display_id))
            else:
                self._transcript.add(describe(bundle), output, display_id)
            is_shown = options.get("update") or self._page.admit_output()
        if is_shown:
            self._show(bundle, metadata, lambda data, about: self._publish(data, about, *args, **options), **options)

    def _show(self, data: Mapping[str, Any], metadata: Any, publish: Callable[[Any, Any], Any], **options: Any) -> None:
        """Show it with `publish`, or hand it to the sink. `options` are those of a display."""
        if self._sink is not None and not self._hand_over(data, metadata, **options):
            return
        with self._paused():
            publish(data, metadata)

    def _hand_over(
        self, data: Mapping[str, Any], metadata: Any, *, transient: Any = None, update: bool = False, **_: Any
    ) -> bool:
        """Show it in the sink. Whether the cell is to have it too: the display it updates is not of this block."""
        assert self._sink is not None
        display_id = (transient or {}).get("display_id")
        name = None if display_id is None else str(display_id)
        self._sink.show(data, dict(metadata or {}), display_id=name, update=bool(update))
        if update:
            return name not in self._shown
        if name is not None:
            self._shown.add(name)
        return False

    def _on_clear(self, *args: Any, **options: Any) -> None:
        """Clear what the model will read. The cell holds the whole conversation, which a block must not wipe out."""
        with self._lock:
            self._transcript = Transcript(self._max_text)

    def _value_writer(self, write: Callable[..., Any]) -> Callable[..., None]:
        def written(bundle: Mapping[str, Any], metadata: Any = None) -> None:
            found = as_json(bundle)
            output = {"output_type": "execute_result", "data": found, "metadata": dict(metadata or {})}
            with self._lock:
                self._transcript.add(describe(found), output | {"execution_count": None})
            self._show(found, metadata, write)

        return written

    def _is_quiet(self) -> bool:
        """Whether the block ends with a semicolon. IPython would look at the cell, which is another text."""
        try:
            return bool(self._shell.displayhook.semicolon_at_end_of_expression(self._code))
        except Exception:  # noqa: BLE001 - a cell magic is not Python, and tokenizing it may fail in many ways
            return False

    def _on_page(self, data: Any, start: int = 0, screen_lines: int = 0) -> None:
        """Show what IPython would open a pager for (`name?`)."""
        text = data.get("text/plain", "") if isinstance(data, Mapping) else data
        self.say(plain(str(text)))

    # -- Errors -----------------------------------------------------------------------------------------------------

    def _traceback_shower(self, show: Callable[..., Any]) -> Callable[..., None]:
        def showtraceback(exc_tuple: Any = None, *args: Any, **options: Any) -> None:
            error = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
            if error is None:
                show(exc_tuple, *args, **options)
            elif isinstance(error, SystemExit):
                warnings.filterwarnings("ignore", message=_EXIT_HINT)  # taken back by `_without_hint`
                self.show_error("SystemExit", str(error), [f"SystemExit: {error}"])
            elif self._is_of_stop(error):
                pass  # said in words when the block has ended
            elif isinstance(error, subprocess.CalledProcessError) and _is_of_magic(error):
                self.show_error("CalledProcessError", "", [f"The script ended with exit code {error.returncode}."])
            else:
                hide_frames(error)
                group = format_group(error)
                if group is not None:
                    self._on_traceback(type(error), error, group)
                else:
                    show((type(error), error, error.__traceback__), *args, **options)

        return showtraceback

    def _is_of_stop(self, error: BaseException) -> bool:
        return (_is_cancelled(error) and self.is_stopped()) or (isinstance(error, KeyboardInterrupt) and self.is_told())

    def _on_traceback(self, kind: type[BaseException], error: BaseException, lines: list[str]) -> None:
        name = "RuntimeError" if kind is NotForAgentsError else kind.__name__
        self.show_error(name, _text_of(error), lines)

    # -- Shell commands ---------------------------------------------------------------------------------------------

    def _system(self, system: Callable[[str], Any]) -> Callable[[str], None]:
        def run(command: str) -> None:
            expanded = self._shell.var_expand(command, depth=1)  # here, where the caller's variables are in reach
            self._shell.user_ns.pop("_exit_code", None)
            try:
                with override(self._shell, "var_expand", lambda text, *args, **options: text):
                    system(expanded)
            finally:
                self._check_told()
            self._note_command(expanded, self._shell.user_ns.get("_exit_code"))

        return run

    def _check_told(self) -> None:
        """Pass an interrupt on. IPython ends the command with it, and goes on, or stumbles when it had just begun."""
        if self.is_told():
            raise KeyboardInterrupt from None

    def _getoutput(self, command: str, split: bool = True, depth: int = 0) -> Any:
        """Like IPython's, which does not tell how the command ended."""
        expanded = self._shell.var_expand(command, depth=depth + 1)
        done = subprocess.run(  # noqa: S602 - `x = !command` means the shell
            expanded,
            shell=True,
            executable=os.environ.get("SHELL") if os.name == "posix" else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self._shell.user_ns["_exit_code"] = done.returncode
        self._note_command(expanded, done.returncode)
        return self._as_lines(done.stdout.decode("utf-8", "replace"), split)

    def _note_command(self, command: str, status: Any) -> None:
        if isinstance(status, int) and status != 0:
            self.command_status = self.command_status or status
            self.say(f"`{command}` ended with exit code {status}.")


@contextmanager
def without_exit_hint() -> Iterator[None]:
    """Take back the filter that keeps IPython from explaining to agents how to end the kernel."""
    try:
        yield
    finally:
        kept = [one for one in warnings.filters if getattr(one[1], "pattern", one[1]) != _EXIT_HINT]
        if len(kept) != len(warnings.filters):
            warnings.filters[:] = kept  # type: ignore[index]


def _nothing(*args: Any, **options: Any) -> None:
    pass


def _refuse_exit(*args: Any, **options: Any) -> None:
    raise NotForAgentsError("exit() and quit() are not available to agent code: they would end the user's kernel.")


def _refuse_input(*args: Any, **options: Any) -> str:
    raise NotForAgentsError(
        "input() is not available to agent code. Put the value into a variable, or ask for it in your next message."
    )


def _child_work() -> float:
    """Grows with every child process that has ended and was waited for."""
    try:
        import resource
    except ImportError:  # not on Windows, where ipykernel has no pipe either
        return 0.0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_minflt + used.ru_utime


def _drain(stream: Any, *, had_children: bool) -> None:
    """Wait for what child processes have written: ipykernel reads their pipe in a thread.

    That the pipe is empty does not tell that what was in it has reached the stream.
    """
    pipe = getattr(stream, "_fid", None)
    if not isinstance(pipe, int):
        return
    import fcntl
    import termios

    deadline, waited = time.monotonic() + 0.5, had_children
    with suppress(OSError):
        while any(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))) and time.monotonic() < deadline:
            waited = True
            time.sleep(0.001)
    if waited:
        time.sleep(0.02)  # from the pipe into the stream


def _is_cancelled(error: BaseException) -> bool:
    return type(error).__name__ == "CancelledError"


def _is_of_magic(error: BaseException) -> bool:
    """Whether `%%bash` and its like raised it: its text would hold the whole script."""
    files = [frame.tb_frame.f_code.co_filename for frame in frames_of(error)]
    return bool(files) and files[-1].endswith(os.path.join("IPython", "core", "magics", "script.py"))


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error may fail to say what it is
        return "<an error that cannot be shown>"
