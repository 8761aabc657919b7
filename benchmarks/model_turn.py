"""CPU of one model call: `OpenAIModel` beside the raw floor and the SDK, with the same server, alternating in one run.

Rows: a call at 20, 200 and 2,000 messages of history, one at 200 with eight tools, and a stream of 5,000 chunks. Columns: `floor` (httpx2 + JSON, no
SDK; for the stream, bytes read and each line parsed with jiter), `post` (the SDK's `client.post`), `create` (the SDK's
typed `create()`), `ours` (streaming, as it is by default), `ours_whole` (not streaming). Those that begin with `a_` do
the same on an event loop, and are compared with `a_floor`.

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
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_agents.drive import a_drive, drive
from jupyter_agents.models import ModelRequest, OpenAIModel
from jupyter_agents.testing import FakeOpenAIServer, ServerReply, ServerRequest

CHUNKS = 5_000
HISTORIES = (20, 200, 2_000)
TARGETS = {
    "20 messages": "ours ≤ post + 0.5 ms",
    "200 messages": "ours ≤ 2× floor",
    "2000 messages": "ours ≤ 2× floor",
    "200 messages, tools": "ours ≤ 2× floor",
    "5000 chunks": "ours ≤ 3× floor",
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"look_up_{number}",
            "description": "Looks something up in a table of the notebook, and gives the rows that were found.",
            "parameters": {
                "type": "object",
                "properties": {"table": {"type": "string"}, "rows": {"type": "integer", "minimum": 1}},
                "required": ["table"],
            },
        },
    }
    for number in range(8)
]
TEXT = "A message of middling length, as agents write them to each other, with a little code: `print(1)`. "


Ways = dict[str, Callable[[], Any]]
Row = dict[str, dict[str, float]]


@contextmanager
def counting_server(
    answer: Callable[[ServerRequest], str | ServerReply] | None = None,
) -> Iterator[tuple[str, Callable[[], dict[str, int]]]]:
    """A server in a process of its own: its address, and a function that tells how often each path was asked.

    `answer` (a function of a module) says what it replies.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    server = spawn.Process(target=serve, args=(there, answer), daemon=True)
    server.start()
    there.close()  # so that a server that dies is noticed

    def counts() -> dict[str, int]:
        here.send("count")
        return dict(here.recv())

    try:
        yield here.recv(), counts
        here.send("stop")
        server.join()
    finally:
        server.terminate()


def serve(pipe: Any, answer: Callable[[ServerRequest], str | ServerReply] | None) -> None:
    """Run the server until the pipe says stop."""
    counted: Counter[str] = Counter()

    def count_and_answer(request: ServerRequest) -> str | ServerReply:
        server.requests.clear()  # they would only be kept
        counted[request.path.removeprefix("/v1/").removesuffix("/chat/completions")] += 1
        return (answer or done)(request)

    with FakeOpenAIServer() as server:
        server.respond_with(count_and_answer)
        pipe.send(server.base_url)
        while pipe.recv() == "count":
            pipe.send(counted)


_BURST = ServerReply(text="word " * CHUNKS)


def done(request: ServerRequest) -> str | ServerReply:
    """The shortest reply, or the long stream."""
    return _BURST if request.body["model"] == "burst" else "Done."


