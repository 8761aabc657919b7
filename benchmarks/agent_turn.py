"""CPU of one turn of an agent: the reply chain, the driver, the log and a model call, beside the raw floor.

Rows: 20, 200 and 2,000 messages of history, over the fake server in a process of its own; and a turn without any model
(two agents that answer each other from a script), per turn of a chat of 20,000. Columns: `floor` (httpx2 + JSON),
`post` (the openai SDK's `client.post`), `turn` (`generate_reply`), `a_turn` (the same on an event loop).
Target: `turn` at most twice the floor at 200 and 2,000 messages, and at most `post` + 0.5 ms at 20.

    python benchmarks/agent_turn.py [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.model_turn import HISTORIES, history, measure, serve
from jupyter_agents import AssistantAgent, ResponsiveAgent
from jupyter_agents.drive import Run, drive
from jupyter_agents.events import HistorySet
from jupyter_agents.messages import Message
from jupyter_agents.session import Session, use_session

TURNS = 20_000


def contenders(url: str, size: int) -> dict[str, Callable[[], Any]]:
    """Ways to get the same reply to the same history."""
    import httpx2
    import openai

    said = history(size)
    messages = [{"role": "system", "content": "Be brief."}, *said]
    body = {"model": "m", "messages": messages}
    http = httpx2.Client(timeout=60)
    sdk = openai.OpenAI(base_url=url, api_key="k", max_retries=0)
    agent = AssistantAgent("assistant", "Be brief.", {"model": "m", "base_url": url, "api_key": "k"})
    user = ResponsiveAgent("user", human_input_mode="NEVER", llm_config=False)
    run = Run(depth=1)
    talk = drive(agent.attach(run, user), run)
    pairs = tuple((one["role"] == "assistant", Message(one["content"])) for one in said)
    run.log.append(HistorySet(0, run.log.key_of(agent), run.log.key_of(user), pairs))
    assert len(talk.messages) == size
    loop = asyncio.new_event_loop()

    def floor() -> str:
        reply = http.post(f"{url}/chat/completions", content=json.dumps(body).encode(), headers={"Authorization": "k"})
        return str(json.loads(reply.content)["choices"][0]["message"]["content"])

    def post() -> str:
        reply: Any = sdk.post("/chat/completions", body=body, cast_to=object)
        return str(reply["choices"][0]["message"]["content"])

    return {
        "floor": floor,
        "post": post,
        "turn": lambda: agent.generate_reply(sender=user),
        "a_turn": lambda: loop.run_until_complete(agent.a_generate_reply(sender=user)),
    }


def microseconds_without_a_model() -> float:
    """CPU of one turn of a chat in which nobody needs a model."""

    def echo(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, str]:
        return True, str(len(messages))

    one, other = (
        ResponsiveAgent(name, human_input_mode="NEVER", llm_config=False, max_consecutive_auto_reply=10 * TURNS)
        for name in ("one", "other")
    )
    for agent in (one, other):
        agent.register_reply(ResponsiveAgent, echo, 1)
    started = time.process_time()
    result = one.initiate_chat(other, message="go", max_turns=TURNS // 2)
    assert len(result) == TURNS
    return (time.process_time() - started) / TURNS * 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--json", type=Path, help="write the results to this file as well")
    given = options.parse_args()
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = here.recv()
    with use_session(Session()):
        rows = {size: measure(contenders(url, size), given.rounds, max(2, 400 // size)) for size in HISTORIES}
        turn = microseconds_without_a_model()
    here.send("stop")
    calls = here.recv()
    server.join()
    found = json.dumps({"unit": "CPU ms a call", "calls": calls, "rows": rows, "us_without_model": turn}, indent=1)
    print(found)
    if given.json:
        given.json.write_text(found)
    for size, ways in rows.items():
        cells = [f"{name} {one['ms']:.2f} ms ({one['to_floor']:.2f}×)" for name, one in ways.items()]
        print(f"{size:>6} messages  " + "  ".join(cells))
        over = ways["turn"]["ms"] - ways["post"]["ms"]
        met = over <= 0.5 if size == HISTORIES[0] else ways["turn"]["to_floor"] <= 2
        print(f"{'':>15}  {'met' if met else 'MISSED'} (turn − post: {over:+.2f} ms)")
    print(f"a turn without a model, in a chat of {TURNS:,}: {turn:.0f} µs")


if __name__ == "__main__":
    main()
