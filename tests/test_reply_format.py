"""Replies of a given form: JSON on the wire, a validated value in the result, and a few tries to mend what does not fit."""

import asyncio
import copy
import enum
import json
import pickle
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, TypedDict

import pytest
from pydantic import BaseModel, Field

from jupyter_agents import Chat, EndedBy, GroupChat, GroupChatManager, load_chat
from jupyter_agents.agents.assistant import AssistantAgent
from jupyter_agents.agents.reply_format import ReplyFormat, digest_of
from jupyter_agents.errors import (
    ConfigurationError,
    MalformedReplyError,
    ModelRejectedError,
    NotKeptWarning,
    RecordingError,
)
from jupyter_agents.events import FormAsked, FormGiven, ModelAsked
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.journal.recording import Recording
from jupyter_agents.journal.trust import TrustStore
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.testing import FakeOpenAIServer
from jupyter_agents.testing.server import ServerReply
from tests.fakes import assistant, both_faces, quiet_session, talker, texts, user, wire_of


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Wheel(BaseModel):
    size: int = Field(gt=0)


class Car(BaseModel):
    name: str
    wheels: list[Wheel] = []
    colour: Colour = Colour.RED
    built: date | None = None


@dataclass
class Point:
    x: int
    y: int = 0


class Named(TypedDict):
    name: str
    kind: Literal["cat", "dog"]


class Node(BaseModel):
    value: int
    children: list["Node"] = []


class Scores(BaseModel):
    by_name: dict[str, int]


BEETLE = '{"name": "Beetle", "wheels": [{"size": 15}], "colour": "blue", "built": "1938-05-26"}'


# -- The value ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Car, BEETLE, Car(name="Beetle", wheels=[Wheel(size=15)], colour=Colour.BLUE, built=date(1938, 5, 26))),
        (Point, '{"x": 1}', Point(1)),
        (Named, '{"name": "Tom", "kind": "cat"}', {"name": "Tom", "kind": "cat"}),
        (Node, '{"value": 1, "children": [{"value": 2}]}', Node(value=1, children=[Node(value=2)])),
        (list[Point], '{"value": [{"x": 1, "y": 2}]}', [Point(1, 2)]),
        (list[Point], '[{"x": 1, "y": 2}]', [Point(1, 2)]),
        (int, '{"value": 7}', 7),
        (Car | None, '{"value": null}', None),
        (Point | Named, '{"value": {"name": "Tom", "kind": "dog"}}', {"name": "Tom", "kind": "dog"}),
        (Scores, '{"by_name": {"Ann": 3}}', Scores(by_name={"Ann": 3})),
    ],
)
@both_faces
def test_reply_becomes_a_value_of_the_type(face, kind, text, value):
    result = face(user(), "initiate_chat", assistant(text), message="Which?", response_format=kind)

    assert result.value == value
    assert type(result.value) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"x": 1, "y": 2}',
        '```json\n{"x": 1, "y": 2}\n```',
        '```\n{"x": 1, "y": 2}\n```',
        'Here it is:\n\n```json\n{"x": 1, "y": 2}\n```\nTERMINATE',
        'The point is {"x": 1, "y": 2}, I think.',
        '<think>{maybe {"x": "left"}?}</think>{"x": 1, "y": 2}',
        '<think>Perhaps {"x": 9, "y": 9}?</think>{"x": 1, "y": 2}',
        '<think>Perhaps\n```json\n{"x": 9, "y": 9}\n```\n</think>\n\nIt is {"x": 1, "y": 2}.',
        'Perhaps {"x": 9, "y": 9}?\n</think>\n\n{"x": 1, "y": 2}',
    ],
)
def test_value_is_found_in_whatever_a_model_puts_around_it(text):
    result = user().initiate_chat(assistant(text), message="Where?", response_format=Point)

    assert result.value == Point(1, 2)
    assert json.loads(result.summary) == {"x": 1, "y": 2}
    assert result.model_calls == 1


def test_draft_is_no_value_when_the_model_has_only_thought_of_it():
    agent = assistant('<think>Perhaps {"x": 9, "y": 9}?</think>I do not know.', '{"x": 1, "y": 2}')

    result = user().initiate_chat(agent, message="Where?", response_format=Point)

    assert result.value == Point(1, 2)
    assert result.model_calls == 2


def test_value_may_hold_what_ends_a_thought():
    agent = assistant('["</think>"]')

    result = user().initiate_chat(agent, message="What?", response_format=list[str])

    assert result.value == ["</think>"]


