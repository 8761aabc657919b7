"""Groups: who hears what, who speaks next, and why the talk of a group ends."""

import asyncio
import contextlib
import json
import signal
from itertools import pairwise

import pytest

from jupyter_agents import GroupChat, GroupChatManager, UserProxyAgent
from jupyter_agents.errors import ChatInterrupted, ConfigurationError, InvalidMessageError, NoHumanError
from jupyter_agents.events import HumanAnswered, ModelAsked, Noted, Relayed, SpeakerChosen
from jupyter_agents.human.base import Answer
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy, TextMention
from tests.drivers import on_a_loop
from tests.fakes import FakeExecutor, assistant, both_faces, quiet_session, sync_face, talker, texts, user, wire_of


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def trio(*, replies=("one", "two", "three"), **options):
    """A user and three talkers that say always the same, and their manager."""
    members = [user("user"), *(talker(name, reply) for name, reply in zip("ABC", replies, strict=True))]
    group = GroupChat(members, **({"speaker_selection_method": "round_robin", "max_round": 5} | options))
    return group, GroupChatManager(group, llm_config=False)


def speakers(result):
    return [one["name"] for one in result.messages]


def notes(result):
    return [event.text for event in result.events if isinstance(event, Noted)]


def choosing(*answers, agents=None, **options):
    """A group whose manager's model answers so when it is asked who speaks next; the manager."""
    members = agents or [user("user"), talker("Alice", "a"), talker("Bob", "b")]
    group = GroupChat(members, **({"max_round": 3} | options))
    return GroupChatManager(group, llm_config=ScriptedModel(answers))


# -- Who hears what ----------------------------------------------------------------------------------------------


@both_faces
def test_members_speak_in_turn_and_everybody_hears_everything(face):
    group, manager = trio()
    starter, a, _, c = group.agents

    result = face(starter, "initiate_chat", manager, message="Go")

    assert speakers(result) == ["user", "A", "B", "C"] + ["user"] * (len(result) - 4)
    assert texts(a.chat_messages[manager])[:3] == ["Go", "one", "two"]
    assert [one["role"] for one in a.chat_messages[manager]][:3] == ["user", "assistant", "user"]
    assert [one.get("name") for one in c.chat_messages[manager]][:3] == ["user", "A", "B"]
    assert texts(group.messages)[:4] == ["Go", "one", "two", "three"]
    assert [one["name"] for one in group.messages][:4] == ["user", "A", "B", "C"]


def test_model_reads_who_said_what_as_the_api_takes_names():
    player = assistant("My move. TERMINATE", name="Player white")
    group = GroupChat([user("Board master"), player], speaker_selection_method="round_robin")

    group.agents[0].initiate_chat(GroupChatManager(group, llm_config=False), message="Your move")

    assert wire_of(player) == [{"role": "user", "content": "Your move", "name": "Board_master"}]


def test_message_is_passed_on_once_and_not_to_who_said_it():
    group, manager = trio()

    result = group.agents[0].initiate_chat(manager, message="Go")

    passed_on = [event for event in result.events if isinstance(event, Relayed)]
    assert len(passed_on) == len(group.messages)
    assert [event.to for event in passed_on[:2]] == [("A", "B", "C"), ("user", "B", "C")]


def test_introductions_are_heard_before_the_first_message():
    group, manager = trio(send_introductions=True)

    group.agents[0].initiate_chat(manager, message="Go")

    heard = texts(group.agents[1].chat_messages[manager])
    assert heard[0].startswith("Hello everyone.")
    assert "B: You are a helpful AI Assistant." in heard[0]
    assert heard[1] == "Go"


def test_group_remembers_when_the_chat_goes_on():
    group, manager = trio(max_round=3)
    starter, a, *_ = group.agents
    starter.initiate_chat(manager, message="Go")

    starter.send("Go on", manager)

    assert texts(a.chat_messages[manager])[:5] == ["Go", "one", "two", "Go on", "one"]


def test_reset_forgets_what_the_group_said():
    group, manager = trio()
    group.agents[0].initiate_chat(manager, message="Go")

    manager.reset()

    assert group.messages == []
    assert group.last_speaker is None


# -- Why it ends -------------------------------------------------------------------------------------------------


