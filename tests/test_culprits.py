"""Errors in functions of the user's: they name the function, on the page too, and their traceback leads straight to it."""

import asyncio
import functools
import json
import traceback
from pathlib import Path

import pytest
from pydantic import BaseModel, field_validator

import jupyter_agents
from jupyter_agents import (
    AssistantAgent,
    Chat,
    GroupChat,
    GroupChatManager,
    MaxCost,
    RetrieveUserProxyAgent,
    SocietyOfMindAgent,
    When,
)
from jupyter_agents.agents.hooks import Capability
from jupyter_agents.conditions import Condition
from jupyter_agents.culprits import DEBUG_VARIABLE, in_short, name_of, place_of, tell_place, was_in, without_our_frames
from jupyter_agents.display.text import TextListener
from jupyter_agents.errors import ConfigurationError, ModelRejectedError, ModelUnavailableError
from jupyter_agents.events import ChatEnded, SeriesEnded
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from tests.fakes import assistant, both_faces, quiet_session, sync_face, talker, user

PACKAGE = str(Path(jupyter_agents.__file__).parent)


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def boom(*args, **kwargs):
    raise KeyError("zz")


async def boom_later(*args, **kwargs):
    await asyncio.sleep(0)
    raise KeyError("zz")


class Own(AssistantAgent):
    def generate_reply(self, messages=None, sender=None, **options):
        return boom()


class OwnCondition(Condition):
    def __call__(self, messages):
        boom()


class OwnCapability(Capability):
    async def hear(self, agent, talk, sender):
        boom()


class OwnModel(ScriptedModel):
    async def complete(self, request):
        boom()


class OwnHuman:
    async def ask(self, prompt):
        boom()


class OwnExecutor:
    async def execute(self, block):
        boom()


class Sad(Exception):
    def __str__(self):
        return boom()


def hooked(name, hook=boom):
    agent = assistant("w", "w", name="a")
    agent.register_hook(name, hook)
    return agent


def replying(function, trigger=lambda sender: True):
    agent = talker("a")
    agent.register_reply(trigger, function)
    return agent


def group(selector=boom, **options):
    members = [talker("x", "x"), talker("y", "y")]
    return GroupChatManager(
        GroupChat(members, [], speaker_selection_method=selector, max_round=2), llm_config=False, **options
    )


def nesting(**entry):
    outer = assistant("w", name="o")
    outer.register_nested_chats(
        [{"recipient": talker("i", "i"), "max_turns": 1, "message": "Go"} | entry], lambda sender: True
    )
    return outer


def answering_by_nested_chats(function):
    outer = assistant("w", name="o")
    outer.register_nested_chats([{"recipient": talker("i", "i"), "message": "Go"}], lambda sender: True, function)
    return outer


def capable(capability):
    agent = assistant("w", name="a")
    capability.add_to_agent(agent)
    return agent


def standing_for_a_group():
    return SocietyOfMindAgent("s", chat_manager=group("round_robin"), llm_config=False, response_preparer=boom)


def checking():
    class Own(BaseModel):
        @field_validator("*")
        @classmethod
        def check(cls, value):
            boom()

        name: str

    return assistant('{"name": "x"}', name="a"), {"response_format": Own}


