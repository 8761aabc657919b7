"""What the tests of the live executor run inside the kernel; a module, so that no block can wipe it out."""

import asyncio
import json

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.drive import a_drive, drive
from jupyter_agents.executors.base import ExecutionResult
from jupyter_agents.executors.live import LiveExecutor


def run(code: str, language: str = "python", **options: object) -> str:
    """The result of a block under the synchronous driver, as JSON."""
    try:
        return _as_json(drive(LiveExecutor(**options).execute(CodeBlock(language, code))))
    except KeyboardInterrupt:
        return '"interrupted"'


async def a_run(code: str, language: str = "python", **options: object) -> str:
    """The same under the asynchronous driver."""
    try:
        return _as_json(await a_drive(LiveExecutor(**options).execute(CodeBlock(language, code))))
    except asyncio.CancelledError:  # which an interrupt is to what awaits
        return '"interrupted"'


def _as_json(result: ExecutionResult) -> str:
    return json.dumps(
        {
            "exit_code": result.exit_code,
            "status": result.status,
            "text": result.text,
            "outputs": list(result.outputs),
            "seconds": result.seconds,
        }
    )
