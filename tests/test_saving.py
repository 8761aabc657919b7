"""Agents and chats as JSON: what is written, what is not, and how both come back."""

import json
import os
import re
import stat
from contextlib import suppress
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_agents import (
    AssistantAgent,
    GroupChat,
    GroupChatManager,
    MathUserProxyAgent,
    ResponsiveAgent,
    TransformMessages,
    UserProxyAgent,
    load_agents,
    load_chat,
)
from jupyter_agents.budget import Budget
from jupyter_agents.conditions import MaxMessages, TextMention
from jupyter_agents.errors import ConfigurationError, NotKeptWarning, RecordingError
from jupyter_agents.messages import Message
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from jupyter_agents.testing import RecordingExecutor, ScriptedHuman
from tests.fakes import assistant, both_faces, quiet_session, talker, texts, user, wire_of

SECRET = "sk-very-secret"


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()):
        yield


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.jsonl"


def chat(*replies, **options):
    me, other = user(), assistant(*replies)
    return me, other, me.initiate_chat(other, message="go", **({"max_turns": 1} | options))


def script(*replies):
    return {"assistant": {"llm_config": ScriptedModel(replies)}}


def as_json(state):
    return json.loads(json.dumps(state))


# -- Agents ------------------------------------------------------------------------------------------------------


def test_agent_comes_back_as_it_was():
    agent = AssistantAgent(
        "poet",
        "You write poems.",
        {"model": "m", "temperature": 0.5},
        max_consecutive_auto_reply=7,
        human_input_mode="TERMINATE",
        code_execution_config={"policy": "ask", "timeout": 5, "last_n_messages": "auto"},
        description="writes",
        default_auto_reply="Go on.",
        tool_policy="ask",
    )

    found = AssistantAgent.from_state(as_json(agent.to_state()))

    assert found.to_state() == agent.to_state()
    assert type(found) is AssistantAgent
    assert (found.name, found.system_message, found.description) == ("poet", "You write poems.", "writes")
    assert (found.human_input_mode, found.default_auto_reply, found.tool_policy) == ("TERMINATE", "Go on.", "ask")
    assert found.max_consecutive_auto_reply() == 7
    assert found.llm_config == {"model": "m", "temperature": 0.5}
    assert (found.code_config.policy, found.code_config.timeout) == ("ask", 5)


@pytest.mark.parametrize(
    "agent",
    [
        UserProxyAgent("u"),
        UserProxyAgent("u", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None),
        ResponsiveAgent("r", llm_config=False),
        AssistantAgent("a"),
        AssistantAgent("a", llm_config=False),
    ],
    ids=["proxy", "quiet proxy", "responsive", "session's model", "no model"],
)
def test_every_sort_of_agent_comes_back(agent):
    found = type(agent).from_state(as_json(agent.to_state()))

    assert found.to_state() == agent.to_state()
    assert repr(found) == repr(agent)


def test_no_secret_is_written():
    config = {
        "config_list": [
            {"model": "m", "api_key": SECRET, "base_url": "http://127.0.0.1:1/v1"},
            {"model": "n", "api_key": "other-" + SECRET, "base_url": f"http://user:{SECRET}@127.0.0.1:1/v1"},
        ],
        "extra_headers": {"Authorization": SECRET},
        "extra_body": {"token": SECRET},
        "temperature": 0,
    }

    state = AssistantAgent("a", llm_config=config).to_state()

    assert SECRET not in json.dumps(state)
    assert state["llm_config"] == {
        "config_list": [{"model": "m", "base_url": "http://127.0.0.1:1/v1"}, {"model": "n"}],
        "temperature": 0,
    }
    assert state["given_again"] == ["api_key", "base_url", "extra_body", "extra_headers"]


def test_secret_is_not_in_the_file_of_a_chat(path):
    model = ScriptedModel(["Hello."])
    other = AssistantAgent("assistant", llm_config={"model": model, "api_key": SECRET})
    user().initiate_chat(other, message="go", max_turns=1).save(path)

    assert SECRET not in path.read_text()


