from pathlib import Path

import pytest

from jupyter_agents import EndedBy, GroupChat, GroupChatManager, ResponsiveAgent, UserProxyAgent
from jupyter_agents.errors import ConfigurationError, NoHumanError
from jupyter_agents.events import CodeStarted, HumanAsked, Noted
from jupyter_agents.executors.base import ExecutionResult
from jupyter_agents.human.base import Answer
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.messages import Message
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from jupyter_agents.testing import RecordingExecutor
from tests.fakes import FakeExecutor, assistant, both_faces, failure, quiet_session, user

DONE = "Done.\n\nTERMINATE"


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def runner(*results, **options):
    """A user whose code runs in an executor with these results, and the executor."""
    executor = FakeExecutor(*results)
    config = {"executor": executor} | options.pop("config", {})
    return user(code_execution_config=config, **options), executor


def answer_to(text, *results, face=None, **options):
    """What is answered to a message with code in it, and what ran."""
    me, executor = runner(*results, **options)
    message = text if isinstance(text, Message) else Message(text)
    ok, reply = me.generate_code_execution_reply([message.to_dict() | {"role": "user"}])
    return (reply if ok else None), executor.codes


# -- Which blocks run --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag", ["python", "Python", "PY", "py", "python3", "ipython", "sh", "bash", "shell", " python", "python title"]
)
def test_block_runs_when_it_is_tagged_as_runnable(tag):
    reply, ran = answer_to(f"Look:\n```{tag}\n1\n```\nThat is it.")

    assert ran == ["1\n"]
    assert reply == "exitcode: 0 (execution succeeded)\nCode output: \ndone"


@pytest.mark.parametrize(
    "text",
    [
        "No code.",
        "```\n1\n```",
        "```\npip install numpy\n```",
        "```json\n{}\n```",
        "```text\n1\n```",
        "```output\n1\n```",
        "```markdown\n```",
        "`print(1)`",
        "    print(1)",
        "python\nprint(1)",
    ],
)
def test_nothing_runs_when_no_block_is_tagged_as_runnable(text):
    assert answer_to(text) == (None, [])


def test_only_the_runnable_blocks_run_when_others_are_between_them():
    _, ran = answer_to("```json\n{}\n```\n```python\n1\n```\n```\nprose\n```\n```sh\nls\n```\n```output\n1\n```")

    assert ran == ["1\n", "ls\n"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("<think>Shall I?\n```python\n1\n```\nNo.</think>\n```python\n2\n```", ["2\n"]),
        ("\n<Thinking>\n```python\n1\n```\n</Thinking>\n\nNo.", []),
        ("<think>Yes.</think>\n```python\n'</think>'\n```\n```python\n2\n```", ["'</think>'\n", "2\n"]),
        ("<think>\n```python\n'</think>'\n```\n</think>\n```python\n2\n```", ["2\n"]),
        ("```python\n1\n```\nIt takes what stands before `</think>`.", ["1\n"]),
        ("It takes what stands between `<think>`\n```python\n1\n```\nand `</think>`.", ["1\n"]),
    ],
)
def test_code_of_which_a_model_has_only_thought_does_not_run(text, codes):
    assert answer_to(text)[1] == codes


def test_language_comes_with_the_code():
    me, executor = runner()

    me.generate_code_execution_reply([{"role": "user", "content": "```Python\n1\n```\n```sh\nls\n```"}])

    assert [(block.language, block.code) for block in executor.blocks] == [("python", "1\n"), ("sh", "ls\n")]


def test_language_that_the_executor_does_not_know_is_a_failure_that_the_model_can_mend():
    reply, _ = answer_to("```rust\nfn main() {}\n```", ExecutionResult.refused("rust cannot be run"))

    assert reply == "exitcode: 1 (execution failed)\nCode output: \nrust cannot be run"


def test_fences_inside_a_longer_fence_belong_to_the_code():
    _, ran = answer_to('````python\nprint("""```sh\nrm -rf /\n```""")\n````')

    assert ran == ['print("""```sh\nrm -rf /\n```""")\n']


def test_code_in_quoted_output_is_not_run_twice():
    _, ran = answer_to("```python\n1\n```\nIt will print:\n```text\n```python\n2\n```\n")

    assert ran == ["1\n"]


# -- What never runs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```python\n1", "A code block is not closed with its fence"),
        ("```python\n1\n```\n```sh\nls", "A code block is not closed with its fence"),
        ("```python\n" + "1\n" * 2**17 + "```", "The message is longer than the 256 Ki characters"),
        ("```python\nx = \n```", "Code block 1 is not valid Python: invalid syntax"),
        ("```python\n1\n```\n```py\nif x\n```", "Code block 2 is not valid Python: expected ':'"),
    ],
)
def test_none_of_the_code_runs_when_a_block_is_cut_off_or_no_python(text, said):
    reply, ran = answer_to(text)

    assert ran == []
    assert reply.startswith(said)
    assert "one of the code was run" in reply
    assert "exitcode" not in reply


