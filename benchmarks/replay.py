"""What replaying a recording costs, beside reading its file with `json.loads` and beside hashing every request anew.

    python -m benchmarks.replay

Chats of 40, 200 and 2,000 turns are recorded and replayed through the tape alone, the variants alternating in one
run. As an agent does, every request is built of new dictionaries; building it is not part of the time.
Prints JSON: milliseconds (the best of the rounds), and ratios within the run.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from jupyter_agents.effects import Complete
from jupyter_agents.journal.recording import Recording, Tape
from jupyter_agents.journal.trust import TrustStore
from jupyter_agents.models.base import ModelReply, ModelRequest

WORDS = "exitcode: 0 (execution succeeded)\nCode output: the mean of column height is 1.76 m, n = 3,141 rows.\n" * 4
TOOLS = [{"type": "function", "function": {"name": "python", "parameters": {"type": "object", "properties": {}}}}]


class NoModel:
    """Stands where a model would; a tape never calls it."""

    scripted = True


def requests(turns: int) -> Iterator[tuple[Complete, ModelReply]]:
    messages: list[dict[str, object]] = [{"role": "system", "content": WORDS * 8}]
    for turn in range(turns):
        messages.append({"role": "user", "content": f"{turn}: {WORDS}"})
        reply = f"Turn {turn}:\n```python\ndf.describe()\n```\n{WORDS}"
        request = ModelRequest([dict(message) for message in messages], {"temperature": 0.5, "tools": TOOLS})
        yield Complete("assistant", NoModel(), request), ModelReply(reply)
        messages.append({"content": reply, "role": "assistant"})


def timed(tape: Tape, turns: int, call: Callable[[Tape, Complete, ModelReply], object]) -> list[float]:
    spent = []
    for effect, reply in requests(turns):
        started = time.perf_counter()
        call(tape, effect, reply)
        spent.append(time.perf_counter() - started)
    return spent


def record(tape: Tape, effect: Complete, reply: ModelReply) -> None:
    tape.record(effect, reply, chat=0, agent="assistant")


def replay(tape: Tape, effect: Complete, reply: ModelReply) -> None:
    found = tape.replay(effect, chat=0, agent="assistant")
    assert found is not None
    assert found.content == reply.content


def hash_all(tape: Tape, effect: Complete, reply: ModelReply) -> None:
    hashlib.sha256(json.dumps(effect.request.messages, sort_keys=True).encode()).hexdigest()


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def measure(turns: int, rounds: int, directory: Path) -> dict[str, object]:
    path = directory / f"{turns}.jsonl"
    tape = Recording.open(path, "record", trust=TrustStore(directory / "trust")).conversation()
    recorded = timed(tape, turns, record)
    closed = seconds(tape.close)
    found: dict[str, list[float]] = {"open": [], "replay": [], "last": [], "first": [], "json": [], "hash_all": []}
    for _ in range(rounds):
        found["json"].append(seconds(lambda: [json.loads(line) for line in path.read_bytes().splitlines()]))
        found["open"].append(seconds(lambda: Recording.open(path, "replay")))
        each = timed(Recording.open(path, "replay").conversation(), turns, replay)
        found["replay"].append(sum(each))
        found["first"].append(statistics.median(each[1 : turns // 4]))
        found["last"].append(statistics.median(each[-turns // 4 :]))
    found["hash_all"].append(sum(timed(tape, turns, hash_all)))  # once: this is the slow one
    best = {name: min(times) for name, times in found.items()}
    whole = best["open"] + best["replay"]
    return {
        "turns": turns,
        "file_kib": round(path.stat().st_size / 1024, 1),
        "open_ms": round(best["open"] * 1e3, 3),
        "replay_ms": round(best["replay"] * 1e3, 3),
        "open_and_replay_ms": round(whole * 1e3, 3),
        "record_ms": round(sum(recorded) * 1e3, 3),
        "close_ms": round(closed * 1e3, 3),
        "json_loads_ms": round(best["json"] * 1e3, 3),
        "ratio_to_json_loads": round(whole / best["json"], 2),
        "ratio_to_hashing_all": round(best["replay"] / best["hash_all"], 3),
        "turn_us_first_quarter": round(best["first"] * 1e6, 1),
        "turn_us_last_quarter": round(best["last"] * 1e6, 1),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        found = [measure(turns, rounds, Path(directory)) for turns, rounds in ((40, 15), (200, 7), (2000, 2))]
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