def test_group_ends_after_its_rounds():
    group, manager = trio(max_round=3)

    result = group.agents[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user", "A", "B"]
    assert result.ended_by == EndedBy.MAX_ROUNDS
    assert result.detail == "3 messages in the group"


def test_group_ends_with_a_word_of_termination_which_all_have_heard():
    group, manager = trio(replies=("one", "Done. TERMINATE", "three"))

    result = group.agents[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user", "A", "B"]
    assert result.ended_by == EndedBy.TERMINATION
    assert texts(group.agents[3].chat_messages[manager]) == ["Go", "one", "Done. TERMINATE"]


def test_condition_of_the_chat_looks_at_what_the_group_says():
    group, manager = trio()

    result = group.agents[0].initiate_chat(manager, message="Go", termination=TextMention("two"))

    assert speakers(result) == ["user", "A", "B"]
    assert result.ended_by == EndedBy.CONDITION


@both_faces
def test_turn_limit_has_no_effect_in_a_group_and_the_transcript_says_so(face):
    group, manager = trio(max_round=4)

    result = face(group.agents[0], "initiate_chat", manager, message="Go", max_turns=1)

    assert speakers(result) == ["user", "A", "B", "C"]
    assert notes(result) == ["max_turns=1 does not count in a group; GroupChat(max_round=4) does."]
    assert notes(face(result, "resume", max_turns=2))[0].startswith("max_turns=2 does not count in a group")


def test_nothing_is_said_of_turns_when_no_limit_is_given():
    group, manager = trio(max_round=4)

    assert notes(group.agents[0].initiate_chat(manager, message="Go")) == []


def test_group_in_which_nobody_has_anything_to_say_ends():
    group, manager = trio(replies=("", "", ""), max_round=100)

    result = group.agents[0].initiate_chat(manager, message="Go")

    assert result.ended_by == EndedBy.EMPTY_REPLIES
    assert len(result) == 5


def test_group_that_goes_round_in_circles_ends():
    group, manager = trio(max_round=1000)
    group.agents.pop(0)
    group.transitions = group.transitions.everyone(group.agents)

    result = user("outsider").initiate_chat(manager, message="Go")

    assert result.ended_by == EndedBy.REPETITION
    assert len(result) < 30


def test_chat_ends_when_somebody_has_no_reply():
    group, manager = trio()
    group.agents[1].register_auto_reply([lambda sender: True], lambda *_: (True, None))

    result = group.agents[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user"]
    assert result.ended_by == EndedBy.NO_REPLY


def test_error_of_a_member_carries_what_the_group_said():
    group, manager = trio()
    group.agents[2].register_auto_reply([lambda sender: True], lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError) as caught:
        group.agents[0].initiate_chat(manager, message="Go")

    assert speakers(caught.value.result) == ["user", "A"]


# -- An interrupt ------------------------------------------------------------------------------------------------


def interrupted_once(agent):
    """The agent is interrupted when it is first asked."""
    times = []

    def reply(recipient, messages, sender, config):
        times.append(1)
        if len(times) == 1:
            raise KeyboardInterrupt
        return False, None

    agent.register_auto_reply([lambda sender: True], reply)


def test_admin_has_the_word_after_an_interrupt():
    group, manager = trio(admin_name="C", max_round=3)
    interrupted_once(group.agents[1])

    result = group.agents[0].initiate_chat(manager, message="Go")

    assert speakers(result)[:2] == ["user", "C"]


def test_interrupt_ends_the_chat_when_there_is_no_admin():
    group, manager = trio()
    interrupted_once(group.agents[1])

    with pytest.raises(ChatInterrupted) as caught:
        group.agents[0].initiate_chat(manager, message="Go")

    assert speakers(caught.value.result) == ["user"]


def waiting(*before, name="A", says="never"):
    """An assistant whose model calls each of these functions when it is asked, and then waits for long."""

    def answer(begin):
        async def answered(request):
            begin()
            await asyncio.sleep(20)
            return says

        return answered

    return assistant(*map(answer, before), "On we go.", name=name)


def press():
    """Interrupt this process, as Ctrl-C does."""
    signal.raise_signal(signal.SIGINT)


def group_of(*members, **options):
    """A user and these, and their manager."""
    group = GroupChat([user("user"), *members], **({"speaker_selection_method": "round_robin"} | options))
    return group.agents[0], GroupChatManager(group, llm_config=False)


def test_admin_has_the_word_when_a_script_is_interrupted():
    starter, manager = group_of(waiting(press), talker("Admin", "Enough. TERMINATE"))

    async def main():
        result = await starter.a_initiate_chat(manager, message="Go")
        return result, asyncio.current_task().cancelling()

    result, cancelling = asyncio.run(main())

    assert speakers(result) == ["user", "Admin"]
    assert cancelling == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_admin_has_the_word_when_the_interrupt_comes_where_nothing_is_waited_for():
    def late(request):
        press()
        return "I was just saying."

    starter, manager = group_of(assistant(late, "On we go.", name="A"), talker("Admin", "Enough. TERMINATE"))

    result = asyncio.run(starter.a_initiate_chat(manager, message="Go"))

    assert speakers(result) == ["user", "Admin"]


class PlainAdmin(UserProxyAgent):
    def generate_reply(self, messages=None, sender=None):
        return "Enough. TERMINATE"


class AskedAdmin(UserProxyAgent):
    async def reply_to(self, sender):
        return await super().reply_to(sender)


@pytest.mark.parametrize("kind", [PlainAdmin, AskedAdmin])
def test_admin_has_the_word_whatever_it_overrides(kind):
    admin = kind("Admin", human_input_mode="NEVER", code_execution_config=False, default_auto_reply="Enough. TERMINATE")
    starter, manager = group_of(waiting(press), admin)

    result = asyncio.run(starter.a_initiate_chat(manager, message="Go"))

    assert speakers(result) == ["user", "Admin"]


def test_script_ends_when_it_is_interrupted_while_the_admin_has_the_word():
    starter, manager = group_of(waiting(press), waiting(press, name="Admin"))
    results = []

    async def main():
        try:
            await starter.a_initiate_chat(manager, message="Go")
        except asyncio.CancelledError as stop:
            results.append(stop.result)
            raise

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())

    assert speakers(results[0]) == ["user"]
    assert results[0].ended_by == EndedBy.INTERRUPTED


def test_admin_of_the_inner_group_has_the_word_first_and_then_that_of_the_outer_one():
    team = GroupChat([waiting(press), waiting(press, name="Admin")], speaker_selection_method="round_robin")
    inner = GroupChatManager(team, "team", llm_config=False)
    starter, outer = group_of(inner, talker("Chief", "Enough. TERMINATE"), admin_name="Chief")

    result = on_a_loop(lambda: starter.a_initiate_chat(outer, message="Go"))

    asked = [event.agent for event in result.events if isinstance(event, ModelAsked)]
    assert asked == ["A", "Admin"]
    assert speakers(result) == ["user", "Chief"]


@pytest.mark.parametrize("cancel", ["task", "time limit", "task group"])
async def test_group_is_cancelled_when_that_was_no_interrupt(cancel):
    starter, manager = group_of(waiting(lambda: None), talker("Admin", "Enough. TERMINATE"))

    async def fail():
        await asyncio.sleep(0.1)
        raise LookupError

    async def hold():
        if cancel == "time limit":
            async with asyncio.timeout(0.1):
                await starter.a_initiate_chat(manager, message="Go")
        async with asyncio.TaskGroup() as tasks:
            if cancel == "task group":
                tasks.create_task(fail())
            await starter.a_initiate_chat(manager, message="Go")

    task = asyncio.create_task(hold())
    if cancel == "task":
        await asyncio.sleep(0.1)
        task.cancel()

    expected = {"task": asyncio.CancelledError, "time limit": TimeoutError, "task group": ExceptionGroup}
    with pytest.raises(expected[cancel]):
        await task


def test_group_is_cancelled_when_an_interrupt_comes_in_the_same_moment():
    def cancel_and_press():
        asyncio.current_task().cancel()
        press()

    starter, manager = group_of(waiting(cancel_and_press), talker("Admin", "Enough. TERMINATE"))

    async def main():
        task = asyncio.create_task(starter.a_initiate_chat(manager, message="Go"))
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())


def test_chat_goes_on_when_somebody_makes_nothing_of_an_interrupt():
    async def stubborn(request):
        press()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(20)
        return "So what? TERMINATE"

    starter, manager = group_of(assistant(stubborn, name="A"), talker("Admin", "Enough. TERMINATE"))

    async def main():
        result = await starter.a_initiate_chat(manager, message="Go")
        return result, asyncio.current_task().cancelling()

    result, cancelling = asyncio.run(main())

    assert speakers(result) == ["user", "A"]
    assert cancelling == 0


def test_other_group_talks_on_undisturbed_when_its_chat_began_elsewhere():
    """As a task of an earlier cell does, beside a cell that is interrupted."""
    starter, manager = group_of(waiting(lambda: None), talker("Admin", "Enough. TERMINATE"))
    heard = []

    async def main():
        task = asyncio.create_task(starter.a_initiate_chat(manager, message="Go"))
        await asyncio.sleep(0.1)
        before = signal.signal(signal.SIGINT, lambda *_: heard.append("cell"))
        press()
        signal.signal(signal.SIGINT, before)
        await asyncio.sleep(0.1)
        is_going_on = not task.done()
        task.cancel()
        await asyncio.wait([task])
        return is_going_on

    assert asyncio.run(main())
    assert heard == ["cell"]


@both_faces
def test_nobody_makes_the_calls_that_were_interrupted(face):
    def interrupted():
        raise KeyboardInterrupt

    calls = ModelReply("", "tool_calls", tool_calls=(ToolCall("work", "{}", "1"),))
    runner = user("runner", function_map={"work": interrupted})
    admin = user("Admin", function_map={"work": lambda: "done after all"}, default_auto_reply="Enough. TERMINATE")
    starter, manager = group_of(assistant(calls, name="A"), runner, admin)

    result = face(starter, "initiate_chat", manager, message="Go")

    assert speakers(result) == ["user", "A", "Admin"]
    assert result.messages[-1]["content"] == "Enough. TERMINATE"


@both_faces
def test_person_who_is_the_admin_decides_about_the_code_that_was_interrupted(face):
    executor = FakeExecutor(KeyboardInterrupt(), "done")
    options = {"code_execution_config": {"executor": executor}}
    admin = user("Admin", human_input_mode="ALWAYS", human=ScriptedHuman(["", "exit"]), **options)
    starter, manager = group_of(talker("A", "```python\nwork()\n```"), user("runner", **options), admin)

    result = face(starter, "initiate_chat", manager, message="Go", max_turns=1)

    assert speakers(result)[:3] == ["user", "A", "Admin"]
    assert "done" in result.messages[2]["content"]


# -- Selection without a model -----------------------------------------------------------------------------------


def test_random_order_is_the_same_in_every_run_with_a_seed():
    def order():
        group, manager = trio(speaker_selection_method="random", seed=7, max_round=8)
        return speakers(group.agents[0].initiate_chat(manager, message="Go"))

    assert order() == order()
    assert len(set(order())) > 2


@pytest.mark.parametrize("repeats", [False, []])
def test_nobody_speaks_twice_in_a_row_when_that_is_not_allowed(repeats):
    group, manager = trio(speaker_selection_method="random", seed=3, max_round=12, allow_repeat_speaker=repeats)

    said = speakers(group.agents[0].initiate_chat(manager, message="Go"))

    assert all(one != other for one, other in pairwise(said))


def test_transitions_say_who_comes_next_and_the_last_word_ends_the_chat():
    group, _ = trio()
    starter, a, b, c = group.agents
    graph = {starter: [c], c: [a], a: [b], b: []}
    group = GroupChat(
        group.agents,
        speaker_selection_method="round_robin",
        allowed_or_disallowed_speaker_transitions=graph,
        speaker_transitions_type="allowed",
    )

    result = starter.initiate_chat(GroupChatManager(group, llm_config=False), message="Go")

    assert speakers(result) == ["user", "C", "A", "B"]
    assert result.ended_by == EndedBy.NO_SPEAKER


@both_faces
def test_function_selects_by_name_in_any_spelling(face):
    members = [user("user"), talker("Dr Smith", "hm"), talker("Nurse", "yes")]
    answers = ["Nurse", "dr_smith", "round_robin", None]
    group = GroupChat(members, speaker_selection_method=lambda last, groupchat: answers.pop(0))

    result = face(members[0], "initiate_chat", GroupChatManager(group, llm_config=False), message="Go")

    assert speakers(result) == ["user", "Nurse", "Dr Smith", "Nurse"]


@pytest.mark.parametrize(("answer", "chosen"), [("random", "A"), ("Random", "Random")])
def test_function_means_the_method_unless_only_an_agent_has_that_very_name(answer, chosen):
    members = [talker("user"), talker("A", "a"), talker("Random", "r")]
    group = GroupChat(
        members,
        max_round=2,
        speaker_selection_method=lambda last, groupchat: answer,
        allowed_or_disallowed_speaker_transitions={"user": ["A"]},
        speaker_transitions_type="allowed",
    )

    assert speakers(members[0].initiate_chat(GroupChatManager(group, llm_config=False), message="Go")) == [
        "user",
        chosen,
    ]


def test_method_is_meant_whatever_its_case():
    session_of_nobody = choosing(speaker_selection_method="Manual")

    with pytest.raises(NoHumanError, match="who speaks next"):
        session_of_nobody.groupchat.agents[0].initiate_chat(session_of_nobody, message="Go")


def test_agents_that_may_repeat_are_given_by_name_too():
    members = [talker(name) for name in "ABC"]

    group = GroupChat(members, allow_repeat_speaker=["b"])

    assert [[one.name for one in group.transitions.successors(other)] for other in members] == [
        ["B", "C"],
        ["A", "B", "C"],
        ["A", "B"],
    ]
    assert group.allow_repeat_speaker == [members[1]]


@both_faces
@pytest.mark.parametrize("is_async", [False, True])
def test_function_selects_an_agent_a_method_or_nobody(face, is_async):
    group, manager = trio(max_round=10)
    answers = [group.agents[3], "round_robin", None]

    def select(last_speaker, groupchat):
        assert groupchat is group
        return answers.pop(0)

    async def a_select(last_speaker, groupchat):
        return select(last_speaker, groupchat)

    group.speaker_selection_method = a_select if is_async else select

    result = face(group.agents[0], "initiate_chat", manager, message="Go")

    assert speakers(result) == ["user", "C", "user"]
    assert result.ended_by == EndedBy.NO_SPEAKER


def test_subclass_may_select_the_speaker_in_its_own_way():
    class Backwards(GroupChat):
        def select_speaker(self, last_speaker, selector):
            return self.agents[self.agents.index(last_speaker) - 1]

    members = [user("user"), talker("A", "a"), talker("B", "b")]
    manager = GroupChatManager(Backwards(members, max_round=3), llm_config=False)

    assert speakers(members[0].initiate_chat(manager, message="Go")) == ["user", "B", "A"]


def test_function_that_selects_a_stranger_is_an_error_that_says_what_to_give():
    group, manager = trio()
    group.speaker_selection_method = lambda last, groupchat: talker("stranger")

    with pytest.raises(ConfigurationError, match=r"Cannot give the word to 'stranger'.*one of user, A, B, C"):
        group.agents[0].initiate_chat(manager, message="Go")


def test_function_that_selects_nearly_a_name_is_asked_what_it_meant():
    group, manager = trio()
    group.speaker_selection_method = lambda last, groupchat: "round_robbin"

    with pytest.raises(
        ConfigurationError, match=r"Cannot give the word to 'round_robbin'.*Did you mean 'round_robin'\?"
    ):
        group.agents[0].initiate_chat(manager, message="Go")


# -- Selection by a person ---------------------------------------------------------------------------------------


class Person:
    """Answers every question in the same way, sensible or not."""

    def __init__(self, answer):
        self.answer, self.prompts = answer, []

    async def ask(self, prompt):
        self.prompts.append(prompt)
        return self.answer if isinstance(self.answer, Answer) else Answer(self.answer)


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [("Bob", "Bob"), ("bob", "Bob"), ("3", "Bob"), ("", "Alice"), ("9", "Alice"), ("who?", "Alice")],
)
def test_person_selects_by_name_or_number_and_nothing_is_the_next(session, answer, chosen):
    human = Person(answer)
    session.find_human = lambda: human
    manager = choosing(speaker_selection_method="manual", max_round=2)

    result = manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user", chosen]
    assert human.prompts[0].choices == ("user", "Alice", "Bob", "exit")
    assert human.prompts[0].kind == "choice"


