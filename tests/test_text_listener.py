"""The transcript in a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.display.markdown import clean
from jupyter_agents.display.text import TextListener
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeStarted,
    Delta,
    Entry,
    HumanAnswered,
    MessageSent,
    ModelAsked,
    ModelFailed,
    Noted,
    Notice,
    ReplyDropped,
    ToolStarted,
    Waiting,
)
from jupyter_agents.messages import Message, ToolCall, ToolResponse

RULE = "-" * 80 + "\n"


def written(*happenings, stream=False):
    lines = []
    listener = TextListener(lines.append, stream=stream)
    for number, one in enumerate(happenings):
        listener(one if isinstance(one, Notice) else Entry(number, one))
    return "".join(lines)


def sent(content="hello", *, origin="model", sender="assistant", recipient="user", silent=False, **parts):
    return MessageSent(0, sender, recipient, Message(content, **parts), origin, silent)


def test_message_is_written_in_the_classic_form():
    assert written(sent("hello\nthere")) == f"assistant (to user):\n\nhello\nthere\n\n{RULE}"


def test_nothing_is_written_when_a_message_is_silent():
    assert written(sent(silent=True)) == ""


def test_stdout_is_looked_up_when_something_is_written(capsys):
    TextListener()(Entry(0, sent()))

    assert capsys.readouterr().out.startswith("assistant (to user):\n\nhello\n")


def test_calls_are_written_when_a_message_asks_for_them():
    text = written(sent("I will add.", function_call=ToolCall("add", '{"a": 1}')))

    title = "***** Suggested function call: add *****"
    assert f'I will add.\n{title}\nArguments: \n{{"a": 1}}\n{"*" * len(title)}\n' in text


@pytest.mark.parametrize(
    "result",
    [
        sent("3", origin="tool", sender="user", role="function", name="add"),
        sent("3", origin="tool", sender="user", role="tool", tool_responses=(ToolResponse("c1", "3"),)),
        sent("3", origin="tool", sender="user", role="tool", tool_call_id="c1"),
    ],
)
def test_result_is_written_with_the_name_of_what_was_called(result):
    text = written(sent(None, tool_calls=(ToolCall("add", "{}", "c1"),)), result)

    title = '***** Response from calling function "add" *****'
    assert text.endswith(f"assistant):\n\n{title}\n3\n{'*' * len(title)}\n\n{RULE}".replace("assistant", "user"))


def test_label_is_written_when_a_reply_was_cut_off():
    assert ">>>>>>>> CUT OFF AT THE TOKEN LIMIT\n" in written(sent("half", finish_reason="length"))


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (CodeStarted(0, "user", "python", "1"), "EXECUTING CODE BLOCK 0 (inferred language is python)..."),
        (CodeStarted(0, "user", "", "1"), "EXECUTING CODE BLOCK 0 (inferred language is unknown)..."),
        (ToolStarted(0, "user", "add", "{}"), "EXECUTING FUNCTION add..."),
        (Noted(0, "user runs code without asking."), "user runs code without asking."),
        (ChatEnded(0, "turn limit", "30 turns"), "The chat ended (turn limit: 30 turns)."),
        (ChatEnded(0, "termination condition", "said 'bye'"), "The chat ended (termination condition: said 'bye')."),
        (ChatEnded(0, "person", who="Anna"), "Anna ended the chat."),
        (Waiting(1.5, "rate limit"), "WAITING 1.5 s: rate limit"),
    ],
)
def test_line_is_written_when_something_happens(event, line):
    assert written(event) == f"\n>>>>>>>> {line}\n"


def test_nothing_is_written_when_a_chat_ends_as_chats_do():
    assert written(ChatStarted(0, "user", "assistant"), ChatEnded(0, "termination message")) == ""


def test_blocks_are_counted_within_a_message():
    block = CodeStarted(0, "user", "sh", "ls")

    text = written(block, block, sent(sender="user"), block)

    assert [text.count(f"CODE BLOCK {number} ") for number in (0, 1, 2)] == [2, 1, 0]


@pytest.mark.parametrize(
    "automatic", [ModelAsked(0, "user", 2), CodeStarted(0, "user", "sh", "ls"), sent(sender="user", origin="program")]
)
def test_auto_reply_is_announced_when_the_person_skips(automatic):
    text = written(HumanAnswered(0, "user", "reply", ""), automatic)

    assert text.startswith("\n>>>>>>>> NO HUMAN INPUT RECEIVED.\n\n>>>>>>>> USING AUTO REPLY...\n")


@pytest.mark.parametrize(
    "events",
    [
        [HumanAnswered(0, "user", "reply", "go on"), sent("go on", sender="user", origin="human")],
        [HumanAnswered(0, "user", "reply", ""), ChatEnded(0, "termination message")],
        [HumanAnswered(0, "user", "run"), CodeStarted(0, "user", "sh", "ls")],
        [HumanAnswered(0, "user", "reply", ""), sent("", sender="user", origin="human")],
    ],
)
def test_no_auto_reply_is_announced_when_there_is_none(events):
    assert "AUTO REPLY" not in written(*events)


# -- Streaming ---------------------------------------------------------------------------------------------------

ASKED = [ChatStarted(0, "user", "assistant"), ModelAsked(0, "assistant", 1)]


def test_reply_is_written_once_when_it_streams():
    streamed = written(*ASKED, Delta("hel", "assistant"), Delta("lo", "assistant"), sent("hello"), stream=True)

    assert streamed == written(sent("hello"))


def test_reply_is_written_as_it_comes_when_it_streams():
    assert written(*ASKED, Delta("hel", "assistant"), stream=True) == "assistant (to user):\n\nhel"


def test_pieces_are_not_written_when_nobody_asked_for_them():
    assert written(*ASKED, Delta("hel", "assistant")) == ""


def test_calls_follow_when_a_streamed_reply_has_some():
    message = sent("hello", function_call=ToolCall("add"))

    assert written(*ASKED, Delta("hello", "assistant"), message, stream=True) == written(message)


def test_message_is_written_whole_when_the_streamed_attempt_failed():
    text = written(
        *ASKED, Delta("hel", "assistant"), Waiting(1, "retry"), Delta("bye", "assistant"), sent("bye"), stream=True
    )

    assert text.count("bye") == 1
    assert text == f"assistant (to user):\n\nhel\n\n{RULE}\n>>>>>>>> WAITING 1.0 s: retry\n{written(sent('bye'))}"


def test_message_is_written_whole_when_it_is_not_what_was_streamed():
    text = written(*ASKED, Delta("draft", "assistant"), sent("final"), stream=True)

    assert text == f"assistant (to user):\n\ndraft\n\n{RULE}{written(sent('final'))}"


# -- What steers a terminal ----------------------------------------------------------------------------------------

STEERING = "a\x1b[8mhidden\x1b[2J\x1b]0;title\x07\x1b[1;1H\x9b2J\rover\bz\x1bc"


def steers(text):
    return [one for one in text if one != "\n" and not one.isprintable()]


@pytest.mark.parametrize(
    "event",
    [
        sent(STEERING),
        sent(STEERING, sender=STEERING),
        sent("", function_call=ToolCall(STEERING, STEERING)),
        sent(STEERING, role="function", name=STEERING),
        sent(None, role="tool", tool_responses=(ToolResponse(STEERING, STEERING),)),
        CodeStarted(0, "user", STEERING, "1"),
        ToolStarted(0, "user", "1", STEERING, "{}"),
        ModelFailed(0, "assistant", STEERING),
        Noted(0, STEERING, STEERING),
        ChatEnded(0, "failed", STEERING),
        Waiting(1, STEERING),
    ],
    ids=lambda event: type(event).__name__,
)
def test_nothing_steers_the_terminal_when_others_have_written_it(event):
    text = written(event)

    assert steers(text) == []
    assert "[8m" not in text


def test_exact_text_stays_readable_when_it_would_hide_itself():
    text = written(sent("rm -rf x\x1b[2K\x1b[8m\rprint(1)"))

    assert text == written(sent("rm -rf x\nprint(1)"))


def test_nothing_steers_the_terminal_when_an_escape_comes_in_two_pieces():
    pieces = [Delta(piece, "assistant") for piece in ("a\x1b", "[", "8", "mb\r", "\nc\x1b[2", "J")]

    text = written(*ASKED, *pieces, sent("a\x1b[8mb\r\nc\x1b[2J"), stream=True)

    assert text == written(sent("ab\nc"))


@pytest.mark.parametrize("rest", ["\x1b", "\x1b[3", "\r"])
def test_what_was_held_back_is_written_when_nothing_follows(rest):
    assert written(*ASKED, Delta(f"a{rest}", "assistant"), sent(f"a{rest}"), stream=True) == written(sent(f"a{rest}"))


@given(st.lists(st.text("a[]1;8mJ \x1b\r\n\x07\x9b\ud83d\ude00é", min_size=1), min_size=1))
def test_text_is_that_of_the_whole_when_it_streams(pieces):
    text = "".join(pieces)

    streamed = written(*ASKED, *(Delta(piece, "assistant") for piece in pieces), sent(text), stream=True)

    assert streamed == written(sent(text)) == f"assistant (to user):\n\n{clean(text)}\n\n{RULE}"


def test_reply_that_counts_no_longer_is_said_to_when_it_was_streamed():
    text = written(
        ModelAsked(0, "assistant", 1),
        Delta("Half a", "assistant"),
        ReplyDropped(0, "assistant", "it broke off.", "Half a"),
        Delta("Whole.", "assistant"),
        sent("Whole."),
        stream=True,
    )

    assert ">>>>>>>> A REPLY OF assistant COUNTS NO LONGER: it broke off." in text
    assert text.index("Half a") < text.index("COUNTS NO LONGER") < text.index("Whole.")
    assert text.count("Whole.") == 1
