"""What a chat comes to: its last message, a model's summing up, or what a function says; and what it begins with."""

import pytest

from jupyter_agents import AssistantAgent, Budget, EndedBy, GroupChat, GroupChatManager, UserProxyAgent
from jupyter_agents.errors import (
    ConfigurationError,
    InvalidMessageError,
    ModelUnavailableError,
    NoHumanError,
    RecordingError,
)
from jupyter_agents.events import ModelAsked, Noted, Summarised
from jupyter_agents.human.base import Answer
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.journal.recording import Recording
from jupyter_agents.journal.trust import TrustStore
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from tests.fakes import assistant, both_faces, quiet_session, talker, texts, user, wire_of

REFLECT = {"summary_method": "reflection_with_llm"}


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def warnings_of(result):
    return [event.text for event in result.events if isinstance(event, Noted) and event.level == "warning"]


# -- The last message --------------------------------------------------------------------------------------------


@both_faces
def test_summary_is_the_last_message_without_the_word_that_ends_the_chat(face):
    result = face(user(), "initiate_chat", assistant("It is 7.\n\nTERMINATE"), message="What?")

    assert result.summary == "It is 7."
    assert not [event for event in result.events if isinstance(event, Summarised)]


def test_summary_is_empty_when_none_is_wanted():
    result = user().initiate_chat(assistant("It is 7. TERMINATE"), message="What?", summary_method=None)

    assert result.summary == ""


# -- By a model --------------------------------------------------------------------------------------------------


@both_faces
def test_model_of_the_recipient_sums_up_what_was_said(face):
    agent, me = assistant("It is 7.", "Seven was found."), user()

    result = face(me, "initiate_chat", agent, message="What?", max_turns=1, **REFLECT)

    assert result.summary == "Seven was found."
    heard = wire_of(agent)
    assert heard[:2] == [{"content": "What?", "role": "user"}, {"content": "It is 7.", "role": "assistant"}]
    assert heard[2]["role"] == "user"
    assert texts(result.messages) == ["What?", "It is 7."]
    assert texts(agent.chat_messages[me]) == ["What?", "It is 7."]


def test_model_of_the_sender_sums_up_when_the_recipient_has_none():
    me = user(llm_config=ScriptedModel(["Nothing came of it."]))

    result = me.initiate_chat(talker("echo", "Echo."), message="Hi", max_turns=1, **REFLECT)

    assert result.summary == "Nothing came of it."


@pytest.mark.parametrize(
    ("args", "role", "prompt"),
    [
        ({"summary_prompt": "In a word?"}, "user", "In a word?"),
        ({"summary_prompt": "In a word?", "summary_role": "system"}, "system", "In a word?"),
    ],
)
def test_prompt_and_role_are_those_that_were_given(args, role, prompt):
    agent = assistant("It is 7.", "Seven.")

    user().initiate_chat(agent, message="What?", max_turns=1, summary_args=args, **REFLECT)

    assert agent.model.requests[-1].messages[-1] == {"content": prompt, "role": role}


def test_model_that_sums_up_is_offered_no_functions():
    agent = assistant("It is 7.", "Seven.")
    agent.register_for_llm(name="look", description="Look something up.")(lambda: "x")

    user().initiate_chat(agent, message="What?", max_turns=1, **REFLECT)

    assert "tools" in agent.model.requests[0].options
    assert "tools" not in agent.model.requests[1].options


def test_call_that_nobody_answered_has_a_result_when_the_chat_is_summed_up():
    call = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}
    agent = assistant(call, "It wanted to call f.")

    user().initiate_chat(agent, message="Go", max_turns=1, **REFLECT)

    assert [one["role"] for one in wire_of(agent)] == ["user", "assistant", "tool", "user"]


def test_summing_up_is_asked_aside_before_the_chat_ends():
    result = user().initiate_chat(assistant("It is 7.", "Seven."), message="What?", max_turns=1, **REFLECT)

    kinds = [event.kind for event in result.events][-4:]
    assert kinds == ["model_asked", "model_answered", "summarised", "chat_ended"]
    assert [event.aside for event in result.events if isinstance(event, ModelAsked)] == ["", "summing up"]
    assert result.ended_by is EndedBy.MAX_TURNS