def test_value_is_none_when_nothing_was_asked_for():
    assert user().initiate_chat(assistant("Hi. TERMINATE"), message="Hi").value is None


# -- Mending -----------------------------------------------------------------------------------------------------


@both_faces
def test_model_is_told_aside_what_is_wrong_until_it_fits(face):
    agent = assistant("A point.", '{"x": "left", "y": 1.5}', '{"x": 1}')

    result = face(user(), "initiate_chat", agent, message="Where?", response_format=Point)

    assert result.value == Point(1)
    assert texts(result.messages) == ["Where?", '{"x": 1}']
    assert [one.aside for one in result.events if isinstance(one, ModelAsked)] == [
        "",
        *["mending the form of a reply"] * 2,
    ]
    told = texts(wire_of(agent))
    assert told[1] == "A point."
    assert "there is no JSON in it" in told[2]
    assert 'x: Input should be a valid integer, unable to parse string as an integer, got "left"; y: ' in told[4]
    assert '"properties"' in told[4]


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (Car, '{"wheels": [{"size": 0}]}', "name: missing; wheels[0].size: Input should be greater than 0, got 0"),
        (Car, '{"name": "a", "colour": "pink"}', "colour: Input should be 'red' or 'blue', got \"pink\""),
        (list[int], "[1, null]", "[1]: Input should be a valid integer, got null"),
        (Point, '"here"', "the value: "),
        (list[int], json.dumps(["x"] * 9), "; and 4 more"),
    ],
)
def test_model_is_told_where_what_was_expected_and_what_came(kind, text, words):
    with pytest.raises(ValueError, match=".") as caught:
        ReplyFormat(kind).read(text)

    assert words in str(caught.value)


def test_reply_that_was_cut_off_is_mended():
    cut = ModelReply('{"x": 1', finish_reason="length")

    result = user().initiate_chat(assistant(cut, '{"x": 1}'), message="Where?", response_format=Point)

    assert result.value == Point(1)


@both_faces
def test_chat_ends_with_an_error_when_it_is_not_mended(face):
    agent = assistant("One.", "Two.", "Three.", "Four.")

    with pytest.raises(MalformedReplyError, match="no Point, and 2 repairs did not make it one") as caught:
        face(user(), "initiate_chat", agent, message="Where?", response_format=Point)

    assert agent.model.calls == 3
    assert caught.value.partial.content == "Three."
    assert caught.value.result.ended_by is EndedBy.ERROR
    assert texts(caught.value.result.messages) == ["Where?"]


def test_number_of_repairs_may_be_given():
    agent = assistant("One.", '{"x": 1}')

    with pytest.raises(MalformedReplyError, match="and 0 repairs"):
        user().initiate_chat(agent, message="Where?", response_format=ReplyFormat(Point, repairs=0))


def test_refusal_is_said_and_not_mended():
    agent = assistant(ModelReply(refusal="I will not."))

    result = user().initiate_chat(agent, message="Where?", response_format=Point, max_turns=1)

    assert texts(result.messages) == ["Where?", "I will not."]
    assert result.value is None


# -- In a chat ---------------------------------------------------------------------------------------------------


@both_faces
def test_first_reply_of_the_form_answers_the_chat_after_calls_of_tools(face):
    call = {"tool_calls": [{"id": "1", "function": {"name": "where", "arguments": "{}"}}]}
    agent = assistant(call, '{"x": 3}')

    result = face(
        user(function_map={"where": lambda: "x is 3"}), "initiate_chat", agent, message="Where?", response_format=Point
    )

    assert result.value == Point(3)
    assert result.ended_by is EndedBy.TERMINATION
    assert len(result) == 4


def test_person_may_go_on_after_an_answer():
    agent, human = assistant('{"x": 1}', '{"x": 2}'), ScriptedHuman(["And now?", "exit"])
    me = user(human_input_mode="TERMINATE", human=human)

    result = me.initiate_chat(agent, message="Where?", response_format=Point)

    assert result.value == Point(2)
    assert result.ended_by is EndedBy.HUMAN


def test_other_chats_of_the_recipient_are_as_always():
    agent = assistant('{"x": 1}', "Hello. TERMINATE")
    me = user()
    me.initiate_chat(agent, message="Where?", response_format=Point)

    result = me.initiate_chat(agent, message="Hi")

    assert texts(result.messages) == ["Hi", "Hello. TERMINATE"]
    assert "response_format" not in agent.model.requests[-1].options


