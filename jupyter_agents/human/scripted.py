"""A person whose answers are known beforehand: for tests, examples and notebooks that run unattended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from jupyter_agents.errors import ConfigurationError, ScriptEndedError
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.human.stdin import read_approval

ScriptedAnswer = str | Answer | Callable[[Prompt], str | Answer]


class ScriptedHuman:
    """Answers prompts from a script, in order. `prompts` holds those it was asked.

    With a mapping of agents' names to scripts, each seat has its own. An answer is text, an `Answer`, or a function of the prompt that returns one of them. To an approval, text means
    what it means at the keyboard: `run`, `stop`, `edit` with the code on the next lines; everything else rejects the
    code and is the reason.

    >>> from jupyter_agents.drive import drive
    >>> human = ScriptedHuman(["yes, go on", lambda prompt: f"I am {prompt.agent}"])
    >>> drive(human.ask(Prompt("Go on?"))).text, drive(human.ask(Prompt("Who?", agent="user"))).text
    ('yes, go on', 'I am user')
    >>> people = ScriptedHuman({"Anna": ["Here is Anna."], "Ben": ["Here is Ben."]})
    >>> drive(people.ask(Prompt("Who?", agent="Ben"))).text
    'Here is Ben.'
    """

    def __init__(self, answers: Iterable[ScriptedAnswer] | Mapping[str, Iterable[ScriptedAnswer]]) -> None:
        if isinstance(answers, str | Answer):
            raise ConfigurationError(
                f"Cannot script a person with {answers!r}: it must be a list of answers. Write [{answers!r}]."
            )
        self.prompts: list[Prompt] = []
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
        try:
            answer = next(self._answers)
        except StopIteration:
            raise ScriptEndedError(
                f"Cannot answer {prompt.text!r}: the script has {len(self.prompts) - 1} answers, and all are used. "
                "Add one, or let the chat end earlier."
            ) from None
        return _as_answer(answer if isinstance(answer, str | Answer) else answer(prompt), prompt)

    def _seat_of(self, prompt: Prompt) -> ScriptedHuman:
        found = (self._seats or {}).get(prompt.agent or "")
        if found is None:
            known = ", ".join(self._seats or {}) or "none"
            raise ScriptEndedError(
                f"Cannot answer {prompt.text!r}: nobody is scripted in the seat of {prompt.agent!r}. The seats are {known}."
            )
        return found


def _as_answer(answer: str | Answer, prompt: Prompt) -> Answer:
    if isinstance(answer, Answer):
        return answer
    if not isinstance(answer, str):
        raise ConfigurationError(
            f"Cannot answer {prompt.text!r} with {answer!r}: an answer is a text or an Answer. Convert it with str()."
        )
    if prompt.kind == "choice" and answer not in prompt.choices:
        raise ConfigurationError(
            f"Cannot answer {prompt.text!r} with {answer!r}: it is not among {', '.join(prompt.choices)}. Take one of them."
        )
    if prompt.kind != "approval":
        return Answer(answer)
    read = read_approval(answer)
    if read.action == "edit" and not read.text.strip():
        raise ConfigurationError("Cannot answer with 'edit' alone: the code is missing. Write 'edit\\n' and the code.")
    return read


__all__ = ["ScriptedAnswer", "ScriptedHuman"]
