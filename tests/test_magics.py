"""The magics in a plain shell, without a kernel."""

import asyncio

import pytest

from jupyter_agents import AssistantAgent, GroupChat, GroupChatManager, UserProxyAgent
from jupyter_agents.errors import ModelUnavailableError
from jupyter_agents.events import Noted
from jupyter_agents.magics import rewrite
from jupyter_agents.session import current_session
from jupyter_agents.testing import RecordingExecutor, ScriptedHuman, ScriptedModel

CODE = "```python\nprint(6 * 7)\n```"


@pytest.fixture
def run(shell):
    """Run a cell; its result. The error, if any, is in the result."""

    def run(cell):
        return shell.run_cell(cell)

    return run


@pytest.fixture
def model(shell):
    """Make the session's model say these replies."""

    def model(*replies):
        scripted = ScriptedModel(replies)
        current_session().settings.model = scripted
        return scripted

    return model


@pytest.fixture
def executor():
    """What runs code, in place of the kernel."""
    found = RecordingExecutor(lambda block: "42\n")
    current_session().find_executor = lambda options: found
    return found


def person(*answers):
    human = ScriptedHuman(answers)
    current_session().find_human = lambda: human
    return human


def error_of(result):
    error = result.error_in_exec or result.error_before_exec
    assert error is not None
    return error


# -- A chat ------------------------------------------------------------------------------------------------------


def test_default_pair_talks_when_there_are_no_agents(shell, run, model, executor):
    asked = model(CODE, "It is 42.\n\nTERMINATE")
    human = person("run")

    result = run("%%agentchat\nWhat is 6 times 7?")

    assert result.success
    chat = shell.user_ns["_chat"]
    assert [message["name"] for message in chat.messages] == ["user", "assistant", "user", "assistant"]
    assert chat.messages[0]["content"] == "What is 6 times 7?"
    assert chat.messages[2]["content"] == "exitcode: 0 (execution succeeded)\nCode output: \n42\n"
    assert str(chat.ended_by) == "termination message"
    assert [prompt.kind for prompt in human.prompts] == ["approval"]
    assert asked.requests[0].messages[0]["role"] == "system"


def test_user_has_the_word_when_the_assistant_has_nothing_to_run(shell, run, model):
    asked = model("Which column do you mean?", "Then it is 7.")

    run("%%agentchat\nWhat is the mean?")
    run("%%agentchat --continue\nThe second one.")

    assert str(shell.user_ns["_chat"].ended_by) == "no reply"
    assert [message["content"] for message in asked.requests[1].messages[1:]] == [
        "What is the mean?",
        "Which column do you mean?",
        "The second one.",
    ]


def test_code_does_not_run_when_the_person_rejects_it(shell, run, model, executor):
    asked = model(CODE, "Then I cannot say.\nTERMINATE")
    person("reject too dangerous")

    run("%%agentchat\nWhat is 6 times 7?")

    assert executor.blocks == []
    assert "The user refused to run this code: too dangerous" in asked.requests[1].messages[-1]["content"]


def test_chat_ends_in_order_when_nobody_is_there_to_approve(shell, run, model, executor):
    model(CODE)

    result = run("%%agentchat\nWhat is 6 times 7?")

    assert result.success
    assert str(shell.user_ns["_chat"].ended_by) == "nobody to ask"
    assert executor.blocks == []


@pytest.mark.parametrize("setting", ["--approve auto", "config"])
def test_code_runs_unasked_when_the_user_says_so(shell, run, model, executor, setting):
    model(CODE, "42\nTERMINATE")
    if setting == "config":
        run("%config JupyterAgents.code_policy = 'auto'")

    run(f"%%agentchat {setting if setting != 'config' else ''}\nWhat is 6 times 7?")

    assert [block.code for block in executor.blocks] == ["print(6 * 7)\n"]
    notes = [event.text for event in shell.user_ns["_chat"].log.select(*noted())]
    assert "user runs code without asking." in notes


def noted():
    from jupyter_agents.events import Noted

    return (Noted,)


def test_code_is_refused_when_the_policy_is_deny(run, model, executor):
    asked = model(CODE, "So be it.\nTERMINATE")
    run("%config JupyterAgents.code_policy = 'deny'")

    run("%%agentchat\nWhat is 6 times 7?")

    assert executor.blocks == []
    assert "not allowed here" in asked.requests[1].messages[-1]["content"]


def test_values_of_variables_are_sent_when_the_message_names_them(run, model):
    asked = model("TERMINATE")
    run("x = 3")

    run("%%agentchat\nThere are {x} of {y}.")

    assert asked.requests[0].messages[-1]["content"] == "There are 3 of {y}."


def test_result_goes_into_a_variable_when_into_names_one(shell, run, model):
    model("TERMINATE")

    run("%%agentchat --into talk\nHello")

    assert shell.user_ns["talk"] is shell.user_ns["_chat"]


def test_chat_goes_on_when_continued_and_starts_anew_when_not(run, model):
    asked = model("one\nTERMINATE", "two\nTERMINATE", "three\nTERMINATE")

    run("%%agentchat\nfirst")
    run("%%agentchat --continue\nsecond")
    run("%%agentchat\nthird")

    texts = [[message["content"] for message in request.messages[1:]] for request in asked.requests]
    assert texts == [["first"], ["first", "one\nTERMINATE", "second"], ["third"]]