def test_model_that_is_an_object_must_be_given_again():
    state = assistant("x").to_state()

    with pytest.raises(ConfigurationError, match="its model was an object"):
        AssistantAgent.from_state(state)
    found = AssistantAgent.from_state(state, llm_config=ScriptedModel(["y"]))

    assert found.generate_reply(messages=[{"role": "user", "content": "?"}]) == "y"


def test_functions_are_written_by_name_and_given_again():
    def add(a: Annotated[int, "one"], b: int = 1) -> int:
        """Add two numbers."""
        return a + b

    proxy, other = user(function_map={"add": add}), assistant("x")
    other.tool(add)
    states = as_json([proxy.to_state(), other.to_state()])

    with pytest.raises(ConfigurationError, match=r"function 'add'.*functions=\{'add': …\}"):
        UserProxyAgent.from_state(states[0])
    found = UserProxyAgent.from_state(states[0], functions={"add": add})
    model = ScriptedModel(["x"])
    teller = AssistantAgent.from_state(states[1], functions={"add": add}, llm_config=model)

    assert found.execute_function({"name": "add", "arguments": '{"a": 2, "b": 3}'})[1]["content"] == "5"
    assert teller.request_options["tools"] == other.request_options["tools"]
    assert [one["function"]["name"] for one in teller.request_options["tools"]] == ["add"]
    assert set(teller.tool_use.own) == {"add"}


def test_executor_of_ones_own_must_be_given_again():
    agent = user(code_execution_config={"executor": RecordingExecutor()})
    state = agent.to_state()

    with pytest.raises(ConfigurationError, match="must not run elsewhere"):
        UserProxyAgent.from_state(state)
    executor = RecordingExecutor()

    assert UserProxyAgent.from_state(state, executor=executor).code_config.executor is executor


def test_people_and_functions_that_end_a_chat_are_given_again():
    human = ScriptedHuman(["x"])
    agent = user(human=human, is_termination_msg=lambda message: True)
    state = agent.to_state()

    found = UserProxyAgent.from_state(state, human=human, is_termination_msg=agent.is_termination_msg)

    assert state["given_again"] == ["human", "is_termination_msg"]
    assert (found.human, found.is_termination_msg) == (human, agent.is_termination_msg)


def test_agents_remember_each_other_when_they_are_loaded_together():
    me, other, _ = chat("1", "2", max_turns=2)
    states = as_json({one.name: one.to_state() for one in (me, other)})

    agents = load_agents(states, given=script("3. TERMINATE"))

    found, twin = agents["user"], agents["assistant"]
    assert found.chat_messages[twin] == me.chat_messages[other]
    assert twin.chat_messages[found] == other.chat_messages[me]
    found.send("more", twin, request_reply=True)
    assert [one["content"] for one in wire_of(twin)] == ["go", "1", "", "2", "more"]


def test_agent_remembers_those_who_are_given():
    me, other, _ = chat("1")

    alone = UserProxyAgent.from_state(me.to_state())
    with_other = UserProxyAgent.from_state(me.to_state(), agents={"assistant": other})

    assert not alone.has_talked
    assert with_other.chat_messages[other] == me.chat_messages[other]
    with pytest.raises(ConfigurationError, match="'assistant'"):
        UserProxyAgent.from_state(me.to_state(), agents={})


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda state: state.update(version=99), "has version 99, and this package reads 1"),
        (lambda state: state.pop("version"), "has version None"),
        (lambda state: state.pop("system_message"), "lacks 'system_message'"),
        (lambda state: state.pop("memory"), "lacks 'memory'"),
    ],
)
def test_state_is_refused_when_it_is_none_that_is_known(change, what):
    state = user().to_state()
    change(state)

    with pytest.raises(ConfigurationError, match=what):
        UserProxyAgent.from_state(state)


def put(path, value):
    """Something that changes a state at a path of keys; without a value it is taken out."""

    def change(state):
        *before, last = path
        for key in before:
            state = state[key]
        if value is GONE:
            del state[last]
        else:
            state[last] = value

    return change


