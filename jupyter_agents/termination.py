"""When a chat stops: why it ended, and the human-input decision. The conditions are in `conditions`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal

from jupyter_agents.conditions import CallOf, Condition, ExternalStop, MaxMessages, TextMention, When
from jupyter_agents.last_word import is_terminate, without_terminate

HumanInputMode = Literal["ALWAYS", "TERMINATE", "NEVER"]


class EndedBy(StrEnum):
    """Why a chat ended."""

    TERMINATION = "termination message"
    HUMAN = "person"
    AUTO_REPLY_LIMIT = "auto-reply limit"
    MAX_TURNS = "turn limit"
    MAX_ROUNDS = "round limit"
    NO_SPEAKER = "nobody may speak next"
    NO_REPLY = "no reply"
    NOT_REQUESTED = "no reply requested"
    EMPTY_REPLIES = "two empty replies"
    REPETITION = "repeated replies"
    REPAIRS = "repair limit"
    CONDITION = "termination condition"
    BUDGET = "budget"
    NO_HUMAN = "nobody to ask"
    FILTERED = "content filter"
    STOPPED = "stop"
    INTERRUPTED = "interrupt"
    PAUSED = "pause"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a chat ended, and more about it for a person. `who` is the agent (its key in the log) whose person has ended it."""

    by: EndedBy
    detail: str = ""
    who: str = ""


class ChatEnds(Exception):
    """Raised inside a conversation to end it in order, from wherever that is decided."""

    def __init__(self, by: EndedBy, detail: str = "", who: str = "") -> None:
        super().__init__(detail or str(by))
        self.ending = Ending(by, detail, who)


# -- The human-input decision, in two pure phases ---------------------------------------------------------------


class Question(Enum):
    """What a person is asked, if at all."""

    FEEDBACK = (
        "Provide feedback to {sender}. Press enter to skip and use auto-reply, or type 'exit' to end the conversation: "
    )
    FEEDBACK_AT_LIMIT = "Please give feedback to {sender}. Press enter to skip and use auto-reply, or type 'exit' to stop the conversation: "
    LAST_WORD = "Please give feedback to {sender}. Press enter or type 'exit' to stop the conversation: "

    @property
    def empty(self) -> Literal["auto", "end"]:
        """What an empty answer means: the automatic reply, or the end of the chat."""
        return "end" if self is Question.LAST_WORD else "auto"


def read_question(text: str) -> tuple[str, Literal["send", "auto", "end"]]:
    """Who waits for an answer to this prompt, and what an empty one means; `("", "send")` for a text of one's own.

    >>> read_question(Question.LAST_WORD.value.format(sender="assistant"))
    ('assistant', 'end')
    """
    for question in Question:
        before, _, after = question.value.partition("{sender}")
        if text.startswith(before) and text.endswith(after):
            return text[len(before) : len(text) - len(after)], question.empty
    return "", "send"


class NotAsked(Enum):
    """The answer of nobody."""

    NOT_ASKED = "not asked"


NOT_ASKED = NotAsked.NOT_ASKED


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens next: the person's `reply`, an automatic reply (`auto`), or the end (`ending`).

    `resets_counter` says whether the count of consecutive automatic replies begins anew.
    """

    reply: str | None = None
    ending: EndedBy | None = None
    auto: bool = False

    @property
    def resets_counter(self) -> bool:
        """An automatic reply counts; everything else starts the count anew."""
        return not self.auto


def choose_question(mode: HumanInputMode, *, is_termination: bool, counter: int, limit: int) -> Question | None:
    """First phase: whether the person is asked about a received message, and how.

    `counter` is how many automatic replies this agent has given the sender in a row, `limit` how many it may.
    """
    if mode == "ALWAYS":
        return Question.FEEDBACK
    if mode == "NEVER":
        return None
    if is_termination:
        return Question.LAST_WORD
    return Question.FEEDBACK_AT_LIMIT if counter >= limit else None


def conclude(
    mode: HumanInputMode, answer: str | NotAsked, *, is_termination: bool, counter: int, limit: int
) -> Verdict:
    """Second phase: what follows from the answer, or from nobody having been asked.

    The word `exit` ends the chat. An empty answer to a termination message ends it too; to any other message it
    means an automatic reply, except where none is allowed at all (`limit` 0): then the empty answer itself is sent.
    """
    if isinstance(answer, NotAsked):
        if mode == "NEVER" and counter >= limit:
            return Verdict(ending=EndedBy.TERMINATION if is_termination else EndedBy.AUTO_REPLY_LIMIT)
        return Verdict(ending=EndedBy.TERMINATION) if is_termination else Verdict(auto=True)
    if answer.strip() == "exit":
        return Verdict(ending=EndedBy.HUMAN)
    if not answer and is_termination:
        return Verdict(ending=EndedBy.TERMINATION)
    return Verdict(reply=answer) if answer or limit == 0 else Verdict(auto=True)


__all__ = [
    "NOT_ASKED",
    "CallOf",
    "ChatEnds",
    "Condition",
    "EndedBy",
    "Ending",
    "ExternalStop",
    "HumanInputMode",
    "MaxMessages",
    "NotAsked",
    "Question",
    "TextMention",
    "Verdict",
    "When",
    "choose_question",
    "conclude",
    "is_terminate",
    "read_question",
    "without_terminate",
]
