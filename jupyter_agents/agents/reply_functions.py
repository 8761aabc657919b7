"""The reply functions that every agent has: a person, functions and tools, code, a model.

Each is a coroutine of `(agent, talk, sender)` and gives a `Reply`. Their classic forms, with which a user calls,
excludes or registers them, are methods of `ResponsiveAgent`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jupyter_agents.agents.adjustments import adjusting
from jupyter_agents.agents.begun import answers, begun_by, call_words
from jupyter_agents.agents.code_config import CodeConfig
from jupyter_agents.agents.code_running import approve_call, can_run, written_by
from jupyter_agents.agents.faces import call_hook, call_of
from jupyter_agents.agents.history import Talk, as_classic
from jupyter_agents.agents.hooks import read_by_model
from jupyter_agents.agents.memory import wait_for_nested
from jupyter_agents.agents.reply_format import complete, is_answer
from jupyter_agents.agents.tool_use import is_async, is_external, lending
from jupyter_agents.code_blocks import MAX_TEXT, CodeBlock, find_code_blocks, python_error
from jupyter_agents.effects import Emit, Hold, Together
from jupyter_agents.events import ToolFinished, ToolStarted
from jupyter_agents.known_secrets import hide
from jupyter_agents.messages import Message, ToolCall, ToolResponse
from jupyter_agents.models.base import ModelReply
from jupyter_agents.replies import NEXT, Reply
from jupyter_agents.run import ThisRun
from jupyter_agents.termination import NOT_ASKED, EndedBy, Ending, choose_question, conclude, is_terminate
from jupyter_agents.thoughts import beyond_thought
from jupyter_agents.tool_results import ToolResult, parts_of

if TYPE_CHECKING:
    from jupyter_agents.agents.responsive import ResponsiveAgent

_CUT_OFF = {
    "length": "Your reply was cut off at the token limit",
    "content_filter": "Your reply was cut by the content filter",
    "interrupted": "Your reply was interrupted",
}
_NOT_CODE = frozenset(
    "console csv diff dot env html http ini json json5 jsonl latex log markdown math md mermaid none output "
    "plain plaintext rst stderr stdout svg tex text toml traceback tsv txt xml yaml yml".split()
)


_PACKAGE = __name__.partition(".")[0]

LAST_WORD = "is_termination_msg"
"""What the function is called that says whether a message is the last one."""

_FROM_OUTSIDE = {"external": True}
"""The mark of a message whose words are not to be trusted."""


# -- A person, and the end of the chat ---------------------------------------------------------------------------


async def reply_by_human(agent: ResponsiveAgent, talk: Talk, sender: Any) -> Reply:
    """End the chat, say what a person wants said, or leave it to the next reply function."""
    message = talk.messages[-1]
    run = await ThisRun()
    judged = Judged(as_classic(talk.spoken[-1], message), message)
    facts: dict[str, Any] = {
        "is_termination": is_answer(run, message)
        or bool(await call_of(LAST_WORD, agent, agent.is_termination_msg, judged)),
        "counter": agent.auto_replies_to(sender),
        "limit": agent.max_consecutive_auto_reply(sender),
    }
    question = choose_question(agent.human_input_mode, **facts)
    answer: Any = NOT_ASKED
    if question is not None:
        name = sender.name if sender is not None else "the sender"
        answer = await call_hook(agent, "get_human_input", question.value.format(sender=name))
    verdict = conclude(agent.human_input_mode, answer, **facts)
    agent.count_auto_reply(sender, starts_anew=verdict.resets_counter)
    if verdict.ending is not None:
        who = run.log.key_of(agent) if verdict.ending is EndedBy.HUMAN else ""
        return Reply(True, None, ending=Ending(verdict.ending, _detail(verdict.ending, agent, facts, message), who))
    if verdict.auto:
        return NEXT
    return Reply(True, _answering(message, verdict.reply or ""), "human")


def speaker_before(agent: ResponsiveAgent, partner: str) -> str:
    """Who spoke last in the talk with a partner of this name: in a group not its manager, who only passes it on."""
    talk = next((talk for one, talk in agent.chat_messages.items() if one.name == partner), None)
    if not talk or talk[-1].get("role") in ("function", "tool"):  # the name in a result is the function's
        return partner
    return str(talk[-1].get("name") or partner)


class Judged(dict[str, Any]):
    """A message as `is_termination_msg` is given it: with text that is never `None`. It knows whether a model has written it."""

    def __init__(self, found: dict[str, Any], message: Message) -> None:
        super().__init__(found | {"content": ""} if found["content"] is None else found)
        self.is_of_model = message.is_of_model


def _detail(ending: EndedBy, agent: ResponsiveAgent, facts: dict[str, Any], message: Message) -> str:
    if ending is EndedBy.AUTO_REPLY_LIMIT:
        return f"{agent.name} has given {facts['counter']} automatic replies in a row, as many as it may"
    return who_says_so(agent, message) if ending is EndedBy.TERMINATION else ""


def who_says_so(agent: ResponsiveAgent, message: Message) -> str:
    """What has found that a message is the last, where a reader cannot see it: a function of the user's."""
    is_ours = str(getattr(agent.is_termination_msg, "__module__", "")).partition(".")[0] == _PACKAGE
    return "" if is_ours or is_terminate(message.text, of_model=True) else f"is_termination_msg of {agent.name}"


