"""Several chats at once, one within another, and what goes on after the end of one."""

import asyncio
import json
import subprocess
import sys

import pytest

from jupyter_agents import EndedBy, Message
from jupyter_agents.drive import ChatCancelled
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.journal.recording import Recording
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from jupyter_agents.testing import RecordingExecutor, ScriptedHuman, ScriptedModel
from tests.fakes import assistant, both_faces, quiet_session, user

DONE = "Done.\n\nTERMINATE"
CODE = "```python\nprint(1)\n```"


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def calling(name, arguments="{}"):
    return ModelReply(None, "tool_calls", tool_calls=(ToolCall(name, arguments, "call_1"),))


def texts(messages):
    return [message["content"] for message in messages]


# -- The same pair -----------------------------------------------------------------------------------------------


async def test_second_chat_of_a_pair_is_refused_while_the_first_goes_on():
    asked = asyncio.Event()
    going_on = asyncio.Event()

    async def slow(request):
        asked.set()
        await going_on.wait()
        return DONE

    agent, me = assistant(slow), user()
    first = asyncio.create_task(me.a_initiate_chat(agent, message="alpha"))
    await asked.wait()

    with pytest.raises(ConfigurationError, match="are in another one that has not ended"):
        await me.a_initiate_chat(agent, message="beta")
    going_on.set()

    assert texts((await first).messages) == ["alpha", DONE]


@both_faces
def test_chat_of_a_pair_may_be_nested_in_one_of_theirs_and_leaves_it_as_it_was(face):
    agent = assistant("Wait.", "inner " + DONE, "And " + DONE)
    me = user(default_auto_reply="go on")
    seen = []

    def ask_again(recipient, messages, sender, config):
        if len(messages) == 2:
            seen.append(me.initiate_chat(agent, message="inner?").messages)
        return False, None

    agent.register_reply([object], ask_again, 1)
    me.register_reply([object], ask_again, 1)

    result = face(me, "initiate_chat", agent, message="outer?")

    assert texts(seen[0]) == ["inner?", "inner " + DONE]
    assert texts(result.messages) == ["outer?", "Wait.", "go on", "And " + DONE]
    assert texts(agent.model.requests[-1].messages[-3:]) == ["outer?", "Wait.", "go on"]


@both_faces
def test_nothing_is_forgotten_when_a_chat_cannot_begin(face):
    agent, me = assistant(DONE, "Again " + DONE), user()
    face(me, "initiate_chat", agent, message="Hi")

    with pytest.raises(ConfigurationError, match="there is no message"):
        face(me, "initiate_chat", agent)

    assert texts(me.chat_messages[agent]) == ["Hi", DONE]


# -- After the end -----------------------------------------------------------------------------------------------


async def test_chat_that_a_task_begins_after_the_end_is_one_of_its_own():
    tasks = []
    expert, asker = assistant("Late.\n\nTERMINATE", name="expert"), user(name="asker")

    def start():
        async def later():
            await asyncio.sleep(0)
            await ended.wait()
            return await asker.a_initiate_chat(expert, message="Later?")

        tasks.append(asyncio.create_task(later()))
        return "started"

    ended = asyncio.Event()
    agent, me = assistant(calling("start"), DONE), user(function_map={"start": start})
    result = await me.a_initiate_chat(agent, message="go")
    length = len(result.log)
    ended.set()

    late = await tasks[0]

    assert len(result.log) == length
    assert late.log is not result.log
    assert late.ended_by is EndedBy.TERMINATION


@both_faces
def test_stop_at_an_approval_ends_the_chats_around_it_too(face):
    runner = user(name="runner", code_execution_config={"policy": "ask", "executor": RecordingExecutor()})
    runner.human = ScriptedHuman(["stop"])
    worker = assistant(CODE, name="worker")

    def work():
        return str(runner.initiate_chat(worker, message="work").ended_by)

    agent, me = assistant(calling("work"), DONE), user(function_map={"work": work})

    result = face(me, "initiate_chat", agent, message="go")

    assert result.ended_by is EndedBy.HUMAN
    assert agent.model.calls == 1