@pytest.mark.parametrize("reason", ["length", "content_filter", "interrupted"])
def test_none_of_the_code_runs_when_the_reply_is_not_whole(reason):
    reply, ran = answer_to(Message("```python\n1\n```", finish_reason=reason))

    assert ran == []
    assert "none of its code was run" in reply


@both_faces
def test_model_mends_a_reply_that_was_cut_off(face):
    me, executor = runner("42")
    agent = assistant(ModelReply("```python\nprint(", "length"), "```python\nprint(42)\n```", DONE)

    result = face(me, "initiate_chat", agent, message="go")

    assert executor.codes == ["print(42)\n"]
    assert result.messages[2]["content"].startswith("Your reply was cut off at the token limit")
    assert result.ended_by is EndedBy.TERMINATION


@pytest.mark.parametrize(
    "code", ["%pip list", "!ls", "x = !ls", "%%time\n1", "await x", "print?", "1\n%matplotlib inline"]
)
def test_code_of_a_notebook_is_valid(code):
    _, ran = answer_to(f"```python\n{code}\n```")

    assert ran == [code + "\n"]


def test_nothing_runs_when_the_message_says_that_the_chat_is_over():
    me, executor = runner()

    result = me.initiate_chat(assistant("```python\n1\n```\n\nTERMINATE"), message="go")

    assert (result.ended_by, executor.blocks) == (EndedBy.TERMINATION, [])


def test_code_runs_when_the_word_is_in_the_code_only():
    me, executor = runner()

    me.initiate_chat(assistant("```python\nprint('TERMINATE')\n```", DONE), message="go")

    assert executor.codes == ["print('TERMINATE')\n"]


@pytest.mark.parametrize("config", [False, {"policy": "deny"}])
def test_nothing_runs_when_code_is_off_or_denied(config):
    executor = FakeExecutor()
    me = user(code_execution_config=config if config is False else config | {"executor": executor})

    result = me.initiate_chat(assistant("```python\n1\n```", DONE), message="go")

    assert executor.blocks == []
    assert ("Running code is not allowed here" in result.messages[2]["content"]) is (config is not False)


# -- What is answered --------------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(
    ("results", "text"),
    [
        (["one", "two"], "exitcode: 0 (execution succeeded)\nCode output: \none\ntwo"),
        (["", ""], "exitcode: 0 (execution succeeded)\nCode output: \n\n"),
        ([failure("no"), "never"], "exitcode: 1 (execution failed)\nCode output: \nno"),
        (["one", failure("no", 127)], "exitcode: 127 (execution failed)\nCode output: \none\nno"),
    ],
)
def test_answer_has_the_exit_code_and_the_output_of_the_blocks_that_ran(face, results, text):
    me, executor = runner(*results)

    result = face(me, "initiate_chat", assistant("```python\n1\n```\n```sh\nls\n```", DONE), message="go")

    assert result.messages[2]["content"] == text
    assert len(executor.blocks) == (1 if "never" in results else 2)


@both_faces
def test_code_is_run_by_hand(face):
    me, executor = runner("out", failure("bad", 2))

    succeeded = face(me, "run_code", "1")
    failed = face(me, "run_code", "ls", lang="sh")

    assert (succeeded, failed) == ((0, "out", None), (2, "bad", None))
    assert [block.language for block in executor.blocks] == ["python", "sh"]


@both_faces
def test_blocks_are_run_by_hand_until_one_fails(face):
    me, executor = runner("one", failure("bad"), "never")

    assert face(me, "execute_code_blocks", [("python", "1"), ("sh", "2"), ("python", "3")]) == (1, "\none\nbad")
    assert executor.codes == ["1", "2"]


@both_faces
def test_agent_that_may_run_code_has_no_executor(face):
    with pytest.raises(ConfigurationError, match="Cannot run code: nothing here can"):
        face(user(code_execution_config={}), "initiate_chat", assistant("```python\n1\n```"), message="go")


def test_executor_of_the_session_is_made_for_the_options_of_the_agent():
    asked = []

    def find(options):
        asked.append(dict(options))
        return FakeExecutor()

    with use_session(quiet_session(find_executor=find)):
        me = user(code_execution_config={"work_dir": "coding", "timeout": 5})
        me.initiate_chat(assistant("```python\n1\n```", DONE), message="go")
        me.run_code("1", timeout=9)

    folder = str(Path("coding").absolute())  # where it was when the agent was made: a block may run elsewhere
    assert asked == [{"work_dir": folder, "timeout": 5}, {"work_dir": folder, "timeout": 9}]