@pytest.fixture
def group(shell):
    """A group in the notebook, of a user and one who says these things; the manager, as the variable `panel`."""

    def make(*said, members=None, **options):
        me = UserProxyAgent("me", human_input_mode="NEVER", code_execution_config=False)
        speaker = AssistantAgent("speaker", llm_config=ScriptedModel(said))
        options = {"speaker_selection_method": "round_robin", "max_round": 2} | options
        panel = GroupChatManager(GroupChat(members or [me, speaker], **options), "panel")
        shell.user_ns |= {"me": me, "panel": panel}
        return panel

    return make


def test_group_begins_anew_unless_it_is_continued(run, group):
    panel = group("one", "two", "three")

    for options, heard in (("", ["Hello"]), ("", ["Hello"]), (" --continue", ["Hello", "two", "Hello"])):
        assert run(f"%%agentchat --to panel --from me{options}\nHello").success
        assert [one["content"] for one in panel.groupchat.messages[:-1]] == heard


def test_group_is_replayed_when_its_cell_runs_again(shell, run, group, folder):
    group("one")
    assert run("%%agentchat --to panel --from me --record\nHello").success

    assert run("%%agentchat --to panel --from me --replay\nHello").success
    assert [one["content"] for one in shell.user_ns["_chat"].messages] == ["Hello", "one"]


def test_usual_limit_of_turns_is_not_for_groups_and_the_option_is_refused(shell, run, group):
    group("one")

    assert run("%%agentchat --to panel --from me\nHello").success
    assert not [event for event in shell.user_ns["_chat"].events if isinstance(event, Noted)]
    error = error_of(run("%%agentchat --to panel --from me --max-turns 3\nHello"))
    assert "Cannot use --max-turns with the group of 'panel'" in str(error)
    assert "GroupChat(…, max_round=…)" in str(error)


# -- Models that are not configured ------------------------------------------------------------------------------


def unconfigured(name="lost"):
    return AssistantAgent(name)


def echo(name="echo"):
    agent = unconfigured(name)
    agent.register_reply([UserProxyAgent], lambda recipient, messages, sender, config: (True, "echo"), 0)
    return agent


class Own(AssistantAgent):
    def generate_reply(self, messages=None, sender=None, **kwargs):
        return "my own"


def test_group_talks_in_turns_when_its_manager_has_no_model(shell, run, group):
    group("one")

    assert run("%%agentchat --to panel --from me\nHello").success
    assert shell.user_ns["_chat"].summary == "one"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (echo, "echo"),
        (lambda: Own("own"), "my own"),
        (lambda: AssistantAgent("person", human_input_mode="ALWAYS", human=ScriptedHuman(["hm"])), "hm"),
    ],
)
def test_agent_answers_without_a_model_when_something_else_does(shell, run, make, said):
    shell.user_ns["other"] = make()

    assert run("%%agentchat --to other --max-turns 1\nHello").success
    assert shell.user_ns["_chat"].summary == said


def test_group_answers_when_one_of_it_can(shell, run, group):
    group(members=[echo(), unconfigured()], speaker_selection_method="random", seed=1, max_round=1)

    assert run("%%agentchat --to panel --from me\nHello").success


def team():
    return GroupChatManager(GroupChat([unconfigured("deep")], speaker_selection_method="round_robin"), "team")


@pytest.mark.parametrize("members", [[unconfigured()], [unconfigured("a"), unconfigured("b")], [team()]])
@pytest.mark.parametrize("method", ["round_robin", "random"])
def test_group_is_refused_when_nobody_of_it_could_answer(shell, run, group, members, method):
    group(members=members, speaker_selection_method=method)

    error = error_of(run("%%agentchat --to panel --from me\nHello"))

    assert "Set OPENAI_API_KEY" in str(error)
    assert "_chat" not in shell.user_ns


def test_group_is_refused_when_no_model_can_choose_who_speaks(shell, run, group):
    group("one", speaker_selection_method="auto")

    error = error_of(run("%%agentchat --to panel --from me\nHello"))

    assert "Set OPENAI_API_KEY" in str(error)
    assert "the members of 'panel' can speak in turns" in str(error)
    assert "_chat" not in shell.user_ns


def test_chat_ends_after_the_turns_that_the_option_allows(shell, run, model):
    model(*"abc")
    shell.user_ns["me"] = UserProxyAgent("me", human_input_mode="NEVER", default_auto_reply="go on")

    run("%%agentchat --max-turns 2\nHello")

    assert len(shell.user_ns["_chat"]) == 4
    assert str(shell.user_ns["_chat"].ended_by) == "turn limit"


def test_options_change_agents_for_one_chat_only(shell, run, model):
    model("TERMINATE", "TERMINATE")
    me = UserProxyAgent("me", human_input_mode="NEVER")
    shell.user_ns["me"] = me
    human = person("exit")

    run("%%agentchat --human always --approve deny\nHello")

    assert len(human.prompts) == 1
    assert (me.human_input_mode, me.code_config.policy) == ("NEVER", "auto")


def test_model_option_names_the_model_of_one_chat(shell, run):
    run("%%agentchat --model gpt-x --human never\nHello")

    assert "OPENAI_API_KEY" in str(error_of(run("%%agentchat --model gpt-x\nHello")))


def test_agent_speaks_when_to_and_from_name_it(shell, run, model):
    model("Hello.\nTERMINATE")
    shell.user_ns.update(
        ada=AssistantAgent("Ada"), bob=AssistantAgent("Bob"), me=UserProxyAgent("Me", human_input_mode="NEVER")
    )

    run("%%agentchat --from Me --to ada\nHello")

    assert [message["name"] for message in shell.user_ns["_chat"].messages] == ["Me", "Ada"]