def test_chat_nested_in_it_is_as_always():
    helper = assistant("Look left.", "Good. TERMINATE", name="helper")
    call = {"tool_calls": [{"id": "1", "function": {"name": "ask", "arguments": "{}"}}]}
    agent = assistant(call, "It is not there.", '{"x": 1}')

    def ask():
        return agent.initiate_chat(helper, message="Help.").summary

    result = user(function_map={"ask": ask}).initiate_chat(agent, message="Where?", response_format=Point)

    assert result.value == Point(1)
    assert ["response_format" in one.options for one in agent.model.requests] == [True, False, True]


def test_retry_asks_for_the_same_form():
    agent = assistant('{"x": 1}', '{"x": 2}')
    result = user().initiate_chat(agent, message="Where?", response_format=Point)

    again = result.retry()

    assert (result.value, again.value) == (Point(1), Point(2))


def test_fork_asks_for_the_same_form():
    agent = assistant('{"x": 1}', '{"x": 2}')
    result = user().initiate_chat(agent, message="Where?", response_format=Point)

    forked = result.fork(at=0).resume()

    assert (result.value, forked.value) == (Point(1), Point(2))


async def test_value_is_there_while_the_chat_goes_on():
    class Waiting(ScriptedModel):
        async def complete(self, request):
            if len(request.messages) > 3:
                await asyncio.Event().wait()
            return await super().complete(request)

    config = {"model": Waiting(['{"x": 1}']), "response_format": Point}
    chat = Chat(user(default_auto_reply="Go on."), AssistantAgent("a", llm_config=config), message="Where?").start()

    while not (chat.so_far and chat.so_far.value):
        await asyncio.sleep(0.01)
    value = chat.so_far.value
    chat.stop()
    ended = await chat

    assert (value, ended.value) == (Point(1), Point(1))


@both_faces
def test_agent_with_a_form_in_its_config_gives_every_reply_in_it(face):
    agent = AssistantAgent(
        "a", llm_config={"model": ScriptedModel(['{"x": 1}', "no", '{"x": 2}']), "response_format": Point}
    )

    result = face(user(default_auto_reply="Go on."), "initiate_chat", agent, message="Where?", max_turns=2)

    assert texts(result.messages) == ["Where?", '{"x": 1}', "Go on.", '{"x": 2}']
    assert result.value == Point(2)
    assert result.ended_by is EndedBy.MAX_TURNS


def test_member_of_a_group_may_have_a_form():
    poet = assistant("Snow.", name="poet")
    critic = AssistantAgent("critic", llm_config={"model": ScriptedModel(['{"x": 5}']), "response_format": Point})
    group = GroupChat([poet, critic], max_round=3, speaker_selection_method="round_robin")

    result = user().initiate_chat(GroupChatManager(group, llm_config=False), message="A haiku.")

    assert result.value == Point(5)


def test_chats_of_a_queue_have_forms_of_their_own():
    one, two = assistant('{"x": 1}', name="one"), assistant('{"name": "Tom", "kind": "cat"}', name="two")

    results = user().initiate_chats(
        [
            {"recipient": one, "message": "Where?", "response_format": Point},
            {"recipient": two, "message": "Who?", "response_format": Named},
        ]
    )

    assert [result.value for result in results] == [Point(1), {"name": "Tom", "kind": "cat"}]


def in_recording(path, mode, *replies):
    recording = Recording.open(path, mode, trust=TrustStore(path.with_name("trust")))
    with use_session(quiet_session(find_recording=lambda: recording)):
        return user().initiate_chat(assistant(*replies), message="Where?", response_format=Point)


def test_recording_holds_plain_json_and_gives_the_value_again(tmp_path):
    path = tmp_path / "chat.jsonl"
    in_recording(path, "record", "Left.", '{"x": 1}')

    result = in_recording(path, "replay")

    assert result.value == Point(1)
    assert all(json.loads(line) for line in path.read_text().splitlines())


# -- In the log --------------------------------------------------------------------------------------------------


def forms_in(result):
    return result.log.select(FormAsked, FormGiven)


@both_faces
def test_log_says_which_form_was_asked_for_and_what_was_given(face):
    agent = assistant("A point.", '{"x": 1}')

    result = face(user(), "initiate_chat", agent, message="Where?", response_format=Point)

    asked, given = forms_in(result)
    assert (asked.agent, asked.name, asked.digest) == ("assistant", "Point", digest_of(ReplyFormat(Point)))
    assert (given.agent, given.name, given.digest, given.text) == ("assistant", "Point", asked.digest, '{"x": 1}')