@pytest.mark.parametrize("answer", ["exit", Answer(action="stop")])
def test_person_ends_the_chat_instead_of_selecting(session, answer):
    session.find_human = lambda: Person(answer)
    manager = choosing(speaker_selection_method="manual")

    result = manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user"]


@pytest.mark.parametrize(
    ("answers", "chosen", "how"),
    [
        (["3"], "Bob", "person"),
        (["Bob"], "Bob", "person"),
        (["bob"], "Bob", "person"),
        ([""], "Alice", "person"),
        (["nonsense", "Bob"], "Bob", "person"),
        ([Answer("nonsense"), Answer("who?"), "3"], "Bob", "person"),
        ([Answer("nonsense")] * 3, "Alice", "order"),
    ],
)
def test_script_selects_as_a_person_does(session, answers, chosen, how):
    session.find_human = lambda: human
    human = ScriptedHuman(answers)
    manager = choosing(speaker_selection_method="manual", max_round=2)

    result = manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user", chosen]
    assert [event.how for event in result.events if isinstance(event, SpeakerChosen)] == [how]


def test_person_is_told_what_was_wrong_when_asked_again():
    human = ScriptedHuman([Answer("nonsense"), "Bob"])
    manager = choosing(speaker_selection_method="manual", max_round=2)
    manager.human = human

    manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    assert human.prompts[1].text == "'nonsense' is none of them. Who speaks next? 'exit' ends the chat."