KINDS = {
    "the speaker selector (boom) of 'chat_manager'": lambda: (group(), {}),
    "the hook process_message_before_send (boom) of 'a'": lambda: (hooked("process_message_before_send"), {}),
    "the hook process_all_messages_before_reply (boom) of 'a'": lambda: (
        hooked("process_all_messages_before_reply"),
        {},
    ),
    "the hook process_last_received_message (boom_later) of 'a'": lambda: (
        hooked("process_last_received_message", boom_later),
        {},
    ),
    "the reply function (boom) of 'a'": lambda: (replying(boom), {}),
    "the reply function (boom_later) of 'a'": lambda: (replying(boom_later), {}),
    "the trigger of a reply function (boom)": lambda: (replying(lambda *_: (True, "x"), boom), {}),
    "the condition When (boom)": lambda: (assistant("w"), {"termination": When(boom)}),
    "the condition (OwnCondition)": lambda: (assistant("w"), {"termination": OwnCondition()}),
    "the prices (boom)": lambda: (
        assistant(ModelReply("w", usage=Usage(1, 1), model="m")),
        {"termination": MaxCost(1, boom)},
    ),
    "is_termination_msg (boom) of 'assistant'": lambda: (assistant("w", is_termination_msg=boom), {}),
    "is_termination_msg (boom) of 'chat_manager'": lambda: (group("round_robin", is_termination_msg=boom), {}),
    "the method Own.generate_reply of 'a'": lambda: (Own("a", llm_config=ScriptedModel(["w"])), {}),
    "the capability (OwnCapability) of 'a'": lambda: (capable(OwnCapability()), {}),
    "the model (OwnModel) of 'a'": lambda: (AssistantAgent("a", llm_config=OwnModel(["w"])), {}),
    "the message of nested chat 1 (boom) of 'o'": lambda: (nesting(message=boom), {}),
    "reply_func_from_nested_chats (boom) of 'o'": lambda: (answering_by_nested_chats(boom), {}),
    "the human input (OwnHuman) of 'a'": lambda: (
        talker("a", human_input_mode="ALWAYS", human=OwnHuman()),
        {},
    ),
    "the executor (OwnExecutor) of 'a'": lambda: (
        user("a", code_execution_config={"executor": OwnExecutor()}),
        {"message": "```python\n1\n```"},
    ),
    "the validation of response_format (Own) of 'a'": checking,
    "the response_preparer (boom) of 's'": lambda: (standing_for_a_group(), {"max_turns": 1}),
}


def ours(error):
    return [one.filename for one in traceback.extract_tb(error.__traceback__) if one.filename.startswith(PACKAGE)]


def last_frame(error):
    return traceback.extract_tb(error.__traceback__)[-1].name


def failed(face=sync_face, recipient=None, **options):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each kind has its own
        face(user("me"), "initiate_chat", recipient, **({"message": "Hi"} | options))
    return caught.value


# -- Whose error it is -------------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("place", KINDS)
def test_error_names_the_function_and_its_traceback_leads_there(face, place):
    recipient, options = KINDS[place]()

    error = failed(face, recipient, **options)

    [note] = error.__notes__
    assert isinstance(error, KeyError)
    assert note.startswith(f"It was raised in {place}, in the chat me → {recipient.name} ")
    assert len(ours(error)) == 1  # the method that was called
    assert last_frame(error) in ("boom", "boom_later")
    assert error.result.detail == f"KeyError: 'zz' (in {place})"


@both_faces
def test_function_that_makes_the_message_is_named_though_no_chat_has_begun(face):
    error = failed(face, assistant(), message=boom)

    assert error.__notes__ == ["It was raised in the message to 'assistant' (boom) of 'me'."]
    assert len(ours(error)) == 1


@both_faces
def test_content_that_is_a_function_is_named(face):
    error = failed(face, assistant(), message={"content": boom})

    assert error.__notes__ == ["It was raised in the content of a message (boom)."]


@both_faces
def test_embedding_function_is_named(face, tmp_path):
    (tmp_path / "snow.md").write_text("Snow falls.")
    config = {"docs_path": str(tmp_path), "embedding_function": boom}
    asker = RetrieveUserProxyAgent("r", human_input_mode="NEVER", code_execution_config=False, retrieve_config=config)

    with pytest.raises(KeyError) as caught:
        face(asker, "initiate_chat", assistant(), problem="Snow?")

    assert caught.value.__notes__ == ["It was raised in the embedding function (boom)."]
    assert len(ours(caught.value)) == 1


@both_faces
def test_summary_function_is_named_in_the_warning(face):
    result = face(user(), "initiate_chat", assistant("w"), message="Hi", max_turns=1, summary_method=boom)

    [warning] = [one.text for one in result.events if getattr(one, "level", "") == "warning"]
    assert warning.endswith("it could not be made (KeyError: 'zz', in the summary_method (boom)).")


