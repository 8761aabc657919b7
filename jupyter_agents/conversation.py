"""The turn loop: two agents talk until one of them has nothing to say, a limit is reached, or a person stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from jupyter_agents.agents.begun import has_spoken
from jupyter_agents.budget import Budget, BudgetSpent, Ledger
from jupyter_agents.continuing import Continuations
from jupyter_agents.control import TAKEN_BACK, find_control
from jupyter_agents.culprits import in_short, tell_place
from jupyter_agents.effects import Emit, Hold
from jupyter_agents.errors import ChatInterrupted, NoHumanError
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    Entry,
    Event,
    EventLog,
    FormGiven,
    HumanAnswered,
    MessageSent,
    ModelAnswered,
    Noted,
    SeriesEnded,
    SeriesStarted,
    Summarised,
)
from jupyter_agents.journal.costs import classic_cost, paid, sum_of_costs
from jupyter_agents.journal.speakers import SpeakerFacts, facts_by_speaker
from jupyter_agents.last_word import without_terminate
from jupyter_agents.messages import Message, Usage
from jupyter_agents.models.cache import to_cache
from jupyter_agents.progress import Consumption, Limits, Progress
from jupyter_agents.replies import Reply
from jupyter_agents.run import Run, RunState, ThisRun, ThisTask, Within
from jupyter_agents.session import Rendered, rendered
from jupyter_agents.termination import ChatEnds, EndedBy, Ending

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]  # its stubs are a package of their own

T = TypeVar("T")

_LONGEST_DETAIL = 200


@dataclass(frozen=True)
class ChatResult(Continuations):
    """A chat as far as it got: who said what, why it ended, and what it cost.

    Everything is read from the event log, which may go on to grow: a result shows the chat as it was when it ended.
    """

    ended_by: EndedBy
    detail: str = ""
    log: EventLog = field(default_factory=EventLog, repr=False)
    chat: int = 0
    first: int = 0
    last: int = 0
    limits: Limits = field(default_factory=Limits, repr=False, compare=False)
    given_id: Any = field(default=None, repr=False, compare=False)

    @property
    def chat_id(self) -> Any:
        """The `chat_id` that the chat was given in a series; otherwise its ordinal in the log."""
        return self.chat if self.given_id is None else self.given_id

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages in order, each with the `name` of its speaker; roles as the initiator sees them."""
        said = self._events(MessageSent)
        initiator = said[0].sender if said else ""
        return [_as_history(event, initiator) for event in said]

    @property
    def chat_history(self) -> list[dict[str, Any]]:
        """The same, under the classic name."""
        return self.messages

    @property
    def summary(self) -> str:
        """What the chat comes to: what was summed up, or else the last message that has words, without a `TERMINATE`."""
        summed_up = self._events(Summarised)
        if summed_up:
            return str(summed_up[-1].text)
        said = [event.message for event in self._events(MessageSent)]
        last = next((message for message in reversed(said) if message.text.strip()), Message(""))
        return without_terminate(last.text, of_model=last.is_of_model or self.ended_by is EndedBy.TERMINATION)

    @property
    def value(self) -> Any:
        """What the last reply of the form that was asked for (`response_format`) comes to; `None` where there was none.

        In a chat that was loaded without the type, it is plain data.
        """
        given = [entry.seq for entry in self._own_entries() if isinstance(entry.event, FormGiven)]
        return self.log.value_at(given[-1]) if given else None

    @property
    def human_input(self) -> list[str]:
        """What people said; their word on running code is not in it."""
        return [event.text for event in self._events(HumanAnswered) if event.action == "reply"]

    @property
    def usage(self) -> Usage:
        """The tokens of all model calls of the chat and of the chats nested in it, also of replies that were dropped.

        Those that a recording or a cache has answered are not counted.
        """
        return sum((one.usage or Usage() for one in paid(self.events)), Usage())

    @property
    def cost(self) -> dict[str, dict[str, Any]]:
        """Tokens and US dollars by model in the classic form, with and without replayed and cached calls.

        Money is `None` where the price of a call is unknown, which is not 0. Prices are those of the models' configs, or
        published ones (the extra `prices`), as they were when the calls were made.
        """
        return classic_cost(self.events)

    @property
    def money(self) -> float | None:
        """US dollars that the model calls of the chat, and of the chats nested in it, have cost; `None` where one is unknown."""
        return sum_of_costs(paid(self.events))

    @property
    def model_calls(self) -> int:
        """How many calls to models there were, replayed ones included."""
        return len(self._calls())

    @property
    def events(self) -> list[Event]:
        """All that happened in the chat and in the chats nested in it, in order."""
        return self._events(Event, nested=True)

    @property
    def by_speaker(self) -> dict[str, SpeakerFacts]:
        """What each speaker did, in the order in which they first did something; nested chats included."""
        return facts_by_speaker(self.events)

    def to_frame(self, *, nested: bool = False) -> DataFrame:
        """The messages as a pandas DataFrame, one row each; with `nested` those of nested chats in their places too.

        Columns: `chat` and `turn` (ordinals, from 0), `sender`, `recipient`, `role` (as the initiator sees it),
        `origin` (`model`, `human`, `code`, `tool` or `program`), `content` (text), `tool_calls` (lists of names),
        `model`, `tokens_in`, `tokens_out`, `estimated` and `cost` (US dollars, of the model call behind the message), `replayed`, `cached`,
        `seconds` (that the model or the code took in this run), `finish_reason`, `silent`. What is unknown is `<NA>`:
        the dtypes are nullable (`string`, `Int64`, `Float64`, `boolean`), but for the ordinals (`int64`),
        `tool_calls` (`object`), `replayed`, `cached` and `silent` (`bool`).

        Raises `ConfigurationError` when pandas is not installed.
        """
        from jupyter_agents.journal.frame import to_frame

        said = self._events(MessageSent)
        return to_frame(self.events if nested else self._events(Event), said[0].sender if said else "")

    def timeline(self, *, times: bool = False) -> ChatFigure:
        """A figure of who did what in which order.

        Its axis counts turns, as in the figure that the result shows of itself: that one is saved in notebooks and
        compared by nbval, so it must be the same in every run. With `times` the axis is the seconds of this run.
        """
        return ChatFigure(self, "timeline", is_of_this_run=times)

    def exchanges(self) -> ChatFigure:
        """A figure of who talked to whom, and how often."""
        return ChatFigure(self, "exchanges")

    def tokens(self, *, replays: bool = False) -> ChatFigure:
        """A figure of the tokens of each speaker. With `replays` what was replayed in this run is marked."""
        return ChatFigure(self, "tokens", is_of_this_run=replays)

    def __copy__(self) -> ChatResult:
        return self  # nothing in it changes

    def __deepcopy__(self, memo: Any) -> ChatResult:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """What is pickled shows itself; it goes on no more, since its agents are not in it. `save` keeps them."""
        state = {one.name: getattr(self, one.name) for one in fields(self)}
        return _unpickled, (state | {"limits": self.limits.without_objects()},)

    def __len__(self) -> int:
        return len(self._events(MessageSent))

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        facts = [_count(len(self), "message"), f"ended by {self.ended_by}", _count(self.model_calls, "model call")]
        tokens = self.usage.total_tokens
        about = " (estimated)" if self.usage.estimated else ""
        return f"<ChatResult: {', '.join(facts)}{f', {tokens:,} tokens{about}' if tokens is not None else ''}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Rendered:
        return rendered(self)

    def _calls(self) -> list[ModelAnswered]:
        return self._events(ModelAnswered, nested=True)

    def _events(self, kind: type[Any], *, nested: bool = False) -> list[Any]:
        entries = self._nested_entries() if nested else self._own_entries()
        return [entry.event for entry in entries if isinstance(entry.event, kind)]

    def _own_entries(self) -> Iterator[Entry]:
        return (entry for entry in self.log.of_chat(self.chat, self.first) if entry.seq < self.last)

    def _nested_entries(self) -> Iterator[Entry]:
        chats = {self.chat}
        for entry in self.log.entries[self.first : self.last]:
            event = entry.event
            if isinstance(event, ChatStarted) and event.parent in chats:
                chats.add(event.chat)
            if event.chat in chats:
                yield entry