def test_log_says_once_in_a_chat_that_a_form_is_asked_for():
    agent = AssistantAgent("a", llm_config={"model": ScriptedModel(['{"x": 1}', '{"x": 2}']), "response_format": Point})

    result = user(default_auto_reply="Go on.").initiate_chat(agent, message="Where?", max_turns=2)

    assert [one.kind for one in forms_in(result)] == ["form_asked", "form_given", "form_given"]


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ({"type": "json_object"}, "json_object"),
        ({"type": "json_schema", "json_schema": {"name": "Town", "schema": {}}}, "Town"),
        (list[Point], "list[Point]"),
    ],
)
def test_log_names_every_sort_of_form(form, name):
    result = user().initiate_chat(assistant("[]"), message="Hi", response_format=form, max_turns=1)

    assert result.log.select(FormAsked)[0].name == name


def test_digests_differ_when_the_forms_do():
    @dataclass
    class Point:
        x: int
        z: int

    here, there = ReplyFormat(Point), ReplyFormat(globals()["Point"])

    assert digest_of(here) != digest_of(there)
    assert digest_of(here) == digest_of(json.loads(json.dumps(here)))


def test_value_is_that_of_each_agent_when_two_have_forms_that_look_the_same():
    @dataclass
    class Named:
        x: int
        y: int = 0

    Named.__name__ = "Point"
    one = AssistantAgent("one", llm_config={"model": ScriptedModel(['{"x": 1}']), "response_format": Point})
    two = AssistantAgent("two", llm_config={"model": ScriptedModel(['{"x": 2}']), "response_format": Named})

    result = one.initiate_chat(two, message="Where?", max_turns=1)
    shorter = replace(result, last=result.last)
    back = two.initiate_chat(one, message="Where?", clear_history=False, max_turns=1)

    assert (type(result.value), type(back.value)) == (Named, Point)
    assert shorter.value is result.value


def test_value_of_a_chat_that_failed_later_is_kept():
    agent = AssistantAgent(
        "a",
        llm_config={
            "model": ScriptedModel(['{"x": 1}', ModelRejectedError("Cannot go on.", status=400)]),
            "response_format": Point,
        },
    )

    with pytest.raises(ModelRejectedError) as caught:
        user(default_auto_reply="Go on.").initiate_chat(agent, message="Where?")

    assert caught.value.result.value == Point(1)


# -- Saved and loaded --------------------------------------------------------------------------------------------


def saved(path, *replies, form=Point):
    return user().initiate_chat(assistant(*replies), message="Where?", response_format=form).save(path)


def given_again(*replies):
    return {"assistant": {"llm_config": ScriptedModel(replies)}}


@pytest.mark.parametrize("form", [Point, list[Point], Car | None, Named])
def test_value_is_there_after_the_chat_was_loaded(tmp_path, form):
    text = {Point: '{"x": 1}', Named: '{"name": "Tom", "kind": "cat"}'}.get(
        form, "null" if form == Car | None else "[]"
    )
    before = user().initiate_chat(assistant(text), message="Where?", response_format=form)

    loaded = load_chat(before.save(tmp_path / "chat.jsonl"), given=given_again(), formats=[form])

    assert loaded.value == before.value
    assert loaded.log.select(FormAsked) == before.log.select(FormAsked)


def test_loaded_chat_asks_for_the_same_form_when_it_is_tried_again(tmp_path):
    path = saved(tmp_path / "chat.jsonl", '{"x": 1}', form=ReplyFormat(Point, repairs=1))

    loaded = load_chat(path, given=given_again("Left.", '{"x": 2}'), formats=[Point])

    assert loaded.retry().value == Point(2)
    assert loaded.limits.reply_format[1].repairs == 1
    assert loaded.value == Point(1)


def test_value_is_plain_data_and_a_warning_says_so_when_its_type_is_not_given(tmp_path):
    path = saved(tmp_path / "chat.jsonl", '{"x": 1}')

    with pytest.warns(NotKeptWarning, match=r"without the types of its replies \(Point\).*formats=\[…\]"):
        loaded = load_chat(path, given=given_again())

    assert loaded.value == {"x": 1}


def test_chat_is_not_loaded_when_the_type_has_changed_so_that_the_value_does_not_fit(tmp_path):
    path = saved(tmp_path / "chat.jsonl", '{"x": 1}')

    @dataclass
    class Point:
        z: int

    with pytest.raises(ConfigurationError, match=r"a reply of 'assistant' is no Point \(z: missing"):
        load_chat(path, given=given_again(), formats=[Point])


def test_type_that_nobody_was_asked_for_is_refused(tmp_path):
    path = saved(tmp_path / "chat.jsonl", '{"x": 1}')

    with pytest.raises(ConfigurationError, match="nobody was asked for Car. The forms of its replies are: Point"):
        load_chat(path, given=given_again(), formats=[Point, Car])