def _answering(message: Message, text: str) -> Message:
    """A person's words; calls that were waiting for results are answered too, or the next request would be refused."""
    if message.tool_calls:
        ids = dict.fromkeys(call_.id or "" for call_ in message.tool_calls)
        responses = tuple(ToolResponse(call_id, f"USER INTERRUPTED: {text}") for call_id in ids)
        return Message(text, role="tool", tool_responses=responses)
    if message.function_call:
        return Message(f"USER INTERRUPTED: {text}", role="function", name=message.function_call.name)
    return Message.from_dict(text)


# -- Functions and tools -----------------------------------------------------------------------------------------


async def reply_by_function(agent: ResponsiveAgent, talk: Talk, sender: Any) -> Reply:
    """The result of the legacy function call in the last message."""
    message = talk.messages[-1]
    if message.function_call is None:
        return NEXT
    await answers(agent, len(talk.messages) - 1)
    speaker = _speaker_of(message, sender)
    with lending(speaker), written_by(getattr(speaker, "name", None)):
        (result,) = await _results_of(agent, message, [message.function_call])
    answer: dict[str, Any] = {"content": result.content, "role": "function", "name": message.function_call.name}
    if result.external:
        answer["context"] = _FROM_OUTSIDE
    return Reply(True, Message.from_dict(answer), "tool", is_repair=not result.ok)


async def reply_by_tools(agent: ResponsiveAgent, talk: Talk, sender: Any) -> Reply:
    """The results of the tool calls in the last message: exactly one per call id."""
    message = talk.messages[-1]
    if not message.tool_calls:
        return NEXT
    await answers(agent, len(talk.messages) - 1)
    calls: dict[str, ToolCall] = {}
    for tool_call in message.tool_calls:
        calls.setdefault(tool_call.id or "", tool_call)
    speaker = _speaker_of(message, sender)
    with lending(speaker), written_by(getattr(speaker, "name", None)):
        results = await _results_of(agent, message, list(calls.values()))
    responses = tuple(ToolResponse(call_id, one.text, one.images) for call_id, one in zip(calls, results, strict=True))
    text = "\n\n".join(one.text for one in results)
    failed = not all(one.ok for one in results)
    context = _FROM_OUTSIDE if any(one.external for one in results) else None
    said = Message(text, role="tool", tool_responses=responses, context=context)
    return Reply(True, said, "tool", is_repair=failed)


def _speaker_of(message: Message, sender: Any) -> Any:
    """Who has asked for the calls in a message: the sender, or the member of its group whose words it passes on."""
    members = getattr(getattr(sender, "groupchat", None), "agents", ())
    return next((one for one in members if one.name == message.name), sender)


async def _results_of(agent: ResponsiveAgent, message: Message, calls: list[ToolCall]) -> list[ToolResult]:
    """What the calls give, in their order. A person is asked about one after the other; then they are made together."""
    begun = await begun_by(agent)
    if begun is not None and begun.calls:
        return [begun.result_of(one, external=is_external(agent, one.name)) for one in calls]
    allowed = [await _may_be_called(agent, message, one) for one in calls]
    await Hold((await ThisRun()).log.key_of(agent), "tool")
    nested = (await ThisRun()).state.nested  # by tools that were called before, and may need these to come to an end
    made = [_result_of(agent, one, nested, *answer) for one, answer in zip(calls, allowed, strict=True)]
    return [await made[0]] if len(made) == 1 else await Together(made)


async def _result_of(
    agent: ResponsiveAgent, tool_call: ToolCall, nested: int, arguments: str | None, reason: str
) -> ToolResult:
    run = await ThisRun()
    key = run.log.key_of(agent)
    if not is_async(agent, tool_call.name):
        await wait_for_nested(run, nested)
    await Emit(ToolStarted(run.chat, key, tool_call.name, arguments or tool_call.arguments, tool_call.id))
    if arguments is None:
        result = ToolResult(f"Error: {reason}", ok=False)
    else:
        ok, found = await _called(agent, tool_call, {"name": tool_call.name, "arguments": arguments})
        text, images = parts_of(Message.from_dict(found).content)
        result = ToolResult(hide(text), images, ok=bool(ok), external=is_external(agent, tool_call.name))
    await Emit(ToolFinished(run.chat, key, tool_call.name, result.ok, result.text, tool_call.id))
    return result


async def _called(agent: ResponsiveAgent, tool_call: ToolCall, wanted: dict[str, str]) -> tuple[bool, Any]:
    """Whether a call went well, and what it gave. Where it is broken off together with its chat, the log says so."""
    try:
        ok, found = await call_hook(agent, "execute_function", wanted)
    except (KeyboardInterrupt, asyncio.CancelledError) as stop:
        run = await ThisRun()
        words = call_words("interrupted by the user" if isinstance(stop, KeyboardInterrupt) else "interrupted")
        await Emit(ToolFinished(run.chat, run.log.key_of(agent), tool_call.name, False, words, tool_call.id))
        raise
    return ok, found