def test_function_with_another_signature_is_named_though_it_was_never_entered():
    error = failed(recipient=replying(lambda only: None))

    assert isinstance(error, TypeError)
    assert "the reply function (a lambda) of 'a'" in error.__notes__[0]
    assert len(ours(error)) == 1


def test_note_says_after_which_message_it_was():
    def second(content, seen=[]):  # noqa: B006 - it counts
        seen.append(content)
        return content if len(seen) < 2 else boom()

    agent = hooked("process_last_received_message", second)

    error = failed(recipient=agent, max_turns=5)

    assert error.__notes__[0].endswith("in the chat me → a after message 3.")


def test_own_opening_is_before_the_first_message():
    me = user("me")
    me.register_hook("process_message_before_send", boom)

    with pytest.raises(KeyError) as caught:
        me.initiate_chat(assistant(), message="Hi")

    assert caught.value.__notes__[0].endswith("of 'me', in the chat me → assistant before the first message.")


@both_faces
def test_nearest_function_and_chat_are_named_when_chats_are_nested(face):
    error = failed(face, nesting(recipient=hooked("process_last_received_message")))

    first, second = error.__notes__
    assert first.startswith("It was raised in the hook process_last_received_message (boom) of 'a', in the chat o → a ")
    assert second == "It ended chat 1 of 1, of o and a."
    assert error.result.detail.endswith("(in the hook process_last_received_message (boom) of 'a')")
    assert len(ours(error)) == 1


@both_faces
def test_users_frames_between_two_chats_stay(face):
    def ask_another(recipient, messages, sender, config):
        return True, user("other").initiate_chat(hooked("process_last_received_message"), message="?").summary

    error = failed(face, replying(ask_another))

    names = [one.name for one in traceback.extract_tb(error.__traceback__)]
    assert names[-2:] == ["ask_another", "boom"]
    assert len(ours(error)) == 1


def test_error_of_ours_keeps_the_users_frames_and_names_the_function():
    def ask_wrongly(recipient, messages, sender, config):
        user("other").initiate_chat(assistant(), mesage="?")

    error = failed(recipient=replying(ask_wrongly))

    assert isinstance(error, ConfigurationError)
    assert last_frame(error) == "ask_wrongly"
    assert "the reply function (ask_wrongly) of 'a'" in error.__notes__[0]


def test_error_of_a_model_has_no_note_when_no_function_of_the_users_was_in_it():
    error = failed(recipient=assistant(ModelRejectedError("No key.", status=401)))

    assert not hasattr(error, "__notes__")
    assert error.result.detail == "ModelRejectedError: No key."


def test_text_transcript_names_the_function(session):
    written = []
    session.make_listeners = lambda: [TextListener(written.append)]

    failed(recipient=hooked("process_message_before_send"))

    end = "The chat failed. KeyError: 'zz' (in the hook process_message_before_send (boom) of 'a')."
    assert f"\n>>>>>>>> {end}\n" in written


def test_log_names_the_function():
    error = failed(recipient=replying(boom))

    [end] = [one for one in error.result.events if isinstance(one, ChatEnded)]
    assert end.detail == "KeyError: 'zz' (in the reply function (boom) of 'a')"


def test_same_error_names_the_function_that_has_raised_it_again():
    same = KeyError("zz")

    def raise_it(*args):
        raise same

    first = failed(recipient=hooked("process_last_received_message", raise_it))
    detail = first.result.detail
    second = failed(recipient=replying(raise_it))

    assert detail.endswith("(in the hook process_last_received_message (raise_it) of 'a')")
    assert second.result.detail.endswith("(in the reply function (raise_it) of 'a')")
    assert len(second.__notes__) == 2


@both_faces
def test_nearest_function_is_named_when_a_function_holds_a_chat(face):
    same = KeyError("zz")

    def raise_it(content):
        raise same

    def ask_another(recipient, messages, sender, config):
        return True, user("other").initiate_chat(hooked("process_last_received_message", raise_it), message="?").summary

    first, second = (failed(face, replying(ask_another)).result.detail for _ in range(2))

    assert first.endswith("(in the hook process_last_received_message (raise_it) of 'a')")
    assert second == first


