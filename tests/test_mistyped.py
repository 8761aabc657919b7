"""Mistyped keywords are refused with the name that was meant, before a model is asked; names of one's own are not."""

import copy
import inspect
import json
import pickle

import pytest

from jupyter_agents import (
    AssistantAgent,
    Budget,
    Chat,
    Compaction,
    ConversableAgent,
    GroupChat,
    GroupChatManager,
    MathUserProxyAgent,
    MaxMessages,
    MessageHistoryLimiter,
    MessageTokenLimiter,
    ResponsiveAgent,
    RetrieveAssistantAgent,
    RetrieveUserProxyAgent,
    SocietyOfMindAgent,
    Teachability,
    TeachableAgent,
    TextMention,
    TransformMessages,
    UserProxyAgent,
    config_list_from_json,
    filter_config,
)
from jupyter_agents.agents.transitions import Transitions
from jupyter_agents.errors import ConfigurationError, UnknownArgumentError
from jupyter_agents.events import Noted
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.nearest import nearest
from jupyter_agents.retrieval.documents import Document
from jupyter_agents.session import use_session
from tests.fakes import both_faces, quiet_session, talker, texts, user


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def scripted():
    return AssistantAgent("assistant", llm_config=ScriptedModel(["Well."]))


def notes(result):
    return [event.text for event in result.events if isinstance(event, Noted)]


def opening(sender, recipient, context):
    return f"About {context.get('topic', 'anything')}."


class Opener(UserProxyAgent):
    """Its opening reads whatever it likes."""

    def generate_init_message(self, **context):
        return "Hello."


class Solver(UserProxyAgent):
    """Its opening says what it reads."""

    def generate_init_message(self, puzzle="none", message="", carryover=None):
        return f"Solve {puzzle}."


class Relay(UserProxyAgent):
    """Reads keywords of its own before a chat begins."""

    def initiate_chat(self, recipient, *args, **context):
        return super().initiate_chat(recipient, *args, **context)


def of_class(cls):
    return cls("user", human_input_mode="NEVER", code_execution_config=False)


# -- Keywords of initiate_chat -----------------------------------------------------------------------------------

TYPOS = [
    ("max_turn", "max_turns"),
    ("maxturns", "max_turns"),
    ("max_tunrs", "max_turns"),
    ("max_turnss", "max_turns"),
    ("max_turms", "max_turns"),
    ("Max_turns", "max_turns"),
    ("terminaton", "termination"),
    ("terminatoin", "termination"),
    ("budgt", "budget"),
    ("bugdet", "budget"),
    ("respone_format", "response_format"),
    ("reponse_fromat", "response_format"),
    ("mesage", "message"),
    ("messge", "message"),
    ("clear_histroy", "clear_history"),
    ("clearhistory", "clear_history"),
    ("slient", "silent"),
    ("summary_mehtod", "summary_method"),
    ("sumary_metod", "summary_method"),
    ("summary_arg", "summary_args"),
    ("carry_over", "carryover"),
    ("caryover", "carryover"),
]
OWN_NAMES = """message_id messages summary budgets topic context turns turn data question customer name language tone
    temperature user task goal deadline max_price max_items response history chat_history client terms version cached
    silence recipe recipients budget_eur message_count summary_length rounds max_rounds max_words image page problems results
    query state""".split()


NEAR = ("messages", "budgets", "cached", "recipients")
"""Those that are refused where nothing could read them."""


@both_faces
@pytest.mark.parametrize(("wrong", "meant"), TYPOS)
def test_mistyped_keyword_is_refused_before_the_model_is_asked(face, wrong, meant):
    recipient = scripted()

    with pytest.raises(ConfigurationError) as caught:
        face(user(), "initiate_chat", recipient, message="go", **{wrong: 1})

    assert str(caught.value).startswith(
        f"Cannot begin the chat: {wrong!r} is not one of its settings. Did you mean {meant!r}?"
    )
    assert recipient.model.requests == []


@pytest.mark.parametrize(
    "options", [{"message": opening}, {"cls": Opener}, {"cls": Relay}], ids=["message", "opening", "chat"]
)
@pytest.mark.parametrize(("wrong", "meant"), TYPOS)
def test_mistyped_keyword_is_refused_when_something_reads_the_others(options, wrong, meant):
    options = {"message": "go", "cls": UserProxyAgent} | options
    recipient = scripted()

    with pytest.raises(ConfigurationError, match=f"Did you mean '{meant}'"):
        of_class(options["cls"]).initiate_chat(recipient, message=options["message"], **{wrong: 1})

    assert recipient.model.requests == []