def test_script_without_a_name_is_an_error_that_says_what_can_be_chosen():
    manager = choosing(speaker_selection_method="manual")
    manager.human = ScriptedHuman(["nonsense"])

    with pytest.raises(ConfigurationError, match=r"with 'nonsense': it is not among user, Alice, Bob, exit"):
        manager.groupchat.agents[0].initiate_chat(manager, message="Go")


@pytest.mark.parametrize(
    ("has", "asked"),
    [
        ({"manager", "Admin", "session"}, "manager"),
        ({"Admin", "session"}, "Admin"),
        ({"member", "session"}, "session"),
        ({"session"}, "session"),
    ],
)
def test_manager_then_admin_then_session_says_whose_person_selects(session, has, asked):
    people = {name: ScriptedHuman(["Bob"]) for name in has}
    members = [
        user("Admin", human=people.get("Admin")),
        talker("Alice", human=people.get("member")),
        talker("Bob", "b"),
    ]
    session.find_human = lambda: people["session"]
    group = GroupChat(members, speaker_selection_method="manual", max_round=2)
    manager = GroupChatManager(group, "chief", llm_config=False, human=people.get("manager"))

    result = members[0].initiate_chat(manager, message="Go")

    assert {name: len(one.prompts) for name, one in people.items()} == {name: int(name == asked) for name in has}
    [answered] = [event.agent for event in result.events if isinstance(event, HumanAnswered)]
    assert answered == people[asked].prompts[0].agent == ("Admin" if asked == "Admin" else "chief")


