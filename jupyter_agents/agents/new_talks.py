"""What groups forget where a chat begins anew: what they said, and what their members and they remember of each other.

The two who begin a chat forget each other, and the group that one of them leads is part of it, with the teams in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_agents.agents.checkpoints import group_of
from jupyter_agents.agents.group_chat import GroupChat
from jupyter_agents.agents.memory import memory_of, wait_for_others
from jupyter_agents.effects import Emit
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import EventLog, GroupSet
from jupyter_agents.run import Run


@dataclass(frozen=True)
class NewTalk:
    """A group that is to talk anew, and who leads it."""

    leader: Any
    group: GroupChat

    def begin(self) -> None:
        """Forget what the group said. What its members said elsewhere stays."""
        self.group.reset()
        for member in self.group.agents:
            for one, other in ((member, self.leader), (self.leader, member)):
                one.clear_history(other)  # the method of the agent, which a subclass may have made its own
                memory_of(one).count_anew(other)

    def is_told_in(self, log: EventLog) -> bool:
        """Whether a log tells of what the group said before, so that it must tell of this, too."""
        return any(one.log_with(self.leader) is log for one in self.group.agents)

    async def tell(self, run: Run) -> None:
        """Take note that all of it begins anew."""
        await Emit(GroupSet(run.chat, run.log.key_of(self.leader)))
        for member in self.group.agents:
            await member.attach(run, self.leader)
            await self.leader.attach(run, member)


async def new_talks(initiator: Any, recipient: Any, run: Run) -> list[NewTalk]:
    """The groups that are part of a new chat of these two.

    One that the initiator leads is left alone while it talks. Raises `ConfigurationError` for one of the recipient that
    does: it would forget what about. Those that talk in a chat beside this one are waited for.
    """
    theirs = _led_by(recipient)
    for one in theirs:
        await wait_for_others(one.leader, run)
    busy = next((one.leader.name for one in theirs if memory_of(one.leader).chats), None)
    if busy is not None:
        raise ConfigurationError(
            f"Cannot begin a chat anew: the group of {busy!r} is talking in another one, and would forget what about. Wait "
            "for its end, stop it (chat.stop()), go on with clear_history=False, or build another group."
        )
    own = _led_by(initiator)
    return theirs if any(memory_of(one.leader).chats for one in own) else [*theirs, *own]


def begin_anew(talks: Sequence[NewTalk], log: EventLog) -> list[NewTalk]:
    """Have groups forget what they said; those of which the log must tell that, as it tells of what they said."""
    told = [one for one in talks if one.is_told_in(log)]
    for one in talks:
        one.begin()
    return told


def _led_by(agent: Any) -> list[NewTalk]:
    """The group that an agent leads, if it does, and those that its members lead."""
    found: list[NewTalk] = []
    waiting = [agent]
    while waiting:
        leader = waiting.pop(0)
        group = group_of(leader)
        if group is not None and not any(group is other.group for other in found):
            found.append(NewTalk(leader, group))
            waiting += group.agents
    return found
