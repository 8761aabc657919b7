"""The reply functions that every agent has, in their classic form: methods that give `(final, reply)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jupyter_agents.agents import reply_functions
from jupyter_agents.agents.code_config import CodeConfig
from jupyter_agents.agents.faces import Core, core_of, faces
from jupyter_agents.agents.history import Talk
from jupyter_agents.agents.remembering import Remembering
from jupyter_agents.replies import Reply


class BuiltInReplies(Remembering):
    """The part of an agent by which a user calls, excludes or registers what it answers with: a person, tools, code, a model."""

    async def _check_termination_and_human_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, Any]:
        """Ask a person, or end the chat, as `human_input_mode` and the limits say."""
        return await self._classic(reply_functions.reply_by_human, messages, sender)

    check_termination_and_human_reply, a_check_termination_and_human_reply = faces(_check_termination_and_human_reply)

    async def _generate_function_call_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, Any]:
        """Answer a legacy function call with its result."""
        return await self._classic(reply_functions.reply_by_function, messages, sender)

    generate_function_call_reply, a_generate_function_call_reply = faces(_generate_function_call_reply)

    async def _generate_tool_calls_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, Any]:
        """Answer tool calls with their results."""
        return await self._classic(reply_functions.reply_by_tools, messages, sender)

    generate_tool_calls_reply, a_generate_tool_calls_reply = faces(_generate_tool_calls_reply)

    async def _generate_code_execution_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, Any]:
        """Answer code with the result of running it. `config` may replace the agent's `code_execution_config`."""
        other = CodeConfig.from_classic(config) if config is not None else None
        if other is not None and self.code_config is not None:
            other = replace(other, policy=other.strictest(self.code_config.policy))
        return await self._classic(reply_functions.reply_by_code, messages, sender, other)

    generate_code_execution_reply, a_generate_code_execution_reply = faces(_generate_code_execution_reply)

    async def _generate_oai_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, Any]:
        """Answer with what the model says."""
        return await self._classic(reply_functions.reply_by_model, messages, sender)

    generate_oai_reply, a_generate_oai_reply = faces(_generate_oai_reply)

    async def _classic(self, core: Core[..., Reply], messages: Any, sender: Any, *more: Any) -> tuple[bool, Any]:
        talk = Talk.from_dicts(messages) if messages is not None else self._memory.talk_with(sender)
        if not talk.messages:
            return False, None
        reply = await core(self, talk, sender, *more)
        return reply.final, reply.to_classic()


BUILT_IN: tuple[Callable[..., Any], ...] = (
    BuiltInReplies.check_termination_and_human_reply,
    BuiltInReplies.generate_function_call_reply,
    BuiltInReplies.generate_tool_calls_reply,
    BuiltInReplies.generate_code_execution_reply,
    BuiltInReplies.generate_oai_reply,
)
REPLY_CORES: dict[Any, Core[..., Reply]] = dict(
    zip(
        map(core_of, BUILT_IN),
        (
            reply_functions.reply_by_human,
            reply_functions.reply_by_function,
            reply_functions.reply_by_tools,
            reply_functions.reply_by_code,
            reply_functions.reply_by_model,
        ),
        strict=True,
    )
)