def test_selection_by_hand_is_an_error_that_says_what_to_do_when_nobody_is_there():
    manager = choosing(speaker_selection_method="manual")

    with pytest.raises(NoHumanError, match=r"who speaks next in the group of 'chat_manager'.*Give its manager human="):
        manager.groupchat.agents[0].initiate_chat(manager, message="Go")


# -- Selection by a model ----------------------------------------------------------------------------------------


@both_faces
def test_model_is_asked_once_when_it_answers_with_a_name(face):
    manager = choosing("Bob", "alice")

    result = face(manager.groupchat.agents[0], "initiate_chat", manager, message="Go")

    assert speakers(result) == ["user", "Bob", "Alice"]
    assert manager.model.calls == 2


def test_model_reads_the_roles_the_talk_and_the_question():
    manager = choosing("Bob", max_round=2)

    manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    system, said, question = manager.model.requests[0].messages
    assert "Alice: You are a helpful AI Assistant." in system["content"]
    assert said == {"role": "user", "content": "Go", "name": "user"}
    assert question["content"].startswith("Who of user, Alice, Bob speaks next")


@pytest.mark.parametrize(
    ("answers", "chosen", "asked"),
    [
        (["Alice or Bob", "Bob"], "Bob", 2),
        (["Hello! How can I help?", "", "BOB!"], "Bob", 3),
        (["Robert", "Nobody", "42"], "Alice", 3),
        (["Alice, Bob, Alice, Bob"] * 3, "Alice", 3),
    ],
)
def test_model_is_asked_again_with_what_was_wrong_and_then_the_order_decides(answers, chosen, asked):
    manager = choosing(*answers, max_round=2)

    result = manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user", chosen]
    assert manager.model.calls == asked
    for answer, request in zip(answers, manager.model.requests[1:], strict=False):
        assert request.messages[-2] == {"role": "assistant", "content": answer}
        assert "exactly one of these names" in request.messages[-1]["content"]
    (event,) = result.log.select(SpeakerChosen)
    assert event.asked == asked