def test_tokens_of_summing_up_are_in_the_usage():
    agent = assistant(ModelReply("It is 7.", usage=Usage(10, 1)), ModelReply("Seven.", usage=Usage(20, 2)))

    result = user().initiate_chat(agent, message="What?", max_turns=1, **REFLECT)

    assert result.usage == Usage(30, 3)
    assert result.model_calls == 2


def test_group_is_summed_up_as_all_have_heard_it():
    poet, critic = talker("Poet", "Snow falls."), talker("Critic", "Fine. TERMINATE")
    group = GroupChat([user("user"), poet, critic], speaker_selection_method="round_robin")
    manager = GroupChatManager(group, llm_config=ScriptedModel(["A poem was found fine."]))

    result = group.agents[0].initiate_chat(manager, message="A haiku.", **REFLECT)

    assert result.summary == "A poem was found fine."
    heard = manager.model.requests[-1].messages[:-1]
    assert [(one["name"], one["content"]) for one in heard] == [
        ("user", "A haiku."),
        ("Poet", "Snow falls."),
        ("Critic", "Fine. TERMINATE"),
    ]


# -- By a function -----------------------------------------------------------------------------------------------


def plain(sender, recipient, args):
    return f"{sender.name}, {recipient.name}, {args['x']}: {sender.last_message(recipient)['content']}"


async def awaited(sender, recipient, args):
    return plain(sender, recipient, args)


@both_faces
@pytest.mark.parametrize("method", [plain, awaited])
def test_function_sums_up_with_both_agents_and_its_arguments(face, method):
    result = face(
        user(),
        "initiate_chat",
        assistant("It is 7. TERMINATE"),
        message="?",
        summary_method=method,
        summary_args={"x": 1},
    )

    assert result.summary == "user, assistant, 1: It is 7. TERMINATE"


def test_message_may_be_what_a_function_gives():
    result = user().initiate_chat(assistant("Hm. TERMINATE"), message="?", summary_method=lambda *_: {"content": "So."})

    assert result.summary == "So."


def test_messages_that_are_summed_up_may_be_others():
    class Reader(AssistantAgent):
        def chat_messages_for_summary(self, agent):
            return [{"role": "user", "content": "Only this."}]

    model = ScriptedModel(["Hi.", "In short: this."])

    result = user().initiate_chat(
        Reader("reader", llm_config=model), message="go", max_turns=1, summary_method="reflection_with_llm"
    )

    assert result.summary == "In short: this."
    read = [one["content"] for one in model.requests[1].messages]
    assert "Only this." in read
    assert "go" not in read


def test_arguments_of_the_caller_stay_as_they_are():
    args = {"x": 1}

    user().initiate_chat(
        assistant("Hm. TERMINATE"), message="?", summary_method=lambda s, r, given: given.pop("x"), summary_args=args
    )

    assert args == {"x": 1}


# -- Where it fails ----------------------------------------------------------------------------------------------


def broken(sender, recipient, args):
    raise ZeroDivisionError("by zero")


@both_faces
@pytest.mark.parametrize(
    ("replies", "options", "why"),
    [
        (["It is 7.", ModelUnavailableError("the server is down.\nTry later.")], REFLECT, "ModelUnavailableError: the server is down)"),
        (["It is 7.", "  "], REFLECT, "it was given no words"),
        (["It is 7."], REFLECT, "ScriptEndedError"),
        (["It is 7."], {"summary_method": broken}, "ZeroDivisionError: by zero"),
        (["It is 7."], {**REFLECT, "budget": Budget(model_calls=1)}, "the budget of 1 model calls is spent"),
    ],
)  # fmt: skip
def test_last_message_stands_when_a_chat_cannot_be_summed_up(face, replies, options, why):
    result = face(user(), "initiate_chat", assistant(*replies), message="What?", max_turns=1, **options)

    assert result.summary == "It is 7."
    assert result.ended_by is EndedBy.MAX_TURNS
    [warning] = warnings_of(result)
    assert warning.startswith("The summary of the chat is its last message: ")
    assert why in warning


