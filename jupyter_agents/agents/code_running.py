"""Running code for an agent: the approval policy, a person's word, the executor."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_agents.agents.adjustments import adjustment_of
from jupyter_agents.agents.code_config import CodeConfig
from jupyter_agents.agents.faces import call_hook, is_overridden
from jupyter_agents.code_blocks import PYTHON, SHELL, CodeBlock
from jupyter_agents.drive import Run, ThisRun
from jupyter_agents.effects import Ask, Emit, Execute
from jupyter_agents.errors import NoHumanError
from jupyter_agents.events import Noted
from jupyter_agents.executors.base import Executor
from jupyter_agents.human.base import Prompt
from jupyter_agents.termination import ChatEnds, EndedBy

if TYPE_CHECKING:
    from jupyter_agents.agents.responsive import ResponsiveAgent


_approved: ContextVar[tuple[int, str] | None] = ContextVar("jupyter_agents_approved", default=None)
"""The agent and the code that may run here and now."""


async def execute_code_blocks(agent: ResponsiveAgent, code_blocks: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """Run blocks in order until one fails; the last exit code, and the output of all."""
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
    if run.depth and _approved.get() != (id(agent), code):
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
    run = await ThisRun()
    config = agent.code_config or adjustment_of(agent).code(CodeConfig()) or CodeConfig()
    policy = config.strictest(run.session.settings.code_policy)
    if policy == "deny":
        return None, "Running code is not allowed here. Solve the task without code, or say what you would need."
    if policy == "auto" and not (run.tape is not None and run.tape.is_foreign):
        await _say_once(agent, run)
        return block, ""
    return await _ask_person(agent, block, run)


async def _say_once(agent: ResponsiveAgent, run: Run) -> None:
    if run.depth and agent.announced_in is not run.log:
        agent.announced_in = run.log
        await Emit(Noted(run.chat, f"{agent.name} runs code without asking.", run.log.key_of(agent)))


async def may_call(agent: ResponsiveAgent, name: str, arguments: str) -> str:
    """`""` when a function may be called for a model, else the reason, for the model.

    Calls are not asked about: who registers a function means it to be called. But the words of a recording that is
    neither the user's own nor trusted do not call functions on this machine unless the user says so.
    """
    run = await ThisRun()
    if run.tape is None or not run.tape.is_foreign:
        return ""
    call = CodeBlock("json", f"{name}({arguments})")
    approved, reason = await _ask_person(agent, call, run, "Call this function? (The recording is not yours.)")
    return reason if approved is None else ""


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


def _digest(block: CodeBlock) -> str:
    """What an approval is bound to: the language and the exact text."""
    return hashlib.sha256(f"{block.language}\0{block.code}".encode("utf-8", "surrogatepass")).hexdigest()


async def _ask_person(
    agent: ResponsiveAgent, block: CodeBlock, run: Run, question: str = "Run this code?"
) -> tuple[CodeBlock | None, str]:
    await _say_foreign(agent, run)
    digest = _digest(block)
    if digest in run.session.approved:
        await Emit(Noted(run.chat, "Ran without asking: this exact text was allowed before.", run.log.key_of(agent)))
        return block, ""
    timeout = run.session.settings.prompt_timeout
    prompt = Prompt(
        question,
        "approval",
        agent.name,
        block=block,
        timeout=timeout,
        otherwise="Nobody answered in time." if timeout else "",
    )
    try:
        answer = await Ask(run.log.key_of(agent), prompt, agent.human)
    except NoHumanError as error:
        if not run.depth:
            raise
        raise ChatEnds(EndedBy.NO_HUMAN, f"code was waiting for approval. {error}") from None
    if answer.action == "run":
        if answer.always:
            run.session.approved.add(digest)
        return block, ""
    if answer.action == "edit":
        await Emit(Noted(run.chat, "The code was edited before it ran.", run.log.key_of(agent)))
        return replace(block, code=answer.text), ""
    if answer.action == "stop" and run.depth:
        run.ledger.stop("stopped instead of running code")
        raise ChatEnds(EndedBy.HUMAN, "stopped instead of running code")
    return None, f"The user refused to run this code{f': {answer.text}' if answer.text else '.'}"
