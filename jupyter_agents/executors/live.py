"""Running code in the user's own kernel: its variables, its display, its working state, and a truthful outcome.

Code here has all the rights of the user; whether it may run is decided before (`policy`). Limits of time are
advisory, for what computes in C cannot be interrupted. Who needs walls takes an isolated executor.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from jupyter_agents.code_blocks import PYTHON, SHELL, CodeBlock
from jupyter_agents.effects import Step
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.executors import processes
from jupyter_agents.executors.base import ExecutionResult
from jupyter_agents.executors.capture import Capture, without_exit_hint
from jupyter_agents.executors.changes import Bindings, Changes, summary
from jupyter_agents.executors.files import UnsafePathError, save_code
from jupyter_agents.executors.outputs import MAX_PAGE, MAX_TEXT
from jupyter_agents.executors.sink import current_sink, is_output_of_block, use_sink
from jupyter_agents.executors.snapshot import Snapshot
from jupyter_agents.executors.stopping import BlockTimeout, Stopper
from jupyter_agents.executors.turnstile import Turnstile
from jupyter_agents.executors.undo import history, new_block_id
from jupyter_agents.messages import scrub

TIMED_OUT = 124
"""The exit code of a block whose time was over, as `timeout(1)` has it."""

INTERRUPTED = 130
"""The exit code of a block that a person has interrupted, as a shell states it."""

_ACCEPTED = "python, py, ipython, sh, bash and shell"
_AWAIT_NEEDS_LOOP = (
    "The block was not run: it uses top-level `await`, which a synchronous chat cannot run inside a notebook. "
    "Write it without `await`; or, to run it, start the chat with `await agent.a_initiate_chat(…)`."
)
_AWAIT_NOT_ALLOWED = (
    "The block was not run: it uses top-level `await`, which is not available in a background chat. Write it without "
    "`await`; or run the coroutine with `asyncio.run` in a thread, and join the thread."
)
_UNFINISHED = "The block was not run: its closing fence is missing, so it may have been cut off. Send it again, whole."
_UNENCODABLE = "The block was not run: it holds lone surrogates, which are not text. Send it again without them."
_INTERRUPTED = "The block was interrupted by the user."
_turnstile = Turnstile()


class LiveExecutor:
    """Runs blocks in the IPython shell of this process, and scripts as processes of their own.

    `shell` is an IPython shell; by default that of this kernel or terminal, and in a plain script one that is made
    when it is first needed and works on the variables of `__main__`. `work_dir` is where `# filename:` blocks are
    saved, and the working directory while a block runs; it is made if needed, and a relative one is meant from the
    directory that is current now. `timeout` is in seconds, and holds in whichever thread a block runs.
    What computes in C, and outside the main thread what waits there (`time.sleep`), goes on until it returns; then the
    block ends, and has timed out. Without `allow_input`, a call of `input()` is an error that the model reads. Without
    `allow_await`, a block with top-level `await` is refused: for chats beside which other cells run, whose output a
    block that awaits would take for its own. `max_text` and `max_page` are the most characters of output that the model
    and the notebook get of one block.

    >>> from jupyter_agents.drive import drive
    >>> executor = LiveExecutor()
    >>> drive(executor.execute(CodeBlock("json", "{}"))).status
    'refused'
    """

    def __init__(
        self,
        shell: Any = None,
        *,
        work_dir: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
        allow_input: bool = False,
        allow_await: bool = True,
        max_text: int = MAX_TEXT,
        max_page: int = MAX_PAGE,
    ) -> None:
        if timeout is not None and timeout <= 0:
            raise ConfigurationError(
                f"Cannot limit code to timeout={timeout!r}: it is a number of seconds above 0. Use None for no limit."
            )
        self.work_dir = None if work_dir is None else os.path.abspath(work_dir)
        self.timeout = timeout
        self.allow_input = allow_input
        self.allow_await = allow_await
        self.max_text = max_text
        self.max_page = max_page
        self._shell = shell

    def __repr__(self) -> str:
        return f"LiveExecutor(work_dir={self.work_dir!r}, timeout={self.timeout!r})"

    @property
    def shell(self) -> Any:
        """The IPython shell in which blocks run."""
        if self._shell is None:
            self._shell = _find_shell()
        return self._shell

    def knows(self, language: str) -> bool:
        """Whether blocks of this language run here: Python, shell scripts, and what the shell has a cell magic for."""
        return language in PYTHON | SHELL or _language_magic(self.shell, language) is not None

    async def execute(self, block: CodeBlock) -> ExecutionResult:
        """Run the block to its end, its outputs shown in the current cell.

        Raises `KeyboardInterrupt` when a person interrupts it. Everything else that may happen is a result.
        """
        magic = _language_magic(self.shell, block.language)
        refusal = _refusal(block, is_known=magic is not None)
        if refusal:
            return ExecutionResult.refused(refusal)
        result = ExecutionResult(0)
        for step in self._steps(block, magic):
            result = await step
            if not result.ok:
                break
        return result

    def _steps(self, block: CodeBlock, magic: str | None) -> Iterator[Step[ExecutionResult]]:
        if block.filename:
            yield _Save(self, block.filename, block.code)
        if block.is_python:
            yield _RunPython(self, block.code)
        elif block.language in SHELL:
            yield _RunScript(self, block.code, block.language)
        elif magic:
            yield _RunPython(self, f"%%{magic}\n{block.code}")

    def _made_work_dir(self) -> str | None:
        if self.work_dir is not None:
            try:
                os.makedirs(self.work_dir, exist_ok=True)
            except OSError as error:
                raise ConfigurationError(
                    f"Cannot use work_dir={self.work_dir!r}: {error.strerror}. Name a directory that can be made."
                ) from error
        return self.work_dir


def _language_magic(shell: Any, language: str) -> str | None:
    """The cell magic that runs a language (`%%ruby`, `%%sql`, `%%R`), if the shell has one.

    What shows text on the page as it is (HTML, JavaScript) is not among them: an agent's text is never that.
    """
    if not language or language in PYTHON | SHELL | _NOT_LANGUAGES:
        return None
    return next((name for name in shell.magics_manager.magics["cell"] if name.lower() == language), None)


def _refusal(block: CodeBlock, *, is_known: bool) -> str | None:
    if not block.closed:
        return _UNFINISHED
    if block.language not in PYTHON | SHELL and not is_known and not block.filename:
        what = f"the language {block.language!r} cannot be run" if block.language else "it names no language"
        return (
            f"The block was not run: {what}. These can be: {_ACCEPTED}. "
            "Other files are saved when their first line is `# filename: <name>`."
        )
    return None if scrub(block.code) == block.code else _UNENCODABLE


_NOT_LANGUAGES = frozenset(
    "! agent agentchat capture code_wrap debug file html javascript js latex markdown mprun memit prun script svg sx "
    "system time timeit writefile".split()
)
"""Cell magics that are no languages, or that put a text on the page as it is."""


# -- A block under way -------------------------------------------------------------------------------------------


class _Block:
    """One block while it runs: everything it could break is kept, everything it shows is collected."""

    def __init__(self, executor: LiveExecutor, code: str, *, has_namespace: bool = True) -> None:
        self.executor, self.code = executor, code
        self.shell = executor.shell
        self.bindings = Bindings(self.shell.user_ns) if has_namespace else None
        self.capture = Capture(
            self.shell,
            code,
            as_lines=_as_lines,
            max_text=executor.max_text,
            max_page=executor.max_page,
            sink=current_sink.get(),
        )
        self.stopper = Stopper(
            breakable=(type(self.shell).run_code, processes.pump),
            guarded=(
                _Block.__enter__, _Block.run, _Block.a_run, _Block.run_awaiting, _Block.run_script, _Block.__exit__,
            ),
            is_ours=_is_ours,
        )  # fmt: skip
        self.capture.is_stopped = lambda: self.stopper.has_stopped
        self.capture.is_told = lambda: self.stopper.told
        self.capture.is_ours = _is_output
        self.snapshot = Snapshot(self.shell)
        self.started = time.monotonic()
        self._is_alone = True  # no cell has begun since
        self._was_alone = not _is_beside_a_cell(self.shell)
        self._stack = ExitStack()

    def __enter__(self) -> _Block:
        with ExitStack() as stack:
            stack.callback(lambda: self.snapshot.restore(is_alone=self._is_alone))
            stack.enter_context(self._noticing_cells())
            directory = self.executor._made_work_dir()
            if directory is not None:
                os.chdir(directory)
            stack.enter_context(without_exit_hint())
            stack.enter_context(self.capture.listening(allow_input=self.executor.allow_input))
            stack.enter_context(use_sink(None))  # a block of this block shows its things by way of it
            stack.enter_context(self.stopper.watching(self.executor.timeout))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        with self._stack:
            if self.stopper.timed_out:
                self.capture.say(f"The block timed out after {self.executor.timeout:g} s.")
            elif self.stopper.told and not self.stopper.interrupted:
                self.capture.say(_INTERRUPTED)

    @contextmanager
    def _noticing_cells(self) -> Iterator[None]:
        """Notice when a cell that this block has not started runs while it awaits."""
        events = self.shell.events

        def begins() -> None:
            self._is_alone = self._is_alone and _turnstile.is_inside()

        events.register("pre_execute", begins)
        try:
            yield
        finally:
            with suppress(ValueError):  # the block may have removed it
                events.unregister("pre_execute", begins)

    def run(self) -> int:
        """Run it as IPython does; its exit code."""
        try:
            result = self.stopper.reachably(lambda: self.shell.run_cell(self.code, store_history=False))
        except BaseException as error:  # noqa: BLE001 - code too deep to compile escapes run_cell, for one
            self.snapshot.restore_builtins()
            return self._escaped(error)
        self.snapshot.restore_builtins()
        return self._outcome(result)

    async def a_run(self, transformed: str) -> int:
        """Run it as a task of the running loop, for it awaits something; its exit code."""
        task = asyncio.ensure_future(
            self.shell.run_cell_async(self.code, store_history=False, transformed_cell=transformed)
        )
        result = None
        try:
            with self.stopper.cancelling(task):
                result = await task
        except asyncio.CancelledError:
            if not self.stopper.has_stopped:
                raise
        finally:
            self.snapshot.restore_builtins()
            self.shell.events.trigger("post_execute")  # run_cell_async does not; figures are drawn by it
            self.shell.events.trigger("post_run_cell", result)
        current = asyncio.current_task()
        if current is not None and current.cancelling() and not self.stopper.interrupted:
            raise asyncio.CancelledError  # run_cell_async has swallowed it
        return 1 if result is None else self._outcome(result)

    def run_awaiting(self, transformed: str) -> int:
        """The same where no loop is running: on the one that IPython keeps for this."""
        from IPython.core.async_helpers import get_asyncio_loop

        return int(get_asyncio_loop().run_until_complete(self.a_run(transformed)))

    def run_script(self, shell: str) -> int:
        """Run it as a script; its exit code."""
        try:
            return self.stopper.reachably(lambda: processes.run_script(shell, self.code, self.capture.write))
        except (OSError, ValueError) as error:
            self.capture.show_error(type(error).__name__, str(error), [f"Cannot run {shell}: {error}"])
            return 127 if isinstance(error, FileNotFoundError) else 126
        except (KeyboardInterrupt, BlockTimeout):
            return 130

    def result(self, exit_code: int) -> ExecutionResult:
        """What came of it, after it has ended. Raises `KeyboardInterrupt` when a person ended it, with that as `partial`."""
        if self.stopper.interrupted:
            stop: Any = KeyboardInterrupt()
            stop.partial = self._result(INTERRUPTED)
            raise stop
        if self.stopper.timed_out or self.stopper.told:
            exit_code = TIMED_OUT if self.stopper.timed_out else INTERRUPTED
        return self._result(exit_code)

    def _result(self, exit_code: int) -> ExecutionResult:
        seconds = time.monotonic() - self.started
        status: Literal["ok", "error"] = "error" if exit_code else "ok"
        block_id = new_block_id(self.code)
        changes = self._changes(block_id)
        return ExecutionResult(
            exit_code, self.capture.text, self.capture.outputs, status, seconds, changes=changes, block_id=block_id
        )

    def _changes(self, block_id: str) -> Changes | None:
        """What the block has changed in the namespace; kept for undoing it, too."""
        if self.bindings is None:
            return None
        if not (self._is_alone and self._was_alone):
            return Changes(is_known=False)
        namespace = self.shell.user_ns
        differences, resized = self.bindings.differences(namespace), self.bindings.resized(namespace)
        history().keep(block_id, namespace, differences, resized)
        return summary(differences, resized)

    def _outcome(self, result: Any) -> int:
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            if self.capture.error is None and not self.stopper.has_stopped:
                self._show(error)
            return _exit_code(error)
        return self.capture.command_status or (1 if self.capture.error else 0)

    def _escaped(self, error: BaseException) -> int:
        if not self.stopper.has_stopped:
            self._show(error)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a coroutine of run_cell that was never awaited
            error.__traceback__ = None
        return _exit_code(error)

    def _show(self, error: BaseException) -> None:
        kind = type(error).__name__
        self.capture.show_error(kind, str(error), [f"{kind}: {error}"])


def _is_ours() -> bool:
    """Whether the block that runs has started this code. Its threads do not have its context; cells have the main one."""
    return _turnstile.is_inside() or threading.current_thread() is not threading.main_thread()


def _is_output() -> bool:
    """Whether what is shown now is an output of the block: a message of a chat may be shown while it runs."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_output_of_block(is_inside=_turnstile.is_inside(), is_main=is_main)