def test_nothing_is_shown_when_quiet(run, model, capsys):
    model("Hello.\nTERMINATE")

    run("%%agentchat --quiet\nHello")

    assert capsys.readouterr().out == ""


def test_chat_is_shown_as_text_when_there_is_no_notebook(run, model, capsys):
    model("Hello to you.\nTERMINATE")

    run("%%agentchat\nHello")

    assert "assistant (to user):\n\nHello to you." in capsys.readouterr().out


def test_magic_holds_the_chat_when_it_is_called_as_a_function(shell, model):
    model("Hello.\nTERMINATE")

    shell.run_cell_magic("agentchat", "", "Hello")

    assert len(shell.user_ns["_chat"]) == 2


def test_handle_is_kept_and_then_the_result_when_in_the_background(shell, model):
    model("Hello.\nTERMINATE")

    async def cells():
        await run_async(shell, "%%agentchat --background --approve auto\nHello")
        chat = shell.user_ns["_chat"]
        assert repr(chat) == "<Chat: user and assistant, going on>"
        return await chat

    result = asyncio.run(cells())

    assert len(result) == 2
    assert shell.user_ns["_chat"] is result


async def run_async(shell, cell):
    return await shell.run_cell_async(cell, transformed_cell=shell.transform_cell(cell))


def test_cell_fails_when_there_is_no_model_for_the_background(shell):
    error = error_of(asyncio.run(run_async(shell, "%%agentchat --background --approve auto\nHello")))

    assert "Set OPENAI_API_KEY" in str(error)
    assert "_chat" not in shell.user_ns


@pytest.mark.parametrize("raised", [ModelUnavailableError("Cannot reach it."), ZeroDivisionError("mine")])
def test_later_error_is_one_line_when_in_the_background(shell, model, capsys, raised):
    model(raised)

    async def cells():
        await run_async(shell, "%%agentchat --background --approve auto\nHello")
        with pytest.raises(type(raised)):
            await shell.user_ns["_chat"]

    asyncio.run(cells())

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"The chat in the background has failed. {type(raised).__name__}: {raised}")
    assert len(shell.user_ns["_chat"]) == 1  # what was said


def test_newer_chat_is_kept_when_an_older_one_ends_in_the_background(shell, model):
    model("Newer.\nTERMINATE", "Older.\nTERMINATE")

    async def cells():
        await run_async(shell, "%%agentchat --background --approve auto --into older\nHello")
        task = shell.user_ns["_chat"]
        shell.user_ns["_chat"] = "newer"
        return await task

    result = asyncio.run(cells())

    assert shell.user_ns["_chat"] == "newer"
    assert shell.user_ns["older"] is result


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "'user' asks before code runs. Use --approve auto or deny."),
        ("--approve ask", "'user' asks before code runs. Use --approve auto or deny."),
        ("--approve auto --human always", "'user' has human_input_mode='ALWAYS'. Use --human never"),
        ("--from me --to assistant --approve auto", "'me' has human_input_mode='TERMINATE'. Use --human never"),
    ],
)
def test_chat_is_refused_when_it_may_ask_from_the_background(shell, run, model, options, said):
    asked = model("Hello.")
    me = UserProxyAgent("me", human_input_mode="TERMINATE")
    if "me" in options.split():
        shell.user_ns["me"] = me

    error = error_of(run(f"%%agentchat --background {options}\nHello"))

    assert said in str(error)
    assert len(error._render_traceback_()) == 1
    assert asked.calls == 0


