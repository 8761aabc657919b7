"""Rules of the classic framework that no other test shows. All of them are listed in `docs/differences.md`."""

import inspect
import re
import sys
from pathlib import Path

import pytest

from jupyter_agents import GroupChat, GroupChatManager
from jupyter_agents.display.text import TextListener
from jupyter_agents.events import Entry, SpeakerChosen
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import FakeExecutor, assistant, both_faces, quiet_session, talker, texts, user, wire_of

CALL = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "add", "arguments": "{}"}}]}


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def answer(recipient, messages, sender, config):
    return True, "answer"


def speakers(result):
    return [one["name"] for one in result.messages]


def trio(**options):
    """A user and two talkers in a group."""
    members = [user("user"), talker("Alice", "a"), talker("Bob", "b")]
    return GroupChat(members, **({"max_round": 3} | options))


# -- The reply chain ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "keyword"),
    [
        (lambda agent: GroupChat([agent], select_speaker_auto_model_client_cls=object), "model_client_cls"),
        (lambda agent: talker("b", chat_messages={agent: []}), "chat_messages"),
        (lambda agent: talker("b", silent=True), "silent"),
    ],
)
def test_keyword_of_later_versions_that_is_not_here_is_refused_by_name(call, keyword):
    agent = talker("agent", default_auto_reply="default")

    with pytest.raises(TypeError, match=keyword):
        call(agent)

    assert agent.generate_reply([{"role": "user", "content": "Hi"}]) == "default"


@both_faces
def test_keywords_of_later_versions_that_have_no_meaning_here_do_no_harm(face):
    result = face(user(), "initiate_chat", assistant("Hi."), message="go", max_turns=1, cache=None, verbose=True)
    group = trio(select_speaker_auto_verbose=True)

    assert texts(result.messages) == ["go", "Hi."]
    assert len(face(group.agents[0], "initiate_chat", GroupChatManager(group, llm_config=False), message="go")) == 3


@pytest.mark.parametrize(
    "name",
    """check_termination_and_human_reply execute_code_blocks execute_function generate_code_execution_reply
    generate_function_call_reply generate_init_message generate_oai_reply generate_reply generate_tool_calls_reply
    get_human_input initiate_chat initiate_chats receive resume run_chat run_code send""".split(),
)
def test_method_has_an_async_face(name):
    plain, awaited = (getattr(GroupChatManager, prefix + name) for prefix in ("", "a_"))

    assert not inspect.iscoroutinefunction(plain)
    assert inspect.iscoroutinefunction(awaited)


# -- Messages ----------------------------------------------------------------------------------------------------


@both_faces
def test_model_of_two_reads_no_name_and_no_role_but_that_of_who_spoke(face):
    agent = assistant("Hi.")

    result = face(user(), "initiate_chat", agent, message={"content": "go", "override_role": "system"}, max_turns=1)

    assert wire_of(agent) == [{"role": "user", "content": "go"}]
    assert [one["name"] for one in result.messages] == ["user", "assistant"]


# -- Code --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["!pip install numpy\n", "%pip install numpy\n", "import shutil  # rm -rf /\n"])
def test_code_reaches_the_executor_as_it_was_written(code):
    executor = FakeExecutor()
    me = user(code_execution_config={"executor": executor})

    me.generate_code_execution_reply([{"role": "user", "content": f"```python\n{code}```"}])

    assert executor.codes == [code]


# -- People and limits -------------------------------------------------------------------------------------------


@both_faces
def test_counters_are_kept_for_each_sender_apart(face):
    me = talker("me", lambda n: f"{n}", max_consecutive_auto_reply=2)
    one, other = (talker(name, lambda n: f"{n}") for name in ("one", "other"))

    face(me, "initiate_chat", one, message="go")

    assert (me.auto_replies_to(one), me.auto_replies_to(other)) == (0, 0)
    assert len(face(me, "initiate_chat", other, message="go")) == 6


@both_faces
def test_limit_does_not_bind_when_the_person_is_always_asked(face):
    human = ScriptedHuman(["", "", "", "exit"])
    me = user(human_input_mode="ALWAYS", max_consecutive_auto_reply=1, human=human, default_auto_reply="auto")

    result = face(me, "initiate_chat", talker("other", lambda n: f"{n}"), message="go")

    assert texts(result.messages)[2::2] == ["auto"] * 3
    assert len({prompt.text for prompt in human.prompts}) == 1


# -- Groups ------------------------------------------------------------------------------------------------------


def test_manager_has_the_classic_name_mode_and_limit():
    manager = GroupChatManager(trio(), llm_config=False)

    assert (manager.name, manager.human_input_mode) == ("chat_manager", "NEVER")
    assert manager.max_consecutive_auto_reply() == sys.maxsize


def test_group_has_the_classic_arguments_in_their_places():
    members = [talker("A"), talker("B")]

    group = GroupChat(members, [{"role": "user", "content": "earlier"}], 7, "Boss", False)

    assert (group.agents, texts(group.messages), group.max_round) == (members, ["earlier"], 7)
    assert (group.admin_name, group.func_call_filter) == ("Boss", False)
    assert GroupChat(members).max_round == 10
    assert GroupChat(members).admin_name == "Admin"


def test_names_lead_to_agents_and_each_to_the_next():
    group = trio()
    starter, alice, bob = group.agents

    assert group.agent_names == ["user", "Alice", "Bob"]
    assert group.agent_by_name("Bob") is bob
    assert [group.next_agent(one) for one in group.agents] == [alice, bob, starter]
    with pytest.raises(ValueError, match="Cannot find an agent named 'Carol'"):
        group.agent_by_name("Carol")


