"""An agent that stands for a whole inner chat: one voice outside, a group within."""

import pytest

from jupyter_agents import Budget, EndedBy, GroupChat, GroupChatManager
from jupyter_agents.agents.society import SocietyOfMindAgent
from jupyter_agents.errors import ConfigurationError, ModelUnavailableError
from jupyter_agents.events import ChatStarted, ModelAsked
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from tests.fakes import assistant, both_faces, quiet_session, talker, texts, user, wire_of


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def society(*members, preparer=None, max_round=5, **options):
    group = GroupChat(list(members), max_round=max_round, speaker_selection_method="round_robin")
    manager = GroupChatManager(group, llm_config=False)
    return SocietyOfMindAgent("Society", manager, preparer, **options)


def two(*poems):
    """A poet, and a critic who ends the talk."""
    poet = assistant(*poems or ["Snow falls."], name="poet")
    return poet, assistant(*["Good. TERMINATE"] * max(len(poems), 1), name="critic")


def starts(result):
    return [(one.chat, one.parent, one.initiator, one.recipient) for one in result.log.select(ChatStarted)]


def test_arguments_after_the_preparer_stand_in_the_classic_order():
    manager = GroupChatManager(GroupChat([talker("alone")]), llm_config=False)
    functions = {"f": len}

    agent = SocietyOfMindAgent(
        "Society", manager, None, str.islower, 3, "NEVER", functions, {}, ScriptedModel([]), "default"
    )

    assert (agent.is_termination_msg, agent.max_consecutive_auto_reply()) == (str.islower, 3)
    assert (agent.human_input_mode, agent.function_map) == ("NEVER", functions)
    assert (agent.code_config is None, agent.model is None, agent.default_auto_reply) == (False, False, "default")


def test_neither_code_nor_a_model_is_on_when_nothing_is_said():
    agent = society(talker("alone"))

    assert (agent.code_config, agent.model, agent.system_message) == (None, None, "")


# -- The reply ---------------------------------------------------------------------------------------------------


@both_faces
def test_reply_is_what_a_function_makes_of_the_talk(face):
    inner = []

    def prepare(agent, messages):
        inner.extend((one["name"], one["content"]) for one in messages)
        return f"{agent.name} says: {messages[0]['content']}"

    result = face(user(), "initiate_chat", society(*two(), preparer=prepare), message="A haiku.", max_turns=1)

    assert texts(result.messages) == ["A haiku.", "Society says: Snow falls."]
    assert inner == [("poet", "Snow falls."), ("critic", "Good. TERMINATE")]


@both_faces
def test_async_function_may_prepare_a_message_with_more_than_text(face):
    async def prepare(agent, messages):
        return {"content": "Look.", "name": "speaker"}

    result = face(user(), "initiate_chat", society(*two(), preparer=prepare), message="A haiku.", max_turns=1)

    assert result.messages[-1]["name"] == "speaker"


@both_faces
@pytest.mark.parametrize("prompt", ["Answer in one line.", None])
def test_model_prepares_the_reply_from_the_talk(face, prompt):
    model = ScriptedModel(["It snows."])
    agent = society(*two(), preparer=prompt, llm_config=model)

    result = face(user(), "initiate_chat", agent, message="A haiku.", max_turns=1)

    assert texts(result.messages) == ["A haiku.", "It snows."]
    asked = model.requests[0].messages[-1]["content"]
    assert "poet: Snow falls." in asked
    assert "<request>\nA haiku.\n</request>" in asked
    assert (prompt or "in a reply that stands alone") in asked
    assert [one.aside for one in result.events if isinstance(one, ModelAsked)][-1] == "preparing the reply"
    assert result.model_calls == 3


def test_last_word_is_the_reply_when_there_is_no_model():
    result = user().initiate_chat(society(*two()), message="A haiku.", max_turns=1)

    assert texts(result.messages) == ["A haiku.", "Good."]


def test_chat_ends_when_the_group_says_nothing():
    silent = talker("silent", default_auto_reply=None)

    result = user().initiate_chat(society(silent), message="Hello?")

    assert result.ended_by is EndedBy.NO_REPLY
    assert "the group of Society said nothing" in result.detail


# -- The inner chat ----------------------------------------------------------------------------------------------