def test_code_does_not_await_when_in_the_background(shell, model):
    wanted = []
    executor = RecordingExecutor(lambda block: "42\n")
    current_session().find_executor = lambda options: wanted.append(options.get("allow_await", True)) or executor
    model(CODE, "42\nTERMINATE", CODE, "42\nTERMINATE")

    async def cells():
        await run_async(shell, "%%agentchat --background --approve auto\nHello")
        await shell.user_ns["_chat"]
        await run_async(shell, "%%agentchat --approve auto\nHello")

    asyncio.run(cells())

    assert set(wanted[: len(wanted) // 2]) == {False}
    assert set(wanted[len(wanted) // 2 :]) == {True}


def test_result_is_what_was_said_when_a_chat_in_the_background_is_interrupted(shell, model, capsys):
    model(CODE)

    def interrupt(block):
        raise KeyboardInterrupt

    interrupted = RecordingExecutor(interrupt)
    current_session().find_executor = lambda options: interrupted

    async def cells():
        await run_async(shell, "%%agentchat --background --approve auto\nHello")
        return await shell.user_ns["_chat"]

    result = asyncio.run(cells())

    assert str(result.ended_by) == "interrupt"
    assert shell.user_ns["_chat"] is result
    assert capsys.readouterr().err == ""


def test_options_of_a_background_chat_are_its_own(shell, model):
    seen = []
    me = UserProxyAgent("me", human_input_mode="NEVER")
    shell.user_ns["me"] = me
    human = person(lambda prompt: seen.append(me.human_input_mode) or "exit")
    model("Hello.\nTERMINATE")

    async def cells():
        await run_async(shell, "%%agentchat --background --human always --approve deny\nHello")
        seen.append((me.human_input_mode, me.code_config.policy))
        await shell.user_ns["_chat"]
        seen.append((me.human_input_mode, me.code_config.policy))

    asyncio.run(cells())

    assert seen == [("NEVER", "auto"), "ALWAYS", ("NEVER", "auto")]
    assert len(human.prompts) == 1


@pytest.mark.parametrize(("policy", "ran"), [("deny", 0), ("auto", 1)])
def test_approve_holds_for_the_agent_that_is_spoken_to(shell, run, executor, policy, ran):
    shell.user_ns["boss"] = AssistantAgent("boss", llm_config=ScriptedModel(["So be it.\nTERMINATE"]))
    shell.user_ns["runner"] = UserProxyAgent("runner", human_input_mode="NEVER", code_execution_config={})

    assert run(f"%%agentchat --from boss --to runner --approve {policy}\n{CODE}").success

    assert len(executor.blocks) == ran
    assert shell.user_ns["runner"].code_config.policy == "auto"


def test_approve_holds_for_chats_within_the_chat(shell, run, executor):
    boss = AssistantAgent("boss", llm_config=ScriptedModel(["TERMINATE"]))
    runner = UserProxyAgent("runner", human_input_mode="NEVER", code_execution_config={})

    async def delegate(recipient, messages, sender, config):
        await boss.a_initiate_chat(runner, message=CODE)
        return True, "Done.\nTERMINATE"

    teller = AssistantAgent("teller", llm_config=False)
    teller.register_auto_reply([lambda sender: True], delegate)
    shell.user_ns["teller"] = teller

    assert run("%%agentchat --approve deny\nHello").success

    assert "not allowed here" in boss.chat_messages[runner][1]["content"]
    assert executor.blocks == []


def test_inner_chat_cannot_loosen_what_is_denied(shell, run, executor):
    shell.user_ns["boss"] = AssistantAgent("boss", llm_config=ScriptedModel(["TERMINATE"]))
    shell.user_ns["runner"] = UserProxyAgent("runner", human_input_mode="NEVER", code_execution_config={})
    inner = f"%%agentchat --from boss --to runner --approve auto\n{CODE}"
    shell.user_ns["teller"] = nesting(shell, inner)

    assert run("%%agentchat --to teller --approve deny\nHello").success

    assert len(shell.user_ns["boss"].chat_messages[shell.user_ns["runner"]]) > 1
    assert executor.blocks == []


def nesting(shell, cell):
    """An agent whose reply runs a cell, as code of an agent does; the error of the cell ends the chat."""

    async def reply(recipient, messages, sender, config):
        result = await run_async(shell, cell)
        result.raise_error()
        return True, "Done.\nTERMINATE"

    agent = AssistantAgent("teller", llm_config=False)
    agent.register_auto_reply([lambda sender: True], reply)
    return agent


def test_inner_chat_is_not_shown_when_it_is_quiet(shell, run, model, capsys):
    model("From inside.\nTERMINATE", "From inside.\nTERMINATE")
    shell.user_ns["teller"] = nesting(shell, "%%agentchat --quiet --to assistant\nInner words")
    shell.user_ns["louder"] = nesting(shell, "%%agentchat --to assistant\nInner words")

    assert run("%%agentchat --to teller\nHello").success
    quiet = capsys.readouterr().out
    assert run("%%agentchat --to louder\nHello").success
    loud = capsys.readouterr().out

    assert "Done." in quiet
    assert "From inside." not in quiet
    assert "From inside." in loud


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--record", "Cannot use --record in a chat within a chat: the recording of the outer chat holds it too."),
        ("--replay", "Cannot use --replay in a chat within a chat"),
        ("--refresh", "Cannot use --refresh in a chat within a chat"),
        ("--recording x.jsonl", "Cannot use --recording in a chat within a chat"),
        ("--background", "Leave out --background"),
    ],
)
def test_inner_chat_is_refused_when_it_cannot_have_an_option(shell, run, model, option, said):
    model("Hello.")
    shell.user_ns["teller"] = nesting(shell, f"%%agentchat {option} --to assistant\nInner words")

    error = error_of(run("%%agentchat --to teller\nHello"))

    assert said in str(error)
    assert [said in error._render_traceback_()[0], len(error._render_traceback_())] == [True, 2]
    assert error._render_traceback_()[1].startswith("It was raised in the reply function (reply) of 'teller'")


def test_agent_that_runs_no_code_is_not_made_to_by_an_option(shell, run, model):
    asked = model(CODE, "Then not.\nTERMINATE")
    shell.user_ns["me"] = UserProxyAgent("me", human_input_mode="NEVER", code_execution_config=False)

    run("%%agentchat --approve auto --max-turns 1\nHello")

    assert asked.calls == 1
    assert shell.user_ns["me"].code_config is None


# -- Recordings --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory, and a trust store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_AGENTS_TRUST_DB", str(tmp_path / "trusted"))
    return tmp_path


def record(run, model, *replies, options=""):
    model(*replies)
    person(*["run"] * len(replies))
    assert run(f"%%agentchat --record {options}\nWhat is 6 times 7?").success
    current_session().settings.model = None
    current_session().find_human = lambda: None


def test_chat_is_replayed_without_a_model_and_without_a_person(shell, run, model, executor, folder, capsys):
    record(run, model, CODE, "It is 42.\nTERMINATE")
    capsys.readouterr()
    executor.blocks.clear()

    result = run("%%agentchat --replay\nWhat is 6 times 7?")

    assert result.success
    assert [block.code for block in executor.blocks] == ["print(6 * 7)\n"]  # code runs for real
    assert shell.user_ns["_chat"].summary == "It is 42."
    assert shell.user_ns["_chat"].usage.total_tokens is None  # and costs nothing
    assert "replayed from recordings/notebook.jsonl; they were scripted by hand" in capsys.readouterr().out


def test_cell_can_be_replayed_again_and_out_of_order(run, model, executor, folder):
    record(run, model, "Hello.\nTERMINATE")

    assert run("%%agentchat --replay\nWhat is 6 times 7?").success
    assert run("%%agentchat --replay\nWhat is 6 times 7?").success


def test_difference_is_shown_when_the_message_has_changed(run, model, executor, folder):
    record(run, model, "Hello.\nTERMINATE")

    error = error_of(run("%%agentchat --replay\nWhat is 6 times 8?"))

    assert '-      "content": "What is 6 times 7?"' in str(error).replace("    ", "  ") or "6 times 7" in str(error)
    assert "6 times 8" in str(error)


def test_person_is_asked_when_only_the_model_is_replayed(run, model, executor, folder):
    record(run, model, CODE, "It is 42.\nTERMINATE")
    human = person("run")

    assert run("%%agentchat --replay model\nWhat is 6 times 7?").success
    assert len(human.prompts) == 1


def test_approval_does_not_count_when_the_recording_is_foreign(shell, run, model, executor, folder, monkeypatch):
    record(run, model, CODE, "It is 42.\nTERMINATE")
    executor.blocks.clear()
    monkeypatch.setenv("JUPYTER_AGENTS_TRUST_DB", str(folder / "mine"))

    run("%%agentchat --replay\nWhat is 6 times 7?")

    assert executor.blocks == []
    assert str(shell.user_ns["_chat"].ended_by) == "nobody to ask"


@pytest.mark.parametrize("options", ["named.jsonl", "--recording named.jsonl"])
def test_recording_is_where_the_option_says(run, model, executor, folder, options):
    record(run, model, "Hello.\nTERMINATE", options=options)

    assert (folder / "named.jsonl").exists()
    assert run("%%agentchat --replay --recording named.jsonl\nWhat is 6 times 7?").success


def test_whole_notebook_is_recorded_and_replayed_by_a_setting(run, model, executor, folder):
    run("%config JupyterAgents.recording = 'mine.jsonl'\n%config JupyterAgents.replay = 'record'")
    model("Hello.\nTERMINATE", "And you.\nTERMINATE")
    run("%%agentchat\nHello")
    run("%%agentchat\nHow are you?")
    current_session().settings.model = None

    run("%config JupyterAgents.replay = 'all'")

    assert run("%%agentchat\nHow are you?").success
    assert run("%%agentchat\nHello").success


def test_cell_that_records_again_replaces_what_it_recorded(shell, run, model, executor, folder):
    record(run, model, "First.\nTERMINATE")
    shell.execution_count += 1
    record(run, model, "Second.\nTERMINATE")

    run("%%agentchat --replay\nWhat is 6 times 7?")

    assert shell.user_ns["_chat"].summary == "Second."


def test_cells_with_the_same_opening_keep_their_words(shell, model, executor, folder):
    model("First.\nTERMINATE", "Second.\nTERMINATE", "First again.\nTERMINATE")
    cells = ["%%agentchat --record\nWhat is 6 times 7?", "%%agentchat --record --quiet\nWhat is 6 times 7?"]
    for cell in (*cells, cells[0]):
        assert shell.run_cell(cell, store_history=True).success

    said = []
    for cell in (*cells, cells[0], cells[1]):
        assert shell.run_cell(cell.replace("--record", "--replay"), store_history=True).success
        said.append(shell.user_ns["_chat"].summary)

    assert said == ["First again.", "Second.", "First again.", "Second."]


@pytest.mark.parametrize("option", ["--record", "--replay"])
def test_option_of_a_cell_holds_when_the_environment_says_off(run, model, executor, folder, monkeypatch, option):
    monkeypatch.setenv("JUPYTER_AGENTS_REPLAY", "off")
    record(run, model, "Hello.\nTERMINATE")
    if option == "--replay":
        assert run("%%agentchat --replay\nWhat is 6 times 7?").success

    assert (folder / "recordings" / "notebook.jsonl").exists()


def test_refresh_asks_the_model_only_for_what_changed(shell, run, model, executor, folder):
    record(run, model, "First.\nTERMINATE")
    shell.execution_count += 1
    model("Second.\nTERMINATE")

    assert run("%%agentchat --refresh\nWhat is 6 times 7?").success
    assert shell.user_ns["_chat"].summary == "First."
    assert run("%%agentchat --refresh\nWhat is 6 times 8?").success
    assert shell.user_ns["_chat"].summary == "Second."

    assert run("%%agentchat --replay\nWhat is 6 times 7?").success
    assert run("%%agentchat --replay\nWhat is 6 times 8?").success


def test_whole_notebook_is_refreshed_by_the_environment(shell, run, model, executor, folder, monkeypatch):
    run("%config JupyterAgents.replay = 'all'")
    monkeypatch.setenv("JUPYTER_AGENTS_REPLAY", "refresh")
    monkeypatch.setenv("JUPYTER_AGENTS_RECORDING", "elsewhere/mine.jsonl")
    model("Hello.\nTERMINATE")

    assert run("%%agentchat\nHello?").success

    assert (folder / "elsewhere" / "mine.jsonl").exists()
    monkeypatch.delenv("JUPYTER_AGENTS_REPLAY")
    assert run("%%agentchat\nHello?").success
    assert shell.user_ns["_chat"].summary == "Hello."


# -- Mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%agentchat --maxturns 3\nhi", "unknown option '--maxturns'. Did you mean --max-turns?"),
        ("%%agentchat --max-turns zero\nhi", "'zero' is not a whole number of at least 1"),
        ("%%agentchat --human often\nhi", "'often' is no mode; choose ALWAYS, TERMINATE or NEVER"),
        ("%%agentchat --approve yes\nhi", "'yes' is no policy; choose ask, auto or deny"),
        ("%%agentchat --to\nhi", "expected one argument"),
        ("%%agentchat 'unclosed\nhi", "Check the quotation marks"),
        ("%%agentchat bob\nhi", "unknown word 'bob'"),
        ("%%agentchat --to bob\nhi", "Cannot find agent 'bob'"),
        ("%%agentchat --to assistent\nhi", "Cannot find agent 'assistent'"),
        ("%%agentchat\n   \n", "the cell has no message"),
        ("%%agentchat", "the cell has no message"),
        ("%%agentchat --into a-b\nhi", "Cannot use 'a-b' as a variable"),
        ("%%agentchat --to user\nhi", "would talk to itself"),
        ("%%agentchat --record --replay\nhi", "choose --record or --replay"),
        ("%%agentchat --record --refresh\nhi", "choose --record or --refresh"),
        ("%%agentchat --replay everything\nhi", "choose model or all"),
        ("%%agentchat --replay --recording no/such.jsonl\nhi", "no/such.jsonl"),
        ("%%agentchat\n{x.nothing}", "Cannot fill in {x.nothing}"),
        ("%%agent\nYou are nobody.", "it has no name"),
        ("%%agent 1st\nYou are first.", "Cannot use '1st' as a variable"),
        ("%%agent a --proxy --model m\nx", "leave out --proxy or --model"),
        ("%%agent a --approve auto\nx", "Add --proxy"),
    ],
)
def test_mistake_is_one_clear_line_and_leaves_nothing_behind(shell, run, cell, said):
    shell.user_ns["x"] = 1
    before = dict(shell.user_ns)

    error = error_of(run(cell))

    lines = error._render_traceback_()
    assert len(lines) == 1
    assert said in lines[0]
    assert {name for name in shell.user_ns if name not in before and not name.startswith("_")} == set()
    assert "_chat" not in shell.user_ns