def test_chat_ends_when_the_code_of_the_executor_ends_by_an_error_of_its_own():
    me, _ = runner(RuntimeError("the kernel died"))

    with pytest.raises(RuntimeError, match="the kernel died") as caught:
        me.initiate_chat(assistant("```python\n1\n```"), message="go")

    assert len(caught.value.result) == 2


# -- How far back ------------------------------------------------------------------------------------------------

A, B, C = ("```python\n'A'\n```", "```python\n'B'\n```", "and then?")


@pytest.mark.parametrize(
    ("last_n", "talk", "ran"),
    [
        (1, [("user", A), ("user", C)], []),
        (2, [("user", A), ("user", C)], ["'A'\n"]),
        (9, [("user", A), ("user", C)], ["'A'\n"]),
        (2, [("user", A), ("user", B)], ["'B'\n"]),
        (2, [("user", A), ("assistant", C), ("user", C)], []),
        (3, [("user", A), ("assistant", C), ("user", C)], ["'A'\n"]),
        ("auto", [("user", A), ("user", C)], ["'A'\n"]),
        ("auto", [("user", A), ("assistant", C), ("user", C)], []),
        ("auto", [("user", A), ("assistant", C), ("user", B), ("user", C)], ["'B'\n"]),
        ("auto", [("user", C)], []),
    ],
)
def test_newest_message_with_code_is_looked_for_as_far_back_as_the_config_says(last_n, talk, ran):
    me, executor = runner(config={"last_n_messages": last_n})

    me.generate_code_execution_reply([{"role": role, "content": content} for role, content in talk])

    assert executor.codes == ran


def test_config_of_the_call_replaces_that_of_the_agent():
    me, executor = runner()
    other = FakeExecutor()

    final, _ = me.generate_code_execution_reply(
        [{"role": "user", "content": A}, {"role": "user", "content": C}],
        config={"last_n_messages": 2, "executor": other},
    )

    assert (final, executor.codes) == (True, [])
    assert other.codes == ["'A'\n"]


def test_policy_of_the_call_is_obeyed_when_it_is_stricter():
    me, executor = runner()

    final, reply = me.generate_code_execution_reply(
        [{"role": "user", "content": A}], config={"policy": "deny", "executor": executor}
    )

    assert (final, executor.codes) == (True, [])
    assert "Running code is not allowed here" in reply


# -- The word of a person ----------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(
    ("answers", "ran", "said"),
    [
        (["run", "run"], ["1\n", "2\n"], "exitcode: 0 (execution succeeded)"),
        ([Answer("11", "edit"), "run"], ["11", "2\n"], "exitcode: 0 (execution succeeded)"),
        ([Answer("", "reject")], [], "The user refused to run this code."),
        (["run", Answer("too slow", "reject")], ["1\n"], "The user refused to run this code: too slow"),
    ],
)
def test_person_decides_on_each_block(face, answers, ran, said):
    human = ScriptedHuman(answers)
    me, executor = runner(config={"policy": "ask"}, human=human)

    result = face(me, "initiate_chat", assistant("```python\n1\n```\n```python\n2\n```", DONE), message="go")

    assert executor.codes == ran
    assert said in result.messages[2]["content"]
    assert [(one.kind, one.sender) for one in human.prompts] == [("approval", "assistant")] * len(answers)
    assert human.prompts[0].block.code == "1\n"


@both_faces
def test_person_is_told_who_wrote_the_code_when_others_have_spoken_since(face):
    human = ScriptedHuman(["run"])
    me, _ = runner(config={"policy": "ask", "last_n_messages": 3}, human=human)
    writer, critic = assistant("```python\n1\n```", name="Writer"), assistant("Fine.", name="Critic")
    members = GroupChat([user("boss"), writer, critic, me], max_round=4, speaker_selection_method="round_robin")

    face(members.agents[0], "initiate_chat", GroupChatManager(members, llm_config=False), message="go")

    assert [(one.agent, one.sender) for one in human.prompts] == [(me.name, "Writer")]


@both_faces
def test_person_stops_the_chat_instead_of_running_code(face):
    me, executor = runner(config={"policy": "ask"}, human=ScriptedHuman([Answer("", "stop")]))

    result = face(me, "initiate_chat", assistant("```python\n1\n```"), message="go")

    assert (result.ended_by, result.detail) == (EndedBy.HUMAN, "stopped instead of running code")
    assert (len(result), executor.blocks) == (2, [])


@both_faces
def test_code_is_denied_and_the_chat_ends_when_nobody_can_be_asked(face):
    me, executor = runner(config={"policy": "ask"})

    result = face(me, "initiate_chat", assistant("```python\n1\n```", DONE), message="go")

    assert (result.ended_by, executor.blocks, len(result)) == (EndedBy.NO_HUMAN, [], 2)
    assert result.detail.startswith("code was waiting for approval")