@pytest.mark.parametrize(
    "options", [{"message": opening}, {"cls": Opener}, {"cls": Relay}], ids=["message", "opening", "chat"]
)
@pytest.mark.parametrize("name", OWN_NAMES)
def test_name_of_ones_own_is_taken_in_silence_when_something_reads_it(options, name):
    options = {"message": "go", "cls": UserProxyAgent} | options

    result = of_class(options["cls"]).initiate_chat(scripted(), message=options["message"], max_turns=1, **{name: "x"})

    assert len(result) == 2
    assert notes(result) == []


@both_faces
@pytest.mark.parametrize("name", [name for name in OWN_NAMES if name not in NEAR])
def test_name_that_nothing_reads_is_noted_when_it_is_near_no_setting(face, name):
    options = {"message": "go", "max_turns": 1, name: "x"}

    result = face(user(), "initiate_chat", scripted(), **options)

    assert texts(result.messages) == ["go", "Well."]
    assert len(notes(result)) == 1
    assert notes(result)[0].startswith(f"Nothing reads {name!r}, which was given to initiate_chat.")


@pytest.mark.parametrize(
    ("name", "meant"), [("turns", "max_turns"), ("max_rounds", "max_turns"), ("summary", "summary_")]
)
def test_note_asks_what_was_meant_when_a_setting_is_similar(name, meant):
    result = user().initiate_chat(scripted(), message="go", max_turns=1, **{name: 1})

    assert f"Did you mean '{meant}" in notes(result)[0]


def test_mistyped_keyword_of_a_chat_in_the_background_is_refused_where_it_is_made():
    with pytest.raises(ConfigurationError, match="'max_turn' is not one of its settings. Did you mean 'max_turns'"):
        Chat(user(), scripted(), message="go", max_turn=1)


def test_plural_of_a_setting_is_refused_when_nothing_reads_it():
    with pytest.raises(ConfigurationError, match="Did you mean 'message'"):
        user().initiate_chat(scripted(), messages="go", message="go")


def test_keyword_is_known_when_an_override_names_it():
    result = of_class(Solver).initiate_chat(scripted(), puzzle="3 + 4", max_turns=1)

    assert result.messages[0]["content"] == "Solve 3 + 4."
    with pytest.raises(ConfigurationError, match="'puzle' is not one of its settings. Did you mean 'puzzle'"):
        of_class(Solver).initiate_chat(scripted(), puzle="3 + 4")


def retriever(**options):
    docs = [Document("tea.md", "Green tea is brewed at 80 degrees.", "markdown")]
    return RetrieveUserProxyAgent(
        "user", "NEVER", retrieve_config={"docs_path": docs}, code_execution_config=False, **options
    )


def mathematician():
    return MathUserProxyAgent(code_execution_config=False)


@pytest.mark.parametrize(
    ("make", "wrong", "meant"),
    [
        (mathematician, "problm", "problem"),
        (mathematician, "promt_type", "prompt_type"),
        (mathematician, "max_turn", "max_turns"),
        (retriever, "porblem", "problem"),
        (retriever, "n_result", "n_results"),
        (retriever, "serach_string", "search_string"),
    ],
)
def test_mistyped_keyword_of_an_agents_own_is_refused_by_its_name(make, wrong, meant):
    with pytest.raises(ConfigurationError, match=f"'{wrong}' is not one of its settings. Did you mean '{meant}'"):
        make().initiate_chat(scripted(), **{"problem": "1 + 1", wrong: "x"})


def test_mistyped_problem_is_refused_when_the_message_is_made_by_the_agents_own_generator():
    me = retriever()

    with pytest.raises(ConfigurationError, match="Did you mean 'problem'"):
        me.initiate_chat(scripted(), message=me.message_generator, problm="tea")


@pytest.mark.parametrize("make", [mathematician, retriever])
def test_problem_is_named_when_a_chat_that_takes_one_has_nothing_to_begin_with(make):
    recipient = scripted()

    with pytest.raises(ConfigurationError, match="there is no message. Pass problem='…' to initiate_chat"):
        make().initiate_chat(recipient, question="How hot?")

    assert recipient.model.requests == []