GONE = object()
RELATION = ("memory", "relations", 0)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (put(["name"], 7), "has 7 as 'name', where a text that is not empty belongs"),
        (put(["name"], " "), "has ' ' as 'name'"),
        (
            put(["human_input_mode"], "SOMETIMES"),
            "as 'human_input_mode', where one of ALWAYS, TERMINATE, NEVER belongs",
        ),
        (put(["default_auto_reply"], 3), "has 3 as 'default_auto_reply', where a text or a message belongs"),
        (put(["tool_policy"], None), "has None as 'tool_policy'"),
        (put(["llm_config"], "gpt"), "has 'gpt' as 'llm_config', where a dictionary, true or false belongs"),
        (put(["functions"], "add"), "has 'add' as 'functions', where a list belongs"),
        (put(["functions"], [1]), r"has 1 as 'functions\[0\]', where a text belongs"),
        (put(["memory"], []), r"has \[\] as 'memory', where a dictionary belongs"),
        (put(["memory", "limit"], -1), "has -1 as 'memory.limit', where a whole number of at least 0 belongs"),
        (put(["memory", "relations"], GONE), "lacks 'memory.relations'"),
        (
            put([*RELATION, "replies"], "yes"),
            r"has 'yes' as 'memory.relations\[0\].replies', where true or false belongs",
        ),
        (put([*RELATION, "auto_replies"], True), r"has True as 'memory.relations\[0\].auto_replies'"),
        (
            put([*RELATION, "messages", 0], "go"),
            r"has 'go' as 'memory.relations\[0\].messages\[0\]', where a dictionary",
        ),
        (put([*RELATION, "messages", 1, "message"], GONE), r"lacks 'memory.relations\[0\].messages\[1\].message'"),
        (
            put([*RELATION, "messages", 1, "message", "tool_calls"], [5]),
            r"as 'memory.relations\[0\].messages\[1\].message', where a message belongs",
        ),
    ],
)
def test_state_that_was_mangled_names_the_key(change, what):
    state = as_json(chat("1")[0].to_state())
    change(state)

    with pytest.raises(ConfigurationError, match=what):
        UserProxyAgent.from_state(state)
    with pytest.raises(ConfigurationError, match=what):
        load_agents({"user": state})


@pytest.mark.parametrize("state", [None, [], "state", 7, {"version": True}])
def test_state_is_refused_when_it_is_no_dictionary_of_ours(state):
    with pytest.raises(ConfigurationError, match="its state has version"):
        UserProxyAgent.from_state(state)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_state_with_anything_anywhere_is_taken_or_refused(data):
    state = as_json(MANGLED)
    place = data.draw(st.sampled_from(sorted(state)))
    odd = st.sampled_from([None, True, -1, 2.5, "", "x", [], {}, [None], [{}], {"a": 1}, GONE])
    put([place], data.draw(odd))(state)

    with suppress(ConfigurationError):
        GroupChatManager.from_state(state, agents={"A": talker("A"), "B": talker("B")})


MANGLED = GroupChatManager(GroupChat([talker("A"), talker("B")]), llm_config=False).to_state()


def test_no_agent_is_made_when_the_state_of_another_was_mangled():
    made = []

    class Noisy(UserProxyAgent):
        def __init__(self, name, **options):
            super().__init__(name, **options)
            made.append(name)

    states = as_json({name: Noisy(name).to_state() for name in ("one", "two")})
    states["two"]["memory"] = None
    made.clear()

    with pytest.raises(ConfigurationError, match="agent 'two': its state has None as 'memory'"):
        load_agents(states)
    assert made == []


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("humann", r"'humann' is given for it.*or arguments of UserProxyAgent. Did you mean 'human'\?"),
        ("max_consecutive_auto_replies", "Did you mean 'max_consecutive_auto_reply'"),
        (
            "colour",
            r"Give llm_config, functions, is_termination_msg, human, executor, or arguments of UserProxyAgent\.$",
        ),
    ],
)
def test_what_the_class_does_not_take_is_refused(key, what):
    with pytest.raises(ConfigurationError, match=what):
        UserProxyAgent.from_state(user().to_state(), **{key: 1})


def test_class_that_takes_what_is_left_may_be_given_more():
    class Open(UserProxyAgent):
        def __init__(self, name, **options):
            self.colour = options.pop("colour", "grey")
            super().__init__(name, **options)

    found = Open.from_state(Open("open", human_input_mode="NEVER").to_state(), colour="red", description="d")

    assert (found.colour, found.description) == ("red", "d")
    with pytest.raises(ConfigurationError, match="Did you mean 'description'"):
        Open.from_state(found.to_state(), descripton="d")


