"""Which chat a message belongs to, and where it stands: groups, nested chats, and chats beside each other."""

import pytest

from jupyter_agents import GroupChat, GroupChatManager, a_initiate_chats
from jupyter_agents.display.bundle import Transcript
from jupyter_agents.display.notebook import NotebookListener
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    Entry,
    MessageSent,
    Noted,
    Relayed,
    SeriesStarted,
    Summarised,
)
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.messages import Message
from jupyter_agents.session import use_session
from tests.fakes import assistant, quiet_session, user
from tests.lab import Lab, tell


def said(chat, sender, recipient, text="Hello", origin="model"):
    return MessageSent(chat, sender, recipient, Message(text), origin)


def shown(*events, transcript=None):
    """The bundles of what is shown of these events."""
    transcript = transcript or Transcript()
    found = (transcript.bundle(Entry(number, event)) for number, event in enumerate(events))
    return [one.data for one in found if one is not None]


def field(bundles, name):
    return [one[MESSAGE_MIME].get(name) for one in bundles]


# -- Groups ------------------------------------------------------------------------------------------------------


def test_manager_of_a_group_is_named_once():
    heard = Relayed(0, "manager", ("Bob",), Message("Hello"))
    bundles = shown(
        ChatStarted(0, "Ann", "manager"),
        said(0, "Ann", "manager"),
        heard,
        said(0, "Bob", "manager"),
        said(0, "Ann", "manager"),
    )

    assert field(bundles, "to_group") == [None, True, True]
    assert field(bundles, "recipient") == ["manager"] * 3
    assert ["to manager" in one["text/html"] for one in bundles] == [True, False, False]
    assert bundles[1]["text/markdown"] == "**Bob**\n\nHello"
    assert bundles[1]["text/plain"] == "Bob (to manager):\n\nHello"


def test_result_of_code_in_a_group_has_the_colour_of_who_spoke_last():
    heard = Relayed(0, "manager", ("Bob",), Message("Hello"))
    result = said(0, "runner", "manager", "exitcode: 0 (execution succeeded)\nCode output: 1", "code")
    bundles = shown(
        ChatStarted(0, "Ann", "manager"), said(0, "Ann", "manager"), heard, said(0, "Bob", "manager"), result
    )

    assert field(bundles, "author_colour") == [None, None, 1]


# -- Nested chats ------------------------------------------------------------------------------------------------


def test_notes_of_a_nested_chat_are_as_deep_as_its_messages():
    bundles = shown(
        ChatStarted(0, "a", "b"),
        Noted(0, "outside"),
        ChatStarted(1, "b", "c", 0),
        said(1, "b", "c"),
        Noted(1, "inside"),
        ChatEnded(1, "turn limit"),
        Summarised(1, "So.", "function"),
    )

    assert field(bundles, "depth") == [None, 1, 1, 1, 1]
    assert ["24px" in one["text/html"] for one in bundles] == [False, True, True, True, True]


# -- Chats beside each other -------------------------------------------------------------------------------------


def test_chats_without_a_name_are_told_apart_only_where_they_go_on_at_the_same_time():
    bundles = shown(
        ChatStarted(0, "a", "b"),
        *(ChatStarted(1, "a", "x", 0), said(1, "a", "x"), ChatEnded(1, "turn limit")),
        *(ChatStarted(2, "a", "y", 0), ChatStarted(3, "a", "z", 0), said(2, "a", "y"), said(3, "a", "z")),
        ChatEnded(3, "turn limit"),
    )

    assert field(bundles, "label") == [None, None, "chat 2", "chat 3", "chat 3"]
    assert bundles[2]["text/plain"] == "a (to y) · chat 2:\n\nHello"
    assert bundles[4]["text/plain"] == "chat 3 · The chat ended (turn limit)."


