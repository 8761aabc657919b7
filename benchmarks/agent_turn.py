"""CPU of one turn of an agent: the reply chain, the driver, the log and a model call, beside the raw floor.

Rows: 20, 200 and 2,000 messages of history, over the fake server in a process of its own; and a turn without any model
(two agents that answer each other from a script), per turn of a chat of 20,000. Columns: `floor` (httpx2 + JSON),
`post` (the openai SDK's `client.post`), `turn` (`generate_reply`), and with `a_` the same on an event loop.
Target: `turn` at most twice the floor at 200 and 2,000 messages, and at most `post` + 0.5 ms at 20; so `a_turn` beside
`a_floor` and `a_post`.

    python benchmarks/agent_turn.py [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.model_turn import HISTORIES, Ways, check_calls, counting_server, floors, history, measure, on, verdict
from jupyter_agents import AssistantAgent, ResponsiveAgent
from jupyter_agents.drive import Run, drive
from jupyter_agents.events import HistorySet
from jupyter_agents.messages import Message
from jupyter_agents.session import Session, use_session

TURNS = 20_000


def contenders(url: str, size: int) -> Ways:
    """Ways to get the same reply to the same history, each at an address of its own."""

    def at(name: str) -> str:
        return f"{url}/{size}/{name}"

    loop, said = asyncio.new_event_loop(), history(size)
    body = {"model": "m", "messages": [{"role": "system", "content": "Be brief."}, *said]}
    agent, user = pair(at("turn"), said)
    a_agent, a_user = pair(at("a_turn"), said)
    return {
        **floors(at, body, loop),
        "turn": lambda: agent.generate_reply(sender=user),
        "a_turn": on(loop, lambda: a_agent.a_generate_reply(sender=a_user)),
    }


def pair(url: str, said: list[dict[str, str]]) -> tuple[AssistantAgent, ResponsiveAgent]:
    """An assistant with its model at `url`, and a user to whom it has talked about all this."""
    config = {"model": "m", "base_url": url, "api_key": "k"}
    agent = AssistantAgent("assistant", "Be brief.", config, max_consecutive_auto_reply=10 * TURNS)
    user = ResponsiveAgent("user", human_input_mode="NEVER", llm_config=False)
    run = Run(depth=1)
    talk = drive(agent.attach(run, user), run)
    pairs = tuple((one["role"] == "assistant", Message(one["content"])) for one in said)
    run.log.append(HistorySet(0, run.log.key_of(agent), run.log.key_of(user), pairs))
    assert len(talk.messages) == len(said)
    return agent, user


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
    with counting_server() as (url, counts), use_session(Session()):
        calls = {size: max(2, 400 // size) for size in HISTORIES}
        rows = {size: measure(contenders(url, size), given.rounds, calls[size]) for size in HISTORIES}
        each = {f"{size}/{name}": 1 + given.rounds * calls[size] for size in HISTORIES for name in rows[size]}
        check_calls(counts(), each)
        turn = microseconds_without_a_model()
    found = json.dumps({"unit": "CPU ms a call", "rows": rows, "us_without_model": turn}, indent=1)
    print(found)
    if given.json:
        given.json.write_text(found)
    for size, ways in rows.items():
        cells = [f"{name} {one['ms']:.2f} ms ({one['to_floor']:.2f}×)" for name, one in ways.items()]
        print(f"{size:>6} messages  " + "  ".join(cells))
        for name in ("turn", "a_turn"):
            print(f"{'':>15}  {verdict(ways, name, small=size == HISTORIES[0])}")
    print(f"a turn without a model, in a chat of {TURNS:,}: {turn:.0f} µs")


if __name__ == "__main__":
    main()