# -- What cannot be kept -----------------------------------------------------------------------------------------


def shorten(content):
    return content[:10]


def greet(recipient, messages, sender, config):
    return True, "Hello."


def equipped():
    config = {"model": ScriptedModel([]), "response_format": dict[str, int], "api_key": SECRET, "extra_body": {"a": 1}}
    agent = AssistantAgent("poet", llm_config=config, is_termination_msg=bool, human=ScriptedHuman([]))
    agent.register_hook("process_last_received_message", shorten)
    agent.register_auto_reply("user", greet)
    TransformMessages([]).add_to_agent(agent)
    agent.tool(lambda: 1, name="one", description="One.")
    return agent


LOST = [
    "function: one",
    "reply function: greet",
    "hook process_last_received_message: shorten",
    "capability: TransformMessages",
    "is_termination_msg",
    "human",
    "llm_config: model",
    "llm_config: api_key",
    "llm_config: extra_body",
    "llm_config: the type dict[str, int] of response_format",
]


def test_state_lists_what_it_cannot_keep():
    assert equipped().to_state()["not_kept"] == LOST
    assert user().to_state()["not_kept"] == []


def test_loading_warns_of_what_was_not_given_again():
    state = as_json(equipped().to_state())
    model = {"model": ScriptedModel([])}

    with pytest.warns(NotKeptWarning) as caught:
        AssistantAgent.from_state(state, functions={"one": lambda: 1}, llm_config=model, is_termination_msg=bool)

    [warning] = caught
    assert str(warning.message).startswith(
        "The agent 'poet' is loaded without what its state could not hold (reply function: greet; hook "
        "process_last_received_message: shorten; capability: TransformMessages; human). "
    )
    assert warning.filename == __file__


def test_loading_does_not_warn_of_what_the_class_registers_itself():
    agent = MathUserProxyAgent("student")

    found = MathUserProxyAgent.from_state(as_json(agent.to_state()))

    assert found.to_state() == agent.to_state()


def test_loading_does_not_warn_of_a_key_that_may_come_from_the_environment():
    state = AssistantAgent("a", llm_config={"model": "m", "api_key": SECRET}).to_state()

    found = AssistantAgent.from_state(as_json(state))

    assert state["not_kept"] == ["llm_config: api_key"]
    assert found.llm_config == {"model": "m"}


def test_context_that_json_cannot_say_is_listed():
    me, _other, _ = chat("1")
    me.initiate_chat(
        assistant("2", name="b"), message={"content": "{x}", "context": {"x": object(), "y": 1}}, max_turns=1
    )

    assert me.to_state()["not_kept"] == ["context of a message with b: x"]


def test_group_lists_its_functions():
    manager = group(speaker_selection_method=lambda last, chat: None)[-1]

    assert manager.to_state()["not_kept"] == ["speaker_selection_method"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (put(["group", "agents"], None), "has None as 'group.agents', where a list belongs"),
        (put(["group", "max_round"], "10"), "has '10' as 'group.max_round'"),
        (put(["group", "messages"], [{"content": 1.5}]), r"as 'group.messages\[0\]', where a message belongs"),
        (put(["group", "transitions", "Zoe"], []), "its 'transitions' names 'Zoe', who is not among its agents"),
        (put(["group", "last_speaker"], "Zoe"), "its 'last_speaker' names 'Zoe'"),
        (put(["group", "seed"], GONE), "lacks 'group.seed'"),
    ],
)
def test_group_that_was_mangled_names_the_key(change, what):
    me, a, b, manager = group()
    state = as_json(manager.to_state())
    change(state)

    with pytest.raises(ConfigurationError, match=what):
        GroupChatManager.from_state(state, agents={one.name: one for one in (me, a, b)})