def _unpickled(state: dict[str, Any]) -> ChatResult:
    return ChatResult(**state)


@dataclass(frozen=True)
class ChatFigure:
    """A picture of a chat, drawn when it is shown. With `is_of_this_run` it says what differs from run to run."""

    result: ChatResult
    kind: Literal["timeline", "exchanges", "tokens"]
    is_of_this_run: bool = False

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Rendered:
        return rendered(self)


def _as_history(event: MessageSent, initiator: str) -> dict[str, Any]:
    role = event.message.role or ("assistant" if event.sender == initiator or event.message.calls else "user")
    return {"role": role, "name": event.sender} | event.message.to_dict() | {"role": role}


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# -- Opening and closing a chat ----------------------------------------------------------------------------------


async def open_run(log: EventLog | None, *, silent: bool, budget: Budget | None, cache: Any = None) -> Run:
    """The run of a new chat: nested in the one that is being driven, or a root chat on its own (or on `log`)."""
    here = await ThisRun()
    if here.depth and not here.state.is_over:
        ledger = Ledger(
            budget or Budget(), here.ledger, clock=here.control.clock
        )  # one of its own, which knows what this chat has used
        name = here.state.name if here.state.reserved else ""
        chat = here.state.reserved.pop(0) if here.state.reserved else here.log.new_chat()
        run = replace(here, ledger=ledger, chat=chat, depth=here.depth + 1, state=RunState(), name=name)
    else:
        log = log or EventLog()
        recording = here.session.find_recording()
        control = find_control()
        run = Run(
            log,
            Ledger(budget or here.session.settings.budget or Budget(), clock=control.clock),
            (() if here.depth else here.listeners) or tuple(here.session.make_listeners()),
            here.session,
            recording.conversation() if recording is not None else None,
            log.new_chat(),
            depth=1,
            control=control,
            cache=to_cache(here.session.settings.cache) if here.cache is None else here.cache,
        )
    run = run if cache is None else replace(run, cache=None if cache is False else cache)
    return replace(run, listeners=()) if silent else run