def _is_beside_a_cell(shell: Any) -> bool:
    """Whether a cell of the main thread runs, this being another one."""
    if threading.current_thread() is threading.main_thread():
        return False
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and frame.f_code is not type(shell).run_code.__code__:
        frame = frame.f_back
    return frame is not None


def _exit_code(error: BaseException) -> int:
    """The exit code of a block that ended with this error: never 0, whatever `sys.exit(0)` says."""
    code = getattr(error, "code", None) if isinstance(error, SystemExit) else None
    if isinstance(error, subprocess.CalledProcessError):
        code = error.returncode
    return int(code) if isinstance(code, int) and code != 0 else 1


# -- How a block is run ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Save(Step[ExecutionResult]):
    """Save a block as a file. Not while another block has the working directory changed."""

    executor: LiveExecutor
    filename: str
    code: str

    def perform(self) -> ExecutionResult:
        with _turnstile.hold():
            return self._save()

    async def a_perform(self) -> ExecutionResult:
        async with _turnstile.a_hold():
            return self._save()

    def _save(self) -> ExecutionResult:
        try:
            saved = save_code(self.executor._made_work_dir(), self.filename, self.code)
        except UnsafePathError as error:
            return ExecutionResult.refused(str(error))
        return ExecutionResult(0, f"Saved to {saved}.")


