"""What the chats of a series came to, each by itself and all together."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any

from jupyter_agents.conversation import ChatResult
from jupyter_agents.events import Event
from jupyter_agents.journal.costs import classic_cost, paid, sum_of_costs
from jupyter_agents.journal.speakers import SpeakerFacts, facts_by_speaker
from jupyter_agents.messages import Usage
from jupyter_agents.session import Rendered, rendered

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]  # its stubs are a package of their own


class SeriesFacts:
    """What can be said of several chats together. Each counts with the chats that were nested in it."""

    def chats(self) -> list[ChatResult]:
        """The results in the order in which the chats were given."""
        raise NotImplementedError

    @property
    def usage(self) -> Usage:
        """The tokens of all model calls; replayed calls are not counted."""
        return sum((one.usage for one in self.chats()), Usage())

    @property
    def cost(self) -> dict[str, dict[str, Any]]:
        """Tokens and US dollars by model in the classic form, with and without replayed and cached calls. See `ChatResult.cost`."""
        return classic_cost(self.events)

    @property
    def money(self) -> float | None:
        """US dollars that all model calls have cost; `None` where one is unknown. See `ChatResult.money`."""
        return sum_of_costs(paid(self.events))

    @property
    def model_calls(self) -> int:
        """How many calls to models there were, replayed ones included."""
        return sum(one.model_calls for one in self.chats())

    @property
    def events(self) -> list[Event]:
        """All that happened, one chat after the other, also where they were held at the same time."""
        return [event for one in self.chats() for event in one.events]

    @property
    def by_speaker(self) -> dict[str, SpeakerFacts]:
        """What each speaker did, in the order in which they first did something."""
        return facts_by_speaker(self.events)

    def to_frame(self, *, nested: bool = False) -> DataFrame:
        """The messages as one pandas DataFrame: that of each chat (`ChatResult.to_frame`), one below the other.

        Before its columns stands `result`: under which index, or `chat_id`, the chat is in these results.

        Raises `ConfigurationError` when pandas is not installed.
        """
        from jupyter_agents.journal.frame import joined_frames

        return joined_frames([(key, one.to_frame(nested=nested)) for key, one in self.keyed()])

    def keyed(self) -> Iterator[tuple[Hashable, ChatResult]]:
        """The results, each with the index or the `chat_id` under which it is here."""
        return enumerate(self.chats())

    def __repr__(self) -> str:
        found = self.chats()
        facts = [_count(len(found), "chat"), _count(sum(map(len, found)), "message")]
        tokens = self.usage.total_tokens
        about = " (estimated)" if self.usage.estimated else ""
        calls = _count(self.model_calls, "model call")
        return f"<{type(self).__name__}: {', '.join([*facts, calls])}{f', {tokens:,} tokens{about}' if tokens is not None else ''}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Rendered:
        return rendered(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython asks for plain text, which it would take for lists and dictionaries to be their `repr`."""
        shown = repr(self) if cycle or len(printer.stack) > 1 else _data_of(rendered(self))["text/plain"]
        printer.text(shown)


class ChatResults(SeriesFacts, list[ChatResult]):
    """The results of chats that were held one after the other: a list, and what they came to together."""

    def chats(self) -> list[ChatResult]:
        """See `SeriesFacts`."""
        return list(self)


class ChatResultsById(SeriesFacts, dict[Hashable, ChatResult]):
    """The results of chats that need each other: a dictionary by `chat_id`, and what they came to together."""

    def chats(self) -> list[ChatResult]:
        """See `SeriesFacts`."""
        return list(self.values())

    def keyed(self) -> Iterator[tuple[Hashable, ChatResult]]:
        """See `SeriesFacts`."""
        return iter(self.items())


def _data_of(shown: Rendered) -> dict[str, Any]:
    return shown[0] if isinstance(shown, tuple) else shown


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


__all__ = ["ChatResults", "ChatResultsById", "SeriesFacts"]
