import inspect
from fractions import Fraction

import pytest

from jupyter_agents import AssistantAgent, ConversableAgent, ResponsiveAgent, UserProxyAgent
from jupyter_agents.agents.assistant import SYSTEM_MESSAGE
from jupyter_agents.errors import ConfigurationError, InvalidMessageError, ModelNotConfiguredError
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from tests.fakes import assistant, both_faces, quiet_session, talker, texts, user, wire_of


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


# -- Constructors ------------------------------------------------------------------------------------------------

SHARED = {"is_termination_msg": None, "max_consecutive_auto_reply": None}
SEED = {
    ResponsiveAgent: {
        "name": inspect.Parameter.empty,
        "system_message": "You are a helpful AI Assistant.",
        **SHARED,
        "human_input_mode": "TERMINATE",
        "function_map": None,
        "code_execution_config": None,
        "llm_config": None,
        "default_auto_reply": "",
    },
    AssistantAgent: {
        "name": inspect.Parameter.empty,
        "system_message": None,
        "llm_config": None,
        **SHARED,
        "human_input_mode": "NEVER",
        "code_execution_config": False,
    },
    UserProxyAgent: {
        "name": inspect.Parameter.empty,
        **SHARED,
        "human_input_mode": "ALWAYS",
        "function_map": None,
        "code_execution_config": None,
        "default_auto_reply": "",
        "llm_config": False,
        "system_message": "",
    },
}


@pytest.mark.parametrize("kind", SEED)
def test_positional_arguments_and_defaults_are_the_classic_ones(kind):
    parameters = inspect.signature(kind).parameters.values()

    positional = {one.name: one.default for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD}

    assert list(positional.items()) == list(SEED[kind].items())


def test_conversable_agent_is_another_name_of_responsive_agent():
    assert ConversableAgent is ResponsiveAgent


def test_all_positional_arguments_reach_their_places_when_a_responsive_agent_is_made():
    model = ScriptedModel()

    def is_over(message):
        return False

    agent = ResponsiveAgent("a", "Be kind.", is_over, 7, "NEVER", {"add": max}, False, model, "Go on.")

    assert (agent.name, agent.system_message, agent.is_termination_msg) == ("a", "Be kind.", is_over)
    assert (agent.max_consecutive_auto_reply(), agent.human_input_mode) == (7, "NEVER")
    assert (agent.function_map, agent.code_config, agent.model) == ({"add": max}, None, model)
    assert agent.default_auto_reply == "Go on."


def test_all_positional_arguments_reach_their_places_when_an_assistant_is_made():
    model = ScriptedModel()

    agent = AssistantAgent("a", "Be kind.", model, len, 7, "ALWAYS", {"timeout": 3})

    assert (agent.system_message, agent.model, agent.is_termination_msg) == ("Be kind.", model, len)
    assert (agent.max_consecutive_auto_reply(), agent.human_input_mode) == (7, "ALWAYS")
    assert agent.code_config.timeout == 3


def test_all_positional_arguments_reach_their_places_when_a_user_proxy_is_made():
    model = ScriptedModel()

    agent = UserProxyAgent("u", len, 7, "NEVER", {"add": max}, {"work_dir": "w"}, "Go on.", model, "Be kind.")

    assert (agent.is_termination_msg, agent.max_consecutive_auto_reply()) == (len, 7)
    assert (agent.human_input_mode, agent.function_map, agent.code_config.work_dir) == ("NEVER", {"add": max}, "w")
    assert (agent.default_auto_reply, agent.model, agent.system_message) == ("Go on.", model, "Be kind.")


@pytest.mark.parametrize(
    ("kind", "has_model", "runs_code"),
    [(ResponsiveAgent, True, True), (AssistantAgent, True, False), (UserProxyAgent, False, True)],
)
def test_models_and_code_are_on_or_off_as_in_the_classic_when_nothing_is_said(kind, has_model, runs_code):
    agent = kind("a")

    assert (agent.model is not None) is has_model
    assert (agent.code_config is not None) is runs_code
    assert agent.max_consecutive_auto_reply() == 100