def test_members_speak_in_turn_when_there_is_no_model_to_choose():
    group = trio(speaker_selection_method="auto")

    result = group.agents[0].initiate_chat(GroupChatManager(group, llm_config=False), message="Go")

    assert speakers(result) == ["user", "Alice", "Bob"]


def test_group_of_one_talks_until_it_may_not_go_on():
    alone = talker("alone", lambda n: f"thought {n}")
    group = GroupChat([alone], max_round=3)

    result = user("user").initiate_chat(GroupChatManager(group, llm_config=False), message="Go")

    assert speakers(result) == ["user", "alone", "alone"]


def test_own_condition_of_the_manager_ends_the_talk():
    group = trio(speaker_selection_method="round_robin", max_round=9)
    manager = GroupChatManager(group, llm_config=False, is_termination_msg=lambda message: message["content"] == "b")

    result = group.agents[0].initiate_chat(manager, message="Go")

    assert (speakers(result), result.ended_by) == (["user", "Alice", "Bob"], EndedBy.TERMINATION)


def test_model_reads_the_templates_in_the_role_that_are_given():
    model = ScriptedModel(["nobody", "Alice and Bob", "Bob"])
    group = trio(
        max_round=2,
        select_speaker_message_template="Members: {agentlist}",
        select_speaker_prompt_template="Who of {agentlist}?",
        select_speaker_auto_none_template="None of {agentlist}.",
        select_speaker_auto_multiple_template="Too many of {agentlist}.",
        role_for_select_speaker_messages="system",
    )

    result = group.agents[0].initiate_chat(GroupChatManager(group, llm_config=model), message="Go")

    first, second, third = (request.messages for request in model.requests)
    assert first[0] == {"role": "system", "content": "Members: user, Alice, Bob"}
    assert first[-1] == {"role": "system", "content": "Who of user, Alice, Bob?"}
    assert second[-1]["content"] == "None of user, Alice, Bob."
    assert third[-1]["content"] == "Too many of user, Alice, Bob."
    assert speakers(result) == ["user", "Bob"]


def test_choosing_model_reads_the_description_or_else_the_system_message():
    described = talker("Alice", description="Knows the data.", system_message="Be brief.")
    group = GroupChat([described, talker("Bob", system_message="Knows the readers.")])

    said = group.select_speaker_msg()

    assert "Alice: Knows the data.\nBob: Knows the readers." in said
    assert "Be brief." not in said


def test_question_to_the_model_is_that_of_a_user_unless_another_role_is_given():
    model = ScriptedModel(["Bob"])
    group = trio(max_round=2)

    group.agents[0].initiate_chat(GroupChatManager(group, llm_config=model), message="Go")

    assert model.requests[0].messages[-1]["role"] == "user"


@pytest.mark.parametrize(("is_filtered", "expected"), [(True, "worker"), (False, "Bob")])
def test_call_goes_to_who_is_next_when_calls_are_not_filtered(is_filtered, expected):
    members = [assistant(CALL, name="caller"), talker("Bob", "b"), user("worker", function_map={"add": lambda: 3})]
    group = GroupChat(members, max_round=3, func_call_filter=is_filtered, speaker_selection_method="round_robin")
    manager = GroupChatManager(group, llm_config=False)

    result = user("user").initiate_chat(manager, message="Go")

    assert speakers(result) == ["user", "caller", expected]


def test_next_speaker_is_announced():
    lines = []

    TextListener(lines.append)(Entry(0, SpeakerChosen(0, "manager", "Alice", "model", 1)))

    assert "".join(lines) == "\nNext speaker: Alice\n"


# -- The page about them -----------------------------------------------------------------------------------------


PAGE = (Path(__file__).parents[1] / "docs" / "differences.md").read_text(encoding="utf-8")
RULES = PAGE.partition("## Defects")[0]


def named_in(line):
    """The file and the name of each test that a line names; `::name` is in the file named before it."""
    file = None
    for given, name in re.findall(r"`([\w./]*)::(\w+)`", line):
        file = given or file
        yield file if file is None or file.startswith("tests/") else f"tests/{file}", name


def test_each_rule_of_the_page_says_whether_it_is_kept_and_names_a_test():
    header = "| the classic does | here | test |"
    lines = [line for line in RULES.splitlines() if line.startswith("| ")]
    rows = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines if line != header]

    assert len(rows) > 200
    assert lines.count(header) == RULES.count("\n## ")
    assert [row for row in rows if len(row) != 3 or not re.match("kept|changed: .", row[1])] == []
    assert [row for row in rows if not list(named_in(row[2]))] == []


def test_each_rule_and_each_heading_of_the_page_is_there_once():
    rules = [line.split(" | ")[0] for line in RULES.splitlines() if line.startswith("| ") and " here |" not in line]
    headings = re.findall(r"^#+ .*$", PAGE, re.MULTILINE)

    assert len(set(rules)) == len(rules)
    assert len(set(headings)) == len(headings)


def test_what_is_to_be_used_instead_is_there():
    import jupyter_agents
    from jupyter_agents import testing

    rows = PAGE.partition("## What is not here")[2].partition("\n## ")[0].splitlines()
    used = [row.split(" | ")[1] for row in rows if row.startswith("| ") and not row.startswith("| in the classic")]
    classes = {name for one in used for name in re.findall(r"`([A-Z][A-Za-z]+)`", one)}

    assert len(used) > 20
    assert {one for one in classes if not hasattr(jupyter_agents, one) and not hasattr(testing, one)} == set()


def test_each_test_that_the_page_names_is_there():
    named = {one for line in PAGE.splitlines() for one in named_in(line)}
    root = Path(__file__).parents[1]

    defined = {
        (file, name)
        for file in {file for file, _ in named}
        if file is not None and (root / file).is_file()
        for name in re.findall(r"^(?:async )?def (test_\w+)", (root / file).read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert len(named) > 300
    assert named - defined == set()