def test_missing_model_is_said_before_anything_is_shown(run, capsys):
    error = error_of(run("%%agentchat\nHello"))

    assert "Set OPENAI_API_KEY" in str(error)
    assert "(to assistant)" not in capsys.readouterr().out


def test_agents_are_listed_when_it_is_unclear_who_is_meant(shell, run):
    shell.user_ns.update(ada=AssistantAgent("Ada"), bob=AssistantAgent("Bob"))

    error = error_of(run("%%agentchat\nHello"))

    assert "there are Ada, Bob. Name one with --to" in str(error)


def test_default_assistant_is_one_of_several_once_it_was_spoken_to(run, model):
    model("Hello.\nTERMINATE", "I am Ada.\nTERMINATE")
    run("%%agentchat\nHello")
    run("%%agent ada\nYou are Ada.")

    error = error_of(run("%%agentchat\nHello"))

    assert "there are assistant, ada. Name one with --to" in str(error)
    assert run("%%agentchat --to ada\nHello").success


def test_traceback_of_a_users_own_function_is_shown_in_full(shell, run):
    def broken(request):
        raise ZeroDivisionError("mine")

    current_session().settings.model = ScriptedModel(broken)

    error = error_of(run("%%agentchat\nHello"))

    assert isinstance(error, ZeroDivisionError)
    assert not hasattr(error, "_render_traceback_")