@pytest.mark.parametrize("seed", range(5))
def test_group_works_with_a_model_that_answers_noise(seed):
    import random

    noise = random.Random(seed)
    words = [
        "Alice",
        "bob",
        "user",
        "**",
        "\n",
        "next:",
        "I think",
        "{}",
        "<|im_end|>",
        "speaker",
        "🤷",
        "ALICE_BOB",
        "",
    ]
    model = ScriptedModel(lambda request: " ".join(noise.choices(words, k=noise.randint(0, 12))))
    count = iter(range(1000))
    members = [user("user"), talker("Alice", lambda _: f"a{next(count)}"), talker("Bob", lambda _: f"b{next(count)}")]
    manager = GroupChatManager(GroupChat(members, max_round=30, allow_repeat_speaker=False), llm_config=model)

    result = members[0].initiate_chat(manager, message="Go")

    assert result.ended_by == EndedBy.MAX_ROUNDS
    assert len(result) == 30
    assert {"Alice", "Bob"} <= set(speakers(result))
    assert model.calls <= 29 * 3


def test_what_a_model_is_asked_aside_is_no_message_of_the_chat_but_counts():
    manager = choosing("Alice or Bob", "Bob", max_round=2)

    result = manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    assert texts(result.messages) == ["Go", "b"]
    assert result.model_calls == 2
    assert {event.aside for event in result.log.select(ModelAsked)} == {"choosing who speaks next"}


def test_words_of_a_model_that_is_asked_aside_are_not_heard(session):
    heard = []
    session.make_listeners = lambda: [heard.append]
    manager = choosing("Bob", max_round=2)

    manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    assert "Delta" not in {type(one).__name__ for one in heard}


def test_nobody_is_asked_when_only_one_may_speak():
    manager = choosing(agents=[user("user"), talker("Alice", "a")], allow_repeat_speaker=False, max_round=2)

    result = manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user", "Alice"]
    assert manager.model.calls == 0


def test_another_model_may_select():
    other = ScriptedModel(["Bob"])
    manager = choosing(select_speaker_auto_llm_config=other, max_round=2)

    result = manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user", "Bob"]
    assert (other.calls, manager.model.calls) == (1, 0)


def test_selecting_model_reads_only_what_a_transform_leaves():
    manager = choosing("Bob", select_speaker_transform_messages=lambda messages: messages[-1:], max_round=3)
    manager.groupchat.messages.extend({"content": f"old {n}", "name": "Alice", "role": "user"} for n in range(5))

    manager.groupchat.agents[0].initiate_chat(manager, message="Go", max_turns=1, termination=TextMention("b"))

    assert [one["content"] for one in manager.model.requests[0].messages[1:-1]] == ["Go"]


# -- Calls -------------------------------------------------------------------------------------------------------

CALL = {
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}],
}


