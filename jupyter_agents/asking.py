"""A question to the person who sits here: for tools and reply functions, and for cells of one's own."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_agents.agents.faces import faces
from jupyter_agents.effects import Ask
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.human.base import HumanInput, Prompt
from jupyter_agents.run import ThisRun
from jupyter_agents.termination import ChatEnds, EndedBy

_NOBODY = "you"


async def _ask(
    question: str,
    choices: Sequence[str] = (),
    *,
    seat: str | None = None,
    timeout: float | None = None,
    otherwise: str = "",
    human: HumanInput | None = None,
) -> str:
    """What the person answers: any words, or one of `choices`, which are buttons on the page.

    In a tool or a reply function it is asked where the chat is, and belongs to its recording; elsewhere in the running
    cell. `seat` is as whom they answer. After `timeout` seconds (of the session, if none are given) `otherwise` counts.

    Raises `NoHumanError` when nobody is there, and `ConfigurationError` for choices that are none.

    >>> from jupyter_agents.testing import ScriptedHuman
    >>> ask("Which colour?", ["red", "blue"], human=ScriptedHuman(["blue"]))
    'blue'
    """
    run = await ThisRun()
    if isinstance(choices, str) or not all(isinstance(one, str) and one.strip() for one in choices):
        raise ConfigurationError(f"Cannot ask {question!r}: its choices are {choices!r}. Give a list of texts.")
    if len(set(choices)) < len(choices) or (otherwise and choices and otherwise not in choices):
        raise ConfigurationError(
            f"Cannot ask {question!r}: its choices are {list(choices)!r}, and {otherwise!r} counts otherwise. Give each "
            "choice once, and one of them as what counts."
        )
    prompt = Prompt(
        question,
        kind="choice" if choices else "text",
        agent=seat,
        choices=tuple(choices),
        timeout=run.session.settings.prompt_timeout if timeout is None else timeout,
        otherwise=otherwise or (choices[0] if choices else ""),
    )
    answer = await Ask(seat or _NOBODY, prompt, human)
    if answer.action == "stop" and run.depth:
        why = "stopped instead of answering a question", seat or _NOBODY
        run.ledger.stop(*why)
        raise ChatEnds(EndedBy.HUMAN, *why)
    return answer.text


ask, a_ask = faces(_ask)

__all__ = ["a_ask", "ask"]