def test_class_of_ones_own_keeps_a_state_of_its_own():
    class Counting(UserProxyAgent):
        def __init__(self, name, *, count=0):
            super().__init__(name, human_input_mode="NEVER", code_execution_config=False)
            self.count = count

        def to_state(self, name_of=None):
            return super().to_state(name_of) | {"count": self.count}

        @classmethod
        def from_state(cls, state, **given):
            return super().from_state(state, count=state["count"], **given)

    agent = Counting("counter", count=3)
    agent.update_system_message("changed since")

    found = load_agents({"counter": as_json(agent.to_state())})["counter"]

    assert (type(found), found.count, found.system_message) == (Counting, 3, "changed since")


def test_class_that_cannot_be_built_says_what_to_do():
    class Odd(UserProxyAgent):
        def __init__(self, name, needed):
            super().__init__(name)

    with pytest.raises(ConfigurationError, match="Give the class a from_state of its own"):
        Odd.from_state(Odd("odd", 1).to_state())


# -- Groups ------------------------------------------------------------------------------------------------------


def group(**options):
    me, a, b = user(), assistant("A1", "A2", name="A"), assistant("B1", "B2", name="B")
    options = {"speaker_selection_method": "round_robin", "max_round": 3} | options
    return me, a, b, GroupChatManager(GroupChat([me, a, b], **options), llm_config=False)


@both_faces
def test_group_goes_on_after_it_was_loaded(face, path):
    me, _a, _b, manager = group()
    result = me.initiate_chat(manager, message="Go")
    result.save(path)

    loaded = load_chat(path, given={name: {"llm_config": ScriptedModel([f"{name}x", f"{name}y"])} for name in "AB"})
    twin = loaded.log.agent_of("chat_manager")
    stood = twin.groupchat.messages[:], twin.last_speaker.name
    more = face(loaded, "resume", termination=MaxMessages(2))

    assert stood == (manager.groupchat.messages, "B")
    assert [(one["name"], one["content"]) for one in more.messages] == [("user", ""), ("A", "Ax")]
    assert texts(twin.groupchat.messages) == ["Go", "A1", "B1", "", "Ax"]


@both_faces
def test_group_is_loaded_when_it_ended_before_a_member_spoke(face, path):
    a, b = assistant("A1", name="A"), assistant("B1", name="B")
    chat = GroupChat([a, b], speaker_selection_method="round_robin", max_round=1)
    user().initiate_chat(GroupChatManager(chat, llm_config=False), message="Go").save(path)

    loaded = load_chat(path, given={name: {"llm_config": ScriptedModel([f"{name}x"])} for name in "AB"})
    more = face(loaded, "resume", termination=MaxMessages(1))

    assert [(one["name"], one["content"]) for one in more.messages] == [("A", "Ax")]


def test_group_of_one_that_may_not_repeat_itself_is_loaded(path):
    chat = GroupChat([assistant("A1", name="A")], allow_repeat_speaker=False, max_round=3)
    user().initiate_chat(GroupChatManager(chat, llm_config=False), message="Go").save(path)

    loaded = load_chat(path, given={"A": {"llm_config": ScriptedModel(["Ax"])}})

    twin = loaded.log.agent_of("chat_manager").groupchat
    assert texts(twin.messages) == ["Go", "A1"]
    assert not twin.transitions.successors(twin.agents[0])


def test_settings_of_a_group_come_back():
    me, a, b, manager = group(
        max_round=7,
        admin_name="Boss",
        speaker_selection_method="random",
        seed=3,
        allowed_or_disallowed_speaker_transitions=None,
        allow_repeat_speaker=False,
    )
    states = as_json({one.name: one.to_state() for one in (manager, me, a, b)})  # the manager before its members

    agents = load_agents(states, given={name: {"llm_config": ScriptedModel([])} for name in "AB"})

    found = agents["chat_manager"].groupchat
    assert (found.max_round, found.admin_name, found.speaker_selection_method, found.seed) == (7, "Boss", "random", 3)
    assert found.agents == [agents["user"], agents["A"], agents["B"]]
    assert [sorted(one.name for one in found.transitions.successors(agent)) for agent in found.agents] == [
        ["A", "B"],
        ["B", "user"],
        ["A", "user"],
    ]