# -- Entries of queues -------------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("message", ["go", opening], ids=["text", "function"])
@pytest.mark.parametrize(("wrong", "meant"), [*TYPOS, ("recipent", None), ("prerequisits", "prerequisites")])
def test_mistyped_key_of_a_queued_chat_is_refused_before_any_begins(face, message, wrong, meant):
    first, second = scripted(), scripted()
    entry = {"recipient": second, "message": message, wrong: 1}
    queue = [{"recipient": first, "message": "go", "max_turns": 1}, entry]

    with pytest.raises(ConfigurationError, match=f"Cannot hold chat 2: it has '{wrong}'.*'{meant or 'recipient'}'"):
        face(user(), "initiate_chats", queue)

    assert first.model.requests == []


def test_name_of_ones_own_is_read_when_a_queued_chat_has_a_function_as_message():
    queue = [{"recipient": scripted(), "message": opening, "topic": "tea", "messages": 1, "max_turns": 1}]

    results = user().initiate_chats(queue)

    assert results[0].messages[0]["content"] == "About tea."


@pytest.mark.parametrize("message", ["go", lambda recipient, messages, sender, config: "go"], ids=["text", "function"])
@pytest.mark.parametrize(
    ("wrong", "meant"), [("max_turn", "max_turns"), ("slient", "silent"), ("carryover_confg", "carryover_config")]
)
def test_mistyped_key_of_a_nested_chat_is_refused_when_it_is_registered(message, wrong, meant):
    with pytest.raises(ConfigurationError, match=f"Cannot hold chat 1: it has '{wrong}'.*'{meant}'"):
        user().register_nested_chats([{"recipient": scripted(), "message": message, wrong: 1}], trigger=scripted())


def test_key_that_nobody_reads_is_refused_when_the_message_of_a_nested_chat_is_a_function():
    entry = {"recipient": scripted(), "message": lambda *given: "go", "topic": "tea"}

    with pytest.raises(ConfigurationError, match="it has 'topic', which nobody reads"):
        user().register_nested_chats([entry], trigger=scripted())


# -- Configs of models -------------------------------------------------------------------------------------------

GOOD = {"model": "m", "api_key": "k"}


@pytest.mark.parametrize(
    ("key", "meant"),
    [("modle", "model"), ("api_keyy", "api_key"), ("base_ur", "base_url"), ("temprature", "temperature")],
)
def test_mistyped_key_is_refused_when_it_is_in_an_entry_of_a_config_list(key, meant):
    with pytest.raises(
        ConfigurationError, match=f"entry 2 of config_list with the key '{key}'. Did you mean '{meant}'"
    ):
        AssistantAgent("a", llm_config={"config_list": [GOOD, {"api_key": "k", key: "m"}]})


def test_setting_of_a_servers_own_is_sent_when_it_is_in_an_entry_of_a_config_list():
    agent = AssistantAgent("a", llm_config={"config_list": [{**GOOD, "top_k": 3}]})

    assert agent.llm_config["config_list"][0]["top_k"] == 3


@pytest.mark.parametrize(
    ("configs", "problem"),
    [
        ([], "it is empty"),
        ([GOOD, "gpt-4o"], "entry 2 is a str"),
        ([None], "entry 1 is a NoneType"),
        ("gpt-4o", "of type str"),
        (GOOD, "of type dict"),
    ],
)
def test_config_list_is_refused_when_it_is_no_list_of_configs(configs, problem):
    with pytest.raises(ConfigurationError, match=problem):
        AssistantAgent("a", llm_config={"config_list": configs})


@pytest.mark.parametrize(
    ("configs", "problem"),
    [
        ([GOOD, {"modle": "m"}], "entry 2 of .*OAI with the key 'modle'. Did you mean 'model'"),
        ([GOOD, "m"], "Cannot use the config list in .*OAI: entry 2 is a str"),
        ([], "Cannot use the config list in .*OAI: it is empty"),
        ({"model": "m"}, "Cannot use the config list in .*OAI of type dict"),
    ],
)
def test_file_and_entry_are_named_when_a_config_list_in_a_file_is_wrong(tmp_path, configs, problem):
    (tmp_path / "OAI").write_text(json.dumps(configs))

    with pytest.raises(ConfigurationError, match=problem):
        config_list_from_json("OAI", tmp_path)


def test_variable_is_named_when_a_config_list_in_the_environment_is_wrong(monkeypatch):
    monkeypatch.setenv("MY_MODELS", json.dumps([{"modle": "m"}]))

    with pytest.raises(ConfigurationError, match="entry 1 of the environment variable MY_MODELS with the key 'modle'"):
        config_list_from_json("MY_MODELS")


def test_mistyped_key_is_refused_when_it_is_in_a_filter():
    with pytest.raises(ConfigurationError, match="filter_dict with the key 'modle'. Did you mean 'model'"):
        filter_config([GOOD], {"modle": ["m"]})


