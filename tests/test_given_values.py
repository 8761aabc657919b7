"""Values that cannot be meant: they are refused where they are given, with what to write instead."""

import re

import numpy as np
import pytest

from jupyter_agents import (
    AssistantAgent,
    Chat,
    MessageHistoryLimiter,
    MessageTokenLimiter,
    ReplyFormat,
    ResponsiveAgent,
    TransformMessages,
    initiate_chats,
    load_chat,
    register_function,
)
from jupyter_agents.budget import Budget
from jupyter_agents.conditions import CallOf, EmptyReplies, MaxCost, MaxMessages, Repetition, SaidBy, TextMention, When
from jupyter_agents.errors import ConfigurationError, InvalidMessageError
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.testing import RecordingExecutor
from tests.fakes import assistant, both_faces, quiet_session, user

HOUSE = re.compile(r"^Cannot .+: .+\.$", re.DOTALL)


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()):
        yield


def look_up(word: str) -> str:
    """Look a word up."""
    return word


async def soon(messages):
    return True


def chat(**options):
    return user(default_auto_reply="Go on.").initiate_chat(
        assistant("a", "b", "c"), **({"message": "go", "max_turns": 1} | options)
    )


def configured(**options):
    return AssistantAgent("a", llm_config={"model": "m", "api_key": "k", **options})


def check_refused(make, words, error=ConfigurationError):
    with pytest.raises(error, match=re.escape(words)) as caught:
        make()

    assert HOUSE.match(str(caught.value)), caught.value


# -- Agents ------------------------------------------------------------------------------------------------------

SETTINGS = {
    "is_termination_msg of text": ({"is_termination_msg": "TERMINATE"}, "lambda message: 'TERMINATE' in"),
    "is_termination_msg of no text": ({"is_termination_msg": ""}, "lambda message: 'DONE' in"),
    "is_termination_msg of a condition": ({"is_termination_msg": MaxMessages(3)}, "termination=MaxMessages(count=3)"),
    "human of answers": ({"human": ["x"]}, "ScriptedHuman(['x'])"),
    "human of a text": ({"human": "x"}, "ScriptedHuman(['x'])"),
    "human of a function": ({"human": look_up}, "ScriptedHuman([…])"),
    "human of a class": ({"human": ScriptedHuman}, "ScriptedHuman([…])"),
    "default_auto_reply of a number": ({"default_auto_reply": 5}, "default_auto_reply=5"),
    "default_auto_reply of a list": ({"default_auto_reply": ["x"]}, "default_auto_reply=['x']"),
    "default_auto_reply of a dictionary": ({"default_auto_reply": {"x": 1}}, "'content'"),
    "description of a number": ({"description": 5}, "description=5"),
    "description of a list": ({"description": ["x"]}, "description=['x']"),
    "system_message of a list": ({"system_message": ["x", "y"]}, "'\\n'.join"),
    "system_message of a number": ({"system_message": 5}, "system_message=5"),
    "function_map of a list": ({"function_map": [look_up]}, "{'look_up': look_up}"),
    "function_map of a function": ({"function_map": look_up}, "{'look_up': look_up}"),
    "function_map with a number": ({"function_map": {5: look_up}}, "names are texts"),
    "max_consecutive_auto_reply of text": ({"max_consecutive_auto_reply": "3"}, "a whole number of at least 0"),
    "max_consecutive_auto_reply below 0": ({"max_consecutive_auto_reply": -1}, "a whole number of at least 0"),
    "llm_config of a number": ({"llm_config": 3}, "give a dictionary, a model, or False"),
    "llm_config of a name": ({"llm_config": "gpt-4"}, "A name goes in {'model': …}"),
    "llm_config of a list": ({"llm_config": []}, "{'config_list': […]}"),
    "llm_config of a class": ({"llm_config": ScriptedModel}, "ScriptedModel(…)"),
    "code_execution_config of text": ({"code_execution_config": "yes"}, "give a dictionary"),
    "work_dir of a number": ({"code_execution_config": {"work_dir": 5}}, "work_dir=5"),
    "executor of a class": ({"code_execution_config": {"executor": RecordingExecutor}}, "RecordingExecutor(…)"),
    "name of nothing": ({"name": ""}, "with at least one character"),
    "name of two lines": ({"name": "a\nb"}, "on one line"),
    "name with a tab": ({"name": "a\tb"}, "on one line"),
    "name with a line separator": ({"name": "a\u2028b"}, "on one line"),
}


