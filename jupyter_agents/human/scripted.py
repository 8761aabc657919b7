"""A person whose answers are known beforehand: for tests, examples and notebooks that run unattended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from jupyter_agents.errors import ConfigurationError, ScriptEndedError
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.human.stdin import read_approval

_TRIES = 3  # answers without a choice in a row, before that is an error: a script may have no end
ScriptedAnswer = str | Answer | Callable[[Prompt], str | Answer]


class ScriptedHuman:
    """Answers prompts from a script, in order. `prompts` holds those it was asked.

    With a mapping of agents' names to scripts, each seat has its own, and `""` is who answers a question without a seat, as
    `ask` in a tool is one unless it names a `seat`. An answer is text, an `Answer`, or a function of the
    prompt that returns one of them. Text means what it means at the keyboard. To an approval: `run`, `stop`, `edit` with the
    code on the next lines; everything else rejects the code and is the reason. To a choice: one of the choices or its
    number; after anything else it is asked again, and the next answer of the script counts.

    >>> from jupyter_agents.drive import drive
    >>> human = ScriptedHuman(["yes, go on", lambda prompt: f"I am {prompt.agent}"])
    >>> drive(human.ask(Prompt("Go on?"))).text, drive(human.ask(Prompt("Who?", agent="user"))).text
    ('yes, go on', 'I am user')
    >>> people = ScriptedHuman({"Anna": ["Here is Anna."], "Ben": ["Here is Ben."]})
    >>> drive(people.ask(Prompt("Who?", agent="Ben"))).text
    'Here is Ben.'
    """

    def __init__(self, answers: Iterable[ScriptedAnswer] | Mapping[str, Iterable[ScriptedAnswer]]) -> None:
        if isinstance(answers, str | Answer) or not isinstance(answers, Iterable):
            meant = f"Write [{answers!r}]." if isinstance(answers, str | Answer) else "Write ['yes', 'exit'], or []."
            raise ConfigurationError(f"Cannot script a person with {answers!r}: it must be a list of answers. {meant}")
        for one in answers if isinstance(answers, list | tuple) else ():
            if not isinstance(one, str | Answer) and not callable(one):
                raise ConfigurationError(
                    f"Cannot script a person with {one!r}: an answer is a text or an Answer, or a function that gives one. "
                    "Convert it with str()."
                )
        self.prompts: list[Prompt] = []
        self._given = 0
        self._seats = (
            {name: ScriptedHuman(own) for name, own in answers.items()} if isinstance(answers, Mapping) else None
        )
        self._answers: Iterator[ScriptedAnswer] = iter(() if isinstance(answers, Mapping) else answers)

    def __repr__(self) -> str:
        return f"<ScriptedHuman: asked {len(self.prompts)} times>"

    async def ask(self, prompt: Prompt) -> Answer:
        """The next answer. Raises `ScriptEndedError` when there is none."""
        self.prompts.append(prompt)
        if self._seats is not None:
            return await self._seat_of(prompt).ask(prompt)
        answer = self._next(prompt)
        return self._chosen(answer, prompt) if prompt.kind == "choice" else _as_answer(answer, prompt)

    def _next(self, prompt: Prompt) -> str | Answer:
        try:
            answer = next(self._answers)
        except StopIteration:
            whose = f" of {prompt.agent!r}" if prompt.agent else ""
            raise ScriptEndedError(
                f"Cannot answer {prompt.text!r}: the script{whose} has {self._given} answers, and all are used. "
                "Add one, or let the chat end earlier."
            ) from None
        self._given += 1
        return answer if isinstance(answer, str | Answer) else answer(prompt)

    def _chosen(self, answer: str | Answer, prompt: Prompt, tries: int = _TRIES) -> Answer:
        """The choice that an answer makes, or the next one of the script."""
        given = _as_answer(answer, prompt)
        found = given.text if isinstance(answer, Answer) else prompt.choice_of(given.text)
        if found is not None:
            return replace(given, text=found)
        with suppress(ScriptEndedError):
            if tries > 1:
                return self._chosen(self._next(prompt), prompt, tries - 1)
        raise ConfigurationError(
            f"Cannot answer {prompt.text!r} with {given.text!r}: it is not among {', '.join(prompt.choices)}, and no number of "
            "one. Take one of them."
        )

    def _seat_of(self, prompt: Prompt) -> ScriptedHuman:
        found = (self._seats or {}).get(prompt.agent or "")
        if found is None:
            known = ", ".join(self._seats or {}) or "none"
            seat = (
                f"in the seat of {prompt.agent!r}" if prompt.agent else "for questions without a seat (write it as '')"
            )
            raise ScriptEndedError(f"Cannot answer {prompt.text!r}: nobody is scripted {seat}. The seats are {known}.")
        return found


def _as_answer(answer: str | Answer, prompt: Prompt) -> Answer:
    if isinstance(answer, Answer):
        return answer
    if not isinstance(answer, str):
        raise ConfigurationError(
            f"Cannot answer {prompt.text!r} with {answer!r}: an answer is a text or an Answer. Convert it with str()."
        )
    if prompt.kind != "approval":
        return Answer(answer)
    read = read_approval(answer)
    if read.action == "edit" and not read.text.strip():
        raise ConfigurationError("Cannot answer with 'edit' alone: the code is missing. Write 'edit\\n' and the code.")
    return read


__all__ = ["ScriptedAnswer", "ScriptedHuman"]
