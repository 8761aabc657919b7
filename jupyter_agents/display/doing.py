"""What goes on in a chat and in those nested in it, for the line that says so."""

from __future__ import annotations

from typing import NamedTuple

from jupyter_agents.widgets.protocol import Activity


class Doer(NamedTuple):
    """Who is at what: the kind of activity, the ordinal of the chat, the agent, and the call of a tool."""

    kind: str
    chat: int
    agent: str
    call: str = ""


class Doing:
    """Activities under way. Several may be, in chats within each other or at the same time: the last one is shown.

    >>> doing, code, model = Doing(), Doer("code", 0, "user"), Doer("model", 1, "critic")
    >>> doing.begin(code, Activity("code", "user", "python", 0.0))
    >>> doing.begin(model, Activity("model", "critic", "", 1.0))
    >>> doing.end(model)
    >>> doing.now.kind
    'code'
    """

    def __init__(self) -> None:
        self._under_way: dict[Doer, Activity] = {}

    @property
    def now(self) -> Activity | None:
        """What to show."""
        return next(reversed(self._under_way.values()), None)

    def __contains__(self, doer: Doer | None) -> bool:
        return doer in self._under_way

    def is_at(self, activity: Activity) -> bool:
        """Whether this very activity is under way."""
        return any(one is activity for one in self._under_way.values())

    def begin(self, doer: Doer, activity: Activity) -> None:
        """Something begins, or is something else from now on."""
        self._under_way.pop(doer, None)
        self._under_way[doer] = activity

    def end(self, doer: Doer) -> None:
        """It is over."""
        self._under_way.pop(doer, None)

    def end_chat(self, chat: int) -> None:
        """Whatever was under way in a chat is over."""
        for doer in [one for one in self._under_way if one.chat == chat]:
            del self._under_way[doer]

    def model_call_of(self, agent: str) -> Doer | None:
        """The last model call of this agent that is under way."""
        return next((one for one in reversed(self._under_way) if one.kind == "model" and one.agent == agent), None)


__all__ = ["Doer", "Doing"]
