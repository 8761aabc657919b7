"""Groups in the agent builder: what is typed, the group and the code that come of it, and what is wrong with it."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents import AssistantAgent, GroupChat, GroupChatManager, UserProxyAgent
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.testing import ScriptedModel
from jupyter_agents.widgets import AgentBuilder
from jupyter_agents.widgets._blueprint import source_of_all
from jupyter_agents.widgets._builder_protocol import Draft, GroupDraft
from jupyter_agents.widgets._group_reading import read_groups
from jupyter_agents.widgets._reading import read_drafts

WRITER = Draft("a", kind="assistant", name="writer")
CRITIC = Draft("b", kind="assistant", name="Critic")
AGENTS = (WRITER, CRITIC)
TEAM = GroupDraft("g", name="team", members=["draft:a", "draft:b"])
BOTH_WAYS = {"draft:a": ["draft:b"], "draft:b": ["draft:a"]}


def read(*groups, agents=AGENTS, namespace=None):
    reading = read_drafts(agents, {}, namespace or {})
    read_groups(groups, reading, namespace or {})
    return reading


def errors_of(group, **given):
    return {one["field"]: one["text"] for one in read(group, **given).problems if not one["is_note"]}


def notes_of(group, **given):
    return [one["text"] for one in read(group, **given).problems if one["is_note"] and one["draft"] == group.id]


def run(code, namespace):
    exec(code, namespace)
    return namespace


def made_by(reading, namespace):
    made = {}
    for one in reading.made.values():
        made |= one.make({**namespace, **made})
    return made


def settings_of(manager):
    """All settings of a group and its manager that the builder knows."""
    group = manager.groupchat
    return {
        "manager": manager.name,
        "model": manager.llm_config if isinstance(manager.llm_config, bool) else dict(manager.llm_config),
        "members": group.agent_names,
        "edges": group.transitions.edges,
        "max_round": group.max_round,
        "admin": group.admin_name,
        "method": group.speaker_selection_method,
        "introductions": group.send_introductions,
    }


# -- Code ------------------------------------------------------------------------------------------------------


def test_code_says_only_what_differs_when_a_group_is_plain():
    code = source_of_all(list(read(TEAM).made.values()))

    assert code == (
        "from jupyter_agents import AssistantAgent, GroupChat, GroupChatManager\n\n"
        'writer = AssistantAgent("writer")\n'
        'critic = AssistantAgent("Critic")\n'
        "team_groupchat = GroupChat([writer, critic])\n"
        'team = GroupChatManager(team_groupchat, "team")\n'
    )


def test_code_reads_like_written_when_much_of_a_group_is_set():
    group = GroupDraft(
        "g",
        name="Review board",
        members=["draft:a", "variable:me"],
        method="round_robin",
        max_round="20",
        admin="variable:me",
        transitions="allowed",
        graph={"draft:a": ["variable:me"], "variable:me": ["draft:a", "variable:me"]},
        introductions=True,
        model="named",
        model_name="gpt-4o",
    )
    me = UserProxyAgent("Me", code_execution_config=False)

    code = source_of_all(list(read(group, agents=[WRITER], namespace={"me": me}).groups.values()))

    assert code == (
        "from jupyter_agents import GroupChat, GroupChatManager\n\n"
        "review_board_groupchat = GroupChat(\n"
        "    [writer, me],\n"
        "    max_round=20,\n"
        '    admin_name="Me",\n'
        '    speaker_selection_method="round_robin",\n'
        "    send_introductions=True,\n"
        "    allowed_or_disallowed_speaker_transitions={writer: [me], me: [writer, me]},\n"
        '    speaker_transitions_type="allowed",\n'
        ")\n"
        "review_board = GroupChatManager(\n"
        "    review_board_groupchat,\n"
        '    "Review board",\n'
        '    llm_config={"model": "gpt-4o"},\n'
        ")\n"
    )


MEMBERS = ["draft:a", "draft:b", "variable:reader", "variable:tester"]


@st.composite
def groups(draw):
    members = draw(st.lists(st.sampled_from(MEMBERS), min_size=1, unique=True))
    return GroupDraft(
        id="g",
        name=draw(st.sampled_from(["team", "Review board", 'a "b"\\'])),
        members=members,
        method=draw(st.sampled_from(["auto", "round_robin", "random", "manual"])),
        max_round=draw(st.sampled_from(["", "1", " 12 ", "10"])),
        admin=draw(st.sampled_from(["", *members])),
        transitions=draw(st.sampled_from(["", "no_repeat", "allowed", "disallowed"])),
        graph=draw(st.dictionaries(st.sampled_from(members), st.lists(st.sampled_from(members), unique=True))),
        introductions=draw(st.booleans()),
        model=draw(st.sampled_from([None, "default", "none", "named"])),
        model_name="gpt-4o",
    )


@given(groups())
def test_code_makes_the_same_group_when_it_is_run(group):
    there = {"reader": UserProxyAgent("Reader"), "tester": AssistantAgent("tester")}
    reading = read(group, namespace=there)
    if not reading.groups:
        assert errors_of(group, namespace=there)  # a graph with no way out
        return
    made = made_by(reading, there)

    ran = run(source_of_all(list(reading.made.values())), dict(there))

    variable = reading.variables["g"]
    assert settings_of(ran[variable]) == settings_of(made[variable])
    assert ran[f"{variable}_groupchat"] is ran[variable].groupchat
    assert all(one in there.values() for one in ran[variable].groupchat.agents if one.name in ("Reader", "tester"))


def test_team_of_a_team_is_made_when_one_stands_above_the_other():
    outer = GroupDraft("o", name="board", members=["draft:g", "draft:c"])
    agents = (*AGENTS, Draft("c", kind="assistant", name="chair"))

    ran = run(source_of_all(list(read(TEAM, outer, agents=agents).made.values())), {})

    assert ran["board"].groupchat.agents == [ran["team"], ran["chair"]]


# -- Validation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": " "}, "name", "Cannot name an agent"),
        ({"members": []}, "members", "Cannot build the group: it has no agents."),
        ({"members": ["draft:a", "variable:other"]}, "members", "two of its agents are named 'writer'"),
        ({"members": ["draft:a", "draft:a"]}, "members", "'writer' is in it twice"),
        ({"members": ["variable:gone"]}, "members", "no variable of this name holds an agent any more"),
        ({"members": ["draft:zzz"]}, "members", "has something to correct"),
        ({"members": ["draft:a", "variable:team_there"]}, "members", "two of its agents are named 'writer'"),
        ({"max_round": "0"}, "max_round", "max_round is 0. Give a whole number of at least 1"),
        ({"max_round": "many"}, "max_round", "max_round is 'many'"),
        ({"method": "loudest"}, "method", "Cannot select speakers by 'loudest'"),
        ({"admin": "variable:other"}, "admin", "it is not in the group"),
        ({"transitions": "perhaps"}, "transitions", "its transitions are 'perhaps'"),
        ({"transitions": "allowed"}, "transitions", "nobody may speak after anybody"),
        (
            {"transitions": "disallowed", "graph": {one: ["draft:a", "draft:b"] for one in TEAM.members}},
            "transitions",
            "Do not disallow at least one transition",
        ),
        (
            {"transitions": "allowed", "graph": {**BOTH_WAYS, "variable:other": ["draft:a"]}},
            "transitions",
            "its transitions name 'writer', who is not in it",
        ),
        ({"model": "named", "model_name": " "}, "model", "give the name of one"),
        ({"model": "kept"}, "model", "choose another"),
        ({"variable": "writer"}, "variable", "Cannot use 'writer' twice"),
        ({"variable": "data"}, "variable", "that name holds a list"),
        ({"variable": "held"}, "variable", "that name holds a list"),
        ({"variable": "GroupChat"}, "variable", "Take another name"),
    ],
)  # fmt: skip
def test_mistake_is_said_at_its_field_when_a_group_has_one(changes, field, words):
    other = AssistantAgent("writer")
    there = {
        "data": [1],
        "held_groupchat": [2],
        "other": other,
        "team_there": GroupChatManager(GroupChat([other]), "there"),
    }

    errors = errors_of(dataclasses.replace(TEAM, **changes), namespace=there)

    assert list(errors) == [field]
    assert words in errors[field]


def test_errors_are_those_of_the_group_itself_when_it_cannot_be_built():
    there = {"other": AssistantAgent("writer")}
    [said] = errors_of(dataclasses.replace(TEAM, members=["draft:a", "variable:other"]), namespace=there).values()

    with pytest.raises(ConfigurationError) as raised:
        GroupChat([AssistantAgent("writer"), AssistantAgent("writer")])

    assert said == str(raised.value)


def test_group_is_left_out_when_one_of_its_agents_has_something_to_correct():
    reading = read(TEAM, agents=[WRITER, dataclasses.replace(CRITIC, max_replies="x")])

    assert list(reading.made) == ["a"]
    assert "has something to correct" in next(one["text"] for one in reading.problems if one["draft"] == "g")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"members": ["draft:a"]}, "Add another"),
        ({"model": "none"}, "speak in turns"),
        ({"transitions": "allowed", "graph": {"draft:a": ["draft:b"]}}, "After Critic nobody may speak"),
        ({"transitions": "allowed", "graph": {"draft:a": ["draft:b"]}}, "writer: can only open a chat"),
    ],
)
def test_note_is_made_when_a_group_is_unusual(changes, words):
    group = dataclasses.replace(TEAM, **changes)

    assert errors_of(group) == {}
    assert any(words in one for one in notes_of(group))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([one.name for one in dataclasses.fields(GroupDraft)]), inner)))  # fmt: skip
def test_group_is_read_and_judged_when_it_is_anything(data):
    reading = read(GroupDraft.from_json(data))

    assert len(reading.groups) + len({one["draft"] for one in reading.problems if not one["is_note"]}) == 1


def test_facts_are_what_a_page_draws_when_a_group_is_valid():
    me = UserProxyAgent("Me")
    group = dataclasses.replace(TEAM, members=["draft:a", "variable:me"], transitions="no_repeat")

    facts = read(group, namespace={"me": me}).group_facts["g"]

    assert facts["names"] == ["writer", "Me"]
    assert facts["edges"] == [["writer", "Me"], ["Me", "writer"]]
    assert facts["words"] == "Anybody may speak after anybody else."
    assert facts["seats"] == ["Me"]


# -- Conversation with a page ----------------------------------------------------------------------------------


@pytest.fixture
def builder():
    """A builder in a namespace, and what it answers: `hear(message)`."""

    def made(**namespace):
        one = AgentBuilder(namespace=namespace)
        said = []
        one._send = said.append

        def hear(t, *drafts, groups=(TEAM,), **more):
            one._hear({"t": t, "view": "v", "ask": 1, "drafts": [d.to_json() for d in drafts], "groups": [g.to_json() for g in groups], **more})  # fmt: skip
            return json.loads(json.dumps(said[-1]))

        return hear, namespace

    return made


def test_group_and_its_manager_are_in_the_namespace_when_all_is_created(builder):
    hear, namespace = builder()

    created = hear("create", *AGENTS, which=None)

    assert created["variables"] == ["writer", "critic", "team_groupchat", "team"]
    assert namespace["team"].groupchat is namespace["team_groupchat"]
    assert namespace["team_groupchat"].agents == [namespace["writer"], namespace["critic"]]


def test_members_are_made_too_when_only_the_group_is_created(builder):
    hear, namespace = builder()

    created = hear("create", *AGENTS, Draft("c", kind="assistant", name="other"), which="g")

    assert created["variables"] == ["writer", "critic", "team_groupchat", "team"]
    assert "other" not in namespace


def test_agents_stay_when_they_are_there_as_they_are_typed(builder):
    hear, namespace = builder()
    hear("create", *AGENTS, which=None)
    writer, critic = namespace["writer"], namespace["critic"]
    changed = dataclasses.replace(CRITIC, description="Hard to please.")

    asks = hear("create", WRITER, changed, which="g")
    created = hear("create", WRITER, changed, which="g", replace=["critic", "team"])

    assert [one["variable"] for one in asks["replaced"]] == ["critic", "team"]
    assert created["variables"] == ["critic", "team_groupchat", "team"]
    assert namespace["writer"] is writer
    assert namespace["team_groupchat"].agents == [writer, namespace["critic"]]
    assert namespace["critic"] is not critic


def test_page_hears_which_group_is_outdated_when_one_of_its_agents_is_replaced(builder):
    hear, namespace = builder()
    hear("create", *AGENTS, which=None)

    created = hear("create", *AGENTS, which="a", replace=["writer"])
    again = hear("create", *AGENTS, which="g", replace=["team"])

    assert (created["variables"], created["outdated"]) == (["writer"], ["team"])
    assert again["outdated"] == []
    assert namespace["team_groupchat"].agents[0] is namespace["writer"]


def test_page_is_asked_first_when_another_group_would_be_replaced(builder):
    other = GroupChat([AssistantAgent("x")])
    hear, namespace = builder(team_groupchat=other)

    asks = hear("create", *AGENTS, which=None)

    assert asks["replaced"] == [{"variable": "team_groupchat", "name": "", "class_name": "GroupChat", "talks": 0}]
    assert namespace == {"team_groupchat": other}


def test_nothing_is_created_when_the_group_is_wrong(builder):
    hear, namespace = builder()

    created = hear("create", *AGENTS, groups=[dataclasses.replace(TEAM, max_round="0")], which=None)

    assert (created["variables"], namespace) == ([], {})


def test_typed_group_comes_back_when_the_page_is_loaded_anew(builder):
    hear, _ = builder()
    group = dataclasses.replace(TEAM, transitions="allowed", graph=BOTH_WAYS, introductions=True)
    checked = hear("check", *AGENTS, groups=[group])

    form = hear("hello", version=2)

    assert checked["variables"]["g"] == "team"
    assert checked["groups"]["g"]["edges"] == [["writer", "Critic"], ["Critic", "writer"]]
    assert GroupDraft.from_json(form["groups"][0]) == group


def test_group_that_was_built_talks_when_a_chat_is_begun(builder):
    hear, namespace = builder(asker=UserProxyAgent("asker", human_input_mode="NEVER", code_execution_config=False))
    group = dataclasses.replace(TEAM, method="round_robin", max_round="4")
    hear("create", *AGENTS, groups=[group], which=None)
    model = ScriptedModel(["One.", "Two.", "Three."])
    for name in ("writer", "critic"):
        namespace[name]._model_config = AssistantAgent(name, llm_config=model)._model_config

    result = namespace["asker"].initiate_chat(namespace["team"], message="Begin.", silent=True)

    assert [one["name"] for one in namespace["team_groupchat"].messages] == ["asker", "writer", "Critic", "writer"]
    assert result.messages[-1]["content"] == "Three."