# -- Constructors ------------------------------------------------------------------------------------------------


def two():
    return [talker("one"), talker("two")]


def manager(**options):
    return GroupChatManager(GroupChat(two()), llm_config=False, **options)


WRONG = [
    (lambda **given: GroupChat(two(), **given), "max_rounds", "max_round"),
    (lambda **given: GroupChat(two(), **given), "speaker_selection_mehtod", "speaker_selection_method"),
    (manager, "sytem_message", "system_message"),
    (manager, "human_imput_mode", "human_input_mode"),
    (manager, "is_terminaton_msg", "is_termination_msg"),
    (lambda **given: ResponsiveAgent("a", **given), "llm_confg", "llm_config"),
    (lambda **given: ConversableAgent("a", **given), "sytem_message", "system_message"),
    (lambda **given: UserProxyAgent("u", **given), "human_imput_mode", "human_input_mode"),
    (lambda **given: UserProxyAgent("u", **given), "code_execution_cofig", "code_execution_config"),
    (lambda **given: AssistantAgent("a", **given), "sytem_message", "system_message"),
    (lambda **given: RetrieveAssistantAgent("a", **given), "sytem_message", "system_message"),
    (lambda **given: RetrieveUserProxyAgent("u", **given), "retrieve_confg", "retrieve_config"),
    (lambda **given: RetrieveUserProxyAgent("u", **given), "human_imput_mode", "human_input_mode"),
    (lambda **given: MathUserProxyAgent("u", **given), "wolfam", "wolfram"),
    (lambda **given: MathUserProxyAgent("u", **given), "max_invalid_q_per_stp", "max_invalid_q_per_step"),
    (lambda **given: SocietyOfMindAgent("s", manager(), **given), "response_prepare", "response_preparer"),
    (lambda **given: SocietyOfMindAgent("s", manager(), **given), "descripton", "description"),
    (lambda **given: TeachableAgent("t", llm_config=False, **given), "teachrs", "teachers"),
    (lambda **given: TeachableAgent("t", llm_config=False, **given), "sytem_message", "system_message"),
    (Teachability, "max_num_retrieval", "max_num_retrievals"),
    (lambda **given: TransformMessages([], **given), "verbos", "verbose"),
    (MessageHistoryLimiter, "max_message", "max_messages"),
    (MessageTokenLimiter, "max_token", "max_tokens"),
    (Compaction, "llm_confg", "llm_config"),
    (Budget, "model_call", "model_calls"),
    (MaxMessages, "cuont", "count"),
    (TextMention, "txt", "text"),
]


@pytest.mark.parametrize(("make", "wrong", "meant"), WRONG, ids=[f"{n}-{one[1]}" for n, one in enumerate(WRONG)])
def test_unknown_argument_is_refused_by_the_nearest_name(make, wrong, meant):
    with pytest.raises(
        UnknownArgumentError, match=f"Cannot make .*: '{wrong}' is not one of its arguments. Did you mean '{meant}'"
    ):
        make(**{wrong: 3})


def test_error_is_a_type_error_and_names_the_class():
    with pytest.raises(TypeError, match="Cannot make GroupChatManager: 'max_rounds'") as caught:
        manager(max_rounds=3)

    assert isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize("name", ["chat_messages", "messages", "history"])
def test_way_back_to_earlier_messages_is_named_when_an_agent_is_given_them(name):
    with pytest.raises(
        UnknownArgumentError, match=f"'{name}' is not one of its arguments. What was said before .*load_"
    ):
        AssistantAgent("a", **{name: {}})


def test_nearest_name_is_asked_for_when_what_is_no_agent_is_given_messages():
    with pytest.raises(UnknownArgumentError, match="'messages' is not one of its arguments. It takes count"):
        MaxMessages(messages=3)


def test_arguments_are_listed_when_none_is_near():
    with pytest.raises(
        UnknownArgumentError, match="'zzz' is not one of its arguments. It takes name, is_termination_msg, "
    ):
        UserProxyAgent("u", zzz=1)


class Analyst(AssistantAgent):
    def __init__(self, name, *, city="Oslo", **options):
        super().__init__(name, **options)
        self.city = city


class Loud:
    def __init__(self, *args, tone="loud", **options):
        self.tone = tone
        super().__init__(*args, **options)


class LoudUser(Loud, UserProxyAgent):
    pass