def test_file_is_damaged_when_the_json_of_a_value_is(tmp_path):
    path = saved(tmp_path / "chat.jsonl", '{"x": 1}')
    lines = path.read_text().splitlines()
    [at] = [number for number, line in enumerate(lines) if '"form_given"' in line]
    lines[at] = json.dumps(json.loads(lines[at]) | {"text": '{"x": '})
    path.write_text("\n".join(lines))

    with pytest.raises(RecordingError, match="is damaged"):
        load_chat(path, given=given_again())


# -- On the wire -------------------------------------------------------------------------------------------------


def served(server):
    return AssistantAgent("a", llm_config={"config_list": [server.config]})


@both_faces
def test_server_is_sent_the_schema(face):
    with FakeOpenAIServer() as server:
        server.enqueue('{"x": 1, "y": 2}')
        result = face(user(), "initiate_chat", served(server), message="Where?", response_format=Point)
        sent = server.requests[0].body["response_format"]

    assert result.value == Point(1, 2)
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["name"] == "Point"
    assert sent["json_schema"]["strict"] is True
    assert sent["json_schema"]["schema"] == {
        "type": "object",
        "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
        "required": ["x", "y"],
        "additionalProperties": False,
    }


@both_faces
def test_model_is_told_in_words_when_its_server_takes_no_schema(face):
    with FakeOpenAIServer() as server:
        refusal = ServerReply.error(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported.")
        server.enqueue(refusal, "Left.", '{"x": 1}')
        result = face(user(), "initiate_chat", served(server), message="Where?", response_format=Point)
        asked = [request.body for request in server.requests]

    assert result.value == Point(1)
    assert ["response_format" in body for body in asked] == [True, False, False]
    assert "fits this JSON Schema" in asked[1]["messages"][-1]["content"]


def test_other_refusals_are_errors():
    agent = assistant(ModelRejectedError("Cannot use the model: the key is wrong.", status=401))

    with pytest.raises(ModelRejectedError, match="the key is wrong"):
        user().initiate_chat(agent, message="Where?", response_format=Point)


def test_form_is_not_asked_for_when_a_model_sums_up():
    with FakeOpenAIServer() as server:
        server.enqueue('{"x": 1}', "A point was found.")
        agent = AssistantAgent("a", llm_config={"config_list": [server.config], "response_format": Point})
        result = user().initiate_chat(agent, message="Where?", max_turns=1, summary_method="reflection_with_llm")
        asked = [request.body for request in server.requests]

    assert result.summary == "A point was found."
    assert ["response_format" in body for body in asked] == [True, False]


@pytest.mark.parametrize(("kind", "strict"), [(Scores, False), (Point | Named, True), (Car | None, True), (Node, True)])
def test_schema_is_strict_when_strict_ones_can_say_the_same(kind, strict):
    assert ReplyFormat(kind)["json_schema"].get("strict", False) is strict


def test_schema_of_a_server_is_sent_as_it_is():
    agent = assistant("{}", "TERMINATE")

    result = user().initiate_chat(agent, message="Hi", response_format={"type": "json_object"}, max_turns=1)

    assert agent.model.requests[0].options["response_format"] == {"type": "json_object"}
    assert result.value is None


def test_form_survives_copying_and_pickling():
    form = ReplyFormat(Point)

    assert copy.deepcopy({"form": form})["form"] is form
    assert pickle.loads(pickle.dumps(form)) == form
    assert json.loads(json.dumps(form)) == form


# -- What is refused ----------------------------------------------------------------------------------------------


def manager():
    return GroupChatManager(GroupChat([talker("a"), talker("b")]), llm_config=False)


@pytest.mark.parametrize(
    ("recipient", "form", "words"),
    [
        (lambda: talker("a"), Point, "it has no model"),
        (manager, Point, "its members speak"),
        (lambda: assistant("Hi"), 7, "Cannot use 7 as response_format: it is no type"),
        (lambda: assistant("Hi"), ScriptedModel, "no JSON can stand for it"),
    ],
)
def test_form_is_refused_before_the_chat_when_nobody_can_have_it(recipient, form, words):
    with pytest.raises(ConfigurationError, match=words):
        user().initiate_chat(recipient(), message="Where?", response_format=form)


def test_form_is_refused_when_only_one_of_several_models_has_it():
    with pytest.raises(ConfigurationError, match="Put 'response_format' beside config_list"):
        AssistantAgent("a", llm_config={"config_list": [{"model": "m", "response_format": Point}]})
