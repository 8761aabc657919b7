"""Wall time of many chats at the same time over real HTTP, in one process on one pool, beside the time of the server.

200 chats of five turns each; the server, in a process of its own, takes 0.2 s for every reply. Rows: replies that stream
and replies that come whole. Columns: the ideal (five times the latency), the same requests by an HTTP client without us
(`floor`), and ours, with their wall and CPU times. Target: 2.0 s.

    python -m benchmarks.fan_out [--chats N] [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from benchmarks.model_turn import counting_server
from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.session import Session, use_session
from jupyter_agents.testing import ServerReply, ServerRequest

LATENCY = 0.2
TURNS = 5
TARGET = 2.0


def answer(request: ServerRequest) -> ServerReply:
    """What the server says after a while."""
    return ServerReply(text="It is as you say; go on.", delay=LATENCY)


async def chats(url: str, number: int, *, stream: bool) -> None:
    """Chats of ours, all at once."""
    config = {"model": "m", "base_url": url, "api_key": "k", "stream": stream}

    async def one(index: int) -> None:
        user = UserProxyAgent(
            f"user {index}", human_input_mode="NEVER", code_execution_config=False, default_auto_reply="Go on."
        )
        result = await user.a_initiate_chat(
            AssistantAgent(f"bot {index}", llm_config=config), message="Begin.", max_turns=TURNS
        )
        assert len(result) == 2 * TURNS, result

    await asyncio.gather(*map(one, range(number)))


async def floor(url: str, number: int, *, stream: bool) -> None:
    """The same requests by an HTTP client, without chats."""
    import httpx2

    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000)
    async with httpx2.AsyncClient(timeout=60, limits=limits, verify=False) as client:

        async def one() -> None:
            messages = [{"role": "user", "content": "Begin."}]
            for _ in range(TURNS):
                body = {"model": "m", "messages": messages, "stream": stream}
                content = (await client.post(f"{url}/chat/completions", content=json.dumps(body).encode())).content
                assert b"It" in content, content
                messages += [{"role": "assistant", "content": "It is as you say; go on."}]
                messages += [{"role": "user", "content": "Go on."}]

        await asyncio.gather(*(one() for _ in range(number)))


Contender = Callable[..., Coroutine[Any, Any, None]]


def measure(contender: Contender, url: str, number: int, rounds: int, *, stream: bool) -> tuple[float, float]:
    """Seconds of wall and CPU time: medians over rounds, after one to warm up. Every round has a loop of its own."""
    found = []
    for round_ in range(rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        asyncio.run(contender(url, number, stream=stream))
        if round_:
            found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return statistics.median(one for one, _ in found), statistics.median(one for _, one in found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--chats", type=int, default=200)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", type=Path, help="write the results to this file as well")
    given = options.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    with counting_server(answer) as (url, counts), use_session(Session()):
        for name, stream in (("streaming", True), ("whole", False)):
            row: dict[str, Any] = {"ideal": TURNS * LATENCY}
            for column, contender in (("floor", floor), ("ours", chats)):
                before = sum(counts().values())
                row[column], row[f"{column}_cpu"] = measure(
                    contender, f"{url}/{column}", given.chats, given.rounds, stream=stream
                )
                calls = sum(counts().values()) - before
                assert calls == given.chats * TURNS * (given.rounds + 1), f"{calls} calls of {column}"
            rows[name] = row
    found = json.dumps({"unit": "seconds", "chats": given.chats, "turns": TURNS, "rows": rows}, indent=1)
    print(found)
    if given.json:
        given.json.write_text(found)
    for name, row in rows.items():
        verdict = "met" if row["ours"] <= TARGET else "MISSED"
        print(
            f"{name:>10}  ideal {row['ideal']:.2f} s  floor {row['floor']:.2f} s (CPU {row['floor_cpu']:.2f})  "
            f"ours {row['ours']:.2f} s (CPU {row['ours_cpu']:.2f})  (target: {TARGET} s)  {verdict}"
        )


if __name__ == "__main__":
    main()