def test_subclass_takes_keywords_of_its_own():
    analyst = Analyst("a", city="Rome", llm_config=False, description="Counts.")
    loud = LoudUser("u", human_input_mode="NEVER", tone="shrill")

    assert (analyst.city, analyst.description) == ("Rome", "Counts.")
    assert (loud.tone, loud.human_input_mode) == ("shrill", "NEVER")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Analyst("a", ctiy="Rome"), "Cannot make Analyst: 'ctiy' .* Did you mean 'city'"),
        (
            lambda: Analyst("a", sytem_message="x"),
            "Cannot make Analyst: 'sytem_message' .* Did you mean 'system_message'",
        ),
        (lambda: LoudUser("u", tnoe="soft"), "Cannot make LoudUser: 'tnoe' .* Did you mean 'tone'"),
    ],
)
def test_mistyped_keyword_of_a_subclass_is_refused_by_its_name(make, problem):
    with pytest.raises(UnknownArgumentError, match=problem):
        make()


def test_subclass_keeps_its_own_type_error_when_it_takes_no_more_keywords():
    class Strict(AssistantAgent):
        def __init__(self, name):
            super().__init__(name, llm_config=False)

    with pytest.raises(TypeError, match=r"unexpected keyword argument 'colour'"):
        Strict("a", colour="red")


@pytest.mark.parametrize(
    ("cls", "parameters"),
    [
        (UserProxyAgent, "name is_termination_msg max_consecutive_auto_reply human_input_mode function_map"),
        (ResponsiveAgent, "name system_message is_termination_msg max_consecutive_auto_reply human_input_mode"),
        (GroupChat, "agents messages max_round admin_name func_call_filter"),
        (Budget, "turns model_calls tokens"),
    ],
)
def test_signature_is_that_of_the_class(cls, parameters):
    names = list(inspect.signature(cls).parameters)

    assert names[: len(parameters.split())] == parameters.split()
    assert "args" not in names
    assert list(inspect.signature(cls.__init__).parameters) == ["self", *names]


def test_what_is_made_is_copied_and_pickled_as_before():
    budget, limiter = Budget(turns=3), MessageHistoryLimiter(2)

    assert pickle.loads(pickle.dumps(budget)) == budget
    assert copy.deepcopy(limiter) == limiter
    assert pickle.loads(pickle.dumps(UnknownArgumentError("no"))).args == ("no",)


def test_too_few_and_too_many_arguments_are_type_errors_of_python():
    with pytest.raises(TypeError, match="required positional argument: 'name'"):
        UserProxyAgent()
    with pytest.raises(TypeError, match="multiple values for argument 'name'"):
        UserProxyAgent("u", name="u")


# -- Values of which there are few -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "meant"),
    [
        (lambda: UserProxyAgent("u", human_input_mode="NEVR"), "NEVER"),
        (lambda: UserProxyAgent("u", human_input_mode="never"), "NEVER"),
        (lambda: UserProxyAgent("u", code_execution_config={"policy": "akk"}), "ask"),
        (lambda: UserProxyAgent("u", tool_policy="dny"), "deny"),
        (lambda: UserProxyAgent("u", code_execution_config={"work_dri": "x"}), "work_dir"),
        (lambda: GroupChat(two(), speaker_selection_method="round robin"), "round_robin"),
        (lambda: GroupChat(two(), speaker_selection_method="ato"), "auto"),
        (lambda: GroupChat(two(), role_for_select_speaker_messages="sytem"), "system"),
        (lambda: Transitions.from_graph(agents := two(), {agents[0]: [agents[1]]}, "alowed"), "allowed"),
        (lambda: RetrieveUserProxyAgent("u", retrieve_config={"task": "qaa"}), "qa"),
        (lambda: RetrieveUserProxyAgent("u", retrieve_config={"chunk_mode": "one line"}), "one_line"),
        (lambda: mathematician().generate_init_message("1 + 1", "pyhton"), "python"),
        (
            lambda: user().initiate_chat(
                scripted(), message="x", summary_method="reflection_with_llm", summary_args={"summary_role": "usr"}
            ),
            "user",
        ),
    ],
)
def test_wrong_value_is_refused_by_the_nearest_one(make, meant):
    with pytest.raises(ConfigurationError, match=f"Did you mean '{meant}'"):
        make()


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("never", ["ALWAYS", "NEVER"], "NEVER"),
        ("Turns", ["turns", "TURN"], "turns"),
        ("zzz", ["a", "b"], None),
        ("x", [], None),
    ],
)
def test_nearest_name_is_found_whatever_its_case(name, known, meant):
    assert nearest(name, known) == meant