async def hold_chat(
    initiator: Any,
    recipient: Any,
    talk: Coroutine[Any, Any, Ending],
    run: Run,
    parent: int | None,
    summing_up: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> ChatResult:
    """Drive a talk to its end, whatever that is, and have it summed up; what came of it.

    Failures raise, with what was said as their `result`; an interrupt raises `ChatInterrupted`.
    """
    first, log = len(run.log), run.log

    async def to_the_end() -> ChatResult:
        try:
            await Emit(ChatStarted(run.chat, log.key_of(initiator), log.key_of(recipient), parent, run.name))
            await _say_provenance(run)
            ending = await _ending_of(talk)
            if summing_up is not None:
                await summing_up()
            _begin_end(run)
        except (KeyboardInterrupt, asyncio.CancelledError) as stop:
            if len(log) == first:
                raise
            _begin_end(run)
            result = await close(_ending_of_stop(run))
            if run.control.is_stopping and run.depth == 1:
                return result
            if isinstance(stop, asyncio.CancelledError):
                stop.result = result  # type: ignore[attr-defined]  # cancelling must stay cancelling
                raise
            raise ChatInterrupted(result) from None
        except GeneratorExit:  # nobody drives it any longer
            raise
        except BaseException as error:
            _begin_end(run)
            tell_place(error, _where(run, first, initiator, recipient))
            result = await close(Ending(EndedBy.ERROR, in_short(error, _LONGEST_DETAIL)))
            with suppress(AttributeError, TypeError):  # an error of somebody else's may be closed to it
                error.result = result  # type: ignore[attr-defined]
            raise
        return await close(ending)

    async def close(ending: Ending) -> ChatResult:
        await Emit(ChatEnded(run.chat, str(ending.by), ending.detail, ending.who))
        limits = run.state.progress.limits if run.state.progress is not None else Limits()
        return ChatResult(ending.by, ending.detail, log, run.chat, first, len(log), limits)

    try:
        return await _in_charge(run, to_the_end())
    finally:
        talk.close()


def _where(run: Run, first: int, initiator: Any, recipient: Any) -> str:
    """In which chat an error was raised, and when."""
    sent = sum(isinstance(entry.event, MessageSent) for entry in run.log.of_chat(run.chat, first))
    when = f"after message {sent}" if sent else "before the first message"
    return f"in the chat {run.log.key_of(initiator)} → {run.log.key_of(recipient)} {when}"


async def hold_series(run: Run, size: int, chats: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that holds several chats: they are nested in a series, which says nothing itself."""

    async def to_the_end() -> T:
        await Emit(SeriesStarted(run.chat, size))
        await _say_provenance(run)
        try:
            found = await chats
        except GeneratorExit:  # nobody drives it any longer
            raise
        except BaseException:
            _begin_end(run)
            await Emit(SeriesEnded(run.chat))
            raise
        _begin_end(run)
        await Emit(SeriesEnded(run.chat))
        return found

    try:
        return await _in_charge(run, to_the_end())
    finally:
        chats.close()


async def _in_charge(run: Run, held: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives under a run that is over when it is. A root chat has the buttons, and the tape."""
    task = await ThisTask()
    try:
        with run.control.held(task) if run.depth == 1 else nullcontext():
            found: T = await Within(run, held)
        return found
    finally:
        run.state.is_over = True
        if run.depth == 1 and run.tape is not None:
            run.tape.close()


async def _say_provenance(run: Run) -> None:
    if run.depth == 1 and run.tape is not None and run.tape.provenance:
        await Emit(Noted(run.chat, run.tape.provenance))


def _begin_end(run: Run) -> None:
    if run.depth == 1:
        run.control.begin_end()


def _ending_of_stop(run: Run) -> Ending:
    reason = run.control.reason
    if run.control.is_taken_back:
        return Ending(EndedBy.PAUSED, TAKEN_BACK)
    return Ending(EndedBy.INTERRUPTED) if reason is None else Ending(EndedBy.STOPPED, reason)


async def _ending_of(talk: Coroutine[Any, Any, Ending]) -> Ending:
    try:
        return await talk
    except ChatEnds as end:
        return end.ending
    except BudgetSpent as spent:
        return Ending(EndedBy.BUDGET, str(spent))


def check_people(agents: Iterable[Any], run: Run) -> None:
    """Refuse to begin a chat that is certain to ask somebody who is not there, before a model is paid."""
    for agent in agents:
        if agent.human_input_mode == "ALWAYS":
            way_out = "Use human_input_mode='NEVER'"
            check_person(agent, run, f"{agent.name!r} has human_input_mode='ALWAYS'", way_out)


def check_prices(agents: Iterable[Any], run: Run) -> None:
    """Refuse to begin a chat with limited money, in which a model would be refused for its unknown price."""
    if not run.ledger.needs_prices or (run.tape is not None and run.tape.replays_models):
        return
    from jupyter_agents.models.base import ModelRequest, is_configured
    from jupyter_agents.models.pricing import check_priced

    for agent in agents:
        group = getattr(agent, "groupchat", None)
        for one in (agent, *(group.agents if group is not None else ())):
            model = getattr(one, "model", None)
            if model is not None and is_configured(model):
                check_priced(model, ModelRequest([]), one.name)


def check_person(agent: Any, run: Run, why: str, way_out: str) -> None:
    """The same for one agent, for whom a person is certain to be asked."""
    is_replayed = run.tape is not None and run.tape.replays_people
    if is_replayed or not agent.asks_session_human:
        return
    human = agent.human or run.session.find_human()
    can_ask = getattr(human, "can_ask", None)
    if human is None or (can_ask is not None and not can_ask()):
        raise NoHumanError(
            f"Cannot ask for human input: {why} and nobody is here to answer (nbconvert, nbval or a script without a "
            f"terminal?). {way_out} or pass human=ScriptedHuman([...])."
        )


# -- The loop ----------------------------------------------------------------------------------------------------


class TurnLoop:
    """One talk between two agents: send, ask for a reply, send it back, and so on."""

    def __init__(self, run: Run, limits: Limits, *, silent: bool = False, sent: int = 0) -> None:
        self.run = run
        self._progress = begin_progress(run, limits, silent=silent)
        self._sent = sent

    async def talk(self, sender: Any, recipient: Any, first: Reply, request_reply: bool | None) -> Ending:
        """Send the first message and go on from there; why it ended.

        `request_reply` is about the first message only; after it, each agent decides by `reply_at_receive`.
        """
        await self._send(sender, recipient, first)
        return await self.go_on(sender, recipient, first, request_reply)

    async def go_on(self, sender: Any, recipient: Any, said: Reply, request_reply: bool | None) -> Ending:
        """The same, where the first message has been sent already."""
        while True:
            ending = said.ends_after or self._turns_are_over() or self._progress.ending()
            if ending is not None:
                return ending
            if request_reply is False or (request_reply is None and not recipient.replies_to(sender)):
                return Ending(EndedBy.NOT_REQUESTED)
            request_reply = None
            await self._hold_before(recipient)
            self.run.ledger.reserve_turn()
            said = await recipient.reply_to(sender)
            if said.message is None:
                return _said_nothing(recipient, said.ending)
            sender, recipient = recipient, sender
            await self._send(sender, recipient, said)

    async def _hold_before(self, agent: Any) -> None:
        """Rest where the chat is paused. A manager lets others speak, and does not say yet whom."""
        speaks = not hasattr(agent, "groupchat")
        await (Hold(self.run.log.key_of(agent), "reply") if speaks else Hold())

    async def _send(self, sender: Any, recipient: Any, said: Reply) -> None:
        await send(self.run, sender, recipient, said)
        self._sent += 1

    def _turns_are_over(self) -> Ending | None:
        turns = self._progress.limits.max_turns
        is_over = turns is not None and self._sent >= 2 * turns
        return Ending(EndedBy.MAX_TURNS, _count(turns, "turn")) if turns is not None and is_over else None


def _said_nothing(agent: Any, ending: Ending) -> Ending:
    """Why a chat ended with an agent that gave no reply; where nobody says more, that it did not."""
    is_bare = ending == Ending(EndedBy.NO_REPLY)
    return Ending(EndedBy.NO_REPLY, f"{agent.name} gave none") if is_bare else ending


def begin_progress(run: Run, limits: Limits | None = None, *, silent: bool = False) -> Progress:
    """Count anew what is said in a chat."""
    consumed = Consumption(run.ledger, run.control.clock)
    run.state.progress = Progress(
        limits or Limits(), run.session.settings.max_repairs, silent=silent, consumed=consumed
    )
    return run.state.progress


async def send(run: Run, sender: Any, recipient: Any, said: Reply) -> None:
    """Have both remember what one says to the other, and take note of it in the progress of the chat."""
    await sender.attach(run, recipient)  # again and again: a reply function may clear the history
    await recipient.attach(run, sender)
    progress = run.state.progress or begin_progress(run)
    await Emit(
        MessageSent(
            run.chat,
            run.log.key_of(sender),
            run.log.key_of(recipient),
            said.message or Message(""),
            said.origin,
            progress.silent,
            usage=said.usage,
            model=said.model,
            replayed=said.replayed,
            cached=said.cached,
            cost=said.cost,
        )
    )
    has_spoken(sender, run)
    progress.meet(sender, recipient)
    progress.add(said, sender.name)
    for doubt in progress.new_doubts():
        await Emit(Noted(run.chat, doubt, level="warning"))