def test_function_that_selects_speakers_must_be_given_again():
    def select(last, groupchat):
        return "random"

    me, a, b, manager = group(speaker_selection_method=select)
    state = manager.to_state()
    members = {one.name: one for one in (me, a, b)}

    with pytest.raises(ConfigurationError, match="speaker_selection_method cannot be written"):
        GroupChatManager.from_state(state, agents=members)
    found = GroupChatManager.from_state(state, agents=members, speaker_selection_method=select)

    assert found.groupchat.speaker_selection_method is select


def test_group_is_refused_when_a_member_is_not_given():
    me, _a, _b, manager = group()

    with pytest.raises(ConfigurationError, match="'A' is not given"):
        GroupChatManager.from_state(manager.to_state(), agents={"user": me})
    with pytest.raises(ConfigurationError, match="not all of its members"):
        load_agents({"chat_manager": manager.to_state()})


# -- Chats -------------------------------------------------------------------------------------------------------


@both_faces
def test_chat_goes_on_after_it_was_loaded(face, path):
    _me, _other, result = chat("1", "2", max_turns=2, budget=Budget(model_calls=2))
    result.save(path)

    loaded = load_chat(path, given=script("3", "4"))
    more = face(loaded, "resume")

    assert texts(more.messages) == ["", "3", "", "4"]
    assert loaded.limits == result.limits
    twin = loaded.log.agent_of("assistant")
    assert [one["content"] for one in wire_of(twin, 0)] == ["go", "1", "", "2", ""]


def test_chat_shows_the_same_after_it_was_loaded(path):
    pytest.importorskip("pandas")
    _, _, result = chat("1", "2", max_turns=2)
    result.save(path)

    loaded = load_chat(path, given=script())

    assert repr(loaded) == repr(result)
    assert loaded.messages == result.messages
    assert (loaded.ended_by, loaded.detail, loaded.summary) == (result.ended_by, result.detail, result.summary)
    assert loaded.usage == result.usage
    assert loaded.events == result.events
    assert loaded.to_frame().equals(result.to_frame())
    assert loaded.by_speaker == result.by_speaker


@both_faces
@pytest.mark.parametrize("way", ["retry", "edit", "fork"])
def test_loaded_chat_can_be_taken_back(face, path, way):
    _, _, result = chat("1", "2", max_turns=2)
    result.save(path)
    loaded = load_chat(path, given=script("anew"))

    if way == "retry":
        more = face(loaded, "retry", max_turns=1)
    elif way == "edit":
        more = face(loaded, "edit", "else", termination=MaxMessages(3))
    else:
        more = face(loaded.fork(at=2), "resume", termination=MaxMessages(1))

    assert texts(more.messages)[-1 if way == "edit" else 0] == "anew"


def test_chat_is_saved_as_far_as_it_went_though_its_agents_went_on(path):
    me, other, result = chat("1", "2", "3")
    me.initiate_chat(other, message="something else", max_turns=1)
    result.save(path)

    loaded = load_chat(path, given=script("x"))

    one, twin = (loaded.log.agent_of(name) for name in ("user", "assistant"))
    assert texts(one.chat_messages[twin]) == ["go", "1"]


def test_condition_must_be_given_again(path):
    _, _, result = chat("1", termination=TextMention("END"))
    result.save(path)
    loaded = load_chat(path, given=script("x. END"))

    with pytest.raises(ConfigurationError, match=r"TextMention\(text='END'\) was not saved"):
        loaded.resume()

    assert loaded.resume(termination=TextMention("END"), max_turns=5).ended_by == EndedBy.CONDITION


def test_chat_that_went_on_is_saved_again(path):
    _me, _other, result = chat("1", "2", "3")
    result.retry(max_turns=1).save(path)

    loaded = load_chat(path, given=script("x"))

    assert texts(loaded.messages) == ["2"]
    assert texts(loaded.resume(max_turns=1).messages) == ["", "x"]


def test_names_that_two_agents_share_are_told_apart(path):
    me, other = user("twin"), assistant("1", name="twin")
    me.initiate_chat(other, message="go", max_turns=1).save(path)

    loaded = load_chat(path, given={"twin#2": {"llm_config": ScriptedModel(["2"])}})

    assert texts(loaded.resume(max_turns=1).messages) == ["", "2"]


# -- What goes wrong ---------------------------------------------------------------------------------------------


