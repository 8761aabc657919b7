"""The agent that has a model solve mathematical problems: code until an answer is in a box."""

import json

import pytest

from jupyter_agents.agents.math_user_proxy import DEFAULT_REPLY, PROMPTS, MathUserProxyAgent, has_answer
from jupyter_agents.boxed import is_equivalent, last_boxed
from jupyter_agents.errors import ConfigurationError, ModelUnavailableError
from jupyter_agents.executors.live import LiveExecutor
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import FakeExecutor, assistant, both_faces, failure, quiet_session, texts

PROBLEM = "What is 1/3 + 1/6?"
CODE = "```python\n{}\n```"


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def solver(*results, **options):
    executor = FakeExecutor(*results)
    return MathUserProxyAgent(code_execution_config={"executor": executor}, **options), executor


# -- The problem -------------------------------------------------------------------------------------------------


@both_faces
def test_chat_ends_with_an_answer_in_a_box(face):
    me, executor = solver("1/2")
    agent = assistant(CODE.format("Rational(1, 3) + Rational(1, 6)"), r"It is $\boxed{\frac{1}{2}}$.")

    result = face(me, "initiate_chat", agent, problem=PROBLEM)

    assert executor.codes == ["Rational(1, 3) + Rational(1, 6)\n"]
    assert texts(result.messages)[2] == "1/2"
    assert result.ended_by is EndedBy.TERMINATION
    assert is_equivalent(last_boxed(result.summary), "0.5")


@pytest.mark.parametrize("kind", ["default", "python", "two_tools"])
def test_instructions_are_those_of_the_type_of_prompt(kind):
    message = MathUserProxyAgent().generate_init_message(PROBLEM, prompt_type=kind)

    assert message == PROMPTS[kind] + PROBLEM
    assert r"\boxed{" in message
    assert ("wolfram" in message) is (kind == "two_tools")
    assert "\\\n" not in message


def test_own_prompt_takes_the_place_of_the_instructions():
    assert MathUserProxyAgent().generate_init_message(problem="1+1", customized_prompt="Solve: ") == "Solve: 1+1"


def test_problem_carries_over_what_came_of_earlier_chats():
    said = MathUserProxyAgent().generate_init_message(problem=PROBLEM, carryover=["x is 2"])

    assert said.startswith(PROMPTS["default"] + PROBLEM)
    assert said.endswith("x is 2")


def test_plain_message_is_sent_as_it_is_when_there_is_no_problem():
    assert MathUserProxyAgent().generate_init_message(message="Hello") == "Hello"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: MathUserProxyAgent().generate_init_message(PROBLEM, "java"),
            "prompt_type='java': it must be one of default",
        ),
        (lambda: MathUserProxyAgent().generate_init_message(), "there is no message"),
        (lambda: MathUserProxyAgent(max_invalid_q_per_step=-1), "max_invalid_q_per_step=-1"),
        (lambda: MathUserProxyAgent(max_invalid_q_per_step="3"), "max_invalid_q_per_step='3'"),
    ],
)
def test_argument_is_refused_when_it_cannot_be_meant(make, said):
    with pytest.raises(ConfigurationError, match=said):
        make()


def test_defaults_are_the_classic_ones():
    agent = MathUserProxyAgent()

    assert (agent.name, agent.human_input_mode, agent.max_consecutive_auto_reply()) == ("MathChatAgent", "NEVER", 15)
    assert (agent.max_invalid_q_per_step, agent.default_auto_reply) == (3, DEFAULT_REPLY)
    assert agent.code_config.timeout == 30


@pytest.mark.parametrize(
    ("content", "has"),
    [
        (r"\boxed{5}", True),
        (r"So $\boxed{5}$.", True),
        (r"\boxed{}", False),
        ("5", False),
        ("```python\nx = 1\n```\n\\boxed{5}", False),
        ("```wolfram\n1+1\n```\n\\boxed{5}", False),
        ("```text\nnote\n```\n\\boxed{5}", True),
        ("```text\n\\boxed{5}\n```", False),
        ("> \\boxed{5}", False),
    ],
)
def test_answer_counts_when_it_is_in_a_box_and_nothing_is_left_to_run(content, has):
    assert has_answer({"content": content}) is has


def test_call_is_no_answer():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    assert not has_answer({"content": r"\boxed{5}", "tool_calls": [call]})
    assert not has_answer({"content": None, "tool_calls": [call]})


# -- Steps -------------------------------------------------------------------------------------------------------


