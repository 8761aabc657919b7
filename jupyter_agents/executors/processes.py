"""Running a shell script as a process of its own: output as it comes, a real exit status, nothing left behind."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import shutil
import signal
import subprocess
from collections.abc import Callable

_GRACE = 0.5  # seconds between asking a script to end and killing it
_TICK = 0.1
_CHUNK = 65_536


def run_script(shell: str, script: str, show: Callable[[str], object]) -> int:
    """Run `script` with `bash` or `sh` in the current directory; its exit status, as a shell states it.

    Its standard output and error are one stream, handed to `show` as they come. Its standard input is empty. An
    exception in this thread (an interrupt, the end of the time) ends the script and all that it has started in its
    process group; processes that it leaves in the background when it ends by itself live on.
    """
    program = shutil.which(shell) or shell
    with subprocess.Popen(
        [program, "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            pump(process, show)
            status = process.wait()
        except BaseException:
            _end(process)
            raise
    return 128 - status if status < 0 else status


def pump(process: subprocess.Popen[bytes], show: Callable[[str], object]) -> None:
    """Hand on what the script says until it has ended. A child of it may hold the pipe open for longer."""
    assert process.stdout is not None
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            has_ended = process.poll() is not None
            if selector.select(0 if has_ended else _TICK):
                data = os.read(process.stdout.fileno(), _CHUNK)
                if not data:
                    break
                show(decode(data))
            elif has_ended:
                break
    if rest := decode(b"", True):
        show(rest)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