class Thing:
    def __repr__(self):
        return "<a thing>"


def test_file_stays_as_it_was_when_a_chat_cannot_be_written(path):
    _, _, first = chat("1")
    first.save(path)
    before = path.read_text()
    me, other = user(), assistant("1")
    result = me.initiate_chat(
        other, message={"content": "look", "context": {"board": [1, {"it": Thing()}]}}, max_turns=1
    )

    with pytest.raises(ConfigurationError) as caught:
        result.save(path)

    assert "event 3 (message from user to assistant)" in str(caught.value)
    assert "message['context']['board'][1]['it'] is <a thing> (a Thing)" in str(caught.value)
    assert path.read_text() == before
    assert os.listdir(path.parent) == [path.name]
    assert texts(me.chat_messages[other]) == ["look", "1"]


class Halves:
    """A model that says halves of characters."""

    async def complete(self, request):
        return ModelReply("a\ud800b TERMINATE \udfff")


@both_faces
def test_chat_with_halves_of_characters_is_saved_and_loaded_as_it_was(face, path):
    me = user("u\ud800", description="\udfff")
    other = AssistantAgent("assistant", "Say \ud801.", Halves(), description="naïve")
    first = {"content": "x\ud800", "context": {"k\udc00": ["\ud9ff"]}}
    result = face(me, "initiate_chat", other, message=first, max_turns=1)

    result.save(path)
    loaded = load_chat(path, given={"assistant": {"llm_config": Halves()}})

    assert "\\udc00" in path.read_text("utf-8")
    assert "naïve" in path.read_text("utf-8")
    assert loaded.messages == result.messages
    assert [one.event for one in loaded.log] == [one.event for one in result.log]


def test_words_of_a_function_stay_halved_when_a_chat_is_saved(path):
    me, other = user(), talker("other", Message("a\ud800"))
    result = me.initiate_chat(other, message="go", max_turns=1)

    result.save(path)

    with pytest.warns(NotKeptWarning, match="reply function"):
        loaded = load_chat(path)
    assert texts(loaded.messages) == texts(result.messages) == ["go", "a\ud800"]


def test_file_stays_as_it_was_when_the_disk_is_full(path, monkeypatch):
    _, _, first = chat("1")
    first.save(path)
    before = path.read_text()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match=r"cannot be written \(No space left on device\). Give another path"):
        chat("2")[2].save(path)

    assert path.read_text() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("name", ["chat\0.jsonl", "chat\ud800.jsonl"])
def test_name_that_no_file_can_have_is_an_error(tmp_path, name):
    _, _, result = chat("1")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        result.save(tmp_path / name)

    assert os.listdir(tmp_path) == []


def test_agent_that_cannot_be_written_says_where():
    agent = user(default_auto_reply={"content": "x", "context": {"it": Thing()}})

    with pytest.raises(ConfigurationError, match=r"agent 'user': default_auto_reply\['context'\]\['it'\] is <a thing>"):
        agent.to_state()


def test_numbers_that_json_does_not_have_are_refused():
    agent = user(default_auto_reply={"content": "x", "context": {"it": float("nan")}})

    with pytest.raises(ConfigurationError, match="is nan"):
        agent.to_state()


def test_file_that_cannot_be_written_is_an_error(tmp_path):
    _, _, result = chat("1")
    (tmp_path / "file").write_text("x")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        result.save(tmp_path / "file" / "chat.jsonl")


def test_folder_is_made_and_nobody_else_may_read_the_file(tmp_path):
    _, _, result = chat("1")

    found = result.save(tmp_path / "new" / "chat.jsonl")

    assert found == tmp_path / "new" / "chat.jsonl"
    assert stat.S_IMODE(found.stat().st_mode) & 0o077 == 0


