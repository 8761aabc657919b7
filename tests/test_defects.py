"""What went wrong in the classic framework, one test for each defect that no other test shows.

The table of all of them is in `docs/differences.md`. Each test here fails on what the classic does, which the first
comment of the test says, as it was measured or read.
"""

import asyncio
import json
import threading
import time

import pytest

from jupyter_agents import AssistantAgent, EndedBy, GroupChat, GroupChatManager, ResponsiveAgent, UserProxyAgent
from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.conditions import MaxCost
from jupyter_agents.drive import drive
from jupyter_agents.effects import Pause
from jupyter_agents.errors import ModelRejectedError
from jupyter_agents.events import Noted
from jupyter_agents.executors.live import LiveExecutor
from jupyter_agents.human.base import Answer
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from tests.fakes import FakeExecutor, assistant, both_faces, quiet_session, talker, texts, user, wire_of

DONE = "Done.\n\nTERMINATE"


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


# -- 1, 2, 6, 16: code in the live kernel ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1/0", "ZeroDivisionError"),
        ("%%capture --no-display cap\n1/0", "ZeroDivisionError"),
        ("%%capture cap\nx =", "SyntaxError"),
        ("!echo hi; false", "ended with exit code 1"),
        ("get_ipython().run_cell('1/0')", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_failure_is_reported_as_one_however_it_comes_about(bare_shell, code, said):
    # the classic notebook's `result.success` is True for all but the first and the last
    me = user(code_execution_config={"executor": LiveExecutor(bare_shell)})

    _, reply = me.generate_code_execution_reply([{"role": "user", "content": f"```python\n{code}\n```"}])

    assert "(execution failed)" in reply
    assert said in reply


def test_reply_has_what_was_printed_and_the_value(bare_shell):
    # the classic functions hand on `str(result.result)` alone, so the model never sees what was printed
    me = user(code_execution_config={"executor": LiveExecutor(bare_shell)})

    _, reply = me.generate_code_execution_reply([{"role": "user", "content": "```python\nprint('read')\n6 * 7\n```"}])

    assert reply.endswith("Code output: \nread\n42")


def test_code_with_a_time_limit_runs_in_another_thread(bare_shell):
    # the classic sets an alarm, which works in the main thread only, and fails elsewhere
    results = []

    def chat():
        results.append(drive(LiveExecutor(bare_shell, timeout=30).execute(CodeBlock("python", "6 * 7"))))

    thread = threading.Thread(target=chat)
    thread.start()
    thread.join(30)

    assert [(one.exit_code, one.text) for one in results] == [(0, "42")]


def test_code_that_does_not_end_is_interrupted_in_the_process_of_the_user(bare_shell):
    # later versions give up waiting, and the code goes on
    executor = LiveExecutor(bare_shell, timeout=0.2)
    started = time.monotonic()

    result = drive(executor.execute(CodeBlock("python", "ticks = 0\nwhile True:\n    ticks += 1")))
    ticks = bare_shell.user_ns["ticks"]

    assert result.text.endswith("The block timed out after 0.2 s.\n")
    assert time.monotonic() - started < 10
    assert bare_shell.user_ns["ticks"] == ticks


# -- 5, 17: loops and people -------------------------------------------------------------------------------------


async def test_async_tool_is_awaited_by_the_synchronous_face_while_a_loop_runs():
    # `loop.run_until_complete` on the running loop: "This event loop is already running"
    async def slow(x):
        await asyncio.sleep(0)
        return x * 2

    call = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "slow", "arguments": '{"x": 21}'}}]}
    agent = assistant(call, DONE)

    user(function_map={"slow": slow}).initiate_chat(agent, message="go")

    assert wire_of(agent)[-1]["content"] == "42"