@both_faces
def test_model_is_told_to_go_on_when_there_is_nothing_to_run(face):
    me, executor = solver()
    agent = assistant("First, factorise.", "```text\nx = 2\n```", r"\boxed{2}")

    result = face(me, "initiate_chat", agent, problem=PROBLEM)

    assert texts(result.messages)[2::2] == [DEFAULT_REPLY, DEFAULT_REPLY]
    assert executor.codes == []


def test_blocks_run_in_order_and_each_result_is_shown():
    me, executor = solver("1", "2")
    agent = assistant(f"{CODE.format('a')}\n\nand\n\n{CODE.format('b')}", r"\boxed{2}")

    result = me.initiate_chat(agent, problem=PROBLEM)

    assert executor.codes == ["a\n", "b\n"]
    assert texts(result.messages)[2] == "1\n\n2"


def test_earlier_code_is_not_run_again_when_it_runs_in_the_kernel(bare_shell):
    me = MathUserProxyAgent(code_execution_config={"executor": LiveExecutor(bare_shell)})
    agent = assistant(
        CODE.format("runs = [1]; total = 20"),
        CODE.format("runs.append(2)\ntotal + 1"),
        CODE.format("len(runs)"),
        r"\boxed{2}",
    )

    result = me.initiate_chat(agent, problem=PROBLEM)

    assert texts(result.messages)[2::2] == [
        "Nothing was shown. End the code with the expression that you want to see, or print it.",
        "21",
        "2",
    ]


def test_long_result_is_refused():
    me, _ = solver("9" * 2001, "9" * 2000)
    agent = assistant(CODE.format("a"), CODE.format("b"), r"\boxed{2}")

    result = me.initiate_chat(agent, problem=PROBLEM)

    assert "longer than 2,000 characters" in texts(result.messages)[2]
    assert "999" not in texts(result.messages)[2]
    assert texts(result.messages)[4] == "9" * 2000


def test_failure_is_shown():
    me, _ = solver(failure("NameError: name 'x' is not defined"))
    agent = assistant(CODE.format("x"), r"\boxed{2}")

    result = me.initiate_chat(agent, problem=PROBLEM)

    assert texts(result.messages)[2] == "NameError: name 'x' is not defined"


def test_model_is_told_when_a_result_is_the_same_as_before():
    me, _ = solver("7", "7", "8", "7")
    agent = assistant(*[CODE.format("f()")] * 4, r"\boxed{2}")

    result = me.initiate_chat(agent, problem=PROBLEM)

    same = "7\n\nThis is the same result as before. Try something else."
    assert texts(result.messages)[2::2] == ["7", same, "8", "7"]


@both_faces
def test_model_is_asked_to_think_again_when_it_fails_too_often_in_a_row(face):
    me, _ = solver(*(failure(f"Error {number}") for number in range(5)), max_invalid_q_per_step=2)
    agent = assistant(*[CODE.format("x")] * 4, r"\boxed{2}")

    result = face(me, "initiate_chat", agent, problem=PROBLEM)

    said = texts(result.messages)[2::2]
    assert said[:2] == ["Error 0", "Error 1"]
    assert said[2].startswith("This does not work. Go back to the problem")
    assert said[3] == "Error 3"


def test_count_of_failures_begins_anew_after_a_success():
    results = [failure("a"), "1", failure("b"), "2", failure("c")]
    me, _ = solver(*results, max_invalid_q_per_step=1)
    agent = assistant(*[CODE.format("x")] * 5, r"\boxed{2}")

    result = me.initiate_chat(agent, problem=PROBLEM)

    assert texts(result.messages)[2::2] == ["a", "1", "b", "2", "c"]


def test_count_of_failures_begins_anew_with_a_new_problem():
    me, _ = solver(failure("a"), failure("a"), max_invalid_q_per_step=1)

    for _ in range(2):
        agent = assistant(CODE.format("x"), r"\boxed{2}")
        result = me.initiate_chat(agent, problem=PROBLEM)

        assert texts(result.messages)[2] == "a"


def test_other_languages_are_not_run():
    me, executor = solver()
    agent = assistant("```sh\nls\n```", r"\boxed{2}")

    result = me.initiate_chat(agent, problem=PROBLEM)

    assert texts(result.messages)[2] == "Blocks tagged `sh` are not run here. Use `python`."
    assert executor.codes == []


