"""Bring a recording up to date: what still fits is replayed, and only the rest is asked again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_agents.effects import Ask, Complete
from jupyter_agents.errors import RecordingError
from jupyter_agents.human.base import Answer
from jupyter_agents.journal import recording_file
from jupyter_agents.journal.canonical import Asked, Kind
from jupyter_agents.journal.recording_file import Conversation, Exchange
from jupyter_agents.journal.tapes import RecordingTape, grants, is_scripted, kind_of, lock
from jupyter_agents.models.base import ModelReply

if TYPE_CHECKING:
    from jupyter_agents.journal.recording import Recording

_log = logging.getLogger(__name__)
_Place = tuple[int, str, Kind]


class RefreshingTape(RecordingTape):
    """Answers what is asked as it was recorded, and writes down the rest.

    An answer still fits where its agent was asked the same up to then; after the first difference all that this agent
    asks is new. The file changes once, when the conversation is over, and not at all where everything fitted: the
    lines that are kept stay as they are.
    """

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self._old = Conversation("")
        self._is_another_take = False  # of a beginning that is recorded
        self._open: dict[_Place, Asked] = {}  # asked, and not answered yet
        self._new: set[_Place] = set()  # where something was not as it was recorded
        self._done: dict[tuple[int, str, Kind, int], str] = {}  # the lines of this run
        self._is_trusted: dict[str, bool] = {}  # the conversations whose words were used

    @property
    def replays_people(self) -> bool:
        """Whether people answered where it was recorded, so that perhaps nobody need be there."""
        return any(one.kind == "human" for one in self._recording.contents)

    @property
    def replays_models(self) -> bool:
        """Whether there are replies of models in it, so that perhaps none is paid for."""
        return any(one.kind == "model" for one in self._recording.contents)

    @property
    def is_foreign(self) -> bool:
        """Whether words were used that were neither recorded here nor are trusted by the user."""
        return not all(self._is_trusted.values())

    def close(self) -> None:
        """Give the file the conversation as it is now, in one step. Where that fails, the log says so."""
        with lock:
            if not self._new or self._name is None:
                return
            lines = [*self._done.values(), *self._not_reached()]
            try:
                recording_file.put(self._recording.file, self._name, lines)
                if not self.is_foreign:  # what others approved is not approved by recording more
                    self._recording.trust.add(recording_file.digest(lines), note=self._recording.path.name)
            except (RecordingError, OSError) as error:
                _log.warning("Cannot refresh %s: %s", self._recording.path, error)
            self._new.clear()

    def _replay(self, effect: Complete | Ask, chat: int, agent: str) -> ModelReply | Answer | None:
        place = chat, agent, kind_of(effect)
        if place in self._open:  # what was asked before came to nothing
            self._chains[place].take_back()
        asked = self._ask(effect, chat, agent)
        self._begin(asked)
        found = self._fitting(asked, effect)
        if found is None:
            self._open[place] = asked
            return None
        self._open.pop(place, None)
        self._keep(asked, found)
        return found.outcome

    def _record(self, effect: Complete | Ask, outcome: ModelReply | Answer, chat: int, agent: str) -> None:
        place = chat, agent, kind_of(effect)
        asked = self._open.pop(place)
        entry = self._entry(asked, outcome, is_scripted=is_scripted(effect))
        self._done[asked.key] = recording_file.to_text(entry)
        self._new.add(asked.key[:3])

    def _begin(self, asked: Asked) -> None:
        """Find the conversation that begins so, or make one."""
        if self._done or (self._name or "").partition(".")[0] == asked.hash:
            return
        self._name = recording_file.name_of_take(asked.hash, self._recording.takes.next(asked.hash))
        known = self._recording.contents.conversations
        self._old = known.get(self._name) or Conversation(self._name)
        self._is_another_take = any(name.startswith(asked.hash) for name in known)

    def _fitting(self, asked: Asked, effect: Complete | Ask) -> Exchange | None:
        """The exchange in which the same was asked. The approvals of others do not count."""
        for conversation in self._sources(asked.kind):
            found = conversation.exchanges.get(asked.key)
            if found is None or found.hash != asked.hash:
                continue
            if not grants(effect, found.outcome) or self._trusts(conversation):
                self._is_trusted[conversation.name] = self._trusts(conversation)
                return found
        return None

    def _sources(self, kind: Kind) -> Iterator[Conversation]:
        """Where to look. Where nothing began so, its nested chats may be those of a conversation that began otherwise."""
        if self._old.exchanges or self._is_another_take or kind == "human":
            yield self._old
        else:
            yield from self._recording.contents.conversations.values()

    def _trusts(self, conversation: Conversation) -> bool:
        known = self._is_trusted.get(conversation.name)
        return self._recording.trust.is_trusted(conversation.digest) if known is None else known

    def _keep(self, asked: Asked, found: Exchange) -> None:
        if found.conversation == self._name:
            self._done[asked.key] = found.line
            if isinstance(found.outcome, ModelReply):
                self._tell(asked, found.outcome)
            return
        self._done[asked.key] = recording_file.to_text(self._entry(asked, found.outcome, is_scripted=found.scripted))
        self._new.add(asked.key[:3])

    def _not_reached(self) -> Iterator[str]:
        """What was recorded and not asked in this run, which may have been cut short; it fits as far as is known."""
        for key, exchange in self._old.exchanges.items():
            if key not in self._done and key[:3] not in self._new:
                yield exchange.line
