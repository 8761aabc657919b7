r"""A user proxy that has a model solve mathematical problems: it runs the model's code until an answer is in a `\boxed{}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

from jupyter_agents.agents.faces import call, call_hook, faces
from jupyter_agents.agents.history import Talk
from jupyter_agents.agents.openings import carried_over, with_context
from jupyter_agents.agents.reply_functions import is_meant_to_run, reply_by_code
from jupyter_agents.agents.user_proxy import UserProxyAgent
from jupyter_agents.boxed import last_boxed
from jupyter_agents.code_blocks import CodeBlock, fenced, find_code_blocks, remove_code
from jupyter_agents.errors import ConfigurationError, JupyterAgentsError
from jupyter_agents.messages import Message
from jupyter_agents.nearest import did_you_mean
from jupyter_agents.replies import NEXT, Reply
from jupyter_agents.termination import HumanInputMode

_CODE = """\
Code goes into blocks tagged `python`. They run one after the other in one kernel that keeps its state, so do not repeat \
what ran before. You are shown what they print and the value of their last expression. Keep results exact: use sympy, with \
fractions and roots instead of decimals, and print only what you need."""
_ANSWER = """\
When you are certain, write no more code: give the answer in simplest form, without units, as \\boxed{ANSWER}.

The problem: """
PROMPTS: Mapping[str, str] = {
    "default": f"""\
Solve a mathematical problem. Say in a sentence what it comes down to, and choose the way that fits: compute the answer with a \
program, reason to it in words, or reason step by step and compute where that is safer than doing it in your head.

{_CODE} Wait for the results before you go on; when they cannot be right, say why and try another way.

{_ANSWER}""",
    "python": f"""\
Solve a mathematical problem with Python, step by step. For each step: say what is to be found, write the code that finds it, and \
stop there until you have its result. Check each result against the problem before you build on it.

{_CODE}

{_ANSWER}""",
    "two_tools": f"""\
Solve a mathematical problem with two tools, step by step: Python, and Wolfram Alpha. Choose for each step the one that suits it, \
and stop after it until you have its result. When a tool does not help, say why and take the other one.

{_CODE}

A question to Wolfram Alpha goes into a block tagged `wolfram`, one short question to a block.

