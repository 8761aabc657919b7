"""CPU and memory of `%load_ext jupyter_agents` in a shell that runs already, and of the first `%%agentchat` cell.

Each round is a process of its own. Target: at most 0.15 s and 10 MB for loading, and no openai imported.

    python benchmarks/load_extension.py [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

PROBE = """
import json, resource, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("import asyncio, json; 1 + 1", store_history=False)
memory = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6
before, started = memory(), time.process_time()
shell.run_line_magic("load_ext", "jupyter_agents")
loaded, held = time.process_time() - started, memory() - before
from_load = sorted(sys.modules)
started = time.process_time()
from jupyter_agents.session import current_session
from jupyter_agents.testing import ScriptedModel
current_session().settings.model = ScriptedModel(["Hello. TERMINATE"])
shell.run_cell("%%agentchat --quiet\\nHello", store_history=False)
print(json.dumps({"seconds": loaded, "megabytes": held, "first_chat": time.process_time() - started,
                  "openai": "openai" in from_load, "heavy_after_chat": "openai" in sys.modules}))
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    found = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.strip().splitlines()[-1]))
    median = {key: statistics.median(one[key] for one in found) for key in ("seconds", "megabytes", "first_chat")}
    met = median["seconds"] <= 0.15 and median["megabytes"] <= 10 and not any(one["openai"] for one in found)
    print(json.dumps({"rounds": rounds, **median}))
    print(
        f"%load_ext: {median['seconds'] * 1000:.0f} ms CPU, {median['megabytes']:.1f} MB; "
        f"first chat (scripted, nothing shown): {median['first_chat'] * 1000:.0f} ms more. {'met' if met else 'MISSED'}"
    )


if __name__ == "__main__":
    main()