@both_faces
def test_interrupt_while_a_chat_is_summed_up_ends_it_with_all_that_was_said(face):
    agent = assistant("It is 7.", KeyboardInterrupt())

    with pytest.raises(BaseException) as caught:  # noqa: PT011 - each face has its own
        face(user(), "initiate_chat", agent, message="What?", max_turns=1, **REFLECT)

    assert type(caught.value).__name__ in ("ChatInterrupted", "ChatCancelled")
    assert texts(caught.value.result.messages) == ["What?", "It is 7."]


# -- What is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"summary_method": "reflection_with_lm"}, "Use 'reflection_with_llm'"),
        ({"summary_method": 3}, "Cannot use summary_method=3"),
        ({"summary_args": ["x"]}, "Cannot use summary_args="),
        ({**REFLECT, "summary_args": {"summary_promt": "x"}}, "Use 'summary_prompt'"),
        ({**REFLECT, "summary_args": {"summary_prompt": ""}}, "Cannot use summary_prompt=''"),
        ({**REFLECT, "summary_args": {"summary_role": "tool"}}, "it must be one of user, system, assistant"),
    ],
)
def test_wrong_summary_is_refused_before_anything_is_said(options, problem):
    agent = assistant("never")

    with pytest.raises(ConfigurationError, match=problem):
        user().initiate_chat(agent, message="Hi", **options)

    assert agent.model.calls == 0


def test_summing_up_is_refused_when_nobody_has_a_model():
    with pytest.raises(ConfigurationError, match="neither 'echo' nor 'user' has one"):
        user().initiate_chat(talker("echo", "Echo."), message="Hi", **REFLECT)


# -- Recorded ----------------------------------------------------------------------------------------------------


def in_recording(path, mode, *replies):
    trust = TrustStore(path.with_name("trust"))
    recording = Recording.open(path, mode, trust=trust)
    agent = assistant(*replies)
    with use_session(quiet_session(find_recording=lambda: recording)):
        return user().initiate_chat(agent, message="What?", max_turns=1, **REFLECT), agent


def test_summary_is_replayed_without_a_model(tmp_path):
    path = tmp_path / "chat.jsonl"
    in_recording(path, "record", "It is 7.", "Seven.")

    result, agent = in_recording(path, "replay")

    assert result.summary == "Seven."
    assert agent.model.calls == 0


def test_summary_that_was_not_recorded_ends_the_replay(tmp_path):
    path = tmp_path / "chat.jsonl"
    in_recording(path, "record", "It is 7.", "Seven.")
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "Seven." not in line))

    with pytest.raises(RecordingError) as caught:
        in_recording(path, "replay")

    assert texts(caught.value.result.messages) == ["What?", "It is 7."]


# -- What a chat begins with -------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(
    ("carryover", "said"),
    [
        ("One.", "Go\nContext: \nOne."),
        (["One.", "Two."], "Go\nContext: \nOne.\nTwo."),
        ([], "Go"),
        ("", "Go"),
        (None, "Go"),
    ],
)
def test_what_is_carried_over_stands_below_the_message(face, carryover, said):
    agent = assistant("TERMINATE")

    result = face(user(), "initiate_chat", agent, message="Go", carryover=carryover)

    assert result.messages[0]["content"] == said


def test_what_is_carried_over_may_be_messages_and_numbers():
    result = user().initiate_chat(assistant("TERMINATE"), message="Go", carryover=[{"content": "One."}, 2])

    assert result.messages[0]["content"] == "Go\nContext: \nOne.\n2"


def test_what_is_carried_over_is_in_the_content_when_the_message_is_a_dictionary():
    result = user().initiate_chat(assistant("TERMINATE"), message={"content": "Go", "name": "n"}, carryover="One.")

    assert (result.messages[0]["content"], result.messages[0]["name"]) == ("Go\nContext: \nOne.", "n")


def test_what_is_carried_over_is_one_more_part_when_the_message_has_parts():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}

    result = user().initiate_chat(assistant("TERMINATE"), message={"content": [picture]}, carryover="One.")

    assert result.messages[0]["content"] == [{"type": "text", "text": "\nContext: \nOne."}, picture]