{_ANSWER}""",
}
"""What is said before a problem."""

DEFAULT_REPLY = r"Go on with the next step. Once you have the answer, and only then, put it in \boxed{}."
_TOO_LONG = (
    "The result is longer than {limit:,} characters, so it is not shown: this is hardly what you were looking for. Look at your "
    "reasoning again, and ask for less."
)
_SAME = "This is the same result as before. Try something else."
_STUCK = (
    "This does not work. Go back to the problem and look at your reasoning in this step. If the step is right, do it without code; "
    "otherwise mend it first. Then go on."
)
_NO_OUTPUT = "Nothing was shown. End the code with the expression that you want to see, or print it."
_OTHER_LANGUAGE = "Blocks tagged `{language}` are not run here. Use `python`."
_RESULT = re.compile(r"exitcode: -?\d+ \(execution (?:succeeded|failed)\)\nCode output:\s*")
_TIME_LIMIT = 30.0


def has_answer(message: Mapping[str, Any]) -> bool:
    r"""Whether a message holds an answer in a box (`\boxed{42}`) and nothing that is still to run or to call."""
    said = Message.from_dict(message)
    if said.calls or any(_is_query(block) for block in find_code_blocks(said.text)):
        return False
    return last_boxed(remove_code(said.text)) is not None


def _is_query(block: CodeBlock) -> bool:
    return block.language == "wolfram" or is_meant_to_run(block)


class MathUserProxyAgent(UserProxyAgent):
    r"""A user proxy for mathematical problems. It asks nobody, and runs code in this kernel, at most 30 seconds a block.

    `initiate_chat(assistant, problem="…", prompt_type="default")` begins; types are `default`, `python` and `two_tools`, and
    `customized_prompt` takes their place. The chat ends with an answer in a box; `last_boxed(result.summary)` gives it, and
    `is_equivalent` of `jupyter_agents.boxed` compares it with another.

    A result of more than 2,000 characters is refused. After `max_invalid_q_per_step` failures in a row the model is asked to think
    again. `wolfram` is a function, plain or async, that answers a question to Wolfram Alpha; without one such
    questions are refused.

    >>> agent = MathUserProxyAgent(code_execution_config=False)
    >>> agent.generate_reply(messages=[{"role": "user", "content": "First, factorise."}]) == DEFAULT_REPLY
    True
    """

    MAX_CONSECUTIVE_AUTO_REPLY = 15
    opening_arguments = ("problem", "prompt_type", "customized_prompt")
    MAX_RESULT = 2000

    def __init__(
        self,
        name: str = "MathChatAgent",
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = has_answer,
        human_input_mode: HumanInputMode = "NEVER",
        default_auto_reply: str | dict[str, Any] | None = DEFAULT_REPLY,
        max_invalid_q_per_step: int = 3,
        *,
        wolfram: Callable[[str], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("code_execution_config", {"timeout": _TIME_LIMIT})
        super().__init__(
            name,
            has_answer if is_termination_msg is None else is_termination_msg,
            human_input_mode=human_input_mode,
            default_auto_reply=default_auto_reply,
            **kwargs,
        )
        if (
            isinstance(max_invalid_q_per_step, bool)
            or not isinstance(max_invalid_q_per_step, int)
            or max_invalid_q_per_step < 0
        ):
            raise ConfigurationError(
                f"Cannot use max_invalid_q_per_step={max_invalid_q_per_step!r}: give a whole number of at least 0."
            )
        self.max_invalid_q_per_step = max_invalid_q_per_step
        self._wolfram = wolfram
        self._failures = 0
        self._last_result: str | None = None
        self.register_auto_reply([_is_anyone, None], MathUserProxyAgent.generate_math_reply, position=1)

    def reset(self) -> None:
        """Forget all talks, and what was tried."""
        super().reset()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._failures, self._last_result = 0, None

    def to_state(self, name_of: Callable[[Any], str] | None = None) -> dict[str, Any]:
        """See `ResponsiveAgent`."""
        state = super().to_state(name_of)
        again = {*state["given_again"], *(["wolfram"] if self._wolfram is not None else [])}
        if self.is_termination_msg is has_answer:
            again.discard("is_termination_msg")
        tried = {"failures": self._failures, "last_result": self._last_result}
        return state | tried | {"max_invalid_q_per_step": self.max_invalid_q_per_step, "given_again": sorted(again)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], *, agents: Mapping[str, Any] | None = None, **given: Any) -> Self:
        """See `ResponsiveAgent`. `wolfram` may be given again."""
        given.setdefault("max_invalid_q_per_step", state.get("max_invalid_q_per_step", 3))
        agent = super().from_state(state, agents=agents, **given)
        agent._failures, agent._last_result = state.get("failures", 0), state.get("last_result")
        return agent

    async def _generate_init_message(self, *args: Any, **context: Any) -> str | dict[str, Any]:
        """The instructions and the problem. An override point.

        Arguments: `problem`, `prompt_type`, `customized_prompt` (what is said instead of the instructions). Without a
        `problem` it is the plain `message`.
        """
        given = dict(zip(self.opening_arguments, args, strict=False)) | context
        self._begin_anew()
        if "problem" not in given:
            return await super()._generate_init_message(**given)
        if given.get("customized_prompt") is not None:
            return _carrying(f"{given['customized_prompt']}{given['problem']}", given)
        kind = given.get("prompt_type") or "default"
        if kind not in PROMPTS:
            raise ConfigurationError(
                f"Cannot use prompt_type={kind!r}: it must be one of {', '.join(PROMPTS)}. Or pass a customized_prompt."
                + did_you_mean(kind, PROMPTS)
            )
        return _carrying(f"{PROMPTS[kind]}{given['problem']}", given)

    generate_init_message, a_generate_init_message = faces(_generate_init_message)

    # -- Replies -------------------------------------------------------------------------------------------------

    async def _generate_math_reply(self, messages: Any = None, sender: Any = None, config: Any = None) -> Reply:
        """The results of the code and the questions in the last message; where it has none, the next function is asked."""
        messages = self.chat_messages[sender] if messages is None else messages
        message = Message.from_dict(messages[-1]) if messages else Message("")
        blocks = [block for block in find_code_blocks(message.text) if _is_query(block)]
        if not blocks:
            return NEXT
        if not message.is_complete or not all(block.closed for block in blocks):
            return await reply_by_code(self, Talk([(False, message)]), sender)  # which says why nothing runs
        results = [await self._result_of(block) for block in blocks]
        return self._answer("\n\n".join(text for text, _ in results), [ok for _, ok in results], blocks)

    generate_math_reply, a_generate_math_reply = faces(_generate_math_reply)

    def _answer(self, result: str, succeeded: list[bool], blocks: list[CodeBlock]) -> Reply:
        ok = all(succeeded)
        self._failures = 0 if ok else self._failures + 1
        if self._failures > self.max_invalid_q_per_step:
            self._begin_anew()
            return Reply(True, Message(_STUCK), is_repair=True)
        is_same, self._last_result = result == self._last_result, result
        external = {"external": True} if any(block.language == "wolfram" for block in blocks) else None
        text = f"{result}\n\n{_SAME}" if is_same else result
        return Reply(True, Message(text, context=external), "code", is_repair=not ok)

    async def _result_of(self, block: CodeBlock) -> tuple[str, bool]:
        if block.language == "wolfram":
            name = "execute_one_wolfram_query"
        elif block.is_python:
            name = "execute_one_python_code"
        else:
            return _OTHER_LANGUAGE.format(language=block.language), False
        text, ok = await call_hook(self, name, block.code)
        if len(text) > self.MAX_RESULT:
            return _TOO_LONG.format(limit=self.MAX_RESULT), False
        return text or _NO_OUTPUT, bool(ok)

    async def _execute_one_python_code(self, pycode: str) -> tuple[str, bool]:
        """What running some code shows, and whether it succeeded. The policy on code rules. An override point."""
        if self.code_config is None:
            return "No code is run here. Solve the problem without.", False
        talk = Talk([(False, Message(fenced(pycode.rstrip("\n"), "python")))])
        reply = await reply_by_code(self, talk, None, replace(self.code_config, last_n_messages=1))
        text = reply.message.text if reply.message is not None else ""
        return _RESULT.sub("", text, count=1).strip(), not reply.is_repair

    execute_one_python_code, a_execute_one_python_code = faces(_execute_one_python_code)

    async def _execute_one_wolfram_query(self, query: str) -> tuple[str, bool]:
        """What Wolfram Alpha answers, and whether it did. An override point."""
        if self._wolfram is None:
            return "Wolfram Alpha cannot be asked here. Use `python`.", False
        try:
            return str(await call(self._wolfram, query.strip())).strip(), True
        except JupyterAgentsError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it raises is for the model
            return f"Error: {error or type(error).__name__}", False

    execute_one_wolfram_query, a_execute_one_wolfram_query = faces(_execute_one_wolfram_query)


def _carrying(text: str, given: Mapping[str, Any]) -> str:
    """A text with what is carried over from earlier chats below it."""
    return with_context(Message(text), carried_over(given.get("carryover"))).text


def _is_anyone(sender: Any) -> bool:
    return sender is not None
