"""CPU of a group chat: four agents with models over 40 rounds, beside a loop that sends the same requests by hand.

Rows: speakers in turns (39 calls), and chosen by a model (78 calls). Columns: `floor` (httpx2 and jiter,
sending the histories that the agents would send, and reading the same streams), `group` (`initiate_chat`), `a_group` and `a_floor` (the same on an event loop). Messages have some
650 characters. Other messages than the floor's are not sent: the server counts the calls. Target: at most twice the floor.

    python -m benchmarks.group_chat [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._transcripts import ordinary_message
from benchmarks.model_turn import counting_server, on
from jupyter_agents import AssistantAgent, GroupChat, GroupChatManager
from jupyter_agents.session import Session, use_session
from jupyter_agents.testing import ServerRequest

AGENTS, ROUNDS = 4, 40
NAMES = [f"agent_{number}" for number in range(AGENTS)]
ASKED = "Who of"
ROLES = ", ".join(NAMES)


def answer(request: ServerRequest) -> str:
    """The next name to who asks for one, something new to who talks."""
    said = request.body["messages"]
    if said[-1]["content"].startswith(ASKED):
        return NAMES[(len(said) - 2) % AGENTS]
    return ordinary_message(len(said))


def group(url: str, *, chooses: bool, is_async: bool) -> Callable[[], Any]:
    """Hold the chat once, in a group that is made anew."""

    def make() -> tuple[AssistantAgent, GroupChatManager]:
        config = {"model": "m", "base_url": url, "api_key": "k"}
        agents = [AssistantAgent(name, "Be brief.", config) for name in NAMES]
        method = "auto" if chooses else "round_robin"
        chat = GroupChat(agents, max_round=ROUNDS, speaker_selection_method=method)
        return agents[0], GroupChatManager(chat, llm_config=config if chooses else False)

    def hold() -> int:
        first, manager = make()
        return len(first.initiate_chat(manager, message=ordinary_message(0)))

    async def a_hold() -> int:
        first, manager = make()
        return len(await first.a_initiate_chat(manager, message=ordinary_message(0)))

    return on(asyncio.new_event_loop(), a_hold) if is_async else hold  # type: ignore[arg-type]


def floor(url: str, *, chooses: bool) -> Callable[[], Any]:
    """Send what the group would send, with nothing around it."""
    import httpx2
    import jiter

    http = httpx2.Client(timeout=60)

    def ask(messages: list[dict[str, str]]) -> str:
        content = json.dumps({"model": "m", "messages": messages, "stream": True}).encode()
        said, tail = [], b""
        with http.stream("POST", f"{url}/chat/completions", content=content, headers={"Authorization": "k"}) as reply:
            for piece in reply.iter_raw():
                *lines, tail = (tail + piece).split(b"\n")
                chunks = [jiter.from_json(line[6:]) for line in lines if line.startswith(b"data: {")]
                said += [one["choices"][0]["delta"].get("content") or "" for one in chunks if one["choices"]]
        return "".join(said)

    def hold() -> int:
        said = [(NAMES[0], ordinary_message(0))]
        while len(said) < ROUNDS:
            heard = [{"role": "user", "content": text, "name": name} for name, text in said]
            question = {"role": "user", "content": f"{ASKED} {ROLES} speaks next?"}
            system = {"role": "system", "content": "Be brief."}
            speaker = ask([system, *heard, question]) if chooses else NAMES[len(said) % AGENTS]
            said.append((speaker, ask([system, *heard])))
        return len(said)

    return hold


def measure(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """CPU milliseconds of one chat: medians over rounds in which all take turns, after one to warm up."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds + 1):
        for name, way in ways.items():
            began = time.process_time()
            assert way() == ROUNDS, f"{name} did not hold {ROUNDS} rounds"
            if round_:
                found[name].append((time.process_time() - began) * 1e3)
    return {name: statistics.median(times) for name, times in found.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--json", type=Path, help="write the results to this file as well")
    given = options.parse_args()
    rows: dict[str, dict[str, float]] = {}
    with counting_server(answer) as (url, counts), use_session(Session()):
        for row, chooses in (("in turns", False), ("chosen", True)):
            at = f"{url}/{row.replace(' ', '-')}"
            ways = {
                "floor": floor(f"{at}/floor", chooses=chooses),
                "group": group(f"{at}/group", chooses=chooses, is_async=False),
                "a_group": group(f"{at}/a_group", chooses=chooses, is_async=True),
            }
            rows[row] = measure(ways, given.rounds)
        counted = counts()
    for row, calls in (("in-turns", ROUNDS - 1), ("chosen", 2 * (ROUNDS - 1))):
        for name in ("floor", "group", "a_group"):
            assert counted[f"{row}/{name}"] == calls * (given.rounds + 1), (row, name, counted)
    found = json.dumps({"unit": "CPU ms a chat", "rows": rows}, indent=1)
    print(found)
    if given.json:
        given.json.write_text(found)
    for row, ways_ in rows.items():
        ratios = {name: ms / ways_["floor"] for name, ms in ways_.items()}
        cells = [f"{name} {ways_[name]:.1f} ms ({ratios[name]:.2f}×)" for name in ways_]
        verdict = "met" if ratios["group"] <= 2 and ratios["a_group"] <= 2 else "MISSED"
        print(f"{row:>9}  {'  '.join(cells)}  (target: 2×)  {verdict}")


if __name__ == "__main__":
    main()
