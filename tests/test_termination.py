"""When a chat stops: the closing word, the human-input decision as one table, and conditions."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.messages import Message, ToolCall
from jupyter_agents.termination import (
    NOT_ASKED,
    CallOf,
    ChatEnds,
    Condition,
    EndedBy,
    Ending,
    ExternalStop,
    MaxMessages,
    Question,
    TextMention,
    Verdict,
    When,
    choose_question,
    conclude,
    is_terminate,
    without_terminate,
)

# -- The closing word --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "TERMINATE",
        "TERMINATE.",
        "TERMINATE!",
        " TERMINATE \n\n",
        "**TERMINATE**",
        "*TERMINATE*",
        "`TERMINATE`",
        "- TERMINATE",
        "It is 42.\n\nTERMINATE",
        "It is 42.\r\nTERMINATE\r\n",
        "It is 42. TERMINATE",
        "It is 42! **TERMINATE**",
        "It is 42 ✅ TERMINATE.",
        "```python\nprint(42)\n```\nTERMINATE",
        "TERMINATE\n```text\n42\n```",
        "> What is it?\n\n42. TERMINATE",
        "> What is it?\nTERMINATE",
    ],
)
def test_message_is_the_last_when_its_own_last_words_say_so(text):
    assert is_terminate(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "terminate",
        "Terminate.",
        "TERMINATED",
        "NOT_TERMINATE",
        "Do it, then reply TERMINATE",
        "Do it, then reply **TERMINATE**.",
        "Reply `TERMINATE` when all is done.",
        "When it is done, TERMINATE",
        'Reply "TERMINATE"',
        "print('TERMINATE')",
        "TERMINATE\nor not",
        "```python\nprint(42)\nTERMINATE\n```",
        "```\nTERMINATE",
        "~~~\nTERMINATE\n~~~",
        "> TERMINATE",
        "He said:\n> TERMINATE\n> TERMINATE",
    ],
)
def test_message_is_not_the_last_when_the_word_is_code_quoted_or_part_of_a_sentence(text):
    assert not is_terminate(text)


# a phrasing; whether it ends the chat from a model, and from a person; what is left of it where the word ends the chat
PHRASINGS = [
    ("The answer is 4 TERMINATE", True, False, "The answer is 4"),
    ("The capital of France is Paris TERMINATE", True, False, "The capital of France is Paris"),
    ("The answer is 4, TERMINATE", True, False, "The answer is 4,"),
    ("Final answer: **4** TERMINATE", True, False, "Final answer: **4**"),
    ("**The answer is 4** **TERMINATE**", True, False, "**The answer is 4**"),
    ("Done TERMINATE.", True, False, "Done"),
    ("Answer: 4 TERMINATE", True, False, "Answer: 4"),
    ("**Output**: 4, TERMINATE", True, False, "**Output**: 4,"),
    ("Answer = 4 TERMINATE", True, False, "Answer = 4"),
    ("The right one is A TERMINATE", True, False, "The right one is A"),
    ("Answer with: a number, TERMINATE", False, False, None),
    ("Reply: TERMINATE", False, False, None),
    ("It is not a TERMINATE", False, False, None),
    ("All tests pass - TERMINATE", True, True, "All tests pass -"),
    ("Status: TERMINATE", True, False, "Status:"),
    ("It is 42 (TERMINATE)", True, False, "It is 42"),
    ("Thank you, goodbye! TERMINATE", True, True, "Thank you, goodbye!"),
    ("Please tell me if you need more. TERMINATE", True, True, "Please tell me if you need more."),
    ("答案是巴黎。TERMINATE", True, True, "答案是巴黎。"),
    ("Die Antwort lautet 4 TERMINATE", True, False, "Die Antwort lautet 4"),
    ("Here is the plot:\n\nTERMINATE", True, False, "Here is the plot:"),
    ("It is 42.\n- TERMINATE", True, True, "It is 42."),
    ("It is 42.\n\n## TERMINATE", True, True, "It is 42."),
    ("1. TERMINATE", True, True, ""),
    ("(TERMINATE)", True, True, ""),
    ("'TERMINATE'", True, True, ""),
    ("[**TERMINATE**]", True, True, ""),
    ("TERMINATE 👋", True, True, ""),
    ("It is 42. TERMINATE ✅", True, True, "It is 42."),
    ("TERMINATE\n```text\n42\n```", True, True, "```text\n42\n```"),
    ("Solve it, then reply TERMINATE", False, False, None),
    ("When everything is done, reply TERMINATE.", False, False, None),
    ("When the task is done, TERMINATE", False, False, None),
    ("If you agree, TERMINATE", False, False, None),
    ("Check it, and if it is right, TERMINATE", False, False, None),
    ("When all tests passed, the total was 5 TERMINATE", True, False, "When all tests passed, the total was 5"),
    ("If x is 2, f(x) is 4, and f(f(x)) is 16 TERMINATE", True, False, "If x is 2, f(x) is 4, and f(f(x)) is 16"),
    ("When the tests pass, stop TERMINATE", False, False, None),
    ("If it fails, mend it, then end the chat with a TERMINATE", False, False, None),
    ("Once that is done, finish, TERMINATE", False, False, None),
    ("The states are RUN, WAIT, TERMINATE", False, False, None),
    ("Signals: **GO**, **WAIT**, **TERMINATE**", False, False, None),
    ("It was confirmed by NASA, TERMINATE", True, False, "It was confirmed by NASA,"),
    ("End your answer with the word TERMINATE", False, False, None),
    ("End your answer with: TERMINATE", False, False, None),
    ("Reply with the result and TERMINATE", False, False, None),
    ("Do not say TERMINATE", False, False, None),
    ("I will never write **TERMINATE**!", False, False, None),
    ("It works. Now please TERMINATE", False, False, None),
    ('I did not say "TERMINATE"', False, False, None),
    ("When you are done, reply with:\n\nTERMINATE", False, False, None),
    ("Löse das, und antworte am Ende mit TERMINATE", True, False, None),
    ("Shall I TERMINATE?", False, False, None),
    ("Shall I use EndedBy.TERMINATE", False, False, None),
    ("(reply TERMINATE)", False, False, None),
]


@pytest.mark.parametrize(("text", "from_model", "from_person", "left"), PHRASINGS)
def test_word_ends_a_chat_as_the_table_of_phrasings_says(text, from_model, from_person, left):
    assert is_terminate(text, of_model=True) is from_model
    assert is_terminate(text) is from_person


@pytest.mark.parametrize(("text", "from_model", "from_person", "left"), PHRASINGS)
def test_word_is_taken_away_exactly_where_it_ends_a_chat(text, from_model, from_person, left):
    without = {of_model: without_terminate(text, of_model=of_model) for of_model in (True, False)}

    assert without[False] == (left if from_person else text)
    assert without[True] == (text if not from_model else without[True])
    assert left is None or without[True] == left


@given(st.text(), st.sampled_from(["", "\n", "TERMINATE", " TERMINATE", "\n* TERMINATE"]), st.booleans())
def test_any_text_can_be_asked_for_the_word(text, end, of_model):
    without = without_terminate(text + end, of_model=of_model)

    assert is_terminate(text + end, of_model=of_model) == (without != (text + end).rstrip())


# -- The human-input decision ------------------------------------------------------------------------------------

BELOW, AT, ABOVE, NONE_ALLOWED = (1, 3), (3, 3), (4, 3), (0, 0)  # automatic replies in a row, and how many are allowed
AUTO, SILENCE = Verdict(auto=True), Verdict(reply="")
END, LIMIT = Verdict(ending=EndedBy.TERMINATION), Verdict(ending=EndedBy.AUTO_REPLY_LIMIT)

# mode, is a termination message, (counter, limit), what is asked, what follows from an empty answer or from no question
TABLE = [
    ("ALWAYS", False, BELOW, Question.FEEDBACK, AUTO),
    ("ALWAYS", False, AT, Question.FEEDBACK, AUTO),
    ("ALWAYS", False, ABOVE, Question.FEEDBACK, AUTO),
    ("ALWAYS", False, NONE_ALLOWED, Question.FEEDBACK, SILENCE),
    ("ALWAYS", True, BELOW, Question.FEEDBACK, END),
    ("ALWAYS", True, AT, Question.FEEDBACK, END),
    ("ALWAYS", True, ABOVE, Question.FEEDBACK, END),
    ("ALWAYS", True, NONE_ALLOWED, Question.FEEDBACK, END),
    ("TERMINATE", False, BELOW, None, AUTO),
    ("TERMINATE", False, AT, Question.FEEDBACK_AT_LIMIT, AUTO),
    ("TERMINATE", False, ABOVE, Question.FEEDBACK_AT_LIMIT, AUTO),
    ("TERMINATE", False, NONE_ALLOWED, Question.FEEDBACK_AT_LIMIT, SILENCE),
    ("TERMINATE", True, BELOW, Question.LAST_WORD, END),
    ("TERMINATE", True, AT, Question.LAST_WORD, END),
    ("TERMINATE", True, ABOVE, Question.LAST_WORD, END),
    ("TERMINATE", True, NONE_ALLOWED, Question.LAST_WORD, END),
    ("NEVER", False, BELOW, None, AUTO),
    ("NEVER", False, AT, None, LIMIT),
    ("NEVER", False, ABOVE, None, LIMIT),
    ("NEVER", False, NONE_ALLOWED, None, LIMIT),
    ("NEVER", True, BELOW, None, END),
    ("NEVER", True, AT, None, END),
    ("NEVER", True, ABOVE, None, END),
    ("NEVER", True, NONE_ALLOWED, None, END),
]
ASKED = [row for row in TABLE if row[3] is not None]


def facts(is_termination, position):
    return {"is_termination": is_termination, "counter": position[0], "limit": position[1]}


def test_table_is_whole():
    combinations = {row[:3] for row in TABLE}

    assert len(combinations) == len(TABLE) == 3 * 2 * 4


@pytest.mark.parametrize(("mode", "is_termination", "position", "question", "_"), TABLE)
def test_person_is_asked_when_the_table_says_so(mode, is_termination, position, question, _):
    assert choose_question(mode, **facts(is_termination, position)) is question


@pytest.mark.parametrize(("mode", "is_termination", "position", "question", "verdict"), TABLE)
def test_chat_goes_as_the_table_says_when_nothing_is_answered(mode, is_termination, position, question, verdict):
    answer = NOT_ASKED if question is None else ""

    assert conclude(mode, answer, **facts(is_termination, position)) == verdict


@pytest.mark.parametrize(("mode", "is_termination", "position", "_", "__"), ASKED)
@pytest.mark.parametrize("answer", ["exit", " exit\n"])
def test_person_ends_the_chat_when_the_answer_is_exit(mode, is_termination, position, answer, _, __):
    verdict = conclude(mode, answer, **facts(is_termination, position))

    assert verdict == Verdict(ending=EndedBy.HUMAN)


@pytest.mark.parametrize(("mode", "is_termination", "position", "_", "__"), ASKED)
@pytest.mark.parametrize("answer", ["go on", "Exit", "exit please", " "])
def test_words_of_the_person_are_sent_when_there_are_any(mode, is_termination, position, answer, _, __):
    verdict = conclude(mode, answer, **facts(is_termination, position))

    assert verdict == Verdict(reply=answer)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(AUTO, False), (SILENCE, True), (END, True), (LIMIT, True), (Verdict(reply="go on"), True)],
)
def test_count_of_automatic_replies_begins_anew_unless_this_is_one(verdict, expected):
    assert verdict.resets_counter is expected


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (
            Question.FEEDBACK,
            "Provide feedback to Zoë. Press enter to skip and use auto-reply, or type 'exit' to end the conversation: ",
        ),
        (
            Question.FEEDBACK_AT_LIMIT,
            "Please give feedback to Zoë. Press enter to skip and use auto-reply, or type 'exit' to stop the conversation: ",
        ),
        (
            Question.LAST_WORD,
            "Please give feedback to Zoë. Press enter or type 'exit' to stop the conversation: ",
        ),
    ],
)
def test_question_is_in_the_words_of_the_classic(question, text):
    assert question.value.format(sender="Zoë") == text


@given(
    mode=st.sampled_from(["ALWAYS", "TERMINATE", "NEVER"]),
    answer=st.sampled_from(["", "exit", "go on"]),
    is_termination=st.booleans(),
    counter=st.integers(0, 5),
    limit=st.integers(0, 5),
)
def test_decision_is_the_classics_whatever_the_facts(mode, answer, is_termination, counter, limit):
    given_facts = {"is_termination": is_termination, "counter": counter, "limit": limit}

    question = choose_question(mode, **given_facts)
    verdict = conclude(mode, NOT_ASKED if question is None else answer, **given_facts)

    asks, says, ends = classic(mode, answer, **given_facts)
    assert (question is not None, verdict.reply, verdict.ending is not None) == (asks, says, ends)


def classic(mode, answer, *, is_termination, counter, limit):
    """The if-tree of the classic framework: whether it asks, what it says (`None`: an automatic reply), whether it ends."""
    reply, asks = "", False
    if mode == "ALWAYS":
        reply, asks = answer, True
        reply = "exit" if not reply and is_termination else reply
    elif counter >= limit:
        if mode == "NEVER":
            reply = "exit"
        else:
            reply, asks = answer, True
            reply = "exit" if not reply and is_termination else reply
    elif is_termination:
        if mode == "NEVER":
            reply = "exit"
        else:
            reply, asks = answer or "exit", True
    if reply == "exit":
        return asks, None, True
    return asks, reply if reply or limit == 0 else None, False


# -- Endings -----------------------------------------------------------------------------------------------------


def test_ending_reads_as_words_in_text():
    assert f"ended by {EndedBy.MAX_TURNS}" == "ended by turn limit"
    assert EndedBy("turn limit") is EndedBy.MAX_TURNS


@pytest.mark.parametrize(("detail", "text"), [("10 turns", "10 turns"), ("", "turn limit")])
def test_end_of_a_chat_says_why_when_it_is_raised(detail, text):
    end = ChatEnds(EndedBy.MAX_TURNS, detail)

    assert end.ending == Ending(EndedBy.MAX_TURNS, detail)
    assert str(end) == text


# -- Conditions --------------------------------------------------------------------------------------------------

CALL = Message(None, tool_calls=(ToolCall("search", "{}", "1"),))
LEGACY_CALL = Message(None, function_call=ToolCall("search"))


def said(*texts):
    return [Message(text) for text in texts]


@pytest.mark.parametrize(
    ("condition", "messages", "reason"),
    [
        (TextMention("DONE"), said("all DONE"), "the text 'DONE' was mentioned"),
        (TextMention("DONE"), said("DONE", "no"), None),
        (TextMention("DONE"), said("```\nDONE\n```"), None),
        (TextMention("DONE"), said("> DONE"), None),
        (TextMention("DONE"), said("```\nDONE\n```\nDONE"), "the text 'DONE' was mentioned"),
        (TextMention("DONE"), [Message(({"type": "text", "text": "DONE"},))], "the text 'DONE' was mentioned"),
        (TextMention("DONE"), [], None),
        (MaxMessages(2), said("a"), None),
        (MaxMessages(2), said("a", "b"), "2 messages were sent"),
        (MaxMessages(2), said("a", "b", "c"), "2 messages were sent"),
        (CallOf("search"), [CALL], "search was called"),
        (CallOf("search"), [LEGACY_CALL], "search was called"),
        (CallOf("find"), [CALL], None),
        (CallOf("search"), [CALL, *said("found")], None),
        (CallOf("search"), [], None),
        (When(len), said("a"), "len said so"),
        (When(len), [], None),
    ],
)
def test_condition_gives_its_reason_when_it_holds(condition, messages, reason):
    assert condition(messages) == reason


def test_stop_holds_once_it_was_asked_for_from_another_thread():
    stop = ExternalStop()
    before = stop(said("a"))

    thread = threading.Thread(target=stop.set)
    thread.start()
    thread.join()

    assert before is None
    assert stop(said("a")) == "a stop was asked for"


ONE, TWO = When(lambda messages: "1" in messages[-1].text), When(lambda messages: "2" in messages[-1].text)


@pytest.mark.parametrize(
    ("condition", "ending_texts"),
    [
        (ONE | TWO, {"1", "2", "12"}),
        (ONE & TWO, {"12"}),
        (ONE & TWO | MaxMessages(2), {"12"}),
        (ONE & (TWO | MaxMessages(1)), {"1", "12"}),
    ],
)
def test_conditions_hold_together_as_they_are_combined(condition, ending_texts):
    assert {text for text in ("", "1", "2", "12") if condition(said(text))} == ending_texts


def test_reasons_are_joined_when_conditions_must_hold_together():
    condition = TextMention("DONE") & MaxMessages(1)

    assert condition(said("DONE")) == "the text 'DONE' was mentioned and 1 messages were sent"


def test_reason_is_that_of_the_first_when_either_may_hold():
    condition = TextMention("DONE") | MaxMessages(1)

    assert condition(said("DONE")) == "the text 'DONE' was mentioned"
    assert condition(said("no")) == "1 messages were sent"


@pytest.mark.parametrize("other", [lambda messages: True, "DONE", None])
def test_condition_is_combined_with_conditions_only(other):
    with pytest.raises(ConfigurationError, match="Cannot combine a condition with"):
        MaxMessages(1) | other
    with pytest.raises(ConfigurationError, match="Cannot combine a condition with"):
        MaxMessages(1) & other


def test_condition_must_say_when_it_holds():
    class Nothing(Condition):
        pass

    with pytest.raises(TypeError, match=r"Nothing is no condition by itself; define __call__"):
        Nothing()([])


def test_end_of_a_long_line_is_found_at_once():
    line = "snow " * 40_000

    began = time.monotonic()
    found = [is_terminate(f"{one}TERMINATE", of_model=True) for one in (line, f"{line}. ", f"Go. {line}")]

    assert found == [True, True, True]
    assert time.monotonic() - began < 5
