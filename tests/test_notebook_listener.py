"""The transcript on the page of a notebook."""

import pytest

from jupyter_agents.display import slots
from jupyter_agents.display.notebook import MAX_OUTPUTS, NotebookListener
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeFinished,
    Delta,
    MessageSent,
    Noted,
    SeriesEnded,
    SeriesStarted,
    Summarised,
)
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.messages import Message
from tests.lab import Lab, tell


@pytest.fixture
def page(monkeypatch):
    def open_page(*, is_followed=True):
        return Lab(is_followed=is_followed).install(monkeypatch, has_widgets=False)

    return open_page


def sent(content, *, chat=0, silent=False):
    return MessageSent(chat, "user", "assistant", Message(content), "program", silent)


def chat_of(count):
    return [ChatStarted(0, "user", "assistant"), *(sent(f"m{number}") for number in range(count))]


ENDED = ChatEnded(0, "termination message")


def test_everything_is_published_once_and_in_order(page):
    cell = page()
    listener = NotebookListener()

    tell(listener, *chat_of(2), Noted(0, "a note"), sent("quiet", silent=True), ChatEnded(0, "turn limit"))
    listener(Delta("piece", "assistant"))

    assert cell.texts() == [
        "user (to assistant):\n\nm0",
        "user (to assistant):\n\nm1",
        "a note",
        "The chat ended (turn limit).",
    ]


def test_opening_message_is_left_out_when_the_cell_shows_it(page):
    cell = page()

    tell(
        NotebookListener(skip_opening=True),
        *chat_of(2),
        ChatStarted(1, "a", "b", 0),
        sent("nested", chat=1),
        sent("m2"),
    )

    assert [text.rpartition("\n")[2] for text in cell.texts()] == ["m1", "nested", "m2"]


@pytest.mark.parametrize("is_followed", [True, False])
def test_chats_of_a_series_are_shown_one_below_the_other(page, is_followed):
    cell = page(is_followed=is_followed)

    tell(
        NotebookListener(),
        SeriesStarted(0, 2),
        *(ChatStarted(1, "user", "a", 0), sent("first", chat=1), Summarised(1, "So.\n\nIt is.", "function")),
        ChatEnded(1, "termination message"),
        *(ChatStarted(2, "user", "b", 0), sent("second", chat=2), Summarised(2, "", "none")),
        *(ChatEnded(2, "termination message"), SeriesEnded(0)),
    )

    said = [text.rpartition("\n")[2] for text in cell.texts()]
    assert said == ["first", "chat 1 · Summary: So. It is.", "second"]
    assert [one[1][MESSAGE_MIME].get("depth", 0) for one in cell.outputs] == [0, 0, 0]


def test_what_follows_in_the_same_chat_is_shown_whole_and_as_the_same_chat_of_the_cell(page):
    cell = page()
    listener = NotebookListener(skip_opening=True)

    tell(listener, *chat_of(2), ChatEnded(0, "pause", "taken back"))
    tell(listener, ChatStarted(1, "user", "assistant"), Noted(1, "Edited."), sent("other", chat=1))

    assert [text.rpartition("\n")[2] for text in cell.texts()] == ["m1", "Edited.", "other"]


def test_opening_keeps_its_number_when_it_is_left_out(page):
    cell = page()

    tell(NotebookListener(skip_opening=True), *chat_of(2))

    assert cell.outputs[0][1][MESSAGE_MIME]["id"] == 1


@pytest.mark.parametrize("is_followed", [True, False])
def test_messages_share_one_output_when_the_cell_has_many(page, is_followed):
    cell = page(is_followed=is_followed)

    tell(NotebookListener(), *chat_of(100), ENDED)

    assert len(cell.outputs) == MAX_OUTPUTS + 1
    items = cell.outputs[-1][1][MESSAGE_MIME]["items"]
    assert [item["text"] for item in items] == [f"m{number}" for number in range(MAX_OUTPUTS, 100)]


def test_shared_output_is_the_same_whether_or_not_somebody_follows(page):
    def last(*, is_followed):
        cell = page(is_followed=is_followed)
        tell(NotebookListener(), *chat_of(60), ENDED)
        return cell.outputs[-1][1]

    assert last(is_followed=True) == last(is_followed=False)


def test_shared_output_is_never_updated_when_nobody_follows(page):
    cell = page(is_followed=False)

    tell(NotebookListener(), *chat_of(60))
    before_the_end = len(cell.outputs)
    tell(NotebookListener(), *chat_of(60), ENDED)

    assert before_the_end == MAX_OUTPUTS
    assert cell.updates == 0


def test_shared_output_grows_while_the_chat_goes_on_when_somebody_follows(page, monkeypatch):
    cell = page()
    seconds = iter(range(0, 10_000, 2))
    monkeypatch.setattr(slots.SharedSlot, "__init__", _with_clock(lambda: next(seconds)))
    listener = NotebookListener()

    tell(listener, *chat_of(MAX_OUTPUTS + 2))

    assert cell.texts()[-1].count("user (to assistant)") == 1  # the next update waits: this one took two seconds
    tell(listener, ENDED)
    assert cell.texts()[-1].count("user (to assistant)") == 2


def _with_clock(clock):
    made = slots.SharedSlot.__init__
    return lambda self, *args: made(self, *args, clock=clock)


def test_outputs_of_code_are_counted(page):
    cell = page()
    code = CodeFinished(0, "user", 0, "ok", "", outputs=MAX_OUTPUTS - 1)

    tell(NotebookListener(), ChatStarted(0, "user", "assistant"), sent("m0"), code, sent("m1"), sent("m2"), ENDED)

    assert len(cell.outputs) == 2
    assert cell.outputs[-1][1][MESSAGE_MIME]["kind"] == "messages"


def test_chats_of_one_cell_share_the_count(page):
    cell = page()
    for _ in range(3):
        tell(NotebookListener(), *chat_of(20), ENDED)

    assert len(cell.outputs) == MAX_OUTPUTS + 1


def test_count_begins_anew_when_another_cell_runs(page):
    cell = page()
    tell(NotebookListener(), *chat_of(MAX_OUTPUTS), ENDED)
    cell.request = {"header": {"msg_id": "second"}, "content": {"allow_stdin": True}}

    tell(NotebookListener(), *chat_of(MAX_OUTPUTS), ENDED)

    assert len(cell.outputs) == 2 * MAX_OUTPUTS


def test_oldest_messages_give_way_when_the_shared_output_is_huge(page):
    cell = page(is_followed=False)

    tell(NotebookListener(), *chat_of(MAX_OUTPUTS + 520), ENDED)

    assert cell.texts()[-1].startswith("20 earlier messages are not shown here")
    assert cell.texts()[-1].endswith(f"m{MAX_OUTPUTS + 519}")