@both_faces
def test_inner_chat_is_nested_in_the_one_around_it(face):
    result = face(user(), "initiate_chat", society(*two()), message="A haiku.", max_turns=1)

    assert starts(result) == [(0, None, "user", "Society"), (1, 0, "Society", "chat_manager")]
    assert (
        texts(
            event.message.to_dict()
            for event in result.events
            if hasattr(event, "message") and event.chat == 1 and hasattr(event, "origin")
        )[0]
        == "A haiku."
    )


@both_faces
def test_group_begins_anew_and_knows_what_was_said_outside(face):
    poet, critic = two("Snow falls.", "Rain falls.")
    agent = society(poet, critic)

    face(user(default_auto_reply="Now of rain."), "initiate_chat", agent, message="A haiku of snow.", max_turns=2)

    read = [(one["name"], one["content"]) for one in wire_of(poet)]
    assert read == [("user", "A haiku of snow."), ("Society", "Good."), ("Society", "Now of rain.")]


def test_other_talks_of_the_members_stay():
    poet, critic = two("Hello.", "Snow falls.")
    me = user()
    me.initiate_chat(poet, message="Hi", max_turns=1)

    me.initiate_chat(society(poet, critic), message="A haiku.", max_turns=1)

    assert texts(poet.chat_messages[me]) == ["Hi", "Hello."]


def test_budget_covers_the_inner_chat():
    agent, me = society(*two()), user(default_auto_reply="More.")

    result = me.initiate_chat(agent, message="A haiku.", budget=Budget(model_calls=1))

    assert result.ended_by is EndedBy.BUDGET
    assert result.model_calls == 1


def test_error_within_ends_the_chat_with_all_that_was_said():
    poet = assistant(ModelUnavailableError("Cannot reach the model."), name="poet")

    with pytest.raises(ModelUnavailableError) as caught:
        user().initiate_chat(society(poet), message="A haiku.")

    assert texts(caught.value.result.messages) == ["A haiku."]
    assert starts(caught.value.result)[1][2:] == ("Society", "chat_manager")


def test_chat_goes_on_after_such_an_error():
    poet = assistant(ModelUnavailableError("Cannot reach the model."), "Snow falls. TERMINATE", name="poet")
    agent, me = society(poet), user()
    with pytest.raises(ModelUnavailableError) as caught:
        me.initiate_chat(agent, message="A haiku.", max_turns=1)

    result = caught.value.result.resume(max_turns=1)

    assert texts(result.messages) == ["Snow falls."]


def test_message_with_parts_reaches_the_group():
    poet, critic = two()
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]

    user().initiate_chat(society(poet, critic), message={"content": parts}, max_turns=1)

    assert wire_of(poet)[0]["content"] == parts


def test_person_is_asked_before_the_group_when_the_agent_has_one():
    agent = society(*two(), human_input_mode="ALWAYS", human=ScriptedHuman(["My own words."]))

    result = user().initiate_chat(agent, message="A haiku.", max_turns=1)

    assert texts(result.messages) == ["A haiku.", "My own words."]


def test_societies_may_be_in_a_group():
    agent = society(*two())
    judge = assistant("Fine. TERMINATE", name="judge")
    group = GroupChat([agent, judge], speaker_selection_method="round_robin")

    result = user().initiate_chat(GroupChatManager(group, llm_config=False, name="outer"), message="A haiku.")

    assert texts(group.messages) == ["A haiku.", "Good.", "Fine. TERMINATE"]
    assert result.ended_by is EndedBy.TERMINATION


# -- What is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SocietyOfMindAgent("S", talker("a")), "it leads no group"),
        (lambda: society(*two(), preparer="Answer."), "it has no model"),
        (lambda: society(*two(), preparer=7), "response_preparer=7"),
    ],
)
def test_society_is_refused_when_it_could_never_reply(make, words):
    with pytest.raises(ConfigurationError, match=words):
        make()


def test_agent_cannot_stand_for_a_group_that_it_is_in():
    agent = society(*two())
    group = GroupChat([agent, talker("a")])

    with pytest.raises(ConfigurationError, match="Take it out of the group"):
        agent.update_chat_manager(GroupChatManager(group, llm_config=False))


def test_group_that_asks_its_own_society_is_an_error_and_no_endless_talk():
    asker = talker("asker")
    agent = society(asker)
    asker.register_auto_reply(
        [lambda sender: True],
        lambda recipient, messages, sender, config: (True, recipient.initiate_chat(agent, message="You?").summary),
    )

    with pytest.raises(ConfigurationError, match="in another one that has not ended"):
        user().initiate_chat(agent, message="Hello?")
