"""Who is in a group, and which of its agents a name means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jupyter_agents.agents.mentions import same_name
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.nearest import did_you_mean


def checked_agents(given: Any) -> list[Any]:
    """The agents of a group, in a list. Raises `ConfigurationError` for those that cannot be in one together."""
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise ConfigurationError(f"Cannot build the group of {_shown(given)}: that is no list. Give a list of agents.")
    agents = list(given)
    if not agents:
        raise ConfigurationError("Cannot build the group: it has no agents. Give at least one, better two.")
    for agent in agents:
        if not hasattr(agent, "reply_to"):
            raise ConfigurationError(f"Cannot build the group: {agent!r} is no agent. Give agents, not their names.")
    _check_apart(agents)
    _check_spelling([one.name for one in agents])
    return agents


def with_teams(agents: Iterable[Any]) -> list[Any]:
    """These agents, and those of the teams that they lead."""
    found: list[Any] = []
    for agent in agents:
        found += [agent, *with_teams(getattr(getattr(agent, "groupchat", None), "agents", ()))]
    return found


def _check_apart(agents: list[Any]) -> None:
    everyone = with_teams(agents)
    seen: dict[str, Any] = {}
    for agent in everyone:
        other = seen.setdefault(agent.name, agent)
        if other is agent and sum(one is agent for one in everyone) > 1:
            raise ConfigurationError(
                f"Cannot build the group: {agent.name!r} is in it twice, or also in a team of it. Take it out in one place."
            )
        if other is not agent:
            raise ConfigurationError(
                f"Cannot build the group: two of its agents are named {agent.name!r}. Give each a name of its own."
            )


def _check_spelling(names: list[str]) -> None:
    """Models and people write names in their own way, and servers take no spaces: what differs in that only is one name."""
    for at, name in enumerate(names):
        other = next((one for one in names[:at] if same_name(one, name)), None)
        if other is not None:
            raise ConfigurationError(
                f"Cannot build the group: two of its agents are named {other!r} and {name!r}, which differ in nothing that a "
                "model keeps to. Give one of them another name."
            )


# -- By name -----------------------------------------------------------------------------------------------------


def find_member(agents: Sequence[Any], given: Any) -> Any:
    """The agent of a group that is meant: itself, or its name in any spelling; `None` where it is not in it."""
    if not isinstance(given, str):
        return next((one for one in agents if one is given), None)
    exact = next((one for one in agents if one.name == given), None)
    return exact or next((one for one in agents if same_name(one.name, given)), None)


def named_members(agents: Sequence[Any], given: Iterable[Any], where: str) -> list[Any]:
    """The agents of a group that are meant. `where` is what names them, for the error about a stranger."""
    found = []
    for one in given:
        member = find_member(agents, one)
        if member is None:
            raise ConfigurationError(
                f"Cannot build the group: {where} name {_shown(one)}, who is not in it. It has {names_of(agents)}."
                f"{did_you_mean(one, (each.name for each in agents))}"
            )
        found.append(member)
    return found


def names_of(agents: Iterable[Any]) -> str:
    """The names, for a sentence."""
    return ", ".join(one.name for one in agents)


def _shown(value: Any) -> str:
    return repr(getattr(value, "name", value))
