"""A chat box in a cell: a transcript, and a place to write to agents at any time."""

from __future__ import annotations

import asyncio
import contextvars
from dataclasses import replace
from typing import Any

from jupyter_agents.agents.checkpoints import group_of
from jupyter_agents.agents.faces import call_hook
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.agents.user_proxy import make_proxy
from jupyter_agents.background import Chat, in_one_line
from jupyter_agents.control import Control
from jupyter_agents.conversation import ChatResult
from jupyter_agents.display import front_end
from jupyter_agents.display.bundle import note_bundle
from jupyter_agents.display.notebook import Box, NotebookListener
from jupyter_agents.display.page import LivePage
from jupyter_agents.display.slots import SharedSlot, new_display_id
from jupyter_agents.errors import ConfigurationError, UnknownAgentError
from jupyter_agents.events import Noted
from jupyter_agents.nearest import nearest
from jupyter_agents.session import current_session, use_session
from jupyter_agents.widgets.protocol import Activity, Composer, Item


class AgentChat:
    """A box in which you talk with agents while you go on working: display it, and write.

    What you write goes to the first agent, or to the one whom you name with `@name` at its beginning. Each agent goes
    on from what it remembers of its talk with `user`, who speaks for you: by default a proxy that asks you, in the box,
    before it runs code. The transcript is saved in the notebook like any output. `max_turns` limits what follows from
    one message, in round trips.

    >>> from jupyter_agents import AssistantAgent
    >>> AgentChat(AssistantAgent("assistant", llm_config=False))
    <AgentChat: you and assistant, nothing said yet>
    """

    def __init__(
        self, *agents: ResponsiveAgent, user: ResponsiveAgent | None = None, max_turns: int | None = None
    ) -> None:
        self.user = user or make_proxy("you")
        self.agents = _by_name(agents, self.user)
        self.max_turns = max_turns
        self.results: list[ChatResult] = []
        """What came of each message, the oldest first; one more for each time that something was taken back."""
        self._chat: Chat | None = None
        self._box: Box | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.copy_context()

    def __repr__(self) -> str:
        said = len(self.messages)
        about = f"{said:,} message{'' if said == 1 else 's'}" if said else "nothing said yet"
        return f"<AgentChat: {self.user.name} and {', '.join(self.agents)}, {about}>"

    @property
    def is_busy(self) -> bool:
        """Whether an answer is under way."""
        return self._chat is not None and not self._chat.done()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All that was said in the box, in order."""
        return [message for result in self.results for message in result.messages]

    # -- Showing it -----------------------------------------------------------------------------------------------

    def _ipython_display_(self) -> None:
        """Show the box in the cell that runs. Where nobody can write in it, what was said is shown."""
        if not front_end.is_followed() or not front_end.has_widgets():
            self._show_text()
            return
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._show_text()
            return
        self._context = contextvars.copy_context()
        if self._box is None:
            page = LivePage(Control(), front_end.user_namespace)
            page.say = self._hear
            page.channel.set(is_going_on=False, composer=Composer(tuple(self.agents)))
            self._box = Box(page, SharedSlot(new_display_id(), is_followed=True, kind="box"))
        else:
            self._box.slot.move(new_display_id())
        self._box.slot.go_live(self._box.page.model_id)

    def _show_text(self) -> None:
        from IPython.display import publish_display_data

        publish_display_data({"text/plain": repr(self)})

    # -- Talking --------------------------------------------------------------------------------------------------

    def say(self, text: str, to: str | None = None) -> Chat:
        """Send a message, as if it had been written in the box; the chat that comes of it, which can be awaited.

        Raises `UnknownAgentError` for a name that is not in the box, and `ConfigurationError` while an answer is under
        way.
        """
        if not text.strip():
            raise ConfigurationError("Cannot send a message: it is empty. Write something.")
        if self.is_busy:
            raise ConfigurationError("Cannot send a message: an answer is under way. Wait for it, or call stop().")
        agent = self._addressed(to)
        failed = self._failed if self._box is not None else None
        chat = Chat.holding(self.user, agent, lambda: self._held(agent, text), failed, self.results.extend)
        session = current_session()
        with use_session(replace(session, make_listeners=self._make_listeners) if self._box else session):
            self._chat = chat.start()
        self._show_busy()
        chat.when_ended(lambda: self._show_busy(is_busy=False))
        return chat

    async def _held(self, agent: ResponsiveAgent, text: str) -> ChatResult:
        usual = current_session().settings.max_turns if group_of(agent) is None else None  # a group has its max_round
        turns = self.max_turns or usual
        result: ChatResult = await call_hook(
            self.user, "initiate_chat", agent, clear_history=False, max_turns=turns, message=text
        )
        return result

    def stop(self) -> None:
        """End the answer that is under way, in order."""
        if self._chat is not None:
            self._chat.stop()

    def close(self) -> None:
        """Let the box go: an answer that is under way is stopped, and what was said stands there without it."""
        box, self._box = self._box, None
        if box is None:
            return

        def leave() -> None:
            box.slot.finish()
            box.page.close()

        if self._chat is None or self._chat.done():
            leave()
        else:
            self._chat.when_ended(leave)
            self._chat.stop()

    def _make_listeners(self, **options: Any) -> list[Any]:
        return [NotebookListener(box=self._box)]

    def _addressed(self, name: str | None) -> ResponsiveAgent:
        if not name:
            return next(iter(self.agents.values()))
        found = self.agents.get(name)
        if found is None:
            guess = nearest(name, self.agents)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise UnknownAgentError(f"Cannot find agent {name!r}: here are {', '.join(self.agents)}.{hint}")
        return found

    # -- What the page says ---------------------------------------------------------------------------------------

    def _hear(self, to: str, text: str) -> None:
        """A message of the page, in whichever thread it comes: the chat belongs to the kernel's own loop."""
        if self._loop is None or self._loop.is_closed():
            return
        if not self.is_busy:
            self._show_busy(Activity("queue", "", "", self._now()))
        self._loop.call_soon_threadsafe(self._begin, to, text, context=self._context.copy())

    def _begin(self, to: str, text: str) -> None:
        if self.is_busy:  # two pages have written at the same time
            self._note("This was not sent, for an answer is under way: " + text)
            return
        try:
            self.say(text, to or None)
        except ConfigurationError as error:
            self._show_busy(is_busy=False)
            self._note(str(error))

    def _failed(self, error: BaseException) -> None:
        self._note(f"The chat has failed. {in_one_line(error)}")

    def _note(self, text: str) -> None:
        if self._box is None:
            return
        bundle = note_bundle(Noted(0, text, level="warning"))
        self._box.slot.add(lambda: bundle)
        self._box.page.channel.add(Item(next(self._box.page.numbers), "bundle", bundle.data, bundle.metadata))

    def _show_busy(self, activity: Activity | None = None, *, is_busy: bool = True) -> None:
        if self._box is not None:
            composer = Composer(tuple(self.agents), is_busy)
            self._box.page.channel.set(composer=composer, activity=activity)

    def _now(self) -> float:
        return self._box.page.clock.now() if self._box is not None else 0.0


def _by_name(agents: tuple[ResponsiveAgent, ...], user: ResponsiveAgent) -> dict[str, ResponsiveAgent]:
    """The agents by name. Raises `ConfigurationError` for what is none, and for two of one name."""
    if not agents:
        raise ConfigurationError("Cannot make a chat box: there is nobody in it. Write AgentChat(assistant).")
    found: dict[str, ResponsiveAgent] = {}
    for agent in agents:
        if not isinstance(agent, ResponsiveAgent):
            raise ConfigurationError(
                f"Cannot talk with {agent!r}: it is no agent. Pass agents, such as AssistantAgent."
            )
        if agent is user or agent.name in found:
            raise ConfigurationError(
                f"Cannot make a chat box: {agent.name!r} is in it twice. Give each a name of its own."
            )
        found[agent.name] = agent
    return found


__all__ = ["AgentChat"]