@pytest.mark.parametrize(("options", "words"), SETTINGS.values(), ids=SETTINGS)
def test_agent_is_refused_when_a_setting_cannot_be_meant(options, words):
    given = {"name": "a", "llm_config": False, "code_execution_config": False} | options

    check_refused(lambda: ResponsiveAgent(**given), words)


CHECKED = ["is_termination_msg of text", "human of answers", "default_auto_reply of a list", "description of a number", "name of two lines"]  # fmt: skip


@pytest.mark.parametrize("one", CHECKED)
def test_setting_is_refused_when_it_is_given_later(one):
    options, words = SETTINGS[one]
    agent = user()

    check_refused(lambda: [setattr(agent, name, value) for name, value in options.items()], words)


def test_instructions_are_refused_when_they_are_updated_with_no_text():
    check_refused(lambda: user().update_system_message(["x"]), "'\\n'.join")


@pytest.mark.parametrize("name", ["Dr. Smith", "Ärztin", "👩‍💻", "数据", "a b"])
def test_agent_keeps_its_name_when_it_is_on_one_line(name):
    assert user(name).name == name


def test_agent_has_no_instructions_when_they_are_none():
    agent = ResponsiveAgent("a", None, llm_config=False, code_execution_config=False)

    assert (agent.system_message, agent.system_wire()) == ("", [])


def test_default_reply_is_sent_when_it_is_a_message():
    me = user(default_auto_reply={"content": "Go on."})

    result = me.initiate_chat(assistant("a", "b"), message="go", max_turns=2)

    assert [one["content"] for one in result.messages] == ["go", "a", "Go on.", "b"]


@pytest.mark.parametrize("key", ["tools", "functions"])
@pytest.mark.parametrize("value", [[5], 5, {"name": "x"}, [look_up]])
def test_llm_config_is_refused_when_its_tools_are_no_signatures(key, value):
    check_refused(lambda: configured(**{key: value}), f"{key} in llm_config")


def test_llm_config_is_refused_when_a_config_of_its_list_has_no_signatures():
    listed = [{"model": "m", "api_key": "k", "tools": [look_up]}]

    check_refused(lambda: AssistantAgent("a", llm_config={"config_list": listed}), "@agent.tool")


# -- What agents are told ----------------------------------------------------------------------------------------

CALLS = {
    "reply function of text": (lambda: user().register_reply(AssistantAgent, "fn"), "'fn'"),
    "reply function of nothing": (lambda: user().register_reply(AssistantAgent, None), "None"),
    "reply function at a text": (lambda: user().register_reply(AssistantAgent, look_up, position="1"), "position='1'"),
    "functions of a list": (lambda: user().register_function([look_up]), "{'look_up': look_up}"),
    "hook of another name": (lambda: user().register_hook("process_last_recieved_message", look_up), "Use 'process_last_received_message'"),
    "hook of text": (lambda: user().register_hook("process_message_before_send", "x"), "cannot be called"),
    "tool of a number": (lambda: assistant("x").use(5), "5"),
    "caller by name": (lambda: register_function(look_up, caller="a", executor=user()), "caller='a'"),
    "executor by name": (lambda: register_function(look_up, caller=assistant("x"), executor="a"), "executor='a'"),
    "history of a name": (lambda: user().clear_history("critic"), "'critic' is a name"),
    "counter of a name": (lambda: user().reset_consecutive_auto_reply_counter("critic"), "'critic' is a name"),
    "limit of a name": (lambda: user().update_max_consecutive_auto_reply(3, "critic"), "'critic' is a name"),
    "last message of a name": (lambda: user().last_message("critic"), "'critic' is a name"),
    "silence to a name": (lambda: user().stop_reply_at_receive("critic"), "'critic' is a name"),
    "chat of no agents": (lambda: Chat("a", "b"), "'a'"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "words"), CALLS.values(), ids=CALLS)
def test_call_is_refused_when_an_argument_cannot_be_meant(call, words):
    check_refused(call, words)


@both_faces
@pytest.mark.parametrize("messages", ["hello", {"role": "user", "content": "hello"}, ["hello"], 5])
def test_reply_is_refused_when_what_it_is_to_answer_is_no_list_of_messages(face, messages):
    check_refused(
        lambda: face(assistant("x"), "generate_reply", messages), "messages=[{'role': 'user'", InvalidMessageError
    )


@both_faces
def test_message_is_refused_when_its_sender_is_no_agent(face):
    check_refused(lambda: face(user(), "receive", "Hello.", "critic"), "'critic'")


