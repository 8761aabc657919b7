"""Programmable multi-agent conversations as notebook content.

Agents talk, write code and run it in the notebook's own kernel. Names are loaded when they are first used, so that
importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jupyter_agents.session import Session, set_session_maker

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_HOMES = {
    "jupyter_agents.agents.chat_queue": ("a_initiate_chats", "initiate_chats"),
    "jupyter_agents.agents.responsive": ("ResponsiveAgent",),
    "jupyter_agents.agents.assistant": ("AssistantAgent",),
    "jupyter_agents.agents.user_proxy": ("UserProxyAgent",),
    "jupyter_agents.agents.group_chat": ("GroupChat",),
    "jupyter_agents.agents.group_chat_manager": ("GroupChatManager",),
    "jupyter_agents.agents.math_user_proxy": ("MathUserProxyAgent",),
    "jupyter_agents.agents.retrieve_assistant": ("RetrieveAssistantAgent",),
    "jupyter_agents.agents.retrieve_user_proxy": ("RetrieveUserProxyAgent",),
    "jupyter_agents.agents.compaction": ("Compaction",),
    "jupyter_agents.agents.reply_format": ("ReplyFormat",),
    "jupyter_agents.agents.society": ("SocietyOfMindAgent",),
    "jupyter_agents.agents.teachable": ("TeachableAgent", "Teachability"),
    "jupyter_agents.agents.transforms": ("MessageHistoryLimiter", "MessageTokenLimiter", "TransformMessages"),
    "jupyter_agents.agents.tool_use": ("register_function",),
    "jupyter_agents.asking": ("a_ask", "ask"),
    "jupyter_agents.background": ("Chat",),
    "jupyter_agents.budget": ("Budget",),
    "jupyter_agents.conversation": ("ChatResult",),
    "jupyter_agents.journal.logging_views": ("export_logging", "logged_history", "start_logging", "stop_logging"),
    "jupyter_agents.journal.trust": ("trust_recording",),
    "jupyter_agents.journal.using": ("use_recording",),
    "jupyter_agents.executors.undo": ("undo",),
    "jupyter_agents.errors": ("ChatInterrupted", "JupyterAgentsError"),
    "jupyter_agents.messages": ("Message", "Usage"),
    "jupyter_agents.models.cache": ("Cache",),
    "jupyter_agents.models.config_lists": ("config_list_from_json", "filter_config"),
    "jupyter_agents.models.key_files": (
        "config_list_from_dotenv",
        "config_list_from_models",
        "config_list_gpt4_gpt35",
        "config_list_openai_aoai",
        "get_config",
        "get_config_list",
    ),
    "jupyter_agents.widgets.builder": ("AgentBuilder",),
    "jupyter_agents.widgets.chat": ("AgentChat",),
    "jupyter_agents.mcp": ("MCPServer",),
    "jupyter_agents.tools": ("Tool",),
    "jupyter_agents.termination": ("EndedBy",),
    "jupyter_agents.conditions": (
        "CallOf",
        "Condition",
        "EmptyReplies",
        "ExternalStop",
        "MaxCost",
        "MaxMessages",
        "MaxSeconds",
        "MaxTokens",
        "Repetition",
        "SaidBy",
        "TextMention",
        "When",
    ),
    "jupyter_agents.control": ("Control", "use_control"),
    "jupyter_agents.tracing": ("start_tracing", "stop_tracing", "use_tracing"),
    "jupyter_agents.tuning": ("a_evaluate", "a_tune", "evaluate", "tune"),
    "jupyter_agents.wrapper": ("OpenAIWrapper",),
    "jupyter_agents.agents.usage": ("gather_usage_summary",),
    "jupyter_agents.saving": ("load_agents", "load_chat"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
_ALIASES = {"ConversableAgent": "ResponsiveAgent"}

__all__ = sorted([*_HOME_OF, *_ALIASES, "__version__"])


def _make_session() -> Session:
    from jupyter_agents.surroundings import make_session

    return make_session()


set_session_maker(_make_session)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("jupyter-agents")
    home = _HOME_OF.get(_ALIASES.get(name, name))
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), _ALIASES.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What `%load_ext jupyter_agents` does: `%%agentchat` and its companions are there."""
    from jupyter_agents.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """What `%unload_ext jupyter_agents` does: no trace is left."""
    from jupyter_agents.magics import unload

    unload(shell)
