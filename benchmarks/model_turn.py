"""CPU of one model call: `OpenAIModel` beside the raw floor and the SDK, with the same server, alternating in one run.

Rows: a call at 20, 200 and 2,000 messages of history, and a stream of 5,000 chunks. Columns: `floor` (httpx2 + JSON, no
SDK; for the stream, bytes read and each line parsed with jiter), `post` (the SDK's `client.post`), `create` (the SDK's
typed `create()`), `ours` (streaming, as it is by default), `ours_whole` (not streaming), `ours_async`.

    python benchmarks/model_turn.py [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_agents.drive import a_drive, drive
from jupyter_agents.models import ModelRequest, OpenAIModel
from jupyter_agents.testing import FakeOpenAIServer, ServerReply

CHUNKS = 5_000
HISTORIES = (20, 200, 2_000)
TARGETS = {
    "20 messages": "ours ≤ post + 0.5 ms",
    "200 messages": "ours ≤ 2× floor",
    "2000 messages": "ours ≤ 2× floor",
    "5000 chunks": "ours ≤ 3× floor",
}
TEXT = "A message of middling length, as agents write them to each other, with a little code: `print(1)`. "


def serve(pipe: Any) -> None:
    """Run the server in a process of its own until the pipe says stop."""
    with FakeOpenAIServer() as server:
        burst = ServerReply(text="word " * CHUNKS)
        server.respond_with(lambda request: burst if request.body["model"] == "burst" else "Done.")
        pipe.send(server.base_url)
        pipe.recv()
        pipe.send(len(server.requests))


def history(size: int) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[number % 2], "content": f"{number}: {TEXT}"} for number in range(size)]


def contenders(url: str, model: str, messages: list[dict[str, str]]) -> dict[str, Callable[[], Any]]:
    """Ways to make the same call; each gives the text of the reply."""
    import httpx2
    import jiter
    import openai

    http = httpx2.Client(timeout=60)
    sdk = openai.OpenAI(base_url=url, api_key="k", max_retries=0)
    ours = OpenAIModel(model, base_url=url, api_key="k")
    whole = OpenAIModel(model, base_url=url, api_key="k", stream=False)
    request = ModelRequest(messages)
    body = {"model": model, "messages": messages}
    loop = asyncio.new_event_loop()

    def floor() -> str:
        reply = http.post(f"{url}/chat/completions", content=json.dumps(body).encode(), headers={"Authorization": "k"})
        return str(json.loads(reply.content)["choices"][0]["message"]["content"])

    def floor_stream() -> str:
        content = json.dumps({**body, "stream": True}).encode()
        text, tail = [], b""
        with http.stream("POST", f"{url}/chat/completions", content=content) as reply:
            for piece in reply.iter_raw():
                *lines, tail = (tail + piece).split(b"\n")
                chunks = [jiter.from_json(line[6:]) for line in lines if line.startswith(b"data: {")]
                text += [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]
        return "".join(text)

    def post() -> str:
        reply: Any = sdk.post("/chat/completions", body=body, cast_to=object)
        return str(reply["choices"][0]["message"]["content"])

    def create() -> str:
        return str(sdk.chat.completions.create(model=model, messages=messages).choices[0].message.content)  # type: ignore[arg-type]

    def create_stream() -> str:
        chunks: Any = sdk.chat.completions.create(model=model, messages=messages, stream=True)  # type: ignore[arg-type]
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    def ours_async() -> str:
        return str(loop.run_until_complete(a_drive(ours.complete(request))).content)

    own = {"ours": lambda: drive(ours.complete(request)).content, "ours_async": ours_async}
    if model == "burst":
        return {"floor": floor_stream, "create": create_stream, **own}
    return {
        "floor": floor,
        "post": post,
        "create": create,
        **own,
        "ours_whole": lambda: drive(whole.complete(request)).content,
    }


def measure(ways: dict[str, Callable[[], Any]], rounds: int, calls: int) -> dict[str, dict[str, float]]:
    """CPU milliseconds of one call and their ratio to the floor: medians over rounds in which all take turns."""
    said = {name: way() for name, way in ways.items()}  # also warms every one of them
    assert len(set(said.values())) == 1, {name: text[:40] for name, text in said.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()  # nobody pays for the garbage of another
            started = time.process_time()
            for _ in range(calls):
                way()
            times[name].append((time.process_time() - started) / calls * 1000)
    return {
        name: {
            "ms": statistics.median(found),
            "to_floor": statistics.median(one / floor for one, floor in zip(found, times["floor"], strict=True)),
        }
        for name, found in times.items()
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--json", type=Path, help="write the results to this file as well")
    given = options.parse_args()
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = here.recv()
    results = {
        f"{size} messages": measure(contenders(url, "m", history(size)), given.rounds, calls_a_turn(size))
        for size in HISTORIES
    }
    results[f"{CHUNKS} chunks"] = measure(contenders(url, "burst", history(1)), given.rounds, 1)
    here.send("stop")
    calls = here.recv()
    server.join()
    made = sum(len(results[f"{size} messages"]) * (1 + given.rounds * calls_a_turn(size)) for size in HISTORIES)
    made += len(results[f"{CHUNKS} chunks"]) * (1 + given.rounds)
    assert calls == made, f"the server counted {calls} calls where {made} were made"
    report(results, given.json)


def calls_a_turn(size: int) -> int:
    return max(5, 4_000 // size)


def report(results: dict[str, dict[str, dict[str, float]]], path: Path | None) -> None:
    found = json.dumps({"unit": "CPU ms a call", "targets": TARGETS, "rows": results}, indent=1)
    print(found)
    if path:
        path.write_text(found)
    for row, ways in results.items():
        cells = [f"{name} {one['ms']:.2f} ms ({one['to_floor']:.2f}×)" for name, one in ways.items()]
        print(f"{row:>15}  " + "  ".join(cells) + f"  target: {TARGETS[row]}")


if __name__ == "__main__":
    main()