# -- Chats -------------------------------------------------------------------------------------------------------

OPTIONS = {
    "budget of a number": ({"budget": 3}, "Budget(turns=3)"),
    "budget of a dictionary": ({"budget": {"tokens": 3}}, "Budget("),
    "response_format of a name": ({"response_format": "Station"}, "without quotes"),
    "response_format of a word of servers": ({"response_format": "json_object"}, "{'type': 'json_object'}"),
    "response_format of a number": ({"response_format": 5}, "it is no type"),
    "termination of text": ({"termination": "TERMINATE"}, "TextMention('TERMINATE')"),
    "termination of a list": ({"termination": [MaxMessages(3)]}, "| (either) or & (both)"),
    "termination of a class": ({"termination": MaxMessages}, "MaxMessages(…)"),
    "termination of a function": ({"termination": look_up}, "When(look_up)"),
    "termination of a number": ({"termination": 3}, "MaxMessages(3)"),
    "max_turns of text": ({"max_turns": "3"}, "a whole number of at least 1"),
    "max_turns of 0": ({"max_turns": 0}, "a whole number of at least 1"),
    "max_turns below 0": ({"max_turns": -1}, "a whole number of at least 1"),
    "max_turns of truth": ({"max_turns": True}, "a whole number of at least 1"),
    "summary_method of another name": ({"summary_method": "lst_msg"}, "Use 'last_msg'"),
    "clear_history of text": ({"clear_history": "no"}, "clear_history='no'"),
    "silent of text": ({"silent": "no"}, "silent='no'"),
}


@pytest.mark.parametrize(("options", "words"), OPTIONS.values(), ids=OPTIONS)
def test_chat_is_refused_when_an_option_cannot_be_meant(options, words):
    model = ScriptedModel(["a"])

    check_refused(
        lambda: user().initiate_chat(AssistantAgent("a", llm_config=model), **({"message": "go"} | options)), words
    )
    assert not model.requests


@pytest.mark.parametrize("message", [5, ["x"], True])
def test_chat_is_refused_when_its_message_is_no_message(message):
    check_refused(lambda: chat(message=message), "a message is a text or a dictionary", InvalidMessageError)


def test_chat_is_saved_when_its_limits_are_numbers_of_numpy(tmp_path):
    two = np.int64(2)

    result = chat(max_turns=two, budget=Budget(turns=np.int64(9)), termination=MaxMessages(np.int64(9)))

    loaded = load_chat(result.save(tmp_path / "chat.jsonl"), given={"assistant": {"llm_config": ScriptedModel(["d"])}})
    assert (len(loaded), loaded.limits.max_turns, loaded.limits.budget) == (4, 2, Budget(turns=9))


def test_chats_are_refused_when_their_budget_is_a_number():
    queue = [{"sender": user(), "recipient": assistant("x"), "message": "go"}]

    check_refused(lambda: initiate_chats(queue, budget=3), "Budget(turns=3)")
    check_refused(lambda: user().initiate_chats(queue, budget=3), "Budget(turns=3)")


@pytest.mark.parametrize("at", ["x", 1.0, True, 99, -99])
def test_fork_is_refused_when_it_is_at_no_message(at):
    result = chat()

    check_refused(lambda: result.fork(at=at), f"message {at!r}")


@pytest.mark.parametrize("options", [{"max_turns": "x"}, {"termination": "x"}, {"budget": 3}])
def test_chat_is_not_resumed_when_a_limit_cannot_be_meant(options):
    result = chat()
    size = len(result.log)

    check_refused(lambda: result.resume(**options), "Cannot use ")
    assert len(result.log) == size


# -- Conditions and budgets --------------------------------------------------------------------------------------

