"""What a block costs in the live executor: beside a plain `run_cell`, alternating, in one real ipykernel.

Run it with `python benchmarks/live_executor.py [blocks]`. Times are CPU time of the kernel's process, in milliseconds
a block; the ratio and the difference are what counts.
"""

from __future__ import annotations

import ast
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

BLOCKS = {
    "assignment": "x = 1",
    "value": "1 + 1",
    "print": "print('hello')",
    "100 lines": "for i in range(100): print(i)",
    "frame": "frame",
    "top-level await": "import asyncio; await asyncio.sleep(0)",
}

IN_KERNEL = """
import json, time
from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.drive import a_drive
from jupyter_agents.executors.live import LiveExecutor
import pandas
frame = pandas.DataFrame({"a": range(10)})
executor, shell = LiveExecutor(), get_ipython()

async def plain(code):
    source = shell.transform_cell(code)
    if shell.should_run_async(code, transformed_cell=source):
        await shell.run_cell_async(code, transformed_cell=source)
        shell.events.trigger("post_execute")
    else:
        shell.run_cell(code)

async def ours(code):
    result = await a_drive(executor.execute(CodeBlock("python", code)))
    assert result.ok, result

async def timed(run, code):
    started = time.process_time()
    await run(code)
    return 1000 * (time.process_time() - started)

async def measure(code, number):
    pairs = []
    for index in range(number + 5):
        pair = {}
        for run in (plain, ours) if index % 2 else (ours, plain):
            pair[run.__name__] = await timed(run, code)
        pairs.append(pair)
    return pairs[5:]
"""


def main() -> None:
    """Measure every block, and print a table."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(Path(__file__).parent.parent))
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        execute(client, IN_KERNEL)
        print(
            f"{'block':<16} {'run_cell':>9} {'executor':>9} {'added':>7} {'ratio':>6}   (medians, ms of CPU; target: 2 added)"
        )
        for name, code in BLOCKS.items():
            pairs = execute(client, f"_found = json.dumps(await measure({code!r}, {number}))", "_found")
            report(name, pairs)
    finally:
        manager.shutdown_kernel(now=True)


def report(name: str, pairs: list[dict[str, float]]) -> None:
    """Print a line of the table."""
    plain, ours = (statistics.median(pair[which] for pair in pairs) for which in ("plain", "ours"))
    added = statistics.median(pair["ours"] - pair["plain"] for pair in pairs)
    print(f"{name:<16} {plain:>9.2f} {ours:>9.2f} {added:>7.2f} {ours / plain:>6.2f}")


def execute(client: Any, code: str, expression: str | None = None) -> Any:
    """Execute a cell; the JSON that an expression holds afterwards."""
    reply = client.execute_interactive(
        code,
        timeout=300,
        user_expressions={"value": expression} if expression else {},
        output_hook=lambda message: None,
    )["content"]
    if reply["status"] != "ok":
        sys.exit("\n".join(reply["traceback"]))
    found = reply["user_expressions"].get("value")
    return found and json.loads(ast.literal_eval(found["data"]["text/plain"]))


if __name__ == "__main__":
    main()