class SlowThinker:
    """A person who takes a while; waiting is what the driver does, not this."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def ask(self, prompt):
        await Pause(self.seconds)
        return Answer("exit")


async def test_loop_runs_on_while_a_person_thinks():
    # the classic `a_get_human_input` calls `input()`, and the loop stands still
    beats = []

    async def beat():
        while True:
            beats.append(1)
            await asyncio.sleep(0.01)

    heart = asyncio.create_task(beat())
    me = user(human_input_mode="ALWAYS", human=SlowThinker(0.2))

    result = await me.a_initiate_chat(assistant("What?"), message="go")
    heart.cancel()

    assert result.ended_by is EndedBy.HUMAN
    assert len(beats) > 5


# -- 4: two faces ------------------------------------------------------------------------------------------------


@both_faces
def test_counters_and_prompts_are_those_of_one_chain_in_both_faces(face):
    # with a limit of 4 the classic's sync chat has 9 messages and its async one 5
    a, b = (talker(name, lambda n: f"{n}", max_consecutive_auto_reply=4) for name in "ab")

    assert len(face(a, "initiate_chat", b, message="go")) == 9


# -- 7, 8: ends --------------------------------------------------------------------------------------------------


@both_faces
def test_agents_with_nothing_to_say_do_not_send_each_other_two_hundred_empty_messages(face):
    a, b = (ResponsiveAgent(name, llm_config=False, human_input_mode="NEVER") for name in "ab")

    result = face(a, "initiate_chat", b, message="Hello")

    assert (len(result), result.ended_by) == (3, EndedBy.EMPTY_REPLIES)


@both_faces
def test_code_of_the_last_message_does_not_run_after_the_end(face):
    # whether code beside the word ran, depended on the form of the word
    executor = FakeExecutor()
    me = user(code_execution_config={"executor": executor})

    result = face(me, "initiate_chat", assistant("```python\n1\n```\nTERMINATE"), message="go")

    assert (executor.codes, result.ended_by) == ([], EndedBy.TERMINATION)


# -- 9, 11, 19: what is given stays as it is ---------------------------------------------------------------------


def test_agent_does_not_follow_when_the_config_it_was_made_with_is_changed(server):
    # one dictionary is shared by all agents that were made with it
    config = server.config | {"temperature": 0}
    agent = AssistantAgent("assistant", llm_config=config)

    config["temperature"] = 1
    server.enqueue(DONE)
    user().initiate_chat(agent, message="go")

    assert server.requests[0].body["temperature"] == 0


def test_manager_keeps_its_instructions_when_it_has_chosen_a_speaker():
    # the classic manager writes over its system message at each choice
    model = ScriptedModel(["Alice", "Bob"])
    group = GroupChat([user("user"), talker("Alice", "a"), talker("Bob", "b")], max_round=3)
    manager = GroupChatManager(group, llm_config=model, system_message="Be fair.")

    group.agents[0].initiate_chat(manager, message="Go")

    assert manager.system_message == "Be fair."
    assert model.calls == 2


@pytest.mark.parametrize(
    "answer", ["player_white", "PLAYER WHITE", "**Player white**", "Player\\_white.", "The next is Player white!"]
)
def test_speaker_is_found_when_the_model_writes_the_name_in_its_own_way(answer):
    # names are compared as they are, and the next in order speaks when they differ
    group = GroupChat([user("user"), talker("Bob", "b"), talker("Player white", "e4")], max_round=2)
    manager = GroupChatManager(group, llm_config=ScriptedModel([answer]))

    result = group.agents[0].initiate_chat(manager, message="Go")

    assert [one["name"] for one in result.messages] == ["user", "Player white"]


# -- 10: state ---------------------------------------------------------------------------------------------------


def test_events_of_a_chat_are_json_by_which_agents_are_told_apart():
    # the classic memory is a dictionary whose keys are agents, twice, with the roles turned around
    result = user("Zoë").initiate_chat(assistant("Hi.", name="Player white"), message="Hello", max_turns=1)

    told = json.loads(json.dumps([entry.to_json() for entry in result.log]))

    said = [one for one in told if one["kind"] == "message"]
    assert [(one["sender"], one["recipient"]) for one in said] == [("Zoë", "Player white"), ("Player white", "Zoë")]


# -- 12, 13, 20: models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [{}, {"seed": 41}, {"cache_seed": None}])  # a seed that is given asks for a cache
def test_model_is_asked_anew_and_nothing_is_written_when_a_chat_is_held_twice(server, tmp_path, monkeypatch, config):
    # a cache in .cache/41 of the working directory answers from the second time on
    monkeypatch.chdir(tmp_path)
    agent = AssistantAgent("assistant", llm_config=server.config | config)
    server.enqueue("First.", "Second.")

    said = [user().initiate_chat(agent, message="go", max_turns=1).summary for _ in range(2)]

    assert said == ["First.", "Second."]
    assert list(tmp_path.iterdir()) == []


@both_faces
def test_chat_goes_on_from_what_was_said_when_a_server_has_refused(server, face):
    # the error of the client ends the chat, and half of what was said is in one memory only
    agent, me = AssistantAgent("assistant", llm_config=server.config), user(default_auto_reply="And?")
    server.enqueue("First.")
    with pytest.raises(ModelRejectedError) as caught:
        face(me, "initiate_chat", agent, message="go")
    server.enqueue(DONE)

    result = face(me, "send", "Go on.", agent)

    assert texts(caught.value.result.messages) == ["go", "First.", "And?"]
    assert texts(me.chat_messages[agent]) == texts(agent.chat_messages[me]) == ["go", "First.", "And?", "Go on.", DONE]
    assert result.ended_by is EndedBy.TERMINATION


def test_price_that_is_not_known_is_said_and_does_not_count_as_nothing(server):
    # a model that is not in the table costs 0
    agent = AssistantAgent("assistant", llm_config=server.config)
    server.enqueue("First.", DONE)

    result = user(default_auto_reply="And?").initiate_chat(agent, message="go", termination=MaxCost(0.01, {}))

    assert ["costs is not all known" in one.text for one in result.log.select(Noted)] == [True]


# -- 14, 15: results and blocks ----------------------------------------------------------------------------------


def test_reply_has_what_was_printed_before_a_failure(bare_shell):
    # a failure shows stderr alone
    me = user(code_execution_config={"executor": LiveExecutor(bare_shell)})

    _, reply = me.generate_code_execution_reply([{"role": "user", "content": "```python\nprint('read')\n1/0\n```"}])

    assert reply.index("read") < reply.index("ZeroDivisionError")


def test_data_between_blocks_neither_runs_nor_stops_the_next_one():
    # "unknown language json" is exit code 1, and what follows does not run
    executor = FakeExecutor("one", "two")
    me = user(code_execution_config={"executor": executor})
    message = "```python\n1\n```\n```json\n{}\n```\n``` python\n2\n```"

    _, reply = me.generate_code_execution_reply([{"role": "user", "content": message}])

    assert executor.codes == ["1\n", "2\n"]
    assert reply.startswith("exitcode: 0")


# -- 18: events --------------------------------------------------------------------------------------------------


def test_nothing_is_printed_by_a_chat_and_everything_is_told(capsys, session):
    # messages and markers go to stdout with the colours of a terminal
    heard = []
    session.make_listeners = lambda: [heard.append]

    UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False).initiate_chat(
        assistant(DONE), message="go"
    )

    assert capsys.readouterr() == ("", "")
    assert {"ChatStarted", "MessageSent", "ModelAsked", "ModelAnswered", "ChatEnded"} <= {
        type(getattr(one, "event", one)).__name__ for one in heard
    }