RULES = {
    "MaxMessages of text": (lambda: MaxMessages("3"), "MaxMessages('3')"),
    "MaxMessages of 0": (lambda: MaxMessages(0), "no whole number above 0"),
    "MaxMessages of a part": (lambda: MaxMessages(2.5), "no whole number above 0"),
    "MaxMessages of truth": (lambda: MaxMessages(True), "no whole number above 0"),
    "EmptyReplies of a part": (lambda: EmptyReplies(1.5), "no whole number above 0"),
    "Repetition of a part": (lambda: Repetition(2.5), "no whole number above 1"),
    "TextMention of nothing": (lambda: TextMention(""), "TextMention('')"),
    "TextMention of blanks": (lambda: TextMention(" \n"), "TextMention(' \\n')"),
    "TextMention of None": (lambda: TextMention(None), "TextMention(None)"),
    "TextMention of a list": (lambda: TextMention(["a", "b"]), "TextMention('a') | TextMention('b')"),
    "CallOf of a function": (lambda: CallOf(print), "CallOf('print')"),
    "CallOf of nothing": (lambda: CallOf(""), "CallOf('')"),
    "SaidBy of an agent": (lambda: SaidBy(user("critic")), "SaidBy('critic')"),
    "SaidBy of nobody": (lambda: SaidBy(""), "Give names of agents"),
    "When of text": (lambda: When("x"), "When('x')"),
    "When of a coroutine function": (lambda: When(soon), "soon is async"),
    "MaxCost of one price": (lambda: MaxCost(1, {"m": 1}), "{'m': 1}"),
    "MaxCost of texts": (lambda: MaxCost(1, {"m": ("a", "b")}), "('a', 'b')"),
    "or": (lambda: MaxMessages(3) or TextMention("x"), "Combine conditions with | and &"),
    "and": (lambda: MaxMessages(3) and TextMention("x"), "Combine conditions with | and &"),
    "not": (lambda: not MaxMessages(3), "Combine conditions with | and &"),
    "either with a function": (lambda: MaxMessages(3) | look_up, "When(look_up)"),
    "function on the left": (lambda: look_up | MaxMessages(3), "When(look_up)"),
    "both with a text": (lambda: MaxMessages(3) & "DONE", "TextMention('DONE')"),
    "text on the left": (lambda: "DONE" & MaxMessages(3), "TextMention('DONE')"),
    "either with nothing": (lambda: MaxMessages(3) | None, "None"),
    "either with a class": (lambda: MaxMessages(3) | TextMention, "TextMention(…)"),
    "Budget of truth": (lambda: Budget(turns=True), "turns=True"),
    "Budget of text": (lambda: Budget(tokens="3"), "tokens='3'"),
    "Budget below 0": (lambda: Budget(model_calls=-1), "model_calls=-1"),
    "ReplyFormat of text": (lambda: ReplyFormat("Station"), "without quotes"),
    "response_format in llm_config": (lambda: configured(response_format="Station"), "without quotes"),
    "no answers": (lambda: ScriptedHuman(None), "a list of answers"),
    "number of answers": (lambda: ScriptedHuman(5), "a list of answers"),
    "answer of a number": (lambda: ScriptedHuman(["x", 5]), "an answer is a text or an Answer"),
    "script of a number": (lambda: ScriptedModel(5), "a list of replies"),
    "script with a number": (lambda: ScriptedModel(["x", 5]), "Cannot reply 5"),
    "answer in a seat": (lambda: ScriptedHuman({"Anna": [5]}), "an answer is a text or an Answer"),
    "transforms of a number": (lambda: TransformMessages(5), "apply_transform(messages)"),
    "transforms of a class": (lambda: TransformMessages(MessageHistoryLimiter), "MessageHistoryLimiter(…)"),
    "transforms with a class": (lambda: TransformMessages([MessageHistoryLimiter]), "MessageHistoryLimiter(…)"),
    "excluded agents": (lambda: MessageHistoryLimiter(exclude_names=[user("critic")]), "exclude_names=['critic']"),
    "filter of a list": (lambda: MessageTokenLimiter(filter_dict=["x"]), "filter_dict=['x']"),
    "count of a number": (lambda: MessageTokenLimiter(count=5), "count=5"),
}


@pytest.mark.parametrize(("make", "words"), RULES.values(), ids=RULES)
def test_rule_is_refused_when_it_cannot_be_meant(make, words):
    check_refused(make, words)


def test_one_transform_is_taken_as_a_list_of_one():
    one = MessageHistoryLimiter(1)

    assert TransformMessages(one).transforms == [one]
    assert TransformMessages(one)([{"role": "user", "content": text} for text in "ab"]) == [
        {"role": "user", "content": "b"}
    ]


def test_object_of_ones_own_is_taken_as_one_transform_when_it_has_the_method():
    class Last:
        def apply_transform(self, messages):
            return messages[-1:]

    assert len(TransformMessages(Last()).transforms) == 1


def test_condition_is_told_from_none_without_being_true_or_false():
    condition = MaxMessages(3)

    assert condition is not None
    assert condition == MaxMessages(3)
    assert condition in [TextMention("x"), condition]
