"""What `%%agentchat`, `%%agent` and `%agents` do."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from jupyter_agents.agents.assistant import AssistantAgent
from jupyter_agents.agents.checkpoints import group_of
from jupyter_agents.agents.faces import call_hook
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.agents.user_proxy import make_proxy
from jupyter_agents.agents.variables import agents_in, check_free, check_variable
from jupyter_agents.background import Chat
from jupyter_agents.conversation import ChatResult
from jupyter_agents.drive import a_drive, drive
from jupyter_agents.errors import ChatInterrupted, ConfigurationError, JupyterAgentsError
from jupyter_agents.events import Noted
from jupyter_agents.human.stdin import StdinHuman
from jupyter_agents.magics.options import REPLAYS, HelpAsked, agent_options, chat_options
from jupyter_agents.magics.people import DefaultPair, adjusted, find_initiator, find_recipient
from jupyter_agents.magics.roster import Roster
from jupyter_agents.magics.values import fill_in, unfilled
from jupyter_agents.nearest import nearest
from jupyter_agents.run import Run, current_run
from jupyter_agents.session import CodePolicy, ReplayMode, Session, Settings, current_session, use_session
from jupyter_agents.surroundings import check_models, open_recording

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_agents.journal.recording import Recording


class Cells:
    """The magics of one shell. Everything that they remember is here, and goes away with the extension."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.pair = DefaultPair()
        self._chats: list[Chat] = []

    # -- %%agentchat ---------------------------------------------------------------------------------------------

    async def agentchat(self, line: str, body: str) -> None:
        """Hold the chat of a cell, on the running event loop."""
        with quietly():
            chat = self._prepare(line, body)
            if chat is None:
                return
            if chat.options.background:
                self._begin(chat)
                return
            with chat.surroundings():
                await a_drive(chat.held())

    def agentchat_now(self, line: str, body: str) -> None:
        """Hold the chat of a cell synchronously, where no event loop can await it."""
        with quietly():
            chat = self._prepare(line, body)
            if chat is not None:
                with chat.surroundings():
                    drive(chat.held())

    def _prepare(self, line: str, body: str) -> CellChat | None:
        try:
            options = chat_options().parse_line(line)
        except HelpAsked as help_:
            show_text(str(help_))
            return None
        if options.into is not None:
            check_variable(options.into)
        namespace = self.shell.user_ns
        if not body.strip():
            raise ConfigurationError(
                "Cannot begin a chat: the cell has no message. Write it below the %%agentchat line."
            )
        initiator = find_initiator(namespace, options.from_, self.pair)
        recipient = find_recipient(namespace, options.to, self.pair)
        policy = current_session().settings.code_policy if initiator is self.pair.user else None
        written = body.strip()
        tell_unfilled(unfilled(written, namespace), namespace)
        return CellChat(options, written, fill_in(written, namespace), initiator, recipient, self._keep, policy)

    def _keep(self, into: str | None, result: Any, *, instead_of: Any = None) -> None:
        """Keep a result under its names; with `instead_of`, only where they still hold that."""
        namespace = self.shell.user_ns
        for name in ("_chat", into):
            if name is not None and (instead_of is None or namespace.get(name) is instead_of):
                namespace[name] = result

    def _begin(self, chat: CellChat) -> None:
        """Hold a chat in the background. Its outputs land in this cell: the task sees the cell's context.

        All that can be wrong beforehand is an error of the cell; what goes wrong later is shown in one line.
        """
        with chat.surroundings():
            chat.check()
            check_needs_nobody((chat.initiator, chat.recipient), chat.session)
            begun = Chat.holding(chat.initiator, chat.recipient, chat.held, kept=lambda results: keep(results[-1]))
            keep = partial(self._keep, chat.options.into, instead_of=begun)
            chat.keep = _keep_later
            begun.start()
            self._chats = [one for one in self._chats if not one.done()] + [begun]
            self._keep(chat.options.into, begun)

    # -- %%agent and %agents -------------------------------------------------------------------------------------

    def agent(self, line: str, body: str) -> None:
        """Define an agent as a variable."""
        with quietly():
            try:
                options = agent_options().parse_line(line)
            except HelpAsked as help_:
                show_text(str(help_))
                return
            if options.name is None:
                raise ConfigurationError("Cannot define an agent: it has no name. Write %%agent NAME.")
            check_variable(options.name)
            check_free(options.name, self.shell.user_ns)
            self.shell.user_ns[options.name] = _make_agent(options, body.strip())

    def agents(self, line: str) -> Roster:
        """The agents of this notebook."""
        return Roster({**self.pair.made(), **agents_in(self.shell.user_ns)})

    def close(self) -> None:
        """End what is still going on in the background."""
        for chat in self._chats:
            chat.cancel()