def test_class_attribute_gives_the_limit_when_a_subclass_sets_it():
    class Mathematician(UserProxyAgent):
        MAX_CONSECUTIVE_AUTO_REPLY = 15

    assert Mathematician("m").max_consecutive_auto_reply() == 15


def test_limit_of_zero_is_kept_when_it_is_given():
    assert user(max_consecutive_auto_reply=0).max_consecutive_auto_reply() == 0


def test_assistant_takes_inference_settings_as_keywords_when_the_config_is_unpacked():
    llm_config = {"model": "gpt-4-0613", "functions": [{"name": "python", "parameters": {}}]}

    agent = AssistantAgent("assistant", **llm_config)

    assert agent.llm_config == llm_config
    assert agent.request_options["functions"] == llm_config["functions"]


def test_keywords_rule_when_they_and_the_config_name_the_same_setting():
    agent = AssistantAgent("a", llm_config={"model": "m", "temperature": 1}, temperature=0)

    assert agent.llm_config == {"model": "m", "temperature": 0}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("temprature", "temperature"),
        ("sytem_message", "system_message"),
        ("human_imput_mode", "human_input_mode"),
        ("max_consecutive_auto_replies", "max_consecutive_auto_reply"),
        ("code_execution_confg", "code_execution_config"),
        ("functions_map", "function_map"),
    ],
)
def test_unknown_keyword_is_a_type_error_that_names_the_nearest(wrong, right):
    with pytest.raises(TypeError, match=f"'{wrong}' is not one of its arguments. Did you mean '{right}'"):
        AssistantAgent("a", **{wrong: None})


def test_unknown_keyword_is_a_type_error_without_a_guess_when_nothing_is_near():
    with pytest.raises(TypeError, match=r"'zzz' is not one of its arguments. It takes name, system_message, "):
        AssistantAgent("a", zzz=1)


def test_inference_keywords_are_refused_when_the_config_is_a_model():
    with pytest.raises(TypeError, match="inference keywords only with a dictionary"):
        AssistantAgent("a", llm_config=ScriptedModel(), temperature=0)


@pytest.mark.parametrize("kind", [ResponsiveAgent, UserProxyAgent])
def test_inference_keyword_is_a_type_error_when_the_agent_is_no_assistant(kind):
    with pytest.raises(TypeError, match="temperature"):
        kind("a", temperature=0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": ""}, "Cannot name an agent ''"),
        ({"name": 3}, "Cannot name an agent 3"),
        ({"human_input_mode": "SOMETIMES"}, "human_input_mode='SOMETIMES'.*ALWAYS, TERMINATE, NEVER"),
        ({"llm_config": 3}, "llm_config of type int"),
        ({"code_execution_config": 3}, "code_execution_config=3"),
        ({"code_execution_config": {"workdir": "x"}}, "'workdir'.*work_dir"),
        ({"code_execution_config": {"use_docker": True}}, "use_docker.*isolated executor"),
        ({"code_execution_config": {"policy": "maybe"}}, "policy='maybe'.*auto, ask, deny"),
        ({"code_execution_config": {"last_n_messages": 0}}, "last_n_messages=0"),
        ({"code_execution_config": {"last_n_messages": True}}, "last_n_messages=True"),
        ({"code_execution_config": {"timeout": 0}}, "Cannot use timeout=0: give a number of seconds above 0"),
        ({"code_execution_config": {"timeout": -1.5}}, "timeout=-1.5"),
        ({"code_execution_config": {"timeout": "60"}}, "timeout='60'.*or None for no limit"),
        ({"code_execution_config": {"timeout": True}}, "timeout=True"),
        ({"code_execution_config": {"timeout": float("nan")}}, "timeout=nan"),
        ({"code_execution_config": {"timeout": float("inf")}}, "timeout=inf"),
        ({"code_execution_config": {"executor": "docker"}}, "executor='docker'"),
        ({"max_consecutive_auto_reply": -1}, "max_consecutive_auto_reply=-1: give a whole number of at least 0"),
        ({"max_consecutive_auto_reply": 2.5}, "max_consecutive_auto_reply=2.5"),
        ({"max_consecutive_auto_reply": "3"}, "max_consecutive_auto_reply='3'"),
        ({"max_consecutive_auto_reply": True}, "max_consecutive_auto_reply=True"),
        ({"function_map": {"f": "print"}}, "function 'f'.*'print'"),
    ],
)
def test_wrong_argument_is_refused_with_what_is_accepted(options, said):
    with pytest.raises(ConfigurationError, match=said):
        ResponsiveAgent(**({"name": "a"} | options))


