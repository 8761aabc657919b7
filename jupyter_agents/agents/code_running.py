"""Running code and calling functions for an agent: the approval policy, a person's word, the executor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jupyter_agents.agents.adjustments import adjustment_of
from jupyter_agents.agents.begun import begun_of
from jupyter_agents.agents.code_config import CodeConfig, stricter
from jupyter_agents.agents.faces import call_hook, is_overridden
from jupyter_agents.agents.tool_use import is_external, lender_of
from jupyter_agents.code_blocks import PYTHON, SHELL, CodeBlock
from jupyter_agents.effects import Ask, Emit, Execute
from jupyter_agents.errors import NoHumanError
from jupyter_agents.events import CodeFinished, Noted
from jupyter_agents.executors.base import Executor
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.run import Run, ThisRun
from jupyter_agents.session import CodePolicy
from jupyter_agents.termination import ChatEnds, EndedBy

if TYPE_CHECKING:
    from jupyter_agents.agents.responsive import ResponsiveAgent


_approved: ContextVar[tuple[int, str] | None] = ContextVar("jupyter_agents_approved", default=None)
"""The agent and the code that may run here and now."""
_writer: ContextVar[str | None] = ContextVar("jupyter_agents_writer", default=None)
"""Who has written what is to run or to be called here and now."""


@contextmanager
def written_by(name: str | None) -> Iterator[None]:
    """Let a person who is asked know who has written it, for as long as the block runs."""
    token = _writer.set(name)
    try:
        yield
    finally:
        _writer.reset(token)


async def execute_code_blocks(agent: ResponsiveAgent, code_blocks: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """Run blocks in order until one fails; the last exit code, and the output of all.

    Those that had begun when the chat was broken off are not run again.
    """
    begun = await begun_of(agent, [code for _, code in code_blocks])
    if begun is not None:
        return begun.outcome(len(code_blocks))
    logs = ""
    for language, code in code_blocks:
        block = CodeBlock(language, code)
        approved, reason = await _approve(agent, block)
        if approved is None:
            return 1, f"{logs}\n{reason}"
        token = _approved.set((id(agent), approved.code))
        try:
            exit_code, output, *_ = await _run(agent, approved)
        finally:
            _approved.reset(token)
        logs += f"\n{output}"
        if exit_code != 0:
            return exit_code, logs
    return 0, logs


async def _run(agent: ResponsiveAgent, block: CodeBlock) -> Sequence[Any]:
    """What `run_code` gives. An override is handed Python and shell code only: it may not look at the language."""
    if block.language not in PYTHON | SHELL and is_overridden(agent, "run_code"):
        return 1, f"unknown language {block.language}"
    found: Sequence[Any] = await call_hook(agent, "run_code", block.code, lang=block.language)
    return found


async def run_code(agent: ResponsiveAgent, code: str, *, lang: str = "python", **options: Any) -> tuple[int, str, None]:
    """Run one block; exit code, output, and `None` in the classic place of a container image.

    Within a chat, code that the policy has not been asked about (a tool's, an override's) is asked about here.
    """
    run = await ThisRun()
    is_known = _approved.get() == (id(agent), code)
    begun = None if is_known else await begun_of(agent, [code])
    if begun is not None:
        return *begun.next_block(), None
    if run.depth and not is_known:
        approved, reason = await _approve(agent, CodeBlock(lang or "python", code))
        if approved is None:
            return 1, reason, None
        code = approved.code
    config = agent.code_config or CodeConfig()
    given = {key: value for key, value in options.items() if key in ("work_dir", "timeout")}
    result = await Execute(run.log.key_of(agent), _executor(config, run, given), CodeBlock(lang or "python", code))
    return result.exit_code, result.text, None


async def can_run(agent: ResponsiveAgent, config: CodeConfig, language: str) -> bool:
    """Whether a language runs here: Python, shell scripts, and what the executor says it knows."""
    if language in PYTHON | SHELL or is_overridden(agent, "run_code"):
        return language in PYTHON | SHELL
    knows = getattr(_executor(config, await ThisRun()), "knows", None)
    return knows is not None and bool(knows(language))


def _executor(config: CodeConfig, run: Run, options: Mapping[str, Any] | None = None) -> Executor:
    return config.executor or run.session.executor(config.executor_options() | dict(options or {}))


async def _approve(agent: ResponsiveAgent, block: CodeBlock) -> tuple[CodeBlock | None, str]:
    """The block that may run (a person may have edited it), or `None` and the reason, for the model."""
    approved, reason = await _decide(agent, block)
    if approved is None:
        run = await ThisRun()
        await Emit(CodeFinished(run.chat, run.log.key_of(agent), 1, "refused", reason))
    return approved, reason


async def _decide(agent: ResponsiveAgent, block: CodeBlock) -> tuple[CodeBlock | None, str]:
    run = await ThisRun()
    policy = _code_policy(agent, run)
    if policy == "deny":
        return None, "Running code is not allowed here. Solve the task without code, or say what you would need."
    if policy == "auto" and not (run.tape is not None and run.tape.is_foreign):
        await _say_once(agent, run)
        return block, ""
    return await _ask_person(agent, _Wish(block, _digest(block.language, block.code)), run)


def _code_policy(agent: ResponsiveAgent, run: Run) -> CodePolicy:
    """The policy on code that holds for an agent: its own, that of the chat, or that of the session, whichever is stricter."""
    config = agent.code_config or adjustment_of(agent).code(CodeConfig()) or CodeConfig()
    return config.strictest(run.session.settings.code_policy)


async def _say_once(agent: ResponsiveAgent, run: Run) -> None:
    if run.depth and agent.announced_in is not run.log:
        agent.announced_in = run.log
        await Emit(Noted(run.chat, f"{agent.name} runs code without asking.", run.log.key_of(agent)))


async def approve_call(agent: ResponsiveAgent, name: str, arguments: str) -> tuple[str | None, str]:
    """The arguments with which a function may be called for a model, or `None` and the reason, for the model.

    A person who is asked may have edited them. Where nothing else is said, calls are not asked about: who registers a
    function means it to be called. But the words of a recording that is neither the user's own nor trusted do not call
    functions on this machine unless the user says so; and what an external tool does is no less than what code does, so
    that it is asked about wherever code would not just run.
    """
    run = await ThisRun()
    lender = lender_of(agent, name)
    policy = stricter(agent.tool_policy, run.session.settings.tool_policy)
    policy = policy if lender is None else stricter(policy, lender.tool_policy)
    is_from_outside = is_external(agent, name)
    if is_from_outside and any(_code_policy(one, run) != "auto" for one in (agent, lender) if one is not None):
        policy = stricter(policy, "ask")
    if policy == "deny":
        return None, "Calling functions is not allowed here. Solve the task without, or say what you would need."
    is_foreign = run.tape is not None and run.tape.is_foreign
    if policy == "auto" and not is_foreign:
        return arguments, ""
    why = " (The recording is not yours.)" if is_foreign else " (It is an external tool.)" if is_from_outside else ""
    question = f"Call {name}?{why}"
    readable = _set_out(arguments)
    wish = _Wish(CodeBlock("json", readable), _digest(f"call {name}", arguments), question, is_call=True)
    approved, reason = await _ask_person(agent, wish, run)
    if approved is None:
        return None, reason
    return (arguments if approved.code == readable else approved.code), ""


def _set_out(arguments: str) -> str:
    """JSON over several lines, for a person to read; what is no JSON, or no text that can be shown, as it is."""
    try:
        text = json.dumps(json.loads(arguments), indent=2, ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError):
        return arguments
    return text


async def _say_foreign(agent: ResponsiveAgent, run: Run) -> None:
    """Say once why a person is asked although the recording holds approvals."""
    if run.tape is None or not run.tape.is_foreign or agent.warned_in is run.log:
        return
    agent.warned_in = run.log
    text = (
        "The recording was not made here, so what it approves does not count and you are asked. "
        "To trust it, once you have looked at it: jupyter_agents.trust_recording(path)."
    )
    await Emit(Noted(run.chat, text, run.log.key_of(agent), "warning"))


def _digest(language: str, text: str) -> str:
    """What an approval is bound to: the language (or the function) and the exact text."""
    return hashlib.sha256(f"{language}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Wish:
    """What an agent wants to run or to call, the question about it, and what leave for it is bound to."""

    block: CodeBlock
    digest: str
    question: str = "Run this code?"
    is_call: bool = False

    def say(self, of_code: str, of_call: str) -> str:
        """The sentence that fits."""
        return of_call if self.is_call else of_code


async def _ask_person(agent: ResponsiveAgent, wish: _Wish, run: Run) -> tuple[CodeBlock | None, str]:
    await _say_foreign(agent, run)
    key = run.log.key_of(agent)
    if wish.digest in run.session.approved:
        did = wish.say("Ran without asking: this exact text", "Called without asking: this exact call")
        await Emit(Noted(run.chat, f"{did} was allowed before.", key))
        return wish.block, ""
    answer = await _answer_of(agent, wish, run)
    if answer.action == "run":
        if answer.always:
            run.session.approved.add(wish.digest)
        return wish.block, ""
    if answer.action == "edit":
        return replace(wish.block, code=answer.text), ""
    if answer.action == "stop" and run.depth:
        why = wish.say("stopped instead of running code", "stopped instead of calling a function")
        run.ledger.stop(why, key)
        raise ChatEnds(EndedBy.HUMAN, why, key)
    refused = wish.say("The user refused to run this code", "The user refused this call")
    return None, f"{refused}{f': {answer.text}' if answer.text else '.'}"


async def _answer_of(agent: ResponsiveAgent, wish: _Wish, run: Run) -> Answer:
    timeout = run.session.settings.prompt_timeout
    prompt = Prompt(
        wish.question,
        "approval",
        agent.name,
        _writer.get(),
        block=wish.block,
        timeout=timeout,
        otherwise="Nobody answered in time." if timeout else "",
    )
    try:
        return await Ask(run.log.key_of(agent), prompt, agent.human)
    except NoHumanError as error:
        if not run.depth:
            raise
        raise ChatEnds(EndedBy.NO_HUMAN, f"{wish.say('code', 'a call')} was waiting for approval. {error}") from None