@both_faces
def test_chat_can_go_on_when_somebody_is_there_again(face):
    me, executor = runner(config={"policy": "ask"})
    agent = assistant("```python\n1\n```", "```python\n2\n```", DONE)
    face(me, "initiate_chat", agent, message="go")

    me.human = ScriptedHuman(["run"])
    result = face(me, "send", "I am here now", agent)

    assert (result.ended_by, executor.codes) == (EndedBy.TERMINATION, ["2\n"])


@both_faces
def test_error_is_for_the_caller_when_code_is_run_by_hand_and_nobody_can_be_asked(face):
    me, executor = runner(config={"policy": "ask"})

    with pytest.raises(NoHumanError):
        face(me, "execute_code_blocks", [("python", "1")])

    assert executor.blocks == []


@both_faces
def test_code_run_by_hand_is_not_run_when_the_person_stops_it(face):
    me, executor = runner(config={"policy": "ask"}, human=ScriptedHuman([Answer("", "stop")]))

    assert face(me, "execute_code_blocks", [("python", "1")]) == (1, "\nThe user refused to run this code.")
    assert executor.blocks == []


@pytest.mark.parametrize(
    ("of_agent", "of_session", "asked", "ran"),
    [
        ("auto", None, 0, 1),
        ("auto", "auto", 0, 1),
        ("auto", "ask", 1, 1),
        ("ask", "auto", 1, 1),
        ("auto", "deny", 0, 0),
        ("ask", "deny", 0, 0),
        ("deny", "auto", 0, 0),
        ("deny", "ask", 0, 0),
    ],
)
def test_stricter_policy_rules_when_agent_and_session_differ(of_agent, of_session, asked, ran):
    human = ScriptedHuman(["run"])
    me, executor = runner(config={"policy": of_agent}, human=human)

    with use_session(quiet_session(code_policy=of_session)):
        me.initiate_chat(assistant("```python\n1\n```", DONE), message="go")

    assert (len(human.prompts), len(executor.blocks)) == (asked, ran)


def test_policy_holds_for_code_that_a_tool_hands_over():
    executor = FakeExecutor()
    me = user(code_execution_config={"executor": executor, "policy": "deny"})
    me.register_function({"sh": lambda script: me.execute_code_blocks([("sh", script)])})
    call = {"content": None, "function_call": {"name": "sh", "arguments": '{"script": "ls"}'}}

    result = me.initiate_chat(assistant(call, DONE), message="go")

    assert executor.blocks == []
    assert "Running code is not allowed here" in result.messages[2]["content"]


def test_policy_holds_when_a_subclass_runs_code_its_own_way():
    ran = []

    class Own(ResponsiveAgent):
        def run_code(self, code, **kwargs):
            ran.append(code)
            return 0, "", None

    me = Own("own", human_input_mode="NEVER", llm_config=False, code_execution_config={"policy": "deny"})
    me.initiate_chat(assistant("```python\n1\n```", DONE), message="go")

    assert ran == []


# -- What the transcript says ------------------------------------------------------------------------------------


def test_transcript_says_once_that_code_runs_without_asking():
    me, _ = runner()

    result = me.initiate_chat(assistant("```python\n1\n```", "```python\n2\n```", DONE), message="go")

    notes = [note.text for note in result.log.select(Noted)]
    assert notes == ["user runs code without asking."]


def test_transcript_shows_the_code_that_ran_when_it_was_edited():
    me, _ = runner(config={"policy": "ask"}, human=ScriptedHuman([Answer("2", "edit")]))

    result = me.initiate_chat(assistant("```python\n1\n```", DONE), message="go")

    assert [event.code for event in result.log.select(CodeStarted)] == ["2"]
    assert [event.prompt["block"]["code"] for event in result.log.select(HumanAsked)] == ["1\n"]
    assert result.log.select(Noted) == []  # the message with the result says it, with the text that ran


def test_blocks_of_unknown_languages_are_passed_over_when_others_can_run():
    executor = RecordingExecutor(["1\n"])
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config={"executor": executor})
    text = "```css\na {}\n```\n\n```python\nprint(1)\n```\n\n```javascript\nalert(1)\n```"

    reply = user.generate_reply(messages=[{"role": "user", "content": text}])

    assert [block.language for block in executor.blocks] == ["python"]
    assert reply.endswith("1\n\nNot run, since nothing here runs it: css, javascript.")


def test_model_is_told_when_all_blocks_are_in_unknown_languages():
    refusal = ExecutionResult.refused("The block was not run: the language 'css' cannot be run.")
    executor = RecordingExecutor([refusal])
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config={"executor": executor})

    reply = user.generate_reply(messages=[{"role": "user", "content": "```css\na {}\n```"}])

    assert "the language 'css' cannot be run" in reply