@pytest.mark.parametrize("docker", [False, None, ""])
def test_use_docker_is_accepted_when_it_is_falsy(docker):
    assert (
        UserProxyAgent("u", code_execution_config={"use_docker": docker, "work_dir": "w"}).code_config.work_dir == "w"
    )


def test_configs_of_the_caller_stay_as_they_are_when_agents_are_made_and_used():
    llm_config = {"model": "m", "functions": [{"name": "f"}], "stop": ["x"]}
    code_config = {"work_dir": "w", "last_n_messages": 2, "use_docker": False}

    agent = ResponsiveAgent("a", llm_config=llm_config, code_execution_config=code_config)
    agent.llm_config["functions"].append("changed")
    llm_config["stop"].append("later")

    assert code_config == {"work_dir": "w", "last_n_messages": 2, "use_docker": False}
    assert llm_config == {"model": "m", "functions": [{"name": "f"}], "stop": ["x", "later"]}
    assert agent.llm_config == {"model": "m", "functions": [{"name": "f"}], "stop": ["x"]}


def test_no_two_agents_share_functions_when_one_map_was_given_to_both():
    shared = {"add": max}
    one, other = user("one", function_map=shared), user("other", function_map=shared)

    one.register_function({"sub": min})

    assert set(other.function_map) == set(shared) == {"add"}


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (lambda: user("Player white"), "UserProxyAgent('Player white', human_input_mode='NEVER', no model)"),
        (lambda: AssistantAgent("a"), "AssistantAgent('a', human_input_mode='NEVER', model=the configured model)"),
        (
            lambda: UserProxyAgent("u", function_map={"sh": max, "py": min}),
            "UserProxyAgent('u', human_input_mode='ALWAYS', no model, code='auto', functions=['py', 'sh'])",
        ),
    ],
)
def test_repr_says_what_the_agent_does(agent, expected):
    assert repr(agent()) == expected


def test_repr_shows_no_key_when_the_config_holds_one():
    agent = AssistantAgent("a", llm_config={"model": "gpt-4o", "api_key": "sk-very-secret"})

    assert "sk-very-secret" not in repr(agent)
    assert "gpt-4o" in repr(agent)


# -- Instructions and the model ----------------------------------------------------------------------------------


def test_system_message_comes_first_in_a_request_and_in_no_history():
    agent = assistant("Hello.", system_message="Be brief.")

    user().initiate_chat(agent, message="Hi", max_turns=1)

    assert agent.model.requests[0].messages[0] == {"role": "system", "content": "Be brief."}
    assert all(one["role"] != "system" for talk in agent.chat_messages.values() for one in talk)


def test_assistant_has_instructions_for_a_notebook_when_none_are_given():
    assert AssistantAgent("a").system_message == SYSTEM_MESSAGE
    assert "TERMINATE" in SYSTEM_MESSAGE


def test_no_instructions_are_sent_when_the_system_message_is_empty():
    agent = assistant("Hello.", system_message="")

    user().initiate_chat(agent, message="Hi", max_turns=1)

    assert [one["role"] for one in agent.model.requests[0].messages] == ["user"]


def test_next_request_has_other_instructions_when_they_were_updated():
    agent = assistant("One.", "Two.", system_message="Be brief.")
    me = user(default_auto_reply="And?")
    me.initiate_chat(agent, message="Hi", max_turns=1)

    agent.update_system_message("Be long.")
    me.initiate_chat(agent, message="Hi", max_turns=1)

    assert agent.system_message == "Be long."
    assert agent.model.requests[1].messages[0]["content"] == "Be long."