@both_faces
def test_chat_ends_by_an_error_whose_text_fails(face):
    def raise_sad(*args):
        raise Sad

    error = failed(face, replying(raise_sad))

    assert isinstance(error, Sad)
    assert error.result.detail == "Sad: (it has no text: KeyError) (in the reply function (raise_sad) of 'a')"


@both_faces
@pytest.mark.parametrize("make", [pytest.fail.Exception, lambda: BaseExceptionGroup("", [KeyboardInterrupt()])])
def test_chat_ends_by_what_is_no_exception_either(face, make):
    def raise_it(*args):
        raise make()

    with pytest.raises(BaseException) as caught:  # noqa: PT011 - each has its own
        face(user("me"), "initiate_chats", [{"recipient": replying(raise_it), "message": "Hi"}])

    ends = [type(one.event) for one in caught.value.result.log][-2:]
    assert ends == [ChatEnded, SeriesEnded]


def test_background_chat_names_the_function_and_leads_there_where_it_is_awaited(capsys):
    async def cell():
        await Chat(user("me"), replying(boom), message="Hi").start()

    with pytest.raises(KeyError) as caught:
        asyncio.run(cell())

    line = capsys.readouterr().err
    assert line.startswith(
        "The chat in the background has failed. KeyError: 'zz', in the reply function (boom) of 'a' ("
    )
    assert [Path(one).name for one in ours(caught.value)] == ["background.py"]
    assert last_frame(caught.value) == "boom"
    assert len(caught.value.__notes__) == 1


# -- What stays of a traceback -----------------------------------------------------------------------------------


def test_errors_behind_an_error_lose_our_frames_as_well():
    def raise_another(content):
        try:
            user("other").initiate_chat(replying(boom), message="?")
        except KeyError as error:
            raise ValueError("second") from error

    error = failed(recipient=hooked("process_last_received_message", raise_another))

    assert [len(ours(one)) for one in (error, error.__cause__)] == [1, 0]
    assert last_frame(error.__cause__) == "boom"


def test_error_that_was_being_handled_loses_our_frames_as_well():
    def raise_another(content):
        try:
            user("other").initiate_chat(replying(boom), message="?")
        except KeyError:
            raise ValueError("second")  # noqa: B904 - it has a context, and no cause

    error = failed(recipient=hooked("process_last_received_message", raise_another))

    assert ours(error.__context__) == []
    assert last_frame(error.__context__) == "boom"


def test_frames_of_what_the_users_function_has_called_stay():
    async def wait(content):
        await asyncio.wait_for(asyncio.sleep(5), 0.01)

    error = failed(recipient=hooked("process_last_received_message", wait))

    assert [one.name for one in traceback.extract_tb(error.__traceback__)][-2:] == ["wait", "wait_for"]


def test_what_is_behind_an_error_of_ours_leads_to_the_users_code_and_no_further():
    def refuse(content):
        try:
            json.loads("{")
        except ValueError as error:
            raise ConfigurationError("Cannot read it.") from error

    error = failed(recipient=hooked("process_last_received_message", refuse))

    assert last_frame(error) == last_frame(error.__cause__) == "refuse"


def test_errors_of_a_group_of_errors_lose_our_frames_as_well():
    async def both(content):
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(user("other").a_initiate_chat(replying(boom), message="?"))

    error = failed(recipient=hooked("process_last_received_message", both))

    assert [ours(one) for one in error.exceptions] == [[], []]


def test_errors_that_are_each_behind_the_other_come_to_an_end():
    one, other = KeyError("one"), KeyError("other")
    one.__context__, other.__context__ = other, one
    was_in(one, "the hook", boom)

    assert without_our_frames(one) is one