def check_calls(counted: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Fail if a contender made more or fewer calls than it was told to: it did other work than the rest."""
    wrong = {
        path: counted.get(path, 0) for path in {**counted, **expected} if counted.get(path, 0) != expected.get(path)
    }
    assert not wrong, f"the server counted {wrong} where {expected} was due"


def history(size: int) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[number % 2], "content": f"{number}: {TEXT}"} for number in range(size)]


def floors(at: Callable[[str], str], body: Mapping[str, Any], loop: asyncio.AbstractEventLoop) -> Ways:
    """The least that gets a reply: an HTTP client and JSON; and the SDK without its types. `at` is where each asks."""
    import httpx2
    import openai

    http, a_http = httpx2.Client(timeout=60), httpx2.AsyncClient(timeout=60)
    sdk = openai.OpenAI(base_url=at("post"), api_key="k", max_retries=0)
    a_sdk = openai.AsyncOpenAI(base_url=at("a_post"), api_key="k", max_retries=0)

    def request(name: str) -> dict[str, Any]:
        url, content = f"{at(name)}/chat/completions", json.dumps(body).encode()
        return {"url": url, "content": content, "headers": {"Authorization": "k"}}

    def text(reply: Any) -> str:
        return str(reply["choices"][0]["message"]["content"])

    async def a_floor() -> str:
        return text(json.loads((await a_http.post(**request("a_floor"))).content))

    async def a_post() -> str:
        return text(await a_sdk.post("/chat/completions", body=body, cast_to=object))

    return {
        "floor": lambda: text(json.loads(http.post(**request("floor")).content)),
        "post": lambda: text(sdk.post("/chat/completions", body=body, cast_to=object)),
        "a_floor": on(loop, a_floor),
        "a_post": on(loop, a_post),
    }


def stream_floors(at: Callable[[str], str], body: Mapping[str, Any], loop: asyncio.AbstractEventLoop) -> Ways:
    """The least that reads a stream: its bytes, and each line parsed."""
    import httpx2
    import jiter

    http, a_http = httpx2.Client(timeout=60), httpx2.AsyncClient(timeout=60)
    content = json.dumps({**body, "stream": True}).encode()

    def texts(lines: list[bytes]) -> list[str]:
        chunks = [jiter.from_json(line[6:]) for line in lines if line.startswith(b"data: {")]
        return [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]

    def floor() -> str:
        said, tail = [], b""
        with http.stream("POST", f"{at('floor')}/chat/completions", content=content) as reply:
            for piece in reply.iter_raw():
                *lines, tail = (tail + piece).split(b"\n")
                said += texts(lines)
        return "".join(said)

    async def a_floor() -> str:
        said, tail = [], b""
        async with a_http.stream("POST", f"{at('a_floor')}/chat/completions", content=content) as reply:
            async for piece in reply.aiter_raw():
                *lines, tail = (tail + piece).split(b"\n")
                said += texts(lines)
        return "".join(said)

    return {"floor": floor, "a_floor": on(loop, a_floor)}


def on(loop: asyncio.AbstractEventLoop, function: Callable[[], Coroutine[Any, Any, str]]) -> Callable[[], str]:
    """A coroutine function as a plain one that runs it on `loop`."""
    return lambda: loop.run_until_complete(function())


def contenders(url: str, model: str, messages: list[dict[str, str]], *, tools: bool = False) -> Ways:
    """Ways to make the same call; each gives the text of the reply, and asks at an address of its own."""
    import openai

    def at(name: str) -> str:
        return f"{url}/{model}-{len(messages)}{'-tools' * tools}/{name}"

    loop = asyncio.new_event_loop()
    sdk = openai.OpenAI(base_url=at("create"), api_key="k", max_retries=0)
    a_sdk = openai.AsyncOpenAI(base_url=at("a_create"), api_key="k", max_retries=0)
    ours, a_ours, whole, a_whole = (
        OpenAIModel(model, base_url=at(name), api_key="k", stream=stream)
        for name, stream in (("ours", True), ("a_ours", True), ("ours_whole", False), ("a_ours_whole", False))
    )
    options: dict[str, Any] = {"tools": TOOLS} if tools else {}
    request, body = ModelRequest(messages, options), {"model": model, "messages": messages, **options}

    def create() -> str:
        return str(sdk.chat.completions.create(**body).choices[0].message.content)

    async def a_create() -> str:
        return str((await a_sdk.chat.completions.create(**body)).choices[0].message.content)

    def create_stream() -> str:
        chunks: Any = sdk.chat.completions.create(model=model, messages=messages, stream=True)  # type: ignore[arg-type]
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    async def ours_on_a_loop() -> str:
        return str((await a_drive(a_ours.complete(request))).content)

    async def whole_on_a_loop() -> str:
        return str((await a_drive(a_whole.complete(request))).content)

    async def a_create_stream() -> str:
        chunks: Any = await a_sdk.chat.completions.create(**body, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    own = {"ours": lambda: drive(ours.complete(request)).content, "a_ours": on(loop, ours_on_a_loop)}
    if model == "burst":
        return {**stream_floors(at, body, loop), "create": create_stream, "a_create": on(loop, a_create_stream), **own}
    return {
        **floors(at, body, loop),
        "create": create,
        "a_create": on(loop, a_create),
        **own,
        "ours_whole": lambda: drive(whole.complete(request)).content,
        "a_ours_whole": on(loop, whole_on_a_loop),
    }


def measure(ways: Ways, rounds: int, calls: int) -> Row:
    """Milliseconds of one call, of CPU (`ms`) and by the clock (`wall_ms`), and their ratios to the floor.

    They are medians over rounds in which all take turns, every other round the other way round.
    """
    said = {name: way() for name, way in ways.items()}  # also warms every one of them
    assert len(set(said.values())) == 1, {name: str(text)[:40] for name, text in said.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    walls: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds):
        for name, way in list(ways.items())[:: -1 if round_ % 2 else 1]:
            gc.collect()  # nobody pays for the garbage of another
            started, began = time.process_time(), time.perf_counter()
            for _ in range(calls):
                way()
            times[name].append((time.process_time() - started) / calls * 1000)
            walls[name].append((time.perf_counter() - began) / calls * 1000)
    return {
        name: {
            "ms": statistics.median(times[name]),
            "to_floor": _ratio(name, times),
            "wall_ms": statistics.median(walls[name]),
            "wall_to_floor": _ratio(name, walls),
        }
        for name in ways
    }


def _ratio(name: str, times: Mapping[str, list[float]]) -> float:
    """The median of a contender's ratio to the floor of its kind: on an event loop, or not."""
    floor = times["a_floor" if name.startswith("a_") else "floor"]
    return statistics.median(one / least for one, least in zip(times[name], floor, strict=True))


def verdict(ways: Row, name: str, *, small: bool, most: float = 2.0) -> str:
    """Whether a contender meets its target, and by how much: the SDK's post + 0.5 ms (`small`), or times the floor."""
    if small:
        over = ways[name]["ms"] - ways["a_post" if name.startswith("a_") else "post"]["ms"]
        return f"{name} {'met' if over <= 0.5 else 'MISSED'}: post {over:+.2f} ms, at most +0.50"
    ratio = ways[name]["to_floor"]
    return f"{name} {'met' if ratio <= most else 'MISSED'}: {ratio:.2f}× floor, at most {most:g}×"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--json", type=Path, help="write the results to this file as well")
    given = options.parse_args()
    results: dict[str, Row] = {}
    expected: dict[str, int] = {}
    with counting_server() as (url, counts):
        for size in HISTORIES:
            ways = contenders(url, "m", history(size))
            results[f"{size} messages"] = measure(ways, given.rounds, calls_a_turn(size))
            expected |= {f"m-{size}/{name}": 1 + given.rounds * calls_a_turn(size) for name in ways}
        ways = contenders(url, "m", history(200), tools=True)
        results["200 messages, tools"] = measure(ways, given.rounds, calls_a_turn(200))
        expected |= {f"m-200-tools/{name}": 1 + given.rounds * calls_a_turn(200) for name in ways}
        ways = contenders(url, "burst", history(1))
        results[f"{CHUNKS} chunks"] = measure(ways, given.rounds, 1)
        expected |= {f"burst-1/{name}": 1 + given.rounds for name in ways}
        check_calls(counts(), expected)
    report(results, given.json)


def calls_a_turn(size: int) -> int:
    return max(5, 4_000 // size)


def report(results: dict[str, Row], path: Path | None) -> None:
    found = json.dumps({"unit": "CPU ms a call", "targets": TARGETS, "rows": results}, indent=1)
    print(found)
    if path:
        path.write_text(found)
    for row, ways in results.items():
        print(
            f"{row:>15}  "
            + "  ".join(f"{name} {one['ms']:.2f} ms ({one['to_floor']:.2f}×)" for name, one in ways.items())
        )
        most = 3.0 if "chunks" in row else 2.0
        for name in ("ours", "a_ours"):
            print(f"{'':>15}  {verdict(ways, name, small=row.startswith('20 '), most=most)}")


if __name__ == "__main__":
    main()