@dataclass(frozen=True, slots=True)
class _RunPython(Step[ExecutionResult]):
    """Run Python in the live kernel."""

    executor: LiveExecutor
    code: str

    def perform(self) -> ExecutionResult:
        transformed = self._awaiting()
        if transformed is not None and not self.executor.allow_await:
            return ExecutionResult.refused(_AWAIT_NOT_ALLOWED)
        if transformed is not None and _is_loop_running():
            return ExecutionResult.refused(_AWAIT_NEEDS_LOOP)
        with _turnstile.hold():
            with _Block(self.executor, self.code) as block:
                exit_code = block.run() if transformed is None else block.run_awaiting(transformed)
            return block.result(exit_code)

    async def a_perform(self) -> ExecutionResult:
        async with _turnstile.a_hold():
            transformed = self._awaiting()
            if transformed is not None and not self.executor.allow_await:
                return ExecutionResult.refused(_AWAIT_NOT_ALLOWED)
            block = _Block(self.executor, self.code)
            try:
                with block:
                    exit_code = block.run() if transformed is None else await block.a_run(transformed)
            except asyncio.CancelledError as stop:
                stop.partial = block._result(INTERRUPTED)  # type: ignore[attr-defined]  # as a KeyboardInterrupt has it
                raise
            return block.result(exit_code)

    def _awaiting(self) -> str | None:
        """The code as Python, when it has top-level `await` in it; an input transformer (`%%agentchat`) may add it."""
        shell = self.executor.shell
        try:
            transformed = str(shell.transform_cell(self.code))
            if "await" not in transformed and "async" not in transformed:
                return None
            return transformed if shell.should_run_async(self.code, transformed_cell=transformed) else None
        except (Exception, RecursionError):  # noqa: BLE001 - run_cell will say what is wrong with the code
            return None


@dataclass(frozen=True, slots=True)
class _RunScript(Step[ExecutionResult]):
    """Run a shell script beside the live kernel."""

    executor: LiveExecutor
    code: str
    language: str

    def perform(self) -> ExecutionResult:
        with _turnstile.hold():
            return self._run()

    async def a_perform(self) -> ExecutionResult:
        async with _turnstile.a_hold():
            return self._run()

    def _run(self) -> ExecutionResult:
        with _Block(self.executor, self.code, has_namespace=False) as block:
            exit_code = block.run_script("sh" if self.language == "sh" else "bash")
        return block.result(exit_code)


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _as_lines(output: str, split: bool) -> Any:
    """What `x = !command` gives: IPython's own kinds of list and text."""
    from IPython.utils.text import LSString, SList

    return SList(output.splitlines()) if split else LSString(output)


def _find_shell() -> Any:
    """The shell of this kernel or terminal; in a plain script a new one, on the variables of `__main__`."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is not None:
        return shell
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    main = sys.modules["__main__"]
    return InteractiveShell.instance(config=config, user_module=main, user_ns=vars(main))