@pytest.mark.parametrize("place", [PACKAGE, str(Path(json.__file__).parent), str(Path(pytest.__file__).parent)])
def test_mistake_of_this_package_keeps_all_frames(monkeypatch, place):
    found = {}
    exec(compile("def go_on(*args):\n    1 / 0", f"{place}/conversation.py", "exec"), found)
    monkeypatch.setattr("jupyter_agents.conversation.TurnLoop.go_on", found["go_on"])

    error = failed(recipient=assistant("w"))

    assert isinstance(error, ZeroDivisionError)
    assert len(ours(error)) > 5


@both_faces
def test_mistake_of_this_package_in_a_chat_of_a_function_of_the_users_keeps_all_frames(face, monkeypatch):
    found = {}
    exec(compile("def fail(*args):\n    1 / 0", f"{PACKAGE}/last_word.py", "exec"), found)

    def ask_another(recipient, messages, sender, config):
        with monkeypatch.context() as patched:
            patched.setattr("jupyter_agents.agents.reply_functions.find_code_blocks", found["fail"])
            patched.setattr("jupyter_agents.agents.first_reply.find_code_blocks", found["fail"])
            user("other", code_execution_config={"executor": OwnExecutor()}).initiate_chat(
                assistant("w"), message="?", max_turns=2
            )

    error = failed(face, replying(ask_another))

    assert isinstance(error, ZeroDivisionError)
    assert last_frame(error) == "fail"
    assert len(ours(error)) > 5


def test_call_of_ours_with_wrong_arguments_is_no_mistake_of_this_package():
    error = failed(recipient=replying(lambda *args: user("other").initiate_chat()))

    assert isinstance(error, TypeError)
    assert len(ours(error)) == 1


@both_faces
def test_all_frames_stay_when_the_environment_says_so(face, monkeypatch):
    monkeypatch.setenv(DEBUG_VARIABLE, "1")

    error = failed(face, replying(boom))

    assert len(ours(error)) > 10
    assert len(error.__notes__) == 1


def test_error_that_takes_no_attributes_is_raised_all_the_same():
    class Closed(Exception):
        def __setattr__(self, name, value):
            if name != "__traceback__":
                raise AttributeError(name)

    def closed(content):
        raise Closed

    error = failed(recipient=hooked("process_last_received_message", closed))

    assert isinstance(error, Closed)


# -- Words -------------------------------------------------------------------------------------------------------


def test_functions_are_named_for_people():
    class Callable:
        def __call__(self):
            pass

        def method(self):
            pass

    assert [name_of(one) for one in (boom, functools.partial(boom), Callable(), Callable().method, lambda: 1)] == [
        "boom",
        "boom",
        "Callable",
        "Callable.method",
        "a lambda",
    ]


def test_functions_of_this_package_are_not_named():
    error = KeyError("zz")

    was_in(error, "the hook", name_of)
    tell_place(error)

    assert place_of(error) == ""
    assert not hasattr(error, "__notes__")


def test_long_error_is_cut_and_its_function_is_not():
    error = KeyError("z" * 500)
    was_in(error, "the hook", boom)

    text = in_short(error, 40)

    assert text == f"KeyError: '{'z' * 28}… (in the hook (boom))"


def test_error_of_a_model_does_not_name_the_function_of_a_chat_before():
    """The same error object may be raised again, by a scripted model for one."""
    error = ModelUnavailableError("the server is down")

    def passes_on(recipient, messages, sender, config):
        recipient.initiate_chat(AssistantAgent("inner", llm_config=ScriptedModel([error])), message="go", max_turns=1)

    me = user()
    outer = AssistantAgent("outer", llm_config=False)
    outer.register_reply(object, passes_on)
    details = []
    for _ in range(2):
        with pytest.raises(ModelUnavailableError) as caught:
            me.initiate_chat(outer, message="go", max_turns=1)
        ends = caught.value.result.log.select(ChatEnded)
        details.append([one.detail for one in ends])

    assert details[0] == details[1]
    assert details[0][0] == "ModelUnavailableError: the server is down"
    assert "passes_on" in details[0][1]
