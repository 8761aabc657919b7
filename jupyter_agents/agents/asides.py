"""What an agent's model is asked aside: its answer is nobody's words in the chat, but it is counted and recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from jupyter_agents.agents.model_config import FOR_CALLS, ModelConfig
from jupyter_agents.code_blocks import find_code_blocks
from jupyter_agents.effects import Complete
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.run import ThisRun
from jupyter_agents.thoughts import without_thought

_MOST_TRIES = 20
_DECODER = json.JSONDecoder()


async def ask_aside(
    agent: Any, messages: Sequence[Mapping[str, Any]], what_for: str, config: ModelConfig | None = None
) -> ModelReply:
    """What a model (that of `config`, or else the agent's) answers to messages in wire form."""
    config = agent.model_config if config is None or config.model is None else config
    if config.model is None:
        raise ConfigurationError(f"Cannot ask a model ({what_for}): {agent.name!r} has none. Give it an llm_config.")
    run = await ThisRun()
    options = {name: None if name in FOR_CALLS else value for name, value in config.options.items()}
    return await Complete(run.log.key_of(agent), config.model, ModelRequest(list(messages), options), what_for)


def find_json(text: str) -> Iterator[tuple[Any, str]]:
    """Each value that a model may have meant as its JSON, with its text: all of it, a fenced block, or what begins in it.

    What a reasoning model has drafted before its answer (`<think>…</think>`) is not meant.

    >>> next(find_json('Here it is:\\n```json\\n{"a": 1}\\n```'))
    ({'a': 1}, '{"a": 1}')
    """
    answer = without_thought(text)
    blocks = [one.code for one in find_code_blocks(answer) if one.language in ("", "json")] if "`" in answer else []
    for whole in (text, *([] if answer == text else [answer]), *reversed(blocks)):
        try:
            yield json.loads(whole), whole.strip()
        except ValueError:
            continue
    yield from islice(_embedded(answer), _MOST_TRIES)


def _embedded(text: str) -> Iterator[tuple[Any, str]]:
    """The objects and arrays that stand in a text, one after the other."""
    at = 0
    for _ in range(_MOST_TRIES):
        at = min((found for bracket in "{[" if (found := text.find(bracket, at)) >= 0), default=-1)
        if at < 0:
            return
        try:
            value, end = _DECODER.raw_decode(text, at)
        except ValueError:
            at += 1
            continue
        yield value, text[at:end]
        at = end