class CellChat:
    """The chat of one cell: who talks, about what, and under which settings."""

    def __init__(
        self,
        options: Namespace,
        written: str,
        message: str,
        initiator: ResponsiveAgent,
        recipient: ResponsiveAgent,
        keep: Callable[..., None],
        default_policy: CodePolicy | None = None,
    ) -> None:
        if initiator is recipient:
            raise ConfigurationError(
                f"Cannot begin a chat: {initiator.name!r} would talk to itself. Name another with --to."
            )
        self.options, self.message = options, message
        self.initiator, self.recipient, self.keep = initiator, recipient, keep
        if options.max_turns is not None and group_of(recipient) is not None:
            raise ConfigurationError(
                f"Cannot use --max-turns with the group of {recipient.name!r}: it ends after as many messages as its max_round "
                "says. Leave the option out, and give GroupChat(…, max_round=…)."
            )
        around = _run_around()
        self._is_nested = around is not None
        if around is None:
            self.session = _session_of(options, shows_opening=message != written)
        else:
            _check_nested(options)
            self.session = around.session
        self._default_policy = default_policy

    @contextmanager
    def surroundings(self) -> Iterator[None]:
        """The session and the changes to the agents that the options ask for, for the time of the chat."""
        with (
            use_session(self.session),
            adjusted(
                self.initiator,
                self.recipient,
                human=self.options.human,
                policy=self.options.approve,
                own_policy=self._default_policy,
                model=self.options.model,
            ),
        ):
            yield

    def check(self) -> None:
        """Raise what is certain to go wrong, before anything is said."""
        check_models(self.recipient, self.initiator, self.message, self.session)
        if self.options.background:
            self.initiator.check_free(self.recipient)

    async def held(self) -> ChatResult:
        """Hold the chat; its result is kept, whatever becomes of it."""
        self.check()
        more: dict[str, Any] = {"silent": True} if self._is_nested and self.options.quiet else {}
        for name in ("budget", "cache"):
            if getattr(self.options, name) is not None:
                more[name] = getattr(self.options, name)
        try:
            result = await call_hook(
                self.initiator,
                "initiate_chat",
                self.recipient,
                clear_history=not self.options.continue_,
                max_turns=self._max_turns(),
                message=self.message,
                **more,
            )
        except BaseException as error:
            self._keep_what_was_said(error)
            raise
        self.keep(self.options.into, result)
        return cast(ChatResult, result)

    def _max_turns(self) -> int | None:
        """After how many turns the chat ends; a group has a limit of its own."""
        if group_of(self.recipient) is not None:
            return None
        turns: int | None = self.options.max_turns or self.session.settings.max_turns
        return turns

    def _keep_what_was_said(self, error: BaseException) -> None:
        result = getattr(error, "result", None)
        if result is not None:
            self.keep(self.options.into, result)


def _run_around() -> Run | None:
    """The run of the chat in which this cell is executed: an agent's code may hold chats too."""
    run = current_run.get()
    return run if run is not None and run.depth and not run.state.is_over else None


def _check_nested(options: Namespace) -> None:
    """A chat within a chat is part of it: of its recording, and of the time for which it is held."""
    given = {
        "--record": options.record is not None,
        "--replay": options.replay is not None,
        "--refresh": options.refresh is not None,
        "--recording": options.recording is not None,
    }
    for option in (name for name, is_given in given.items() if is_given):
        raise ConfigurationError(
            f"Cannot use {option} in a chat within a chat: the recording of the outer chat holds it too. "
            "Leave the option out here, and use it where the outer chat begins."
        )
    if options.background:
        raise ConfigurationError(
            "Cannot hold a chat within a chat in the background: it is part of the outer chat. Leave out --background."
        )


def _session_of(options: Namespace, *, shows_opening: bool) -> Session:
    """The session, as the options of a cell change it."""
    session = current_session()
    recording = cell_recording(options, session.settings)
    listeners = list if options.quiet else partial(session.make_listeners, shows_opening=shows_opening)
    return replace(session, make_listeners=listeners, find_recording=lambda: recording)


