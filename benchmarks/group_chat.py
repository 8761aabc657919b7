"""CPU of a group chat: four agents with models over 40 rounds, beside a loop that sends the same requests by hand.

Rows: speakers in turns (39 calls), and chosen by a model (78 calls). Columns: `floor` (httpx2 and jiter: it sends the
histories that the agents would send, reads the streams as they come, and keeps what is said, the tokens, and whether the
reply is whole), `group` (`initiate_chat`), `a_floor` and `a_group` (the same on an event loop). Messages have some 650
characters. The server, in a process of its own, counts the calls. Target: at most twice the floor of its kind.

    python -m benchmarks.group_chat [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from benchmarks._transcripts import ordinary_message
from benchmarks.model_turn import Row, Ways, check_calls, counting_server, measure, on
from jupyter_agents import AssistantAgent, GroupChat, GroupChatManager
from jupyter_agents.session import Session, use_session
from jupyter_agents.testing import ServerRequest

AGENTS, ROUNDS = 4, 40
NAMES = [f"agent_{number}" for number in range(AGENTS)]
ASKED = "Who of"
MOST = 2.0
SYSTEM = {"content": "Be brief.", "role": "system"}


def answer(request: ServerRequest) -> str:
    """The next name to who asks for one, something new to who talks."""
    said = request.body["messages"]
    if said[-1]["content"].startswith(ASKED):
        return NAMES[(len(said) - 2) % AGENTS]
    return ordinary_message(len(said))


def members(url: str, *, chooses: bool) -> tuple[AssistantAgent, GroupChatManager]:
    """The first speaker and the manager of a new group."""
    config = {"model": "m", "base_url": url, "api_key": "k"}
    agents = [AssistantAgent(name, SYSTEM["content"], config) for name in NAMES]
    method = "auto" if chooses else "round_robin"
    chat = GroupChat(agents, max_round=ROUNDS, speaker_selection_method=method)
    return agents[0], GroupChatManager(chat, llm_config=config if chooses else False)


def group(url: str, *, chooses: bool) -> Callable[[], int]:
    """Hold the chat once, in a group that is made anew; how many messages there were."""

    def hold() -> int:
        first, manager = members(url, chooses=chooses)
        return len(first.initiate_chat(manager, message=ordinary_message(0)))

    return hold


def a_group(url: str, loop: asyncio.AbstractEventLoop, *, chooses: bool) -> Callable[[], Any]:
    """The same on an event loop."""

    async def hold() -> Any:
        first, manager = members(url, chooses=chooses)
        return len(await first.a_initiate_chat(manager, message=ordinary_message(0)))

    return on(loop, hold)


# -- By hand ----------------------------------------------------------------------------------------------------


class Reply:
    """What an event stream says: text, why it ended, tokens."""

    def __init__(self) -> None:
        import jiter

        self._parse = jiter.from_json
        self._tail = b""
        self._said: list[str] = []
        self._reason: str | None = None
        self.usage: dict[str, int] | None = None

    def read(self, piece: bytes) -> None:
        """Take what has come."""
        *lines, self._tail = (self._tail + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                self._take(self._parse(line[6:]))

    def _take(self, chunk: dict[str, Any]) -> None:
        self.usage = chunk.get("usage") or self.usage
        for choice in chunk["choices"]:
            self._said.append(choice["delta"].get("content") or "")
            self._reason = choice["finish_reason"] or self._reason

    def text(self) -> str:
        """What was said; it must be whole."""
        assert self._reason == "stop", f"the stream ended with {self._reason}"
        assert self.usage is not None, "no tokens were counted"
        return "".join(self._said)


def request(url: str, messages: list[dict[str, str]]) -> dict[str, Any]:
    """What a client is told to send."""
    body = {"stream": True, "stream_options": {"include_usage": True}, "model": "m", "messages": messages}
    headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return {"method": "POST", "url": f"{url}/chat/completions", "content": content, "headers": headers}


def conversation(*, chooses: bool) -> Generator[list[dict[str, str]], str, int]:
    """The messages of each request of a chat; it is sent the text of each reply, and gives the number of messages."""
    roles = ", ".join(NAMES)
    members = {"role": "system", "content": f"A group works on a task together. Its members: {roles}."}
    question = {"role": "user", "content": f"{ASKED} {roles} speaks next?"}
    heard = [{"content": ordinary_message(0), "role": "user", "name": NAMES[0]}]
    while len(heard) < ROUNDS:
        speaker = (yield [members, *heard, question]) if chooses else NAMES[len(heard) % AGENTS]
        heard.append({"content": (yield [SYSTEM, *heard]), "role": "user", "name": speaker})
    return len(heard)


def floor(url: str, *, chooses: bool) -> Callable[[], int]:
    """Send what the group would send, with nothing around it."""
    import httpx2

    http = httpx2.Client(timeout=60)

    def ask(messages: list[dict[str, str]]) -> str:
        said = Reply()
        with http.stream(**request(url, messages)) as reply:
            for piece in reply.iter_raw():
                said.read(piece)
        return said.text()

    def hold() -> int:
        talk = conversation(chooses=chooses)
        messages = next(talk)
        while True:
            try:
                messages = talk.send(ask(messages))
            except StopIteration as end:
                return int(end.value)

    return hold


def a_floor(url: str, loop: asyncio.AbstractEventLoop, *, chooses: bool) -> Callable[[], Any]:
    """The same on an event loop."""
    import httpx2

    http = httpx2.AsyncClient(timeout=60)

    async def ask(messages: list[dict[str, str]]) -> str:
        said = Reply()
        async with http.stream(**request(url, messages)) as reply:
            async for piece in reply.aiter_raw():
                said.read(piece)
        return said.text()

    async def hold() -> Any:
        talk = conversation(chooses=chooses)
        messages = next(talk)
        while True:
            answer = await ask(messages)
            try:
                messages = talk.send(answer)
            except StopIteration as end:
                return end.value

    return on(loop, hold)


# -- Side by side -----------------------------------------------------------------------------------------------


def contenders(url: str, *, chooses: bool) -> Ways:
    """Ways to hold the same chat, each with a server address of its own."""
    loop = asyncio.new_event_loop()
    return {
        "floor": floor(f"{url}/floor", chooses=chooses),
        "group": group(f"{url}/group", chooses=chooses),
        "a_floor": a_floor(f"{url}/a_floor", loop, chooses=chooses),
        "a_group": a_group(f"{url}/a_group", loop, chooses=chooses),
    }


def report(row: str, ways: Row) -> None:
    """Print a row, with what is met."""
    print(f"{row}:")
    for name, one in ways.items():
        verdict = f"  {'met' if one['to_floor'] <= MOST else 'MISSED'}" if name.endswith("group") else ""
        cells = f"{one['ms']:6.1f} ms CPU ({one['to_floor']:.2f}×)  {one['wall_ms']:6.1f} ms by the clock"
        print(f"{name:>9}  {cells} ({one['wall_to_floor']:.2f}×){verdict}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--json", type=Path, help="write the results to this file as well")
    given = options.parse_args()
    rows: dict[str, Row] = {}
    expected: dict[str, int] = {}
    load = os.getloadavg()[0]
    with counting_server(answer) as (url, counts), use_session(Session()):
        for row, calls in (("in-turns", ROUNDS - 1), ("chosen", 2 * (ROUNDS - 1))):
            ways = contenders(f"{url}/{row}", chooses=row == "chosen")
            rows[row] = measure(ways, given.rounds, 1)
            expected |= {f"{row}/{name}": calls * (given.rounds + 1) for name in ways}
        check_calls(counts(), expected)
    found = json.dumps({"unit": "ms a chat", "load": [load, os.getloadavg()[0]], "rows": rows}, indent=1)
    if given.json:
        given.json.write_text(found)
    print(found)
    for row, found_ways in rows.items():
        report(row, found_ways)


if __name__ == "__main__":
    main()