def test_chats_of_a_graph_go_by_their_names():
    started = SeriesStarted(0, 2), ChatStarted(1, "a", "x", 0, "facts <b>"), ChatStarted(2, "a", "y", 0)
    bundles = shown(*started, said(1, "a", "x"), said(2, "a", "y"))

    assert field(bundles, "label") == ["facts <b>", "chat 2"]
    assert "facts &lt;b&gt;" in bundles[0]["text/html"]
    assert field(bundles, "depth") == [None, None]


def test_chats_of_a_series_are_told_apart_from_the_first_message_on():
    bundles = shown(
        SeriesStarted(0, 2),
        *(ChatStarted(1, "a", "x", 0), said(1, "a", "x"), ChatEnded(1, "turn limit")),
        *(ChatStarted(2, "a", "y", 0), said(2, "a", "y")),
    )

    assert field(bundles, "label") == ["chat 1", "chat 1", "chat 2"]
    assert bundles[0]["text/plain"] == "a (to x) · chat 1:\n\nHello"


def test_series_of_one_chat_has_nothing_to_be_told_apart():
    bundles = shown(SeriesStarted(0, 1), ChatStarted(1, "a", "x", 0), said(1, "a", "x"))

    assert field(bundles, "label") == [None]


def test_name_of_a_chat_is_in_the_log_only_where_it_has_one():
    assert "name" not in ChatStarted(1, "a", "x", 0).to_json()
    assert ChatStarted(1, "a", "x", 0, "facts").to_json()["name"] == "facts"


async def test_events_of_a_graph_name_its_chats():
    with use_session(quiet_session()):
        queue = [
            {"chat_id": name, "sender": user(name), "recipient": assistant("Done. TERMINATE"), "message": "Go"}
            | ({"prerequisites": ["facts"]} if name == "text" else {})
            for name in ("facts", "text")
        ]
        results = await a_initiate_chats(queue)

    started = results["facts"].log.select(ChatStarted)
    assert [one.name for one in started] == ["facts", "text"]


async def test_chat_that_a_named_one_holds_has_no_name():
    inner, outer = assistant("Inner. TERMINATE", name="inner"), assistant("Outer. TERMINATE", name="outer")
    outer.register_nested_chats([{"recipient": inner, "message": "Well?", "max_turns": 1}], trigger=lambda sender: True)
    with use_session(quiet_session()):
        results = await a_initiate_chats(
            [{"chat_id": "facts", "sender": user(), "recipient": outer, "message": "Go", "max_turns": 1}]
        )

    assert [one.name for one in results["facts"].log.select(ChatStarted)] == ["facts", ""]


# -- Chats of one cell -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_widgets", [True, False])
def test_chats_of_a_cell_are_counted(monkeypatch, has_widgets):
    lab = Lab().install(monkeypatch, has_widgets=has_widgets)
    for _ in range(2):
        tell(
            NotebookListener(),
            ChatStarted(0, "user", "assistant"),
            said(0, "user", "assistant"),
            ChatEnded(0, "turn limit"),
        )
    lab.request = {"header": {"msg_id": "next", "session": "s"}, "content": {"allow_stdin": True}}
    tell(NotebookListener(), ChatStarted(0, "user", "assistant"), said(0, "user", "assistant"))

    told = [data[MESSAGE_MIME].get("talk") for _, data in lab.outputs]

    assert told == [None, None, 2, 2, None]
    assert lab.texts()[2:4] == ["user (to assistant) · chat 2:\n\nHello", "chat 2 · The chat ended (turn limit)."]


def test_group_that_is_held_names_its_manager_once(monkeypatch):
    lab = Lab(is_followed=False).install(monkeypatch)
    members = [user("user"), assistant("One.", name="Ann"), assistant("Two. TERMINATE", name="Bob")]
    manager = GroupChatManager(GroupChat(members, speaker_selection_method="round_robin"), llm_config=False)
    with use_session(quiet_session(make_listeners=lambda: [NotebookListener()])):
        members[0].initiate_chat(manager, message="Go")

    assert [data["text/markdown"].partition("\n")[0] for _, data in lab.outputs] == [
        "**user** to chat\\_manager",
        "**Ann**",
        "**Bob**",
    ]
