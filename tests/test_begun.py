"""Code and calls that had begun when a chat was broken off: a chat that goes on does none of it again."""

import asyncio

import pytest

from jupyter_agents import AssistantAgent, GroupChat, GroupChatManager, load_chat
from jupyter_agents.agents.begun import call_words
from jupyter_agents.budget import Budget
from jupyter_agents.control import Control, use_control
from jupyter_agents.events import CodeFinished, Noted
from jupyter_agents.executors.base import ExecutionResult
from jupyter_agents.executors.live import LiveExecutor
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import FakeExecutor, assistant, both_faces, failure, quiet_session, texts, user, wire_of

ORDER = "```python\norder()\n```"
THREE = "```python\na\n```\n```python\nb\n```\n```python\nc\n```"
NOT_AGAIN = "it may have run in part. It is not run again unless you ask for it by sending it again."


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()):
        yield


def interrupt(output=""):
    """A person's interrupt of a block that has shown this by then."""
    stop = KeyboardInterrupt()
    stop.partial = ExecutionResult(130, output, status="error")
    return stop


def runner(*results, name="user", **options):
    """An agent that runs code, and its executor."""
    executor = FakeExecutor(*results)
    options = {"code_execution_config": {"executor": executor}} | options
    return user(name, **options), executor


def broken_off(face, me, other, **options):
    """What a chat is that an interrupt ends."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - one sort for each face
        face(me, "initiate_chat", other, message="go", **options)
    return caught.value.result


def calls(*names):
    asked = [{"id": f"id_{name}", "function": {"name": name, "arguments": "{}"}} for name in names]
    return {"content": None, "tool_calls": asked}


# -- Code --------------------------------------------------------------------------------------------------------


@both_faces
def test_block_that_was_interrupted_is_answered_and_not_run_again(face):
    me, executor = runner(interrupt("first line\n"))
    result = broken_off(face, me, assistant(ORDER, "I see. TERMINATE"))

    more = face(result, "resume")

    assert len(executor.codes) == 1
    assert texts(more.messages) == [
        "exitcode: 130 (execution failed)\nCode output: \nfirst line\nThe block was interrupted by the user; "
        + NOT_AGAIN,
        "I see. TERMINATE",
    ]
    [note] = [one.text for one in more.events if isinstance(one, Noted)]
    assert "What user had begun is not done again" in note


@both_faces
def test_block_runs_when_it_is_sent_again(face):
    me, executor = runner(interrupt(), "sent")
    result = broken_off(face, me, assistant(ORDER, ORDER, "Good. TERMINATE"))

    more = face(result, "resume")

    assert len(executor.codes) == 2
    assert texts(more.messages)[2].endswith("\nsent")


@both_faces
def test_block_runs_anew_when_the_reply_it_came_of_is_retried(face):
    me, executor = runner(interrupt(), "sent")
    result = broken_off(face, me, assistant(ORDER, ORDER, "Good. TERMINATE"))

    more = face(result, "retry")

    assert len(executor.codes) == 2
    assert texts(more.messages)[1].endswith("\nsent")


@both_faces
@pytest.mark.parametrize(
    ("results", "said"),
    [
        (
            ["one", interrupt("half")],
            f"one\nhalf\nThe block was interrupted by the user; {NOT_AGAIN}\n1 more after it was not run.",
        ),
        ([interrupt()], f"The block was interrupted by the user; {NOT_AGAIN}\n2 more after it were not run."),
    ],
    ids=["second", "first"],
)
def test_blocks_that_had_ended_and_those_not_begun_are_reported_as_such(face, results, said):
    me, executor = runner(*results)
    result = broken_off(face, me, assistant(THREE, "I see. TERMINATE"))

    more = face(result, "resume")

    assert len(executor.codes) == len(results)
    assert texts(more.messages)[0] == f"exitcode: 130 (execution failed)\nCode output: \n{said}"


@both_faces
def test_block_that_was_not_begun_is_not_run_when_the_one_before_had_ended(face):
    executor = FakeExecutor("one")
    me = user(code_execution_config={"policy": "ask", "executor": executor}, human=ScriptedHuman(["run", "stop"]))
    result = face(me, "initiate_chat", assistant(THREE, "I see. TERMINATE"), message="go")

    more = face(result, "resume")

    assert result.ended_by == EndedBy.HUMAN
    assert executor.codes == ["a\n"]
    assert "\none\nThe block was not run: the chat was broken off before it." in texts(more.messages)[0]


@both_faces
def test_question_is_asked_again_when_nothing_had_begun(face):
    me = user(
        code_execution_config={"policy": "ask", "executor": FakeExecutor("one")}, human=ScriptedHuman(["stop", "run"])
    )
    result = face(me, "initiate_chat", assistant(ORDER, "I see. TERMINATE"), message="go")

    more = face(result, "resume")

    assert texts(more.messages)[0] == "exitcode: 0 (execution succeeded)\nCode output: \none"


@both_faces
def test_result_that_could_not_be_sent_is_sent_without_running_the_block_again(face):
    me, executor = runner("sent")
    problems = [ValueError("a hook that fails")]

    def hook(sender, message, recipient, silent):
        if problems and "exitcode" in str(message):
            raise problems.pop()
        return message

    me.register_hook("process_message_before_send", hook)
    result = broken_off(face, me, assistant(ORDER, "Good. TERMINATE"))

    more = face(result, "resume")

    assert len(executor.codes) == 1
    assert texts(more.messages) == ["exitcode: 0 (execution succeeded)\nCode output: \nsent", "Good. TERMINATE"]


@both_faces
def test_failure_of_a_block_is_that_when_its_result_could_not_be_sent(face):
    me, executor = runner(failure("no such order", 3))
    stops = [KeyboardInterrupt()]

    def hook(sender, message, recipient, silent):
        if stops and "exitcode" in str(message):
            raise stops.pop()
        return message

    me.register_hook("process_message_before_send", hook)
    result = broken_off(face, me, assistant(THREE, "I see. TERMINATE"))

    more = face(result, "resume")

    assert len(executor.codes) == 1
    assert texts(more.messages)[0] == "exitcode: 3 (execution failed)\nCode output: \nno such order"


@both_faces
@pytest.mark.parametrize(
    "error", [RuntimeError("the machine is gone"), asyncio.CancelledError()], ids=["error", "cancelled"]
)
def test_block_is_not_run_again_whatever_has_broken_it_off(face, error):
    me, executor = runner(error)
    result = broken_off(face, me, assistant(ORDER, "I see. TERMINATE"))

    more = face(result, "resume")

    assert len(executor.codes) == 1
    why = "broken off when the chat ended (error: RuntimeError: the machine is gone (in the executor (FakeExecutor) of 'user'))"
    assert (
        f"The block was {why if isinstance(error, RuntimeError) else 'interrupted'}; {NOT_AGAIN}"
        in texts(more.messages)[0]
    )


@both_faces
def test_block_that_was_stopped_is_not_run_again(face):
    control = Control()
    me, executor = runner(interrupt())
    executor.execute = _pressing(control, executor.execute)
    with use_control(control):
        result = face(me, "initiate_chat", assistant(ORDER, "I see. TERMINATE"), message="go")

    more = face(result, "resume")

    assert (result.ended_by, len(executor.codes)) == (EndedBy.STOPPED, 1)
    assert f"interrupted by the user; {NOT_AGAIN}" in texts(more.messages)[0]


def _pressing(control, execute):
    async def pressed(block):
        control.reason = "stopped by the user"
        return await execute(block)

    return pressed


@both_faces
def test_person_who_is_asked_first_says_something_else(face):
    me, executor = runner(interrupt(), "sent", human_input_mode="ALWAYS", human=ScriptedHuman(["", "Wait.", ""]))
    result = broken_off(face, me, assistant(ORDER, ORDER, "Good. TERMINATE"))

    more = face(result, "resume", max_turns=2)

    assert texts(more.messages)[:2] == ["Wait.", ORDER]
    assert len(executor.codes) == 2
    assert texts(more.messages)[2].endswith("\nsent")


@both_faces
def test_person_who_skips_lets_the_outcome_be_told(face):
    me, executor = runner(interrupt(), human_input_mode="ALWAYS", human=ScriptedHuman(["", "", "exit"]))
    result = broken_off(face, me, assistant(ORDER, "I see."))

    more = face(result, "resume")

    assert len(executor.codes) == 1
    assert NOT_AGAIN in texts(more.messages)[0]


@both_faces
def test_block_is_not_run_again_when_the_chat_is_broken_off_again_before_its_answer(face):
    me, executor = runner(interrupt())
    result = broken_off(face, me, assistant(ORDER, "I see. TERMINATE"))
    stops = [KeyboardInterrupt()]

    def hook(sender, message, recipient, silent):
        if stops:
            raise stops.pop()
        return message

    me.register_hook("process_message_before_send", hook)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - one sort for each face
        face(result, "resume")

    more = face(caught.value.result, "resume")

    assert len(executor.codes) == 1
    assert texts(more.messages)[-1] == "I see. TERMINATE"


@both_faces
def test_fork_after_the_last_message_runs_nothing_again(face):
    me, executor = runner(interrupt())
    result = broken_off(face, me, assistant(ORDER, "I see. TERMINATE", "I see. TERMINATE"))

    more = face(result.fork(), "resume")

    assert len(executor.codes) == 1
    assert NOT_AGAIN in texts(more.messages)[0]


@both_faces
@pytest.mark.parametrize("keeps_end", [True, False], ids=["ended", "killed"])
def test_loaded_chat_runs_nothing_again(face, keeps_end, tmp_path):
    me, executor = runner("one", interrupt("half"))
    result = broken_off(face, me, assistant(THREE))
    path = result.save(tmp_path / "chat.jsonl")
    if not keeps_end:  # as it is saved while the block runs
        lines = path.read_text().splitlines()
        kept = lines[:-2]
        kept[0] = kept[0].replace(f'"last": {result.last}', f'"last": {result.last - 2}')
        path.write_text("\n".join(kept) + "\n")

    given = {"user": {"executor": executor}, "assistant": {"llm_config": ScriptedModel(["I see. TERMINATE"])}}
    more = face(load_chat(path, given=given), "resume")

    assert len(executor.codes) == 2
    told = "half\nThe block was interrupted by the user" if keeps_end else "The block was broken off"
    assert texts(more.messages)[0] == (
        f"exitcode: 130 (execution failed)\nCode output: \none\n{told}; {NOT_AGAIN}\n1 more after it was not run."
    )


@both_faces
def test_log_has_what_a_block_had_shown_when_it_was_interrupted(face):
    me = user(code_execution_config={"executor": LiveExecutor()})
    code = "```python\nprint('half')\nimport signal, os\nos.kill(os.getpid(), signal.SIGINT)\nprint('rest')\n```"
    result = broken_off(face, me, assistant(code, "I see. TERMINATE"))

    [finished] = result.log.select(CodeFinished)

    assert (finished.exit_code, finished.status) == (130, "interrupted")
    assert finished.text.startswith("half\n")
    assert "\nrest\n" not in finished.text
    assert finished.block_id


# -- Calls -------------------------------------------------------------------------------------------------------


@both_faces
def test_calls_have_one_result_each_when_one_of_them_was_interrupted(face):
    made = []
    me, other = user(), assistant(calls("first", "second"), "I see. TERMINATE")

    def first():
        made.append("first")
        return "one"

    def second():
        made.append("second")
        raise KeyboardInterrupt

    me.register_function({"first": first, "second": second})
    result = broken_off(face, me, other)

    face(result, "resume")

    assert made == ["first", "second"]
    assert [(one["tool_call_id"], one["content"]) for one in wire_of(other) if one["role"] == "tool"] == [
        ("id_first", "one"),
        (
            "id_second",
            call_words("interrupted by the user"),
        ),
    ]


def test_call_that_was_not_begun_says_so():
    made = []
    me, other = user(), assistant(calls("first", "second"), "I see. TERMINATE")

    def first():
        made.append("first")
        raise KeyboardInterrupt

    me.register_function({"first": first, "second": lambda: made.append("second")})
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        me.initiate_chat(other, message="go")

    caught.value.result.resume()

    assert made == ["first"]
    told = {one["tool_call_id"]: one["content"] for one in wire_of(other) if one["role"] == "tool"}
    assert told["id_second"].startswith("Error: the call was not made: the chat was broken off before it.")


@both_faces
def test_legacy_call_that_was_interrupted_is_not_made_again(face):
    made = []
    call = {"content": None, "function_call": {"name": "order", "arguments": "{}"}}
    me, other = user(), assistant(call, "I see. TERMINATE")

    def order():
        made.append(1)
        raise KeyboardInterrupt

    me.register_function({"order": order})
    result = broken_off(face, me, other)

    more = face(result, "resume")

    assert made == [1]
    assert more.messages[0]["role"] == "function"
    assert "the call was interrupted by the user" in more.messages[0]["content"]


@both_faces
def test_call_is_made_again_when_the_model_asks_for_it_again(face):
    made = []
    me, other = user(), assistant(calls("order"), calls("order"), "Good. TERMINATE")

    def order():
        made.append(1)
        if len(made) == 1:
            raise KeyboardInterrupt
        return "sent"

    me.register_function({"order": order})
    result = broken_off(face, me, other)

    face(result, "resume")

    assert made == [1, 1]
    assert [one["content"] for one in wire_of(other) if one["role"] == "tool"][-1] == "sent"


@both_faces
def test_call_that_a_budget_has_cut_off_is_not_made_again(face):
    made = []
    me, other = user(), assistant(calls("order"), "I see. TERMINATE")

    def order():
        made.append(1)
        return user("buyer").initiate_chat(assistant("What?", name="shop"), message="order").summary

    me.register_function({"order": order})
    result = face(me, "initiate_chat", other, message="go", budget=Budget(model_calls=1))

    more = face(result, "resume", budget=Budget(model_calls=5))

    assert made == [1]
    assert texts(more.messages)[-1] == "I see. TERMINATE"


@both_faces
def test_code_that_a_tool_runs_is_that_of_the_tool(face):
    me, executor = runner(interrupt("half"))
    other = assistant(calls("order"), "I see. TERMINATE")
    me.register_function({"order": lambda: me.run_code("order()")[1]})
    result = broken_off(face, me, other)

    more = face(result, "resume")

    assert len(executor.codes) == 1
    assert more.messages[0]["role"] == "tool"
    assert "the call was interrupted by the user" in texts(more.messages)[0]


# -- Groups ------------------------------------------------------------------------------------------------------


def group(me, *members, **options):
    """The manager of a group of these."""
    options = {"speaker_selection_method": "round_robin", "max_round": 6} | options
    return GroupChatManager(GroupChat([me, *members], **options), llm_config=False)


@both_faces
def test_member_of_a_group_answers_for_what_it_had_begun_whoever_would_be_chosen(face):
    runs, executor = runner(interrupt("half"), name="runner")
    coder = assistant(ORDER, "I see. TERMINATE", name="coder")
    chosen = []

    def select(last, chat):
        chosen.append(last.name)
        return {"user": coder, "coder": runs, "runner": coder}[last.name]

    me = user()
    result = broken_off(face, me, group(me, coder, runs, speaker_selection_method=select))

    more = face(result, "resume")

    assert len(executor.codes) == 1
    assert [(one["name"], one["content"][:13]) for one in more.messages] == [
        ("runner", "exitcode: 130"),
        ("coder", "I see. TERMIN"),
    ]
    assert chosen == ["user", "coder", "runner"]


@both_faces
def test_member_of_a_group_does_not_run_again_later_what_an_interrupt_has_ended_in_a_group_with_an_admin(face):
    executor = FakeExecutor(interrupt("half"))
    runs = user("runner", code_execution_config={"executor": executor, "last_n_messages": 3})
    coder = assistant(ORDER, name="coder")
    admin = user("Admin", human_input_mode="ALWAYS", human=ScriptedHuman(["Go on."]))
    order = {"user": coder, "coder": runs, "Admin": runs}

    def select(last, chat):
        return order.get(last.name)

    me = user()
    manager = group(me, coder, runs, admin, speaker_selection_method=select, admin_name="Admin")
    result = face(me, "initiate_chat", manager, message="go")

    assert len(executor.codes) == 1
    assert [one["name"] for one in result.messages] == ["user", "coder", "Admin", "runner"]
    assert f"half\nThe block was interrupted by the user; {NOT_AGAIN}" in texts(result.messages)[-1]


@both_faces
def test_newer_code_of_a_group_runs_after_an_interrupt_that_its_admin_has_answered(face):
    runs, executor = runner(interrupt("half"), "sent", name="runner")
    coder = assistant(ORDER, ORDER, name="coder")
    admin = user("Admin", human_input_mode="ALWAYS", human=ScriptedHuman(["Again."]))
    order = {"user": coder, "coder": runs, "Admin": coder}

    me = user()
    manager = group(
        me, coder, runs, admin, speaker_selection_method=lambda last, chat: order.get(last.name), admin_name="Admin"
    )
    result = face(me, "initiate_chat", manager, message="go")

    assert len(executor.codes) == 2
    assert texts(result.messages)[-1].endswith("\nsent")


def test_agent_of_ones_own_that_runs_code_itself_is_told_what_came_of_it():
    class Runner(AssistantAgent):
        def generate_reply(self, messages=None, sender=None, exclude=None):
            exit_code, text, _ = self.run_code("order()")
            return f"{exit_code}: {text}"

    executor = FakeExecutor(interrupt("half"))
    runs = Runner("runner", llm_config=False, code_execution_config={"executor": executor}, human_input_mode="NEVER")
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        user(default_auto_reply="go").initiate_chat(runs, message="go", max_turns=1)

    more = caught.value.result.resume(max_turns=1)

    assert len(executor.codes) == 1
    assert texts(more.messages)[0].startswith("130: half\nThe block was interrupted")


# -- Where it is something else ----------------------------------------------------------------------------------


def asks_for(codes, told):
    """A reply function that runs blocks of its own making."""

    def reply(agent, messages, sender, config):
        told.append([agent.run_code(code)[:2] for code in codes])
        return True, str(told[-1])

    return reply


@both_faces
def test_other_code_runs_when_an_agent_asks_for_it_in_place_of_what_had_begun(face):
    me, executor = runner("one", interrupt("half"), "new one", "new two")
    codes, told = ["p1", "p2"], []
    me.register_reply([AssistantAgent, None], asks_for(codes, told), position=2)
    result = broken_off(face, me, assistant("Go on, please.", "Thanks. TERMINATE"))
    codes[:] = ["q1", "q2"]

    face(result, "resume")

    assert executor.codes == ["p1", "p2", "q1", "q2"]
    assert told == [[(0, "new one"), (0, "new two")]]


@both_faces
def test_code_that_a_person_had_edited_is_not_run_again(face):
    human = ScriptedHuman(["edit\nother()"])
    executor = FakeExecutor(interrupt())
    me = user("user", code_execution_config={"executor": executor, "policy": "ask"}, human=human)
    result = broken_off(face, me, assistant(ORDER, "I see. TERMINATE"))

    more = face(result, "resume")

    assert executor.codes == ["other()"]
    assert NOT_AGAIN in texts(more.messages)[0]


@both_faces
def test_warning_is_given_when_a_nested_chat_begins_anew(face):
    inner, executor = runner("one", interrupt(), "two", "three", "four", name="inner")
    coder = assistant(THREE, THREE, "Inner. TERMINATE", name="coder")
    outer, me = assistant("Thanks. TERMINATE", name="outer"), user("me")
    outer.register_nested_chats([{"sender": inner, "recipient": coder, "message": "do"}], trigger=me)
    result = broken_off(face, me, outer)

    more = face(result, "resume", max_turns=1)

    assert "".join(executor.codes).split() == ["a", "b", "a", "b", "c"]
    [note] = [one for one in more.events if isinstance(one, Noted)]
    assert note.level == "warning"
    assert "may be done a second time" in note.text


@both_faces
def test_nothing_is_warned_of_when_the_nested_chat_had_run_nothing(face):
    inner, _ = runner(name="inner")
    outer, me = assistant("Thanks. TERMINATE", name="outer"), user("me")
    coder = assistant(KeyboardInterrupt(), "Inner. TERMINATE", name="coder")
    outer.register_nested_chats([{"sender": inner, "recipient": coder, "message": "do"}], trigger=me)
    result = broken_off(face, me, outer)

    more = face(result, "resume", max_turns=1)

    assert [one for one in more.events if isinstance(one, Noted)] == []
