"""An assistant for questions about documents: it knows the signs by which it and the retrieving agent understand each other."""

from __future__ import annotations

import re
from typing import Any

from jupyter_agents.agents.assistant import AssistantAgent
from jupyter_agents.agents.faces import faces
from jupyter_agents.code_blocks import remove_code
from jupyter_agents.messages import Message
from jupyter_agents.thoughts import without_thought

UPDATE = "UPDATE CONTEXT"
"""What a model says, and nothing else, when it needs other passages."""

_SUCCESS = "exitcode: 0 (execution succeeded)"
_NEAR = 20


def asks_for_update(text: str) -> bool:
    """Whether a message asks for other passages: within its first or last 20 characters, or on a line of its own.

    Case, emphasis and the width of spaces do not matter; what stands in a code block or a quotation is not asked, nor is
    what a model says to itself (`<think>…</think>`).

    >>> asks_for_update("Sorry, **update context**."), asks_for_update("Never say UPDATE CONTEXT to a person who asks you")
    (True, False)
    """
    text = without_thought(text)
    own = remove_code(text).strip() or text.strip().strip("`~\n ")
    lines = [" ".join(re.sub(r"[*_`.!\"']", " ", line).split()).upper() for line in own.splitlines()]
    said = " ".join(line for line in lines if line)
    return UPDATE in said[:_NEAR] or UPDATE in said[-_NEAR:] or UPDATE in lines


def is_success(text: str) -> bool:
    """Whether a message is the result of code that ran without a failure."""
    return text.lstrip().startswith(_SUCCESS)


class RetrieveAssistantAgent(AssistantAgent):
    """An assistant that answers a `RetrieveUserProxyAgent` with a model.

    Without asking the model, it ends the chat (`TERMINATE`) once its code has run with success, and hands on the wish of a
    person for other passages (`UPDATE CONTEXT`).

    >>> from jupyter_agents.testing import ScriptedModel
    >>> agent = RetrieveAssistantAgent("assistant", llm_config=ScriptedModel([]))
    >>> agent.generate_reply(messages=[{"role": "user", "content": "exitcode: 0 (execution succeeded)\\nCode output: 7"}])
    'TERMINATE'
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_auto_reply([_is_anyone, None], RetrieveAssistantAgent.generate_retrieve_assistant_reply)

    async def _generate_retrieve_assistant_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, str | None]:
        """The answer to a result of code and to a wish for other passages; everything else is for the model."""
        messages = self.chat_messages[sender] if messages is None else messages
        last = Message.from_dict(messages[-1]) if messages else Message("")
        if (last.context or {}).get("external"):
            return False, None  # these are the passages, and whatever they say
        text = last.text
        if is_success(text):
            return True, "TERMINATE"
        return (True, UPDATE) if asks_for_update(text) else (False, None)

    generate_retrieve_assistant_reply, a_generate_retrieve_assistant_reply = faces(_generate_retrieve_assistant_reply)


def _is_anyone(sender: Any) -> bool:
    return sender is not None