def test_what_was_said_is_kept_when_a_model_fails(shell, run, model):
    model("Hello.", ModelUnavailableError("Cannot reach it."))
    shell.user_ns["me"] = UserProxyAgent("me", human_input_mode="NEVER", default_auto_reply="go on")

    result = run("%%agentchat\nHello")

    assert error_of(result)._render_traceback_() == ["ModelUnavailableError: Cannot reach it."]
    assert [message["content"] for message in shell.user_ns["_chat"].messages] == ["Hello", "Hello.", "go on"]


def test_interrupt_is_one_quiet_line_and_keeps_what_was_said(shell, run, model):
    model("Hello.", KeyboardInterrupt())
    shell.user_ns["me"] = UserProxyAgent("me", human_input_mode="NEVER", default_auto_reply="go on")

    error = error_of(run("%%agentchat\nHello"))

    assert isinstance(error, KeyboardInterrupt)
    assert len(error._render_traceback_()) == 1
    assert len(shell.user_ns["_chat"]) == 3
    assert str(shell.user_ns["_chat"].ended_by) == "interrupt"


# -- Agents ------------------------------------------------------------------------------------------------------


def test_agent_is_a_variable_when_a_cell_defines_it(shell, run):
    run("%%agent critic --description 'finds mistakes' --model gpt-x\nYou find mistakes.\nBe brief.")

    critic = shell.user_ns["critic"]
    assert isinstance(critic, AssistantAgent)
    assert (critic.name, critic.description) == ("critic", "finds mistakes")
    assert critic.system_message == "You find mistakes.\nBe brief."
    assert critic.llm_config == {"model": "gpt-x"}