def test_model_of_the_session_answers_when_the_agent_names_none():
    model = ScriptedModel(["From the session."])

    with use_session(quiet_session(find_model=lambda: model)):
        result = user().initiate_chat(AssistantAgent("assistant", temperature=0), message="Hi", max_turns=1)

    assert texts(result.messages) == ["Hi", "From the session."]
    assert model.requests[0].options == {"temperature": 0}


def test_chat_fails_with_what_to_do_when_no_model_is_there():
    with pytest.raises(ModelNotConfiguredError, match="Cannot call a model: none is configured"):
        user().initiate_chat(AssistantAgent("assistant"), message="Hi")


# -- Functions ---------------------------------------------------------------------------------------------------


def test_function_is_replaced_or_removed_when_it_is_registered_again():
    agent = user(function_map={"f": max, "g": min})

    agent.register_function(function_map={"f": sum, "g": None, "missing": None})

    assert agent.function_map == {"f": sum}


def test_function_map_is_a_copy_when_it_is_read():
    agent = user(function_map={"f": max})

    agent.function_map.clear()

    assert agent.function_map == {"f": max}


# -- Limits ------------------------------------------------------------------------------------------------------


def test_limit_holds_for_one_sender_when_it_is_set_for_that_one():
    agent, one, other = user(), user("one"), user("other")

    agent.update_max_consecutive_auto_reply(3, one)

    assert agent.max_consecutive_auto_reply(one) == 3
    assert agent.max_consecutive_auto_reply(other) == agent.max_consecutive_auto_reply() == 100


def test_limit_stays_when_it_is_to_be_changed_to_what_is_none():
    agent = user(max_consecutive_auto_reply=2)

    with pytest.raises(ConfigurationError, match="max_consecutive_auto_reply=-1"):
        agent.update_max_consecutive_auto_reply(-1)
    with pytest.raises(ConfigurationError, match="max_consecutive_auto_reply='many'"):
        agent.update_max_consecutive_auto_reply("many", agent)

    assert agent.max_consecutive_auto_reply() == agent.max_consecutive_auto_reply(agent) == 2


@pytest.mark.parametrize("seconds", [1, 0.5, Fraction(1, 3), None])
def test_duration_is_accepted_when_it_is_above_0_or_not_given(seconds):
    agent = user(code_execution_config={"timeout": seconds})

    assert agent.code_config.timeout == seconds


def test_limit_holds_for_everyone_when_it_is_set_without_a_sender():
    agent, one = user(), user("one")
    agent.update_max_consecutive_auto_reply(3, one)

    agent.update_max_consecutive_auto_reply(5)

    assert agent.max_consecutive_auto_reply(one) == agent.max_consecutive_auto_reply() == 5


@both_faces
def test_chat_ends_after_as_many_automatic_replies_as_the_limit_of_that_sender_says(face):
    agent, other = talker("agent", lambda n: f"reply {n}"), talker("other", lambda n: f"word {n}")
    agent.update_max_consecutive_auto_reply(2, other)

    result = face(other, "initiate_chat", agent, message="go")

    assert len([one for one in result.messages if one["name"] == "agent"]) == 2


def test_counter_begins_anew_when_it_is_reset_for_one_sender():
    agent, one, other = talker("agent", "yes"), talker("one"), talker("other")
    for sender in (one, other):
        sender.initiate_chat(agent, message="go", max_turns=1)

    agent.reset_consecutive_auto_reply_counter(one)

    assert (agent.auto_replies_to(one), agent.auto_replies_to(other)) == (0, 1)


def test_counter_begins_anew_for_all_when_no_sender_is_named():
    agent, one, other = talker("agent", "yes"), talker("one"), talker("other")
    for sender in (one, other):
        sender.initiate_chat(agent, message="go", max_turns=1)

    agent.reset_consecutive_auto_reply_counter()

    assert (agent.auto_replies_to(one), agent.auto_replies_to(other)) == (0, 0)


