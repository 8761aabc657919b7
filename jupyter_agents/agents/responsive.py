"""The agent that everything else is made of: it remembers its talks and asks its reply functions what to say.

Each of its parts is a class of its own: who it is (`identity`), what it remembers (`remembering`), how it finds a reply
(`built_in_replies`, `reply_chain`), the chats that it holds (`chat_holding`), its tools (`tool_user`) and what its model
took (`usage`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from jupyter_agents.agents import code_running, reply_functions, states, tool_use
from jupyter_agents.agents.built_in_replies import BUILT_IN
from jupyter_agents.agents.chat_holding import ChatHolding
from jupyter_agents.agents.code_config import CodeConfig
from jupyter_agents.agents.faces import faces
from jupyter_agents.agents.memory import Memory
from jupyter_agents.agents.model_config import ModelConfig
from jupyter_agents.agents.settings import instructions
from jupyter_agents.agents.tool_user import ToolUser
from jupyter_agents.agents.usage import CountsUsage
from jupyter_agents.arguments import refuses_unknown
from jupyter_agents.effects import Ask
from jupyter_agents.events import EventLog
from jupyter_agents.human.base import HumanInput, Prompt
from jupyter_agents.messages import Message
from jupyter_agents.models.base import Model
from jupyter_agents.run import ThisRun
from jupyter_agents.series import ChatResults
from jupyter_agents.session import CodePolicy, Rendered, rendered
from jupyter_agents.termination import HumanInputMode, is_terminate, read_question
from jupyter_agents.usage_summary import UsageSummary

_CODE_RESULT = re.compile(r"exitcode: -?\d+ \(execution (?:succeeded|failed)\)\n")


@refuses_unknown
class ResponsiveAgent(ChatHolding, ToolUser, CountsUsage):
    """An agent that answers what it receives: by a person, by functions, by running code, by a model, in this order.

    The positional arguments and their defaults are those of the classic `ResponsiveAgent`. `human` is who answers
    for this agent (otherwise: whoever sits at this notebook), `description` tells other agents what it is for.

    Code runs in this kernel and without asking unless `code_execution_config` says otherwise: `False` switches it
    off, `{"policy": "ask"}` asks for every block. Other keys: `work_dir`, `timeout` (seconds), `last_n_messages`
    (a number, or `"auto"` for all since the agent last spoke), `executor`.

    Functions are called without asking: who registers one means it to be called. With `tool_policy="ask"` a person sees
    every call first and may edit its arguments; with `"deny"` none is made.

    >>> from jupyter_agents.testing import ScriptedModel
    >>> a = ResponsiveAgent("a", human_input_mode="NEVER", llm_config=ScriptedModel(["Hello!"]))
    >>> a.generate_reply(messages=[{"role": "user", "content": "Hi"}])
    'Hello!'
    """

    MAX_CONSECUTIVE_AUTO_REPLY = 100

    def __init__(
        self,
        name: str,
        system_message: str = "You are a helpful AI Assistant.",
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode = "TERMINATE",
        function_map: Mapping[str, Callable[..., Any]] | None = None,
        code_execution_config: Mapping[str, Any] | bool | None = None,
        llm_config: Mapping[str, Any] | Model | bool | None = None,
        default_auto_reply: str | dict[str, Any] | None = "",
        *,
        description: str | None = None,
        human: HumanInput | None = None,
        tool_policy: CodePolicy = "auto",
    ) -> None:
        self.name = name
        self.description = description
        self.human_input_mode = human_input_mode
        self.is_termination_msg = _is_terminate if is_termination_msg is None else is_termination_msg
        self.default_auto_reply = default_auto_reply
        self.human = human
        self.tool_policy = tool_policy
        self._code_config = CodeConfig.from_classic(code_execution_config)
        self._model_config = ModelConfig.from_classic(llm_config)
        self._system_message = instructions(system_message)
        limit = max_consecutive_auto_reply
        self._memory = Memory(self.MAX_CONSECUTIVE_AUTO_REPLY if limit is None else limit)
        self._functions = {}
        self.tool_use = tool_use.ToolUse()
        self._reply_functions = []
        self.capabilities = []
        self._last_message_hooks = []
        self._all_messages_hooks = []
        self._sending_hooks = []
        self._chat_results = ChatResults()
        self.usage_summary = UsageSummary()
        self.announced_in: EventLog | None = None
        self.warned_in: EventLog | None = None
        if function_map is not None:
            self.register_function(function_map)
        for function in reversed(BUILT_IN):
            self.register_auto_reply([_is_someone, None], function)

    def __repr__(self) -> str:
        model = self.model
        facts = [f"{self.name!r}", f"human_input_mode={self.human_input_mode!r}"]
        facts.append("no model" if model is None else f"model={model!r}")
        if self.code_config is not None:
            facts.append(f"code={self.code_config.policy!r}")
        if self._functions:
            facts.append(f"functions={sorted(self._functions)!r}")
        return f"{type(self).__name__}({', '.join(facts)})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Rendered:
        return rendered(self)

    def reset(self) -> None:
        """Forget all talks and counters, and bring every reply function's configuration back to its initial state."""
        self.clear_history()
        self._memory.reset()
        for entry in self._reply_functions:
            entry.reset()

    # -- As plain data --------------------------------------------------------------------------------------------

    def to_state(self, name_of: Callable[[Any], str] | None = None) -> dict[str, Any]:
        """The agent as plain data, for JSON: what it is, its settings, and what it remembers of others, by name.

        Secrets are left out; functions, people, executors and models that are objects, are named in `given_again`. A
        subclass with a state of its own adds it here, and takes it in `from_state`.
        """
        return states.state_of(self, name_of)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], *, agents: Mapping[str, Any] | None = None, **given: Any) -> Self:
        """An agent from what `to_state` gave, and from what that could not hold.

        With `agents` (by the names that they have in the state) it remembers what was said with them; without, nothing
        (`load_agents` brings several back together). `given` may have `functions` (by name), `llm_config`,
        `is_termination_msg`, `human`, `executor`, and arguments of the constructor of a subclass. Reply functions
        are registered again by whoever has registered them.

        Raises `ConfigurationError` for what is lacking.
        """
        return states.agent_from_state(cls, state, agents, given)

    def load_memory(self, state: Mapping[str, Any], agents: Mapping[str, Any]) -> None:
        """Remember what `to_state` says that the agent did, of these others by name."""
        self._memory = Memory.from_state(state["memory"], agents)

    # -- What a subclass may override ----------------------------------------------------------------------------

    async def _get_human_input(self, prompt: str) -> str:
        """A person's answer to a prompt: text, `""` to skip, `exit` to end the chat. An override point."""
        run = await ThisRun()
        sender, empty = read_question(prompt)
        timeout = run.session.settings.prompt_timeout
        sender = reply_functions.speaker_before(self, sender)
        asked = Prompt(prompt, agent=self.name, sender=sender or None, empty=empty, timeout=timeout)
        answer = await Ask(run.log.key_of(self), asked, self.human)
        return "exit" if answer.action == "stop" else answer.text

    get_human_input, a_get_human_input = faces(_get_human_input)

    async def _run_code(self, code: str, **kwargs: Any) -> tuple[int, str, None]:
        """Run code as it is, without asking: exit code, what it printed, and `None`. An override point.

        Keyword arguments: `lang` (`"python"` unless given), and the keys of `code_execution_config`.
        """
        return await code_running.run_code(self, code, **kwargs)

    run_code, a_run_code = faces(_run_code)

    async def _execute_code_blocks(self, code_blocks: Sequence[tuple[str, str]]) -> tuple[int, str]:
        """Run `(language, code)` blocks in order until one fails: its exit code and all output. An override point.

        The approval policy is asked about each block.
        """
        return await code_running.execute_code_blocks(self, code_blocks)

    execute_code_blocks, a_execute_code_blocks = faces(_execute_code_blocks)


def _is_someone(sender: Any) -> bool:
    return sender is not None


def _is_terminate(message: Mapping[str, Any]) -> bool:
    """Whether the sender says that it is done; what code or a tool has put out is not what it says."""
    said = Message.from_dict(message)
    is_speech = said.role not in ("function", "tool") and not _CODE_RESULT.match(said.text)
    of_model = getattr(message, "is_of_model", said.is_of_model)
    return is_speech and is_terminate(said.text, of_model=of_model)
