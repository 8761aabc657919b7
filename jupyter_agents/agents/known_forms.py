"""Forms of replies in the file of a chat, which has no types: what is written of them, and types that are given again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_agents.agents.reply_format import ReplyFormat, digest_of, name_of_form
from jupyter_agents.errors import ConfigurationError, NotKeptWarning
from jupyter_agents.events import EventLog, FormAsked, FormGiven


def asked_to_json(asked: tuple[str, Any] | None) -> dict[str, Any] | None:
    """What a chat asks of somebody's replies, as plain data."""
    if asked is None:
        return None
    key, form = asked
    repairs = form.repairs if isinstance(form, ReplyFormat) else None
    return {"agent": key, "name": name_of_form(form), "repairs": repairs, "form": form}


class KnownForms:
    """The types that somebody has given to read again what a log holds, which has no types."""

    def __init__(self, kinds: Iterable[Any]) -> None:
        given = [one if isinstance(one, ReplyFormat) else ReplyFormat(one) for one in kinds]
        self._by_name = {one.label: one for one in given}
        self._by_digest = {digest_of(one): one for one in given}
        self.lacking: list[str] = []

    def find(self, name: str, digest: str) -> ReplyFormat | None:
        """The form that is meant: the very same, or one of this name that has changed since."""
        found = self._by_digest.get(digest) or self._by_name.get(name)
        if found is None and name not in self.lacking:
            self.lacking.append(name)
        return found

    def read(self, log: EventLog) -> None:
        """Have a log read values by these types. Raises `ConfigurationError` for one that does not fit, or is not meant."""
        given = [one.event for one in log if isinstance(one.event, FormGiven)]
        self._check_meant([one.event for one in log if isinstance(one.event, FormAsked)])
        for event in given:
            form = self.find(event.name, event.digest)
            if form is None:
                json.loads(event.text)  # what is no JSON is a damaged file
                continue
            log.read_forms(event.agent, event.digest, form.value_of)
            try:
                form.value_of(event.text)
            except ValueError as error:
                raise ConfigurationError(
                    f"Cannot load the chat: a reply of {event.agent!r} is no {form.label} ({error}). Give the type as it was, "
                    "or load the chat without it."
                ) from error

    def restored(self, asked: Mapping[str, Any] | None) -> tuple[str, Any] | None:
        """What `asked_to_json` gave; of a type that is not known, what a server is sent."""
        if asked is None:
            return None
        form, repairs = asked["form"], asked["repairs"]
        known = None if repairs is None else self.find(str(asked["name"]), digest_of(form))
        return str(asked["agent"]), form if known is None else ReplyFormat(known.kind, int(repairs))

    def warn(self) -> None:
        """Warn of types that were not given."""
        if self.lacking:
            warnings.warn(
                f"The chat is loaded without the types of its replies ({', '.join(self.lacking)}): its value is plain data, "
                "and nothing checks further replies. Give the types as formats=[…].",
                NotKeptWarning,
                stacklevel=3,
            )

    def _check_meant(self, asked: list[FormAsked]) -> None:
        names = {one.name for one in asked}
        digests = {one.digest for one in asked}
        for digest, form in self._by_digest.items():
            if form.label not in names and digest not in digests:
                known = ", ".join(sorted(names)) or "none"
                raise ConfigurationError(
                    f"Cannot load the chat: nobody was asked for {form.label}. The forms of its replies are: {known}."
                )