async def test_interrupt_cancels_a_chat_in_a_task_and_does_not_end_the_loop():
    agent, me = assistant("One.", KeyboardInterrupt()), user(default_auto_reply="And?")

    with pytest.raises(ChatCancelled) as caught:
        await asyncio.create_task(me.a_initiate_chat(agent, message="Hi"))

    assert caught.value.result.ended_by is EndedBy.INTERRUPTED
    assert caught.value._render_traceback_() == [
        "Chat interrupted. What was said so far is kept, and the chat can be continued."
    ]


# -- Who is asked ------------------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(("policy", "blocks"), [("deny", 0), ("auto", 1)])
def test_policy_holds_for_code_that_a_tool_runs(face, policy, blocks):
    executor = RecordingExecutor(["1\n"])
    me = user(code_execution_config={"policy": policy, "executor": executor})
    me.register_function({"python": lambda cell: me.run_code(cell)[1]})
    agent = assistant(calling("python", '{"cell": "print(1)"}'), DONE)

    face(me, "initiate_chat", agent, message="go")

    assert len(executor.blocks) == blocks


def test_policy_is_not_loosened_by_the_config_of_one_reply():
    executor = RecordingExecutor()
    me = user(code_execution_config={"policy": "deny", "executor": executor})

    me.generate_code_execution_reply(messages=[{"role": "user", "content": CODE}], config={"last_n_messages": 2})

    assert executor.blocks == []


@both_faces
@pytest.mark.parametrize(("answer", "calls"), [("run", 1), ("reject no", 0)])
def test_function_is_asked_about_when_a_foreign_recording_calls_it(face, tmp_path, monkeypatch, answer, calls):
    file, called = tmp_path / "chat.jsonl", []
    model = ScriptedModel([calling("work", '{"n": 1}'), DONE])

    def hold(mode, human):
        recording = Recording.open(file, mode)
        me = user(function_map={"work": lambda n: called.append(n) or "worked"})
        with use_session(quiet_session(find_recording=lambda: recording, human=human)):
            try:
                return face(me, "initiate_chat", assistant_with(model), message="go")
            except Exception as error:  # noqa: BLE001 - a refused call is asked on about, which was not recorded
                return error

    def assistant_with(model):
        from jupyter_agents import AssistantAgent

        return AssistantAgent("assistant", llm_config=model)

    monkeypatch.setenv("JUPYTER_AGENTS_TRUST_DB", str(tmp_path / "theirs"))
    hold("record", None)
    called.clear()
    monkeypatch.setenv("JUPYTER_AGENTS_TRUST_DB", str(tmp_path / "mine"))
    human = ScriptedHuman([answer])

    hold("replay", human)

    assert len(human.prompts) == 1
    assert human.prompts[0].text.startswith("Call work?")
    assert json.loads(human.prompts[0].block.code) == {"n": 1}
    assert len(called) == calls


def test_single_reply_is_recorded_and_replayed_as_well(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_AGENTS_TRUST_DB", str(tmp_path / "trust"))
    agent = assistant("Hello.")
    question = [{"role": "user", "content": "Hi"}]

    said = []
    for mode in ("record", "replay"):
        recording = Recording.open(tmp_path / "one.jsonl", mode)
        with use_session(quiet_session(find_recording=lambda recording=recording: recording)):
            said.append(agent.generate_reply(messages=question))

    assert said == ["Hello.", "Hello."]
    assert agent.model.calls == 1


# -- Small things ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "summary"),
    [
        ("It is 42.\n\nTERMINATE", "It is 42."),
        ("It is 42. **TERMINATE**", "It is 42."),
        ("We DETERMINATE; signal.TERMINATE", "We DETERMINATE; signal.TERMINATE"),
        ("TERMINATE is the word", "TERMINATE is the word"),
    ],
)
def test_summary_leaves_out_the_last_word_only(last, summary):
    result = user().initiate_chat(assistant(last), message="go", max_turns=1)

    assert result.summary == summary


