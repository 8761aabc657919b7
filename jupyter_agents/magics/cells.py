"""What `%%agentchat`, `%%agent` and `%agents` do."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, cast

from jupyter_agents.agents.assistant import AssistantAgent
from jupyter_agents.agents.faces import call_hook
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.conversation import ChatResult
from jupyter_agents.drive import a_drive, drive
from jupyter_agents.errors import ChatInterrupted, ConfigurationError, JupyterAgentsError
from jupyter_agents.magics.options import REPLAYS, HelpAsked, agent_options, chat_options
from jupyter_agents.magics.people import DefaultPair, adjusted, agents_in, find_initiator, find_recipient, make_proxy
from jupyter_agents.magics.roster import Roster
from jupyter_agents.magics.values import fill_in
from jupyter_agents.session import ReplayMode, Session, Settings, current_session, use_session
from jupyter_agents.surroundings import check_models, open_recording

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_agents.journal.recording import Recording


class Cells:
    """The magics of one shell. Everything that they remember is here, and goes away with the extension."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.pair = DefaultPair()
        self._tasks: set[asyncio.Task[Any]] = set()

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
        _check_variable(options.into)
        namespace = self.shell.user_ns
        if not body.strip():
            raise ConfigurationError(
                "Cannot begin a chat: the cell has no message. Write it below the %%agentchat line."
            )
        initiator = find_initiator(namespace, options.from_, self.pair)
        recipient = find_recipient(namespace, options.to, self.pair)
        policy = current_session().settings.code_policy if initiator is self.pair.user else None
        written = body.strip()
        return CellChat(options, written, fill_in(written, namespace), initiator, recipient, self._keep, policy)

    def _keep(self, into: str | None, result: Any) -> None:
        for name in {"_chat", into} - {None}:
            self.shell.user_ns[cast(str, name)] = result

    def _begin(self, chat: CellChat) -> None:
        """Hold a chat as a task. Its outputs land in this cell: the task sees the cell's context."""

        async def in_background() -> Any:
            with chat.surroundings():
                return await a_drive(chat.held())

        task = asyncio.get_running_loop().create_task(in_background())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._keep(chat.options.into, task)

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
            _check_variable(options.name)
            self.shell.user_ns[options.name] = _make_agent(options, body.strip())

    def agents(self, line: str) -> Roster:
        """The agents of this notebook."""
        return Roster({**self.pair.made(), **agents_in(self.shell.user_ns)})

    def close(self) -> None:
        """End what is still going on in the background."""
        for task in self._tasks:
            task.cancel()


class CellChat:
    """The chat of one cell: who talks, about what, and under which settings."""

    def __init__(
        self,
        options: Namespace,
        written: str,
        message: str,
        initiator: ResponsiveAgent,
        recipient: ResponsiveAgent,
        keep: Callable[[str | None, Any], None],
        default_policy: str | None = None,
    ) -> None:
        if initiator is recipient:
            raise ConfigurationError(
                f"Cannot begin a chat: {initiator.name!r} would talk to itself. Name another with --to."
            )
        self.options, self.message = options, message
        self.initiator, self.recipient, self._keep = initiator, recipient, keep
        self.session = _session_of(options, shows_opening=message != written)
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
                policy=self.options.approve or self._default_policy,
                model=self.options.model,
            ),
        ):
            yield

    async def held(self) -> ChatResult:
        """Hold the chat; its result is kept, whatever becomes of it."""
        check_models((self.initiator, self.recipient), self.session)
        try:
            result = await call_hook(
                self.initiator,
                "initiate_chat",
                self.recipient,
                clear_history=not self.options.continue_,
                max_turns=self.options.max_turns or self.session.settings.max_turns,
                message=self.message,
            )
        except BaseException as error:
            self._keep_what_was_said(error)
            raise
        self._keep(self.options.into, result)
        return cast(ChatResult, result)

    def _keep_what_was_said(self, error: BaseException) -> None:
        result = getattr(error, "result", None)
        if result is not None:
            self._keep(self.options.into, result)


def _session_of(options: Namespace, *, shows_opening: bool) -> Session:
    """The session, as the options of a cell change it."""
    session = current_session()
    recording = cell_recording(options, session.settings)
    listeners = list if options.quiet else partial(session.make_listeners, shows_opening=shows_opening)
    return replace(session, make_listeners=listeners, find_recording=lambda: recording)


def cell_recording(options: Namespace, settings: Settings) -> Recording | None:
    """The recording that a cell records to or replays from; options go before settings, the environment before both."""
    if options.record is not None and options.replay is not None:
        raise ConfigurationError("Cannot both record and replay: choose --record or --replay.")
    mode: ReplayMode = settings.replay
    path = options.recording or options.record or settings.recording
    if options.record is not None:
        mode = "record"
    elif options.replay is not None:
        if options.replay not in REPLAYS:
            raise ConfigurationError(
                f"Cannot replay {options.replay!r}: choose model or all. A file is named with --recording FILE."
            )
        mode = cast(ReplayMode, options.replay)
    return open_recording(mode, path)


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


def _check_variable(name: str | None) -> None:
    if name is not None and (not name.isidentifier() or iskeyword(name)):
        raise ConfigurationError(f"Cannot use {name!r} as a variable: give a Python name (letters, digits, _).")


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
        lines = [f"{type(error).__name__}: {error}"]
        error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
        raise error.with_traceback(None) from None


def show_text(text: str) -> None:
    """Show help."""
    from IPython.display import publish_display_data

    publish_display_data({"text/plain": text})