def test_nothing_runs_when_a_reply_is_cut_off():
    me, executor = solver()
    agent = assistant(ModelReply(CODE.format("a"), finish_reason="length"), "```python\nb", r"\boxed{2}")

    result = me.initiate_chat(agent, problem=PROBLEM)

    assert executor.codes == []
    assert ["none of" in text for text in texts(result.messages)[2::2]] == [True, True]


def test_policy_on_code_rules():
    me = MathUserProxyAgent(code_execution_config={"executor": (executor := FakeExecutor()), "policy": "deny"})
    off = MathUserProxyAgent(code_execution_config=False)

    results = [one.initiate_chat(assistant(CODE.format("a"), r"\boxed{2}"), problem=PROBLEM) for one in (me, off)]

    assert executor.codes == []
    assert "not allowed here" in texts(results[0].messages)[2]
    assert texts(results[1].messages)[2] == "No code is run here. Solve the problem without."


def test_tools_are_called_as_by_any_agent():
    me, _ = solver(function_map={"double": lambda number: number * 2})
    call = {"content": None, "function_call": {"name": "double", "arguments": '{"number": 21}'}}

    result = me.initiate_chat(assistant(call, r"\boxed{42}"), problem=PROBLEM)

    assert texts(result.messages)[2] == "42"


@both_faces
def test_override_of_running_code_is_obeyed(face):
    class Mine(MathUserProxyAgent):
        def execute_one_python_code(self, pycode):
            return f"ran {pycode.strip()}", True

    result = face(Mine(), "initiate_chat", assistant(CODE.format("a"), r"\boxed{2}"), problem=PROBLEM)

    assert texts(result.messages)[2] == "ran a"


# -- Wolfram Alpha -----------------------------------------------------------------------------------------------

QUERY = "```wolfram\nsolve x^2 = 4\n```"


async def ask_wolfram(query):
    return f"x = ±2 [{query}]"


@both_faces
def test_question_is_answered_by_the_function_that_is_given(face):
    me, _ = solver("4", wolfram=ask_wolfram)
    agent = assistant(f"{QUERY}\n\n{CODE.format('2 + 2')}", r"\boxed{2}")

    result = face(me, "initiate_chat", agent, problem=PROBLEM, prompt_type="two_tools")

    assert result.messages[2]["content"] == "x = ±2 [solve x^2 = 4]\n\n4"
    assert result.messages[2]["context"] == {"external": True}


@both_faces
def test_override_of_asking_wolfram_is_obeyed(face):
    class Mine(MathUserProxyAgent):
        async def a_execute_one_wolfram_query(self, query):
            return f"asked {query.strip()}", True

    result = face(Mine(code_execution_config=False), "initiate_chat", assistant(QUERY, r"\boxed{2}"), problem=PROBLEM)

    assert texts(result.messages)[2] == "asked solve x^2 = 4"


def test_question_is_refused_when_nothing_answers_it():
    me, _ = solver()

    result = me.initiate_chat(assistant(QUERY, r"\boxed{2}"), problem=PROBLEM)

    assert texts(result.messages)[2] == "Wolfram Alpha cannot be asked here. Use `python`."


def test_error_of_the_function_is_shown_to_the_model_unless_a_person_must_mend_it():
    def fail(query):
        raise ValueError("no quota")

    def unavailable(query):
        raise ModelUnavailableError("Cannot reach it. Try again.")

    result = solver(wolfram=fail)[0].initiate_chat(assistant(QUERY, r"\boxed{2}"), problem=PROBLEM)

    assert texts(result.messages)[2] == "Error: no quota"
    with pytest.raises(ModelUnavailableError):
        solver(wolfram=unavailable)[0].initiate_chat(assistant(QUERY), problem=PROBLEM)


def test_what_was_tried_is_forgotten_when_the_agent_is_reset():
    me, _ = solver("7", "7")
    me.initiate_chat(assistant(CODE.format("f()"), r"\boxed{2}"), problem=PROBLEM)

    me.reset()
    reply = me.generate_reply([{"role": "user", "content": CODE.format("f()")}])

    assert reply == "7"


def test_agent_knows_what_it_tried_when_it_is_loaded_from_a_file():
    me = MathUserProxyAgent(code_execution_config=False, max_invalid_q_per_step=1, wolfram=ask_wolfram)
    asked = [{"role": "user", "content": CODE.format("x")}]
    me.generate_reply(asked)
    state = json.loads(json.dumps(me.to_state()))

    again = MathUserProxyAgent.from_state(state)
    reply = again.generate_reply(asked)

    assert state["given_again"] == ["wolfram"]
    assert reply.startswith("This does not work.")