@both_faces
def test_chat_goes_on_when_a_listener_fails(face):
    def broken(what):
        raise ZeroDivisionError("mine")

    with (
        use_session(quiet_session(make_listeners=lambda: [broken])),
        pytest.warns(RuntimeWarning, match="A listener failed: ZeroDivisionError: mine"),
    ):
        result = face(user(), "initiate_chat", assistant(DONE), message="go")

    assert len(result) == 2


@pytest.mark.parametrize("language", ["json", "html", "markdown", "css", ""])
def test_block_with_a_file_name_is_handed_to_the_executor_whatever_its_language(language):
    executor = RecordingExecutor()
    me = user(code_execution_config={"executor": executor})

    me.generate_reply(messages=[{"role": "user", "content": f"```{language}\n# filename: a.txt\nx\n```"}])

    assert [block.filename for block in executor.blocks] == ["a.txt"]


def test_message_of_a_chat_is_one_event_with_its_chat():
    result = user().initiate_chat(assistant(DONE), message=Message("go"))

    assert texts(result.messages) == ["go", DONE]


async def test_two_chats_of_a_pair_nested_side_by_side_wait_for_each_other_and_the_outer_talk_stays_whole():
    async def inner(request):
        await asyncio.sleep(0)
        return "inner " + DONE

    agent = assistant("Wait.", inner, inner, "And " + DONE)
    me = user(default_auto_reply="go on")
    held = []

    async def ask_twice(recipient, messages, sender, config):
        if len(messages) == 2:
            both = [me.a_initiate_chat(agent, message=f"inner {n}?") for n in (1, 2)]
            held.extend(await asyncio.gather(*both))
        return False, None

    me.register_reply([object], ask_twice, 1)

    result = await me.a_initiate_chat(agent, message="outer?")

    assert [texts(one.messages) for one in held] == [[f"inner {n}?", "inner " + DONE] for n in (1, 2)]
    assert texts(result.messages) == ["outer?", "Wait.", "go on", "And " + DONE]
    assert texts(me.chat_messages[agent]) == ["outer?", "Wait.", "go on", "And " + DONE]


@both_faces
@pytest.mark.parametrize("names", [("a_ask", "ask"), ("ask", "a_ask"), ("a_ask", "ask", "a_ask", "ask")])
def test_plain_and_async_tools_of_one_message_that_nest_chats_of_a_pair_wait_for_each_other(face, names):
    held = []

    async def inner(request):
        held.append("begun")
        await asyncio.sleep(0.02)
        held.append("ended")
        return "Inner. " + DONE

    one, other = user("one"), assistant(*[inner] * len(names), name="other")

    def ask():
        return one.initiate_chat(other, message="inner?").summary

    async def a_ask():
        return (await one.a_initiate_chat(other, message="inner?")).summary

    calls = tuple(ToolCall(name, "{}", str(number)) for number, name in enumerate(names))
    agent = assistant(ModelReply("", "tool_calls", tool_calls=calls), "All " + DONE)
    me = user(function_map={"ask": ask, "a_ask": a_ask})

    result = face(me, "initiate_chat", agent, message="go")

    assert [one["content"] for one in result.messages[2]["tool_responses"]] == ["Inner. Done."] * len(names)
    assert held == ["begun", "ended"] * len(names)


async def test_plain_chat_is_refused_clearly_when_it_would_wait_for_the_loop_that_it_holds_up():
    async def inner(request):
        await asyncio.sleep(0.02)
        return "Inner. " + DONE

    one, other = user("one"), assistant(inner, name="other")
    me = user()

    async def both(recipient, messages, sender, config):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one.a_initiate_chat(other, message="inner?"))
            await asyncio.sleep(0.01)
            with pytest.raises(ConfigurationError, match="cannot end while a synchronous call holds up the event loop"):
                one.initiate_chat(other, message="inner?")
        return True, None

    me.register_reply([object], both, 1)

    await me.a_initiate_chat(assistant("Well?"), message="outer?")