def test_call_goes_to_who_has_the_function():
    caller = assistant(CALL, "It is 3. TERMINATE", name="Alice")
    worker = user("worker", function_map={"add": lambda: 3})
    members = [user("user"), caller, talker("Bob", "b"), worker]
    group = GroupChat(members, max_round=6)
    manager = GroupChatManager(group, llm_config=ScriptedModel(["Alice", "Alice"]))

    result = members[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user", "Alice", "worker", "Alice"]
    assert [event.how for event in result.log.select(SpeakerChosen)] == ["model", "call", "model"]


def test_calls_go_to_who_has_all_functions_of_them_before_those_who_have_some():
    both = {
        "content": None,
        "tool_calls": [
            {"id": str(number), "type": "function", "function": {"name": name, "arguments": "{}"}}
            for number, name in enumerate(["add", "sub"])
        ],
    }
    caller = assistant(both, "It is 3. TERMINATE", name="Alice")
    some = user("some", function_map={"add": lambda: 0})
    every = user("every", function_map={"add": lambda: 3, "sub": lambda: 1})
    members = [user("user"), caller, some, every]
    group = GroupChat(members, max_round=6, speaker_selection_method="round_robin")

    result = members[0].initiate_chat(GroupChatManager(group, llm_config=False), message="Go")

    assert speakers(result)[:3] == ["user", "Alice", "every"]


def test_call_goes_to_those_who_have_the_function_and_may_speak_next():
    caller = assistant(CALL, "It is 3. TERMINATE", name="Alice")
    barred, able, also = (user(name, function_map={"add": lambda: 3}) for name in ("barred", "able", "also"))
    members = [user("user"), caller, barred, able, also]
    graph = {members[0]: [caller], caller: [able, also], barred: [caller], able: [caller], also: [caller]}
    group = GroupChat(
        members,
        max_round=6,
        speaker_selection_method="round_robin",
        allowed_or_disallowed_speaker_transitions=graph,
        speaker_transitions_type="allowed",
    )

    result = members[0].initiate_chat(GroupChatManager(group, llm_config=False), message="Go")

    assert speakers(result) == ["user", "Alice", "able", "Alice"]


def test_group_ends_with_a_reply_that_the_provider_has_filtered():
    members = [user("user"), assistant(ModelReply("No", "content_filter"), name="A"), talker("B", "more")]
    group = GroupChat(members, max_round=9, speaker_selection_method="round_robin")

    result = members[0].initiate_chat(GroupChatManager(group, llm_config=False), message="Go")

    assert (texts(result.messages), result.ended_by) == (["Go", "No"], EndedBy.FILTERED)


def test_call_of_a_function_that_nobody_has_is_a_result_that_the_model_reads():
    caller = assistant(CALL, "I give up. TERMINATE", name="Alice")
    members = [user("user"), caller]
    group = GroupChat(members, max_round=6, speaker_selection_method="round_robin")

    result = members[0].initiate_chat(GroupChatManager(group, llm_config=False), message="Go")

    assert result.ended_by == EndedBy.TERMINATION
    assert any("Function add not found" in str(one["content"]) for one in wire_of(caller))


# -- Teams in a group --------------------------------------------------------------------------------------------


def test_team_talks_apart_and_replies_with_its_last_word():
    inner = GroupChat(
        [talker("X", "x says"), talker("Y", "y says")], speaker_selection_method="round_robin", max_round=3
    )
    team = GroupChatManager(inner, "team", llm_config=False)
    members = [user("user"), team, talker("Z", "z says")]
    manager = GroupChatManager(
        GroupChat(members, speaker_selection_method="round_robin", max_round=3), llm_config=False
    )

    result = members[0].initiate_chat(manager, message="Go")

    assert speakers(result) == ["user", "team", "Z"]
    assert texts(result.messages) == ["Go", "y says", "z says"]
    nested = result.to_frame(nested=True)
    assert list(nested[nested["chat"] != result.chat]["sender"]) == ["X", "Y"]


def test_member_of_a_team_is_found_by_name():
    deep = talker("deep")
    group = GroupChat([user("user"), GroupChatManager(GroupChat([deep, talker("other")]), "team", llm_config=False)])

    assert group.agent_by_name("deep", recursive=True) is deep
    with pytest.raises(ValueError, match="Cannot find an agent named 'deep'"):
        group.agent_by_name("deep")


# -- Going on from messages --------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("as_json", [False, True])
def test_group_goes_on_from_the_messages_of_an_earlier_one(face, as_json):
    earlier, manager = trio(max_round=3)
    earlier.agents[0].initiate_chat(manager, message="Go")
    messages = manager.messages_to_string() if as_json else list(earlier.messages)
    group, manager = trio(max_round=3)

    last_speaker, last_message = face(manager, "resume", messages)
    result = face(last_speaker, "initiate_chat", manager, message=last_message, clear_history=False)

    assert last_speaker.name == "B"
    assert speakers(result) == ["B", "C", "user"]
    assert texts(group.agents[3].chat_messages[manager])[:4] == ["Go", "one", "two", "three"]
    assert texts(manager.chat_messages[group.agents[3]])[:2] == ["Go", "one"]
    assert texts(group.messages)[:4] == ["Go", "one", "two", "three"]


@both_faces
@pytest.mark.parametrize("is_same_manager", [True, False])
def test_group_goes_on_from_messages_that_somebody_outside_began(face, is_same_manager):
    def members():
        chat = GroupChat([talker("A", "one"), talker("B", "two")], max_round=3, speaker_selection_method="round_robin")
        return GroupChatManager(chat, llm_config=False)

    manager = members()
    user("guest").initiate_chat(manager, message="Go")
    again = manager if is_same_manager else members()

    last_speaker, last_message = face(again, "resume", manager.messages_to_string())
    result = face(last_speaker, "initiate_chat", again, message=last_message, clear_history=False)

    assert last_speaker is again.groupchat.agents[1]
    assert speakers(result)[:2] == ["B", "A"]
    assert [one["name"] for one in again.groupchat.messages][:3] == ["guest", "A", "B"]


def test_word_of_termination_is_taken_out_of_the_last_message():
    _, manager = trio()

    _, last = manager.resume([{"content": "All done. TERMINATE", "name": "A"}], remove_termination_string="TERMINATE")

    assert last["content"] == "All done."


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "there are no messages"),
        ([{"content": "x", "name": "stranger"}], "all that was said is by 'stranger', .* Begin it anew"),
        ([{"content": "x", "name": "A"}, {"content": "y", "name": "stranger"}], "a message is by 'stranger'"),
        ("no json", "they are no JSON"),
        ('{"content": 1}', "no list of messages"),
        (None, "Cannot resume the chat from None: that is no list of messages"),
        ({"content": "x", "name": "A"}, "that is no list of messages"),
        (["hello"], "that is no list of messages"),
        ([{"content": 1, "name": "A"}, {"content": "x", "name": "A"}], "content"),
    ],
)
def test_nothing_is_changed_when_messages_cannot_be_resumed(messages, words):
    group, manager = trio()
    group.append({"content": "kept"}, group.agents[0])

    with pytest.raises((ConfigurationError, InvalidMessageError), match=words):
        manager.resume(messages)

    assert texts(group.messages) == ["kept"]