def damaged(path, change):
    _, _, result = chat("1")
    result.save(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(lines)) + "\n")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda lines: lines[:-1], "event 7 of 8 is missing"),
        (lambda lines: [*lines[:4], *lines[5:]], "event 1 of 8 is missing"),
        (lambda lines: [lines[0], *lines[2:]], "the agent 'user' is missing"),
        (lambda lines: [*lines[:-1], lines[-1][:20]], r"line \d+ is no JSON"),
        (lambda lines: [*lines, "3"], "is no JSON object"),
        (lambda lines: [], "holds none"),
        (lambda lines: ['{"a": 1}'], "holds none"),
        (lambda lines: [lines[0].replace('"version": 1', '"version": 2'), *lines[1:]], "of version 2"),
        (lambda lines: [lines[0].replace("turn limit", "magic"), *lines[1:]], "is damaged, ValueError"),
        (lambda lines: [lines[0].replace('"first"', '"frist"'), *lines[1:]], "is damaged, KeyError"),
        (lambda lines: [*lines[:3], lines[3].replace("chat_started", "dance"), *lines[4:]], "of kind 'dance'"),
    ],
)
def test_file_is_refused_when_it_is_damaged(path, change, what):
    damaged(path, change)

    with pytest.raises(RecordingError, match=what):
        load_chat(path, given=script("x"))


def test_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="cannot be read"):
        load_chat(tmp_path / "nowhere")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordingError, match="it is no text"):
        load_chat(tmp_path / "binary")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (
            {"assitant": {}},
            "for 'assitant', who is not among them. There are user, assistant. Did you mean 'assistant'?",
        ),
        (
            {"assistant": ScriptedModel(["x"])},
            "given for it, without saying as what. Give {'assistant': {'llm_config': …}}",
        ),
        ({"assistant": None}, "None is given for it, without saying as what"),
        ({"assistant": {"llm_cfg": 1}}, "Did you mean 'llm_config'?"),
        (
            {"user": {"functions": [print]}},
            "is given as functions, which is not by name. Give functions={'name': function}",
        ),
        ({"user": {"executor": 1}}, "an executor is given for it, and it ran no code"),
        (ScriptedModel(["x"]), "is given, which is not by name. Give {'user': {'llm_config': …}}"),
        ([], "[] is given, which is not by name"),
    ],
)
def test_what_is_given_is_refused_when_it_is_for_nobody_or_nothing(path, given, what):
    chat("1")[2].save(path)

    with pytest.raises(ConfigurationError, match=re.escape(what)):
        load_chat(path, given=given)


@pytest.mark.parametrize("classes", [AssistantAgent, [AssistantAgent], ()])
def test_one_class_may_be_given_as_it_is(path, classes):
    chat("1")[2].save(path)

    assert load_chat(path, given=script("x"), classes=classes).ended_by is EndedBy.MAX_TURNS


@pytest.mark.parametrize("classes", ["AssistantAgent", [print], 5, [object]])
def test_classes_are_refused_when_they_are_none_of_agents(path, classes):
    chat("1")[2].save(path)

    with pytest.raises(ConfigurationError, match=r"is no class of agents. Give classes=\[MyAgent\]"):
        load_chat(path, given=script("x"), classes=classes)


@pytest.mark.parametrize("states", [[], "assistant", None])
def test_states_are_refused_when_they_are_not_by_name(states):
    with pytest.raises(ConfigurationError, match="holds no states by name"):
        load_agents(states)


def test_class_that_is_not_here_is_named(path):
    chat("1")[2].save(path)
    path.write_text(path.read_text().replace('"class": "AssistantAgent"', '"class": "GoneAgent"'))

    with pytest.raises(ConfigurationError, match="there is no class 'GoneAgent'"):
        load_chat(path, given=script("x"))


@pytest.mark.parametrize(
    "options",
    [
        {"admin_name": None},
        {"enable_clear_history": None, "send_introductions": None, "func_call_filter": 1},
        {"seed": "a word"},
        {"seed": 1.5},
        {"select_speaker_message_template": None, "select_speaker_auto_none_template": None},
        {"role_for_select_speaker_messages": "assistant"},
    ],
)
def test_group_that_could_be_built_can_be_loaded_again(options):
    group = GroupChat([talker("A"), talker("B")], speaker_selection_method="round_robin", **options)
    manager = GroupChatManager(group, llm_config=False)
    states = {one.name: one.to_state() for one in (*group.agents, manager)}

    loaded = load_agents(json.loads(json.dumps(states)))

    assert loaded[manager.name].groupchat.agent_names == ["A", "B"]
