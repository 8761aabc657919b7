"""Sources of cells for the tests in browsers: agents whose models stream, wait, ask and write code, without a server."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook

PREPARE = '''
%load_ext jupyter_agents
import asyncio, time
from jupyter_agents import AgentChat, AssistantAgent, Chat, UserProxyAgent
from jupyter_agents.display import people
from jupyter_agents.testing import ScriptedModel

LONG = "word " * 3000
models = {}  # by the names of their agents

def block(code):
    """A message with a block of Python."""
    return f"Look:\\n\\n```python\\n{code}\\n```"

def agent(name, *replies, delay=0.02, **options):
    """An agent whose model says this; a function in place of the replies answers everything."""
    script = replies[0] if len(replies) == 1 and callable(replies[0]) else list(replies)
    models[name] = ScriptedModel(script, delay=delay)
    return AssistantAgent(name, llm_config=models[name], **options)

def person(name="user", mode="NEVER", policy=None, **options):
    """An agent that stands for a person; with a policy it runs code."""
    options.setdefault("code_execution_config", {"policy": policy} if policy else False)
    return UserProxyAgent(name, human_input_mode=mode, **options)

def pair(*replies, mode="NEVER", policy=None, delay=0.02, **options):
    """A person, and an assistant whose model says this."""
    return person("user", mode, policy, **options), agent("assistant", *replies, delay=delay)
'''
"""The first cell of a notebook of chats."""

HOLDS = {
    "blocking": "result = user.initiate_chat(bot, message={message!r}{options})",
    "awaited": "result = await user.a_initiate_chat(bot, message={message!r}{options})",
    "background": "chat = Chat(user, bot, message={message!r}{options}).start()",
}
"""Ways to hold a chat of `user` and `bot`. `%%agentchat` needs a cell of its own: `MAGIC`."""

MAGIC = "%%agentchat --from user --to bot --into result\nHello"


def chat(*replies: str, how: str = "awaited", message: str = "Hello", options: str = "", **pair: Any) -> str:
    """A cell that holds a chat. `replies` are texts of the model, or calls (`block(…)`, `LONG`) when they are
    `Source`s; `options` are more arguments of the chat, `pair` those of `pair(…)`."""
    held = HOLDS[how].format(message=message, options=options and f", {options}")
    return f"{make(*replies, **pair)}\n{held}"


def make(*replies: str, **pair: Any) -> str:
    """A cell that makes `user` and `bot`."""
    arguments = [*map(repr, replies), *(f"{name}={value!r}" for name, value in pair.items())]
    return f"user, bot = pair({', '.join(arguments)})"


class Source(str):
    """Python that stands in a cell as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def code(text: str) -> str:
    """A reply of a model with a block of Python."""
    return Source(f"block({text!r})")


LONG = Source("LONG")
"""A reply that streams for a minute (the model says a word every 20 ms)."""

_VALUE = """async expression => {
    const {kernel} = window.jupyterapp.shell.currentWidget.sessionContext.session;
    const content = {code: '', silent: true, store_history: false, user_expressions: {value: expression}};
    const {content: reply} = await kernel.requestExecute(content).done;
    const {value} = reply.user_expressions;
    return value.status === 'ok' ? {text: value.data['text/plain']} : {error: `${value.ename}: ${value.evalue}`};
}"""


def value(notebook: Notebook, expression: str) -> Any:
    """The value of an expression in the kernel, which is idle: a literal."""
    found = notebook.page.evaluate(_VALUE, f"ascii(({expression}))")
    assert "text" in found, found
    return ast.literal_eval(ast.literal_eval(found["text"]))


def said(notebook: Notebook, result: str = "result") -> list[str]:
    """The texts of a chat that has ended."""
    texts: list[str] = value(notebook, f"[message['content'] for message in {result}.messages]")
    return texts