# -- What is remembered ------------------------------------------------------------------------------------------


def test_each_side_has_its_own_view_of_the_roles():
    agent, me = assistant("Hello."), user()

    me.initiate_chat(agent, message="Hi", max_turns=1)

    assert me.chat_messages[agent] == [
        {"content": "Hi", "role": "assistant"},
        {"content": "Hello.", "role": "user"},
    ]
    assert agent.chat_messages[me] == [
        {"content": "Hi", "role": "user"},
        {"content": "Hello.", "role": "assistant"},
    ]


def test_messages_are_an_empty_list_when_there_was_no_talk():
    assert user().chat_messages[user("other")] == []


def test_nothing_is_changed_when_a_reader_changes_the_messages():
    agent, me = assistant("Hello.", "Again."), user(default_auto_reply="More")
    me.initiate_chat(agent, message="Hi", max_turns=1)

    me.chat_messages[agent][0]["content"] = "forged"
    me.chat_messages[agent].clear()
    me.chat_messages.clear()

    assert texts(me.chat_messages[agent]) == ["Hi", "Hello."]


def test_private_names_of_classic_notebooks_give_the_same_messages():
    agent, me = assistant("Hello."), user()

    me.initiate_chat(agent, message="Hi", max_turns=1)

    assert me._oai_messages[agent][-1] == me.chat_messages[agent][-1]
    assert me._message_to_dict("e2e4") == {"content": "e2e4"}
    assert me._message_to_dict({"content": "e2e4", "role": "user"}) == {"content": "e2e4", "role": "user"}


def test_last_message_is_none_when_there_was_no_conversation():
    assert user().last_message() is None
    assert user().last_message(user("other")) is None


def test_last_message_needs_no_name_when_there_is_one_conversation():
    agent, me = assistant("Hello."), user()

    me.initiate_chat(agent, message="Hi", max_turns=1)

    assert me.last_message() == me.last_message(agent) == {"content": "Hello.", "role": "user"}


def test_last_message_asks_for_a_name_when_there_were_several_conversations():
    me, one, other = user(), assistant("1", name="one"), assistant("2", name="other")
    for agent in (one, other):
        me.initiate_chat(agent, message="Hi", max_turns=1)

    with pytest.raises(ValueError, match=r"'user' talked with one, other\. Name one"):
        me.last_message()

    assert me.last_message(one)["content"] == "1"


def test_one_talk_is_forgotten_when_it_is_cleared_by_name():
    me, one, other = user(), assistant("1", name="one"), assistant("2", name="other")
    for agent in (one, other):
        me.initiate_chat(agent, message="Hi", max_turns=1)

    me.clear_history(one)

    assert me.chat_messages[one] == []
    assert texts(me.chat_messages[other]) == ["Hi", "2"]
    assert texts(one.chat_messages[me]) == ["Hi", "1"]


@pytest.mark.parametrize(
    ("number", "kept"), [(None, []), (0, []), (1, ["2"]), (3, ["1", "go", "2"]), (9, ["Hi", "1", "go", "2"])]
)
def test_last_messages_stay_when_a_history_is_cleared_but_for_them(number, kept):
    me, agent = user(default_auto_reply="go"), assistant("1", "2", "TERMINATE")
    me.initiate_chat(agent, message="Hi", max_turns=2)

    agent.clear_history(me, nr_messages_to_preserve=number)
    me.send("more", agent)

    assert texts(agent.chat_messages[me])[: len(kept) + 1] == [*kept, "more"]
    assert texts(wire_of(agent)) == [*kept, "more"]
    assert texts(me.chat_messages[agent])[:4] == ["Hi", "1", "go", "2"]


@pytest.mark.parametrize("number", [1, 2])
def test_call_stays_with_its_result_when_a_history_is_cleared_but_for_the_result(number):
    call = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "add", "arguments": "{}"}}]}
    me, agent = user(function_map={"add": lambda: 3}), assistant(call, "3")
    me.initiate_chat(agent, message="Add", max_turns=2)

    me.clear_history(agent, number)

    kept = me.chat_messages[agent]
    assert [one.get("role") for one in kept[-number:]] == ["tool", "user"][-number:]
    assert bool(kept[0].get("tool_calls")) == (number == 2)


