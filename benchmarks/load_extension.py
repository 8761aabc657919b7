"""CPU and memory of `%load_ext jupyter_agents` in a real kernel, beside `import ipywidgets`, and of the first chat.

Each measurement has an ipykernel of its own, as a front end would start it; the two take turns.
Target: at most 0.15 s and 10 MB for loading, and no openai imported.

    python -m benchmarks.load_extension [--rounds N]
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

PREPARE = """
import json, resource, sys, time
def _memory():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6
def _measured(work):
    memory, started = _memory(), time.process_time()
    work()
    return {"seconds": time.process_time() - started, "megabytes": _memory() - memory}
"""
REFERENCE = '_found = _measured(lambda: __import__("ipywidgets"))'
LOAD = """
_found = _measured(lambda: get_ipython().run_line_magic("load_ext", "jupyter_agents"))
_found["openai"] = "openai" in sys.modules
"""
SCRIPT = """
from jupyter_agents.session import current_session
from jupyter_agents.testing import ScriptedModel
current_session().settings.model = ScriptedModel(["Hello. TERMINATE"])
_before = time.process_time()
"""
FIRST_CHAT = "%%agentchat --quiet\nHello"
AFTER_CHAT = '_found = {"seconds": time.process_time() - _before, "openai": "openai" in sys.modules}'


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    found: dict[str, list[dict[str, Any]]] = {"ipywidgets": [], "load_ext": [], "first_chat": []}
    for _ in range(rounds):
        [reference] = in_new_kernel([REFERENCE])
        loaded, chat = in_new_kernel([LOAD], [SCRIPT, FIRST_CHAT, AFTER_CHAT])
        for name, one in zip(found, (reference, loaded, chat), strict=True):
            found[name].append(one)
    report(found)


def in_new_kernel(*parts: list[str]) -> list[dict[str, Any]]:
    """Execute cells in a kernel that has just started; what each part has left in `_found`."""
    manager, client = start_new_kernel(
        startup_timeout=60,
        kernel_name="python3",
        cwd=str(Path(__file__).parent.parent),
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        execute(client, PREPARE)
        return [execute(client, *cells) for cells in parts]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def execute(client: Any, *cells: str) -> dict[str, Any]:
    """Execute cells; the JSON of `_found` after the last of them."""
    reply: dict[str, Any] = {}
    for cell in cells:
        ask = {"found": "json.dumps(globals().get('_found', {}))"}
        reply = client.execute_interactive(
            cell, timeout=120, user_expressions=ask, output_hook=lambda message: None, allow_stdin=False
        )["content"]
        if reply["status"] != "ok":
            sys.exit("\n".join(reply["traceback"]))
    value: dict[str, Any] = json.loads(ast.literal_eval(reply["user_expressions"]["found"]["data"]["text/plain"]))
    return value


def report(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print medians, and whether the target is met."""
    seconds = {name: statistics.median(one["seconds"] for one in many) for name, many in found.items()}
    memory = {name: statistics.median(one["megabytes"] for one in found[name]) for name in ("ipywidgets", "load_ext")}
    ratio = statistics.median(
        ours["seconds"] / reference["seconds"]
        for ours, reference in zip(found["load_ext"], found["ipywidgets"], strict=True)
    )
    imports_openai = {name: any(one["openai"] for one in found[name]) for name in ("load_ext", "first_chat")}
    print(json.dumps({"seconds": seconds, "megabytes": memory, "ratio": ratio, "imports_openai": imports_openai}))
    met = seconds["load_ext"] <= 0.15 and memory["load_ext"] <= 10 and not imports_openai["load_ext"]
    print(
        f"%load_ext: {seconds['load_ext'] * 1000:.0f} ms CPU, {memory['load_ext']:.1f} MB; {ratio:.2f}× import ipywidgets "
        f"({seconds['ipywidgets'] * 1000:.0f} ms, {memory['ipywidgets']:.1f} MB). {'met' if met else 'MISSED'}\n"
        f"first chat (scripted, nothing shown): {seconds['first_chat'] * 1000:.0f} ms more"
    )


if __name__ == "__main__":
    main()