@pytest.mark.parametrize("name", ["table", "print"])
def test_agent_does_not_take_the_place_of_something_else(shell, run, name):
    shell.user_ns["table"] = [1, 2, 3]

    error = error_of(run(f"%%agent {name}\nYou are a table."))

    assert f"Cannot define agent '{name}': that name holds a" in str(error)
    assert shell.user_ns["table"] == [1, 2, 3]


def test_agent_is_replaced_when_it_is_defined_again(shell, run):
    run("%%agent ada\nOne.")
    run("%%agent ada\nTwo.")

    assert shell.user_ns["ada"].system_message == "Two."


def test_proxy_asks_before_running_code_when_a_cell_defines_it(shell, run):
    run("%%agent me --proxy --human terminate\n")

    me = shell.user_ns["me"]
    assert isinstance(me, UserProxyAgent)
    assert (me.human_input_mode, me.code_config.policy, me.model) == ("TERMINATE", "ask", None)


def test_agents_are_listed_with_what_they_are(shell, run):
    shell.user_ns.update(ada=AssistantAgent("Ada"), me=UserProxyAgent("Me", function_map={"f": print}))

    roster = run("%agents").result

    assert list(roster) == ["ada", "me"]
    assert "Ada" in repr(roster)
    assert "always" in repr(roster)
    assert ">Me</td>" in roster._repr_html_()


def test_listing_shows_the_policy_that_holds(shell, run):
    shell.user_ns["me"] = UserProxyAgent("me", human_input_mode="NEVER", code_execution_config={})
    run("%config JupyterAgents.code_policy = 'deny'")

    assert repr(run("%agents").result).splitlines()[1].split() == "me me UserProxyAgent – never deny –".split()


def test_listing_says_how_to_begin_when_there_are_no_agents(run):
    roster = run("%agents").result

    assert repr(roster).startswith("No agents yet.")
    assert roster._repr_html_() is None


def test_names_of_agents_cannot_become_html_in_the_listing(shell, run):
    shell.user_ns["a"] = AssistantAgent("<img src=x onerror=alert(1)>")

    assert "<img" not in run("%agents").result._repr_html_()


@pytest.mark.parametrize("magic", ["agentchat", "agent"])
def test_help_is_shown_when_asked_for(run, capsys, magic):
    result = run(f"%%{magic} --help\n")

    shown = capsys.readouterr().out
    assert result.success
    assert f"usage: %%{magic}" in shown
    assert max(map(len, shown.splitlines())) <= 110


# -- Loading and unloading ---------------------------------------------------------------------------------------


def test_no_trace_is_left_when_the_extension_is_unloaded(shell, run):
    run("%%agent a\nYou are a.")

    shell.run_line_magic("unload_ext", "jupyter_agents")

    assert rewrite not in shell.input_transformers_cleanup
    assert not {"agentchat", "agent"} & set(shell.magics_manager.magics["cell"])
    assert "agents" not in shell.magics_manager.magics["line"]
    assert not [one for one in shell.configurables if type(one).__name__ == "JupyterAgents"]
    assert [name for name in shell.user_ns if "agent" in name.lower()] == []


def test_magics_are_there_once_when_the_extension_is_loaded_twice(shell):
    shell.run_line_magic("reload_ext", "jupyter_agents")

    assert shell.input_transformers_cleanup.count(rewrite) == 1
    assert len([one for one in shell.configurables if type(one).__name__ == "JupyterAgents"]) == 1


@pytest.fixture
def unloaded(bare_shell):
    """A shell in which the extension is not loaded (yet)."""
    yield bare_shell
    bare_shell.run_line_magic("unload_ext", "jupyter_agents")
    bare_shell.config.pop("JupyterAgents", None)


@pytest.mark.parametrize("before", [None, 7], ids=["nothing", "a setting"])
def test_settings_are_as_they_were_when_the_extension_is_loaded_again(unloaded, before):
    if before is not None:
        unloaded.config.JupyterAgents.max_turns = before
    unloaded.run_line_magic("load_ext", "jupyter_agents")
    unloaded.run_cell("%config JupyterAgents.max_turns = 3")

    unloaded.run_line_magic("unload_ext", "jupyter_agents")

    assert dict.get(unloaded.config, "JupyterAgents") == (None if before is None else {"max_turns": before})
    unloaded.run_line_magic("load_ext", "jupyter_agents")
    assert current_session().settings.max_turns == (before or 30)


@pytest.mark.parametrize(("kind", "name"), [("cell", "agent"), ("cell", "agentchat"), ("line", "agents")])
def test_magics_of_the_user_are_put_back_when_the_extension_is_unloaded(unloaded, kind, name):
    def mine(*args):
        return "mine"

    magics = unloaded.magics_manager.magics[kind]
    unloaded.register_magic_function(mine, kind, name)
    unloaded.run_line_magic("load_ext", "jupyter_agents")
    assert magics[name] is not mine

    unloaded.run_line_magic("unload_ext", "jupyter_agents")

    assert magics.pop(name) is mine


def test_magic_that_the_user_has_defined_since_stays_when_the_extension_is_unloaded(unloaded):
    def mine(line):
        return "mine"

    unloaded.run_line_magic("load_ext", "jupyter_agents")
    unloaded.register_magic_function(mine, "line", "agents")

    unloaded.run_line_magic("unload_ext", "jupyter_agents")

    assert unloaded.magics_manager.magics["line"].pop("agents") is mine