def cell_recording(options: Namespace, settings: Settings) -> Recording | None:
    """The recording that a cell records to or replays from; options go before settings.

    The environment goes before both, but for its `off`, which is about settings.
    """
    given = [name for name in ("record", "replay", "refresh") if getattr(options, name) is not None]
    if len(given) > 1:
        raise ConfigurationError(f"Cannot both {given[0]} and {given[1]}: choose --{given[0]} or --{given[1]}.")
    if options.replay is not None and options.replay not in REPLAYS:
        raise ConfigurationError(
            f"Cannot replay {options.replay!r}: choose model or all. A file is named with --recording FILE."
        )
    mode = cast(ReplayMode, options.replay or (given[0] if given else settings.replay))
    path = options.recording or options.record or options.refresh or settings.recording
    return open_recording(mode, path, is_option=bool(given))


def _make_agent(options: Namespace, system_message: str) -> ResponsiveAgent:
    if options.proxy:
        if options.model:
            raise ConfigurationError("Cannot give a proxy a model with %%agent: leave out --proxy or --model.")
        return make_proxy(
            options.name,
            human_input_mode=options.human,
            policy=options.approve,
            system_message=system_message,
            description=options.description,
        )
    if options.approve:
        raise ConfigurationError("Cannot use --approve here: an assistant runs no code. Add --proxy, or leave it out.")
    return AssistantAgent(
        options.name,
        system_message or None,
        {"model": options.model} if options.model else None,
        human_input_mode=options.human or "NEVER",
        description=options.description,
    )


def check_needs_nobody(agents: Iterable[ResponsiveAgent], session: Session) -> None:
    """Refuse a chat in the background that may have to ask where only the keyboard can answer.

    Nobody can answer the prompt of a cell that is over; a page can.
    """
    recording = session.find_recording()
    if recording is not None and recording.mode == "replay" and "human" in recording.kinds:
        return
    for agent in agents:
        human = session.find_human() if agent.human is None else agent.human
        if not isinstance(human, StdinHuman) and getattr(human, "can_ask", _yes)():
            continue
        why = _why_it_asks(agent, session.settings)
        if why is not None:
            raise ConfigurationError(f"Cannot hold this chat: --background cannot ask you, and {agent.name!r} {why}")


def _keep_later(into: str | None, result: Any) -> None:
    """Keep nothing yet: a chat in the background may go on in another way, and its handle stays until then."""


def _yes() -> bool:
    """What is true of people who do not say whether they can be asked: a script, a class of the user's."""
    return True


def _why_it_asks(agent: ResponsiveAgent, settings: Settings) -> str | None:
    mode, code = agent.human_input_mode, agent.code_config
    if mode != "NEVER" and agent.asks_session_human:
        return f"has human_input_mode={mode!r}. Use --human never (with --from), or set it on the agent."
    if code is None or code.strictest(settings.code_policy) != "ask":
        return None
    if settings.code_policy == "ask":
        return "asks before code runs, as JupyterAgents.code_policy says. Use --approve deny, or change that setting."
    return "asks before code runs. Use --approve auto or deny."


@contextmanager
def quietly() -> Iterator[None]:
    """Show a mistake in one clear line instead of a traceback; the cell fails all the same."""
    try:
        yield
    except asyncio.CancelledError as error:
        result = getattr(error, "result", None)
        if result is None:
            raise
        raise ChatInterrupted(result) from None
    except JupyterAgentsError as error:
        lines = [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]
        error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
        raise error.with_traceback(None) from None


def tell_unfilled(names: Sequence[str], namespace: Mapping[str, Any]) -> None:
    """Say which names in braces stay in the message, because there is no such variable.

    That is no error: a slip must be seen, but a formula or a template is none.
    """
    from IPython.display import publish_display_data

    from jupyter_agents.display.bundle import note_bundle

    if not names:
        return
    own = [name for name in namespace if not name.startswith("_")]
    guess = nearest(names[0], own) if len(names) == 1 else None
    hint = f" Did you mean {{{guess}}}?" if guess else ""
    shown = ", ".join(f"{{{name}}}" for name in names)
    why = (
        "is sent as it is: no variable has this name"
        if len(names) == 1
        else "are sent as they are: no variables have these names"
    )
    publish_display_data(*note_bundle(Noted(0, f"{shown} {why}.{hint}", level="warning")))


def show_text(text: str) -> None:
    """Show help."""
    from IPython.display import publish_display_data

    publish_display_data({"text/plain": text})