def test_last_messages_of_every_talk_stay_when_nobody_is_named():
    me, one, other = user(), assistant("1", name="one"), assistant("2", name="other")
    for agent in (one, other):
        me.initiate_chat(agent, message="Hi", max_turns=1)

    me.clear_history(nr_messages_to_preserve=1)
    me.clear_history(recipient=other)

    assert texts(me.chat_messages[one]) == ["1"]
    assert me.chat_messages[other] == []


@pytest.mark.parametrize("number", [-1, "2", True, 1.5])
def test_nothing_is_forgotten_when_the_number_of_messages_to_keep_is_none(number):
    me, agent = user(), assistant("1")
    me.initiate_chat(agent, message="Hi", max_turns=1)

    with pytest.raises(ConfigurationError, match="Cannot clear the history: nr_messages_to_preserve is"):
        me.clear_history(agent, number)

    assert texts(me.chat_messages[agent]) == ["Hi", "1"]


def test_history_is_not_cleared_when_two_agents_are_named_as_one():
    me, one, other = user(), assistant(name="one"), assistant(name="other")

    with pytest.raises(ConfigurationError, match="agent and recipient are one"):
        me.clear_history(one, recipient=other)


def test_everything_is_forgotten_when_an_agent_is_reset():
    agent, me = talker("agent", "yes"), user(default_auto_reply="go")
    me.initiate_chat(agent, message="Hi", max_turns=2)

    agent.reset()

    assert agent.chat_messages == {}
    assert agent.last_message() is None
    assert agent.auto_replies_to(me) == 0
    assert not agent.replies_to(me)


def test_limits_and_functions_stay_when_an_agent_is_reset():
    agent = user(function_map={"f": max})
    agent.update_max_consecutive_auto_reply(3)

    agent.reset()

    assert agent.max_consecutive_auto_reply() == 3
    assert agent.function_map == {"f": max}


def test_agents_of_one_name_keep_their_talks_apart():
    me, one, other = user(), assistant("1", name="twin"), assistant("2", name="twin")

    for agent in (one, other):
        me.initiate_chat(agent, message="Hi", max_turns=1)

    assert texts(me.chat_messages[one]) == ["Hi", "1"]
    assert texts(me.chat_messages[other]) == ["Hi", "2"]


# -- generate_reply outside of a chat ----------------------------------------------------------------------------


@both_faces
def test_reply_is_given_when_only_messages_are(face):
    agent = assistant("Hello.")

    reply = face(agent, "generate_reply", messages=[{"role": "user", "content": "Hi"}])

    assert reply == "Hello."
    assert agent.chat_messages == {}


@both_faces
def test_reply_needs_messages_or_a_sender(face):
    with pytest.raises(InvalidMessageError, match="neither messages nor a sender"):
        face(assistant(), "generate_reply")


@both_faces
@pytest.mark.parametrize("given", [{"messages": []}, {"sender": ResponsiveAgent("stranger", llm_config=False)}])
def test_reply_needs_a_message_to_answer(face, given):
    with pytest.raises(InvalidMessageError, match="'assistant' has no message to answer"):
        face(assistant(), "generate_reply", **given)


def test_reply_is_a_dictionary_when_the_model_calls_a_function():
    agent = assistant({"content": None, "function_call": {"name": "f", "arguments": "{}"}})

    reply = agent.generate_reply(messages=[{"role": "user", "content": "Hi"}])

    assert reply == {"content": None, "function_call": {"name": "f", "arguments": "{}"}}


def test_messages_of_the_caller_stay_as_they_are_when_a_reply_is_generated():
    given = [{"role": "user", "content": "Hi {name}", "context": {"name": "you"}}]

    assistant("Hello.").generate_reply(messages=given)

    assert given == [{"role": "user", "content": "Hi {name}", "context": {"name": "you"}}]