async def _may_be_called(agent: ResponsiveAgent, message: Message, tool_call: ToolCall) -> tuple[str | None, str]:
    """The arguments to call with, or `None` and the reason."""
    if message.is_complete:
        return await approve_call(agent, tool_call.name, tool_call.arguments)
    return None, f"{_CUT_OFF[message.finish_reason or 'interrupted']}; the call was not made."


# -- Code --------------------------------------------------------------------------------------------------------


async def reply_by_code(agent: ResponsiveAgent, talk: Talk, sender: Any, config: CodeConfig | None = None) -> Reply:
    """The result of running the code of the newest message that has some."""
    config = config or agent.code_config
    if config is None:
        return NEXT
    for back, message in enumerate(_latest(talk, config), 1):
        blocks = beyond_thought(message.text, find_code_blocks(message.text))
        found = [block for block in blocks if is_meant_to_run(block)]
        if not found:
            continue
        problem = _why_not_run(message, found)
        if problem is not None:
            return Reply(True, Message(problem), "code", is_repair=True)
        runnable = [block for block in found if block.filename or await can_run(agent, config, block.language)]
        pairs = [(block.language, block.code) for block in runnable or found]
        await answers(agent, len(talk.messages) - back)
        author = agent if talk.spoken[-back] else _speaker_of(message, sender)
        with adjusting(agent, code_config=config), written_by(getattr(author, "name", None)):
            exit_code, logs = await call_hook(agent, "execute_code_blocks", pairs)
        outcome = "execution succeeded" if exit_code == 0 else "execution failed"
        text = f"exitcode: {exit_code} ({outcome})\nCode output: {logs}{_left_out(found, runnable)}"
        return Reply(True, Message.from_dict(text), "code", is_repair=exit_code != 0)
    return NEXT


def _left_out(found: list[CodeBlock], runnable: list[CodeBlock]) -> str:
    """What the model is told of blocks that were passed over because others could run."""
    languages = sorted({block.language for block in found if block not in runnable}) if runnable else []
    return f"\nNot run, since nothing here runs it: {', '.join(languages)}." if languages else ""


def is_meant_to_run(block: CodeBlock) -> bool:
    """Whether something is to be done with a block: it is tagged with a language that runs, or has a file name.

    Data, prose and untagged blocks are not for running.
    """
    return bool(block.filename) or (bool(block.language) and block.language not in _NOT_CODE)


def _latest(talk: Talk, config: CodeConfig) -> list[Message]:
    """The messages that may hold code to run, newest first."""
    if config.last_n_messages != "auto":
        return talk.messages[: -config.last_n_messages - 1 : -1]
    received: list[Message] = []
    for spoken, message in zip(reversed(talk.spoken), reversed(talk.messages), strict=True):
        if spoken:
            break
        received.append(message)
    return received


def _why_not_run(message: Message, blocks: list[CodeBlock]) -> str | None:
    """What the model is told when none of its code may run, or `None` when it may."""
    if not message.is_complete:
        cut = _CUT_OFF[message.finish_reason or "interrupted"]
        return f"{cut}, so none of its code was run. Send the code again, complete, and shorter if need be."
    if not all(block.closed for block in blocks):
        if len(message.text) > MAX_TEXT:
            return (
                f"The message is longer than the {MAX_TEXT // 1024} Ki characters in which code is looked for, and a code "
                "block reaches past them, so none of the code was run. Write long data to a file in several messages."
            )
        return "A code block is not closed with its fence, so none of the code was run. Send the complete code again."
    for number, block in enumerate(blocks, 1):
        error = python_error(block.code) if block.is_python else None
        if error is not None:
            return (
                f"Code block {number} is not valid Python: {error}. None of the code was run. If the code contains "
                "``` itself, use a longer fence. Send the complete code again."
            )
    return None


# -- A model -----------------------------------------------------------------------------------------------------


async def reply_by_model(agent: ResponsiveAgent, talk: Talk, sender: Any) -> Reply:
    """What the agent's model says."""
    if agent.model is None:
        return NEXT
    reply = await complete(agent, [*agent.system_wire(), *await read_by_model(agent, talk)])
    return _said(reply)


def _said(reply: ModelReply) -> Reply:
    ends = None
    if reply.finish_reason == "content_filter":
        ends = Ending(EndedBy.FILTERED, "the provider filtered the reply; nothing in it was run")
    return Reply.of_model(reply.to_message(), reply, ends)


def cut_off_notice(talk: Talk) -> str | None:
    """What an agent without anything else to say answers to a message that was cut off."""
    message = talk.messages[-1] if talk.messages else None
    if message is None or message.finish_reason != "length":
        return None
    return f"{_CUT_OFF['length']}. Continue from where it stopped, or say it shorter."