def test_braces_that_are_carried_over_are_no_template():
    agent = assistant("TERMINATE")
    agent._model_config = type(agent._model_config).from_classic(
        {"model": "m", "api_key": "k", "base_url": "http://127.0.0.1:9", "allow_format_str_template": True}
    )
    message = {"content": "Say {what}", "context": {"what": "hi"}}

    with pytest.raises(ModelUnavailableError) as caught:  # nobody is there; what matters has been said by then
        user().initiate_chat(agent, message=message, carryover='{"a": 1}')

    assert caught.value.result.messages[0]["content"] == 'Say hi\nContext: \n{"a": 1}'


@pytest.mark.parametrize("carryover", [3, {"a": 1}])
def test_nothing_else_can_be_carried_over(carryover):
    with pytest.raises(ConfigurationError, match="Cannot carry over"):
        user().initiate_chat(assistant("never"), message="Go", carryover=carryover)


def test_override_of_the_opening_message_includes_what_is_carried_over():
    class Polite(UserProxyAgent):
        def generate_init_message(self, **context):
            return super().generate_init_message(**context) + "\nPlease."

    me = Polite("me", human_input_mode="NEVER", code_execution_config=False)

    result = me.initiate_chat(assistant("TERMINATE"), message="Go", carryover="One.")

    assert result.messages[0]["content"] == "Go\nContext: \nOne.\nPlease."


def compose(sender, recipient, context):
    return f"{sender.name} to {recipient.name}: {context['topic']}, {context['carryover']}"


async def a_compose(sender, recipient, context):
    return {"content": compose(sender, recipient, context)}


@both_faces
@pytest.mark.parametrize("message", [compose, a_compose])
def test_function_makes_the_message_of_the_context(face, message):
    result = face(user(), "initiate_chat", assistant("TERMINATE"), message=message, topic="snow", carryover=["One."])

    assert result.messages[0]["content"] == "user to assistant: snow, ['One.']"


def test_function_that_gives_no_message_is_refused_before_anything_is_said():
    agent = assistant("never")

    with pytest.raises(InvalidMessageError):
        user().initiate_chat(agent, message=lambda *_: None)

    assert agent.chat_messages == {}


# -- A person says it --------------------------------------------------------------------------------------------


@both_faces
def test_person_is_asked_for_the_message_when_it_is_none(face):
    human, agent = ScriptedHuman(["Tell me of snow."]), assistant("TERMINATE")

    result = face(user(human=human), "initiate_chat", agent, message=None, carryover="One.")

    assert texts(result.messages)[0] == "Tell me of snow.\nContext: \nOne."
    assert result.human_input == ["Tell me of snow."]
    assert next(event.origin for event in result.events if event.kind == "message") == "human"


@both_faces
@pytest.mark.parametrize("answer", ["exit", "", " "])
def test_nothing_is_said_when_the_person_has_nothing_to_say(face, answer):
    agent = assistant("never")

    result = face(user(human=ScriptedHuman([answer])), "initiate_chat", agent, message=None)

    assert (result.ended_by, len(result), agent.model.calls) == (EndedBy.HUMAN, 0, 0)
    assert result.summary == ""


def test_chat_without_a_message_is_refused_when_nobody_can_be_asked():
    with pytest.raises(NoHumanError, match="'user' has no message to begin with and nobody is here"):
        user().initiate_chat(assistant("never"), message=None)


def test_override_is_asked_instead_of_the_person():
    class Typing(UserProxyAgent):
        def get_human_input(self, prompt):
            assert prompt.startswith("What should me say to assistant?")
            return "Typed."

    me = Typing("me", human_input_mode="NEVER", code_execution_config=False)

    assert texts(me.initiate_chat(assistant("TERMINATE"), message=None).messages)[0] == "Typed."


def test_opening_message_can_be_made_without_a_chat():
    assert user().generate_init_message(message="Go", carryover=["One."]) == "Go\nContext: \nOne."
    assert user().generate_init_message(message={"content": "Go"}) == {"content": "Go"}
    assert user(human=ScriptedHuman([Answer("Hi")])).generate_init_message(message=None) == "Hi"
