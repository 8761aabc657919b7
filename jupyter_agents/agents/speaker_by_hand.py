"""Who speaks next in a group by the word of a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jupyter_agents.agents.mentions import chosen_name
from jupyter_agents.effects import Ask
from jupyter_agents.errors import NoHumanError
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.run import ThisRun

_EXIT = "exit"
_TRIES = 3  # as often is somebody asked who answers with no name; then the order decides
_QUESTION = f"Who speaks next? {_EXIT!r} ends the chat."


async def choose_by_hand(
    eligible: Sequence[Any], following: Any, last: Any, selector: Any, admin: Any
) -> tuple[Any, str]:
    """Whom a person gives the word (`None` ends the chat), and how that was found.

    The person is the one at the manager (`selector`), or else at the `admin` of the group, or else at this notebook.
    Nothing, and what names nobody again and again, is `following`: who is next in order.
    """
    seat = admin if selector.human is None and getattr(admin, "human", None) is not None else selector
    names = tuple(one.name for one in eligible)
    prompt = Prompt(
        _QUESTION,
        kind="choice",
        agent=seat.name,
        sender=last.name if last is not None else None,
        choices=(*names, _EXIT),
        empty="auto",
        timeout=(await ThisRun()).session.settings.prompt_timeout,
        otherwise=following.name,
    )
    asked = prompt
    for _ in range(_TRIES):
        answer = await _asked(asked, seat, selector)
        chosen = prompt.choice_of(answer.text) or chosen_name(answer.text, names)
        if answer.action == "stop" or chosen == _EXIT:
            return None, "person"
        if chosen is not None:
            return eligible[names.index(chosen)], "person"
        asked = replace(prompt, text=f"{answer.text.strip()!r} is none of them. {_QUESTION}")
    return following, "order"


async def _asked(prompt: Prompt, seat: Any, selector: Any) -> Answer:
    run = await ThisRun()
    try:
        return await Ask(run.log.key_of(seat), prompt, seat.human)
    except NoHumanError as error:
        raise NoHumanError(
            f"Cannot ask who speaks next in the group of {selector.name!r}: nobody is here to answer (nbconvert, nbval or a "
            "script without a terminal?). Give its manager human=ScriptedHuman([...]), or the group another "
            "speaker_selection_method."
        ) from error