async def test_pair_is_free_again_when_one_is_reset():
    asked = asyncio.Event()

    async def never(request):
        asked.set()
        await asyncio.Event().wait()

    agent, me = assistant(never, DONE), user()
    first = asyncio.create_task(me.a_initiate_chat(agent, message="alpha"))
    await asked.wait()
    me.reset()
    agent.reset()

    result = await me.a_initiate_chat(agent, message="beta")
    first.cancel()

    assert texts(result.messages) == ["beta", DONE]


@both_faces
@pytest.mark.parametrize("output", ["TERMINATE", "Inner.\n\nTERMINATE"])
def test_word_in_the_output_of_code_ends_nothing(face, output):
    me = user(code_execution_config={"executor": RecordingExecutor([output])})
    agent = assistant(CODE, DONE)

    result = face(me, "initiate_chat", agent, message="go")

    assert agent.model.calls == 2
    assert result.ended_by is EndedBy.TERMINATION


@both_faces
def test_word_in_the_result_of_a_tool_ends_nothing(face):
    agent, me = assistant(calling("work"), DONE), user(function_map={"work": lambda: "TERMINATE"})

    face(me, "initiate_chat", agent, message="go")

    assert agent.model.calls == 2


INTERRUPTED_IN_A_TERMINAL = """
import asyncio, os, signal, threading
from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.drive import ChatCancelled
from jupyter_agents.session import Session, use_session
from jupyter_agents.testing import ScriptedModel

async def wait(request):
    await asyncio.Event().wait()

def pair(n, reply):
    return UserProxyAgent(f"u{n}", human_input_mode="NEVER"), AssistantAgent(f"a{n}", llm_config=ScriptedModel([reply]))

async def both(pairs):
    return await asyncio.gather(*(u.a_initiate_chat(a, message="Hi") for u, a in pairs))

loop = asyncio.new_event_loop()  # as IPython does in a terminal, and without the handler of asyncio.run
threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
pairs = [pair(1, "Done.\\n\\nTERMINATE"), pair(2, wait)]
with use_session(Session()):
    try:
        loop.run_until_complete(both(pairs))
    except asyncio.CancelledError as error:
        print("cancelled", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    pairs[1][0].check_free(pairs[1][1])
print("free")
loop.close()
"""


def test_interrupt_in_a_terminal_ends_the_chats_in_order_and_frees_their_agents():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", INTERRUPTED_IN_A_TERMINAL],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.split("\n")[:2] == ["cancelled True", "free"], done.stderr


async def test_plain_tool_is_called_while_a_chat_goes_on_that_an_earlier_tool_has_begun():
    may_end, tasks = asyncio.Event(), []
    worker, boss = assistant("never", name="worker"), user("boss")

    async def waits(recipient, messages, sender, config):
        await may_end.wait()
        return True, "Worked. TERMINATE"

    worker.register_reply([lambda sender: True], waits)

    async def begin() -> str:
        tasks.append(asyncio.create_task(boss.a_initiate_chat(worker, message="Work.")))
        await asyncio.sleep(0.05)
        return "begun"

    def let_go() -> str:
        may_end.set()
        return "signalled"

    caller = assistant(
        ModelReply("", tool_calls=(ToolCall("begin", "{}", "1"),)),
        ModelReply("", tool_calls=(ToolCall("let_go", "{}", "2"),)),
        "TERMINATE",
    )
    executor = user("executor", function_map={"begin": begin, "let_go": let_go})

    async with asyncio.timeout(10):
        result = await executor.a_initiate_chat(caller, message="Go")
        await asyncio.gather(*tasks)

    assert [one["content"] for one in result.messages if one.get("role") == "tool"] == ["begun", "signalled"]