def test_messages_are_the_same_after_they_were_json():
    group, manager = trio(max_round=3)
    group.agents[0].initiate_chat(manager, message="Go")

    assert manager.messages_from_string(manager.messages_to_string()) == group.messages
    assert json.loads(manager.messages_to_string())


# -- Groups that cannot work -------------------------------------------------------------------------------------


def test_agent_may_be_in_two_groups_one_after_the_other():
    shared, starter = talker("shared", "s"), user("user")
    groups = [GroupChat([starter, shared], max_round=2, speaker_selection_method="round_robin") for _ in range(2)]
    one, other = (GroupChatManager(group, f"m{n}", llm_config=False) for n, group in enumerate(groups))

    starter.initiate_chat(one, message="First")
    starter.initiate_chat(other, message="Second")

    assert texts(shared.chat_messages[one]) == ["First", "s"]
    assert texts(shared.chat_messages[other]) == ["Second", "s"]


TWIN = talker("twin")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"agents": []}, "it has no agents"),
        ({"agents": ["user"]}, "'user' is no agent"),
        ({"agents": TWIN}, "Cannot build the group of 'twin': that is no list"),
        ({"agents": "twin"}, "Cannot build the group of 'twin': that is no list"),
        ({"agents": [talker("Dr Smith"), talker("dr_smith")]}, "'Dr Smith' and 'dr_smith', which differ in nothing"),
        ({"messages": ["hello"]}, "its messages have 'hello'. Give a list of dictionaries"),
        ({"messages": "hello"}, "its messages have 'hello'"),
        ({"messages": {"content": "hello"}}, "its messages have {'content': 'hello'}"),
        ({"messages": 3}, "its messages have 3"),
        ({"allow_repeat_speaker": TWIN}, "allow_repeat_speaker is 'twin'"),
        ({"allow_repeat_speaker": ["twn"]}, "name 'twn', who is not in it. It has twin, other. Did you mean 'twin'?"),
        ({"agents": [TWIN, TWIN]}, "'twin' is in it twice"),
        ({"agents": [TWIN, talker("twin")]}, "two of its agents are named 'twin'"),
        ({"max_round": 0}, "max_round is 0"),
        ({"max_round": "10"}, "max_round is '10'"),
        ({"max_retries_for_selecting_speaker": -1}, "max_retries_for_selecting_speaker is -1"),
        ({"speaker_selection_method": "best"}, "Cannot select speakers by 'best'"),
        ({"speaker_selection_method": "round-robin"}, "Did you mean 'round_robin'?"),
        ({"allow_repeat_speaker": False, "allowed_or_disallowed_speaker_transitions": {TWIN: [TWIN]}}, "it has both"),
        ({"allowed_or_disallowed_speaker_transitions": {TWIN: [TWIN]}}, "'allowed' or the 'disallowed'"),
    ],
)
def test_group_that_cannot_work_is_refused_when_it_is_built(options, words):
    with pytest.raises(ConfigurationError, match="Cannot") as caught:
        GroupChat(**({"agents": [TWIN, talker("other")]} | options))

    assert words in str(caught.value)


def test_group_keeps_the_very_list_of_messages_that_it_is_given():
    messages = [{"content": "Before", "name": "twin"}]

    assert GroupChat([TWIN], messages).messages is messages
    assert GroupChat([TWIN], tuple(messages)).messages == messages
    assert GroupChat([TWIN], None).messages == []


def test_agent_in_a_group_and_in_a_team_of_it_is_refused():
    team = GroupChatManager(GroupChat([TWIN, talker("other")]), "team", llm_config=False)

    with pytest.raises(ConfigurationError, match="also in a team of it"):
        GroupChat([TWIN, team])


def test_manager_with_functions_is_refused():
    with pytest.raises(ConfigurationError, match="only chooses speakers"):
        GroupChatManager(GroupChat([TWIN, talker("other")]), llm_config={"model": "m", "tools": [{"type": "function"}]})


def test_run_chat_works_in_any_agent():
    group = GroupChat([talker("A", "a"), talker("B", "b")], speaker_selection_method="round_robin", max_round=3)
    leader = talker("leader")
    leader.register_auto_reply([lambda sender: True], GroupChatManager.run_chat, config=group)

    result = sync_face(user("user"), "initiate_chat", leader, message="Go")

    assert speakers(result) == ["user", "A", "B"]
