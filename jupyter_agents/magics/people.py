"""Who takes part: agents found in the user's namespace, or the default pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jupyter_agents.agents.adjustments import adjusting, adjustment_of
from jupyter_agents.agents.assistant import AssistantAgent
from jupyter_agents.agents.code_config import CodeConfig
from jupyter_agents.agents.group_chat import GroupChat, everyone_in
from jupyter_agents.agents.model_config import ModelConfig
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.agents.user_proxy import UserProxyAgent, make_proxy
from jupyter_agents.agents.variables import agents_in
from jupyter_agents.errors import UnknownAgentError
from jupyter_agents.nearest import nearest
from jupyter_agents.session import CodePolicy

NOTEBOOK_USER = "user"
NOTEBOOK_ASSISTANT = "assistant"


class DefaultPair:
    """The assistant and the user proxy that `%%agentchat` makes where the notebook has none. They ask before running code."""

    def __init__(self) -> None:
        self._assistant: AssistantAgent | None = None
        self._user: UserProxyAgent | None = None

    @property
    def assistant(self) -> AssistantAgent:
        """The assistant, made at the first look."""
        if self._assistant is None:
            self._assistant = AssistantAgent(NOTEBOOK_ASSISTANT)
        return self._assistant

    @property
    def user(self) -> UserProxyAgent:
        """The user proxy, made at the first look."""
        if self._user is None:
            self._user = make_proxy(NOTEBOOK_USER)
        return self._user

    def made(self) -> dict[str, ResponsiveAgent]:
        """Those that have taken part in a chat."""
        return {one.name: one for one in (self._assistant, self._user) if one is not None and one.has_talked}


def find_recipient(namespace: Mapping[str, Any], name: str | None, pair: DefaultPair) -> ResponsiveAgent:
    """Who is spoken to: the named agent or group; else the only group or assistant; else the default assistant.

    Members of a group are spoken to through its manager, unless they are named. The default assistant is one of several once it has been spoken to: a cell does not change whom it means by itself.
    """
    known = agents_in(namespace)
    if name is not None:
        return _named(name, namespace, known, pair)
    distinct = list({id(agent): agent for agent in [*pair.made().values(), *known.values()]}.values())
    members = {id(one) for agent in distinct for one in members_of(agent)}
    found = [one for one in distinct if id(one) not in members and not isinstance(one, UserProxyAgent)]
    if len(found) > 1:
        names = ", ".join(f"{agent.name} (a group)" if members_of(agent) else agent.name for agent in found)
        raise UnknownAgentError(f"Cannot tell which agent to talk to: there are {names}. Name one with --to.")
    return found[0] if found else pair.assistant


def members_of(agent: ResponsiveAgent) -> list[Any]:
    """The agents of the group that an agent leads, and of the teams in it; none for any other agent."""
    group = getattr(agent, "groupchat", None)
    return everyone_in(group) if isinstance(group, GroupChat) else []


def find_initiator(namespace: Mapping[str, Any], name: str | None, pair: DefaultPair) -> ResponsiveAgent:
    """Who speaks for the user: the named agent, else the only user proxy, else the default one."""
    known = agents_in(namespace)
    if name is not None:
        return _named(name, namespace, known, pair)
    proxies = list({id(agent): agent for agent in known.values() if isinstance(agent, UserProxyAgent)}.values())
    if len(proxies) > 1:
        names = ", ".join(agent.name for agent in proxies)
        raise UnknownAgentError(f"Cannot tell which agent speaks for you: there are {names}. Name one with --from.")
    return proxies[0] if proxies else pair.user


def _manager_of(name: str, group: GroupChat, known: Mapping[str, ResponsiveAgent]) -> ResponsiveAgent:
    """The agent that leads a group: that is with whom one talks."""
    found = list({id(one): one for one in known.values() if getattr(one, "groupchat", None) is group}.values())
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(agent.name for agent in found)
        raise UnknownAgentError(f"Cannot talk to group {name!r}: it has several managers, {names}. Name one with --to.")
    raise UnknownAgentError(
        f"Cannot talk to group {name!r}: no variable holds a manager of it. Run `manager = GroupChatManager({name})` "
        "first."
    )


def _named(
    name: str, namespace: Mapping[str, Any], known: Mapping[str, ResponsiveAgent], pair: DefaultPair
) -> ResponsiveAgent:
    by_name = {agent.name: agent for agent in known.values()} | dict(known)
    if name in by_name:
        return by_name[name]
    if isinstance(namespace.get(name), GroupChat):
        return _manager_of(name, namespace[name], known)
    if name in (NOTEBOOK_ASSISTANT, NOTEBOOK_USER):
        return pair.assistant if name == NOTEBOOK_ASSISTANT else pair.user
    guess = nearest(name, by_name)
    listed = ", ".join(sorted(by_name)) or "none yet"
    hint = f" Did you mean {guess!r}?" if guess else " Define one with %%agent NAME."
    raise UnknownAgentError(f"Cannot find agent {name!r}: the agents of this notebook are {listed}.{hint}")


@contextmanager
def adjusted(
    initiator: ResponsiveAgent,
    recipient: ResponsiveAgent,
    *,
    human: str | None,
    policy: CodePolicy | None,
    own_policy: CodePolicy | None,
    model: str | None,
) -> Iterator[None]:
    """Change the agents for the time of a chat, as the options of the cell say.

    `policy` holds for everybody who runs code, `own_policy` for the initiator where there is none for everybody. A
    chat within a chat cannot loosen what holds there.
    """
    outer = adjustment_of(None).policy
    if policy is not None and outer is not None:
        policy = CodeConfig(policy=policy).strictest(outer)
    with (
        adjusting(None, policy=policy),
        adjusting(initiator, human_input_mode=human, policy=own_policy),
        adjusting(recipient, model_config=_with_model(recipient, model)),
    ):
        yield


def _with_model(agent: ResponsiveAgent, model: str | None) -> ModelConfig | None:
    return None if model is None else agent.model_config.renamed(model)
