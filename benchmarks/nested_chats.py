"""Wall time of many nested chats at the same time, beside the time that their models take.

Every model takes 0.2 s for each reply, as a server would. Rows: 200 outer chats at once, each of an agent that answers by a
nested chat of two turns; one outer chat whose agent holds 200 nested chats that need no other; and the same with a model
that sums each of them up. Columns: the ideal (the model's latency, as often as one chat needs it one after the other),
the wall time, and the CPU time. Target: at most twice the ideal.

    python -m benchmarks.nested_chats [--chats N] [--rounds N] [--json FILE]
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

from benchmarks._transcripts import ordinary_message
from jupyter_agents import AssistantAgent, ChatResult, ResponsiveAgent, UserProxyAgent
from jupyter_agents.session import Session, use_session
from jupyter_agents.testing import ScriptedModel

Hold = Callable[[], Coroutine[Any, Any, int]]

LATENCY = 0.2
TURNS = 2


async def answer(request: Any) -> str:
    """What a model says after a while."""
    await asyncio.sleep(LATENCY)
    return ordinary_message(len(request.messages))


def critic(number: int) -> AssistantAgent:
    """An agent with a model."""
    return AssistantAgent(f"critic {number}", "Be brief.", ScriptedModel(answer, record=False))


def user(name: str) -> UserProxyAgent:
    """An agent without one, which goes on asking."""
    return UserProxyAgent(name, human_input_mode="NEVER", code_execution_config=False, default_auto_reply="Go on.")


def writer(name: str) -> ResponsiveAgent:
    """An agent that says nothing of its own, and in nested chats `And?`."""
    return ResponsiveAgent(
        name, human_input_mode="NEVER", llm_config=False, code_execution_config=False, default_auto_reply="And?"
    )


def one_each(chats: int) -> Hold:
    """Many outer chats, each with a nested one; what holds them gives the number of messages in nested chats."""

    def pair(number: int) -> tuple[UserProxyAgent, ResponsiveAgent]:
        agent = writer(f"writer {number}")
        queue = [{"recipient": critic(number), "message": None, "max_turns": TURNS}]
        agent.register_nested_chats(queue, UserProxyAgent)
        return user(f"user {number}"), agent

    pairs = list(map(pair, range(chats)))

    async def hold() -> int:
        message = ordinary_message(0)
        outer = (one.a_initiate_chat(other, message=message, max_turns=1) for one, other in pairs)
        return sum(map(nested_messages, await asyncio.gather(*outer)))

    return hold


def many_in_one(chats: int, **options: Any) -> Hold:
    """An outer chat with many nested ones."""
    agent, asker = writer("writer"), user("user")
    queue = [
        {"chat_id": n, "recipient": critic(n), "message": ordinary_message(n), "max_turns": TURNS, **options}
        for n in range(chats)
    ]
    agent.register_nested_chats(queue, UserProxyAgent)

    async def hold() -> int:
        return nested_messages(await asker.a_initiate_chat(agent, message=ordinary_message(0), max_turns=1))

    return hold


def nested_messages(result: ChatResult) -> int:
    """How many messages there are in chats within a chat."""
    return sum(one.kind == "message" and one.chat != result.chat for one in result.events)


ROWS: dict[str, tuple[Callable[[int], Hold], int]] = {
    "in chats of their own": (one_each, TURNS),
    "in one chat": (many_in_one, TURNS),
    "in one chat, summed up": (lambda chats: many_in_one(chats, summary_method="reflection_with_llm"), TURNS + 1),
}


def measure(make: Callable[[int], Hold], chats: int, rounds: int) -> tuple[float, float]:
    """Seconds of wall and CPU time: medians over rounds, after one to warm up. Agents are made anew before each."""
    found = []
    for round_ in range(rounds + 1):
        hold = make(chats)
        wall, cpu = time.perf_counter(), time.process_time()
        said = asyncio.run(hold())
        took = time.perf_counter() - wall, time.process_time() - cpu
        assert said == chats * 2 * TURNS, f"{said} messages were said in {chats} nested chats"
        if round_:
            found.append(took)
    return statistics.median(one for one, _ in found), statistics.median(one for _, one in found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--chats", type=int, default=200)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", type=Path, help="write the results to this file as well")
    given = options.parse_args()
    rows: dict[str, dict[str, float]] = {}
    with use_session(Session()):
        for name, (make, calls) in ROWS.items():
            wall, cpu = measure(make, given.chats, given.rounds)
            rows[name] = {"ideal": calls * LATENCY, "wall": wall, "cpu": cpu}
    found = json.dumps({"unit": "seconds", "chats": given.chats, "rows": rows}, indent=1)
    print(found)
    if given.json:
        given.json.write_text(found)
    for name, one in rows.items():
        ratio = one["wall"] / one["ideal"]
        verdict = "met" if ratio <= 2 else "MISSED"
        cells = f"ideal {one['ideal']:.2f} s  wall {one['wall']:.2f} s ({ratio:.2f}×)  CPU {one['cpu']:.2f} s"
        print(f"{name:>22}  {cells}  (target: 2×)  {verdict}")


if __name__ == "__main__":
    main()
