"""A person's word that makes a group forget: `CLEAR HISTORY`, whose history it is, and how many messages stay."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from jupyter_agents.agents.checkpoints import Fold
from jupyter_agents.agents.faces import call_hook
from jupyter_agents.agents.hooks import before_sending
from jupyter_agents.agents.memory import memory_of
from jupyter_agents.agents.message_units import start_of_last
from jupyter_agents.code_blocks import remove_code
from jupyter_agents.effects import Emit
from jupyter_agents.events import GroupSet, Noted
from jupyter_agents.messages import Message
from jupyter_agents.replies import Reply
from jupyter_agents.run import ThisRun
from jupyter_agents.termination import EndedBy, Ending

if TYPE_CHECKING:
    from jupyter_agents.agents.group_chat import GroupChat

_TRIES = 3  # what a person says at the prompt is looked at so often; then it is said as it is
_ORDER = re.compile(r"(?:^|(?<=[.!?:;,]))[ \t]*clear[ \t]+history\b[ \t]*(?:(?:of|for)[ \t]+)?", re.IGNORECASE)
_NUMBER = re.compile(r"[ \t]*(\d{1,9})(?!\w)")
_END = re.compile(r"[ \t]*(?:$|[.!?:;,][ \t]*)")
_INTERRUPTED = "USER INTERRUPTED: "


@dataclass(frozen=True, slots=True)
class Wish:
    """That one agent of the group (`None`: everybody) forget all but the last `kept` messages."""

    name: str | None
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Orders:
    """What a person's words want forgotten, the words that are left, and what could not be understood."""

    wishes: tuple[Wish, ...]
    rest: str
    unclear: str = ""


def read_orders(text: str, names: Sequence[str]) -> Orders:
    """The orders in what a person says. They begin a line or a sentence; in code and in quotations there are none.

    >>> read_orders("CLEAR HISTORY Bob 2. Now begin again.", ["Alice", "Bob"])
    Orders(wishes=(Wish(name='Bob', kept=2),), rest='Now begin again.', unclear='')
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    wishes: list[Wish] = []
    left: list[str] = []
    for line, own in zip_longest(lines, remove_code(text).split("\n"), fillvalue=""):
        found = _in_line(line, names) if own.strip() else Orders((), line)
        if found.unclear:
            return replace(found, rest=text)
        wishes += found.wishes
        if found.rest.strip() or not found.wishes:
            left.append(found.rest)
    return Orders(tuple(wishes), "\n".join(left).strip()) if wishes else Orders((), text)


def _in_line(line: str, names: Sequence[str]) -> Orders:
    wishes: list[Wish] = []
    while (order := _ORDER.search(line)) is not None:
        name, at = _name_at(line, order.end(), names)
        number = _NUMBER.match(line, at)
        end = _END.match(line, number.end() if number else at)
        if end is None:
            return Orders((), line, line[order.end() :].strip())
        wishes.append(Wish(name, int(number[1]) if number else 0))
        line = f"{line[: order.start()]} {line[end.end() :]}".strip()
    return Orders(tuple(wishes), line)


def _name_at(line: str, at: int, names: Sequence[str]) -> tuple[str | None, int]:
    """Whose name stands there, whatever its case and with `_` for a space, and where it ends."""
    for name in sorted(names, key=len, reverse=True):
        words = r"[ _]+".join(map(re.escape, re.split(r"[ _]+", name)))
        found = re.compile(rf"[@\"'`*]*{words}[\"'`*]*(?!\w)", re.IGNORECASE).match(line, at)
        if found:
            return name, found.end()
    return None, at


# -- Obeying ------------------------------------------------------------------------------------------------------


async def obeyed(manager: Any, group: GroupChat, speaker: Any, said: Reply) -> Reply:
    """What a person says to a group, without the orders in it: these are carried out.

    Where nothing is left, or an order cannot be understood, the person is asked again.
    """
    for _ in range(_TRIES):
        orders = read_orders(_words(said.message), group.agent_names)
        for wish in orders.wishes:
            await _carry_out(manager, group, wish, answers=_answers_calls(said.message))
        if not orders.unclear and (orders.rest.strip() or not orders.wishes):
            return _reworded(said, orders.rest) if orders.wishes else said
        text = str(await call_hook(speaker, "get_human_input", _question(orders, group)))
        if text.strip() == "exit":
            return Reply(True, None, ending=Ending(EndedBy.HUMAN, who=(await ThisRun()).log.key_of(speaker)))
        said = await before_sending(speaker, _reworded(said, text), manager)
    return said


def _question(orders: Orders, group: GroupChat) -> str:
    if orders.unclear:
        return (
            f"Nothing was forgotten: {orders.unclear!r} is no name of this group with a number of messages to keep. Say "
            f"CLEAR HISTORY alone, or with one of {', '.join(group.agent_names)}. Press enter to say nothing, or type 'exit' "
            "to end the conversation: "
        )
    return (
        "The history is cleared. What do you want to say? Press enter to say nothing, or type 'exit' to end the "
        "conversation: "
    )


async def _carry_out(manager: Any, group: GroupChat, wish: Wish, *, answers: bool) -> None:
    """Have the group, or one of it, forget what was said in it. A call that is being answered stays, for its result."""
    run, kept = await ThisRun(), max(wish.kept, int(answers))
    for one in group.agents if wish.name is None else [group.agent_by_name(wish.name)]:
        _forget(one, manager, kept)
        if wish.name is None:
            _forget(manager, one, kept)
    if wish.name is None:
        del group.messages[: start_of_last(group.messages, kept)]
        key = run.log.key_of(manager)
        heard = Fold(entry.event for entry in run.log.entries).groups.get(key, [])
        still = heard[max(len(heard) - len(group.messages), 0) :]
        await Emit(GroupSet(run.chat, key, tuple((one.speaker, one.message) for one in still)))
    whose = "everybody in the group" if wish.name is None else wish.name
    but = f", but for the last {kept} message{'' if kept == 1 else 's'}" if kept else ""
    await Emit(Noted(run.chat, f"The history of {whose} is cleared{but}."))


def _answers_calls(message: Message | None) -> bool:
    return message is not None and bool(message.tool_responses or message.role == "function")


def _words(message: Message | None) -> str:
    """What the person has said; a result of a function that was interrupted says so before it."""
    text = message.text if message is not None else ""
    return text.removeprefix(_INTERRUPTED) if message is not None and message.role == "function" else text


def _reworded(said: Reply, text: str) -> Reply:
    message = said.message or Message("")
    if message.role == "function":
        return replace(said, message=replace(message, content=f"{_INTERRUPTED}{text}"))
    responses = tuple(replace(one, content=f"{_INTERRUPTED}{text}") for one in message.tool_responses)
    return replace(said, message=replace(message, content=text, tool_responses=responses))


def _forget(one: Any, other: Any, kept: int) -> None:
    """Have an agent forget a talk but for so many messages. An override that knows no number is asked where all goes."""
    try:
        inspect.signature(one.clear_history).bind(other, *([kept] if kept else []))
    except TypeError:
        memory_of(one).forget(other, kept)
    else:
        one.clear_history(other, *([kept] if kept else []))