def test_settings_come_from_the_configuration_file(unloaded):
    unloaded.config.JupyterAgents.max_turns = 7

    unloaded.run_line_magic("load_ext", "jupyter_agents")

    assert current_session().settings.max_turns == 7


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        ("%%agentchat --to a\n", "incomplete"),
        ("%%agent critic\n", "incomplete"),
        ("%%agentchat\nHello\n", "incomplete"),
        ("%%agentchat\nHello\n\n", "complete"),
    ],
)
def test_cell_is_complete_in_a_terminal_when_a_blank_line_ends_it(shell, typed, status):
    assert shell.check_complete(typed)[0] == status


def test_setting_takes_effect_at_once(run):
    run("%config JupyterAgents.max_repairs = 2")

    assert current_session().settings.max_repairs == 2


@pytest.mark.parametrize(
    "cell",
    ["%%agentchats\nx", "x = '%%agentchat'\n", " x\n%%agentchat\n", "%%agentchat?\n", ""],
)
def test_cell_is_not_rewritten_when_it_is_something_else(cell):
    lines = cell.splitlines(keepends=True)

    assert rewrite(lines) == lines


def test_rewritten_cell_keeps_its_text_exactly():
    body = "quotes \"\"\" ''' \\n {x}\n%timeit\n"

    (line,) = rewrite(["%%agentchat --to 'a b'\n", *body.splitlines(keepends=True)])

    assert line == f"await __import__('jupyter_agents.magics', fromlist=['cell']).cell(\"--to 'a b'\", {body!r})\n"


# -- Groups ------------------------------------------------------------------------------------------------------


def make_group(shell, *names, **more):
    """A group in the notebook, whose members are there, too."""
    members = {name: AssistantAgent(name, llm_config=ScriptedModel([f"{name} speaks"] * 9)) for name in names}
    chat = GroupChat(list(members.values()), speaker_selection_method="round_robin", max_round=3)
    manager = GroupChatManager(chat, more.pop("called", "team"), llm_config=False)
    shell.user_ns.update(members, **{f"{manager.name}_groupchat": chat, manager.name: manager}, **more)
    return manager


@pytest.mark.parametrize("to", ["", " --to team", " --to team_groupchat"])
def test_group_is_spoken_to_when_it_is_the_only_one_or_named(shell, run, to):
    manager = make_group(shell, "writer", "critic")

    result = run(f"%%agentchat{to}\nBegin.")

    assert result.success
    assert [one["name"] for one in manager.groupchat.messages] == ["user", "writer", "critic"]
    assert shell.user_ns["_chat"].messages[0]["content"] == "Begin."


def test_member_of_a_group_is_spoken_to_alone_when_it_is_named(shell, run):
    manager = make_group(shell, "writer", "critic")

    run("%%agentchat --to writer --max-turns 1\nBegin.")

    assert manager.groupchat.messages == []
    assert [one["name"] for one in shell.user_ns["_chat"].messages] == ["user", "writer"]


def test_error_names_groups_and_agents_when_there_are_several_to_talk_to(shell, run):
    make_group(shell, "writer", "critic")
    make_group(shell, "tester", called="lab")
    shell.user_ns["loner"] = AssistantAgent("loner")

    error = error_of(run("%%agentchat\nBegin."))

    assert str(error) == (
        "Cannot tell which agent to talk to: there are team (a group), lab (a group), loner. Name one with --to."
    )


def test_error_says_how_to_make_a_manager_when_a_group_has_none(shell, run):
    shell.user_ns["circle"] = GroupChat([AssistantAgent("a")])

    error = error_of(run("%%agentchat --to circle\nBegin."))

    assert "no variable holds a manager of it. Run `manager = GroupChatManager(circle)` first." in str(error)


def test_team_within_a_group_is_not_spoken_to_unless_it_is_named(shell, run):
    inner = make_group(shell, "writer", "critic")
    chat = GroupChat([inner], speaker_selection_method="round_robin", max_round=2)
    shell.user_ns["board"] = GroupChatManager(chat, "board", llm_config=False)

    run("%%agentchat\nBegin.")

    assert chat.messages[0]["content"] == "Begin."


def test_roster_tells_who_is_in_a_group(shell, run):
    make_group(shell, "writer", "critic")

    shown = repr(run("%agents").result)

    assert "members" in shown
    assert "writer, critic (round_robin)" in shown
    assert "GroupChatManager" in shown


# -- Braces of which there is no variable ------------------------------------------------------------------------


def test_note_says_which_name_has_no_variable_and_the_chat_goes_on(shell, run, model, capsys):
    asked = model("Fine. TERMINATE")
    shell.user_ns["notes"] = 1

    result = run("%%agentchat\nLook at {note}, please.")

    assert result.success
    assert "{note} is sent as it is: no variable has this name. Did you mean {notes}?" in capsys.readouterr().out
    assert asked.requests[0].messages[-1]["content"] == "Look at {note}, please."


def test_nothing_is_noted_when_braces_are_json_or_a_formula(shell, run, model, capsys):
    model("Fine. TERMINATE")

    result = run('%%agentchat\nCheck {"a": 1} and $\\frac{a}{b} + x^{n}$.')

    assert result.success
    assert "is sent as" not in capsys.readouterr().out
