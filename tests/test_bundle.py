"""Bundles: what each form of a message holds."""

import json
import re
from html.parser import HTMLParser

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.display.bundle import (
    METADATA_KEY,
    Transcript,
    end_bundle,
    ending,
    exact_text,
    joined_bundle,
    message_bundle,
    note_bundle,
)
from jupyter_agents.display.parts import readable_arguments
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeFinished,
    CodeStarted,
    Entry,
    HumanAnswered,
    MessageSent,
    ModelAnswered,
    ModelFailed,
    Noted,
)
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.human.base import Answer
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.messages import Message, ToolCall, ToolResponse, Usage
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import FakeExecutor, assistant, quiet_session, user

FAILED = "exitcode: 1 (execution failed)\nCode output: NameError: name 'x' is not defined"


class Page(HTMLParser):
    """The words of a page, and the attributes of its tags; tags that are not closed in order are an error."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def sent(content="hello", *, origin="model", sender="assistant", recipient="user", **parts):
    options = {key: parts.pop(key) for key in ("usage", "model", "replayed", "silent") if key in parts}
    return MessageSent(0, sender, recipient, Message(content, **parts), origin, **options)


def shown(*events):
    transcript = Transcript()
    found = [transcript.bundle(Entry(number, event)) for number, event in enumerate(events)]
    return [bundle for bundle in found if bundle is not None]


def describe(bundle):
    return bundle.data[MESSAGE_MIME]


# -- Speech ------------------------------------------------------------------------------------------------------


def test_message_has_every_form_when_it_is_speech():
    bundle = message_bundle(sent("**Hello**, world"), 3)

    assert describe(bundle) == {
        "schema": 1,
        "kind": "message",
        "id": 3,
        "sender": "assistant",
        "recipient": "user",
        "origin": "model",
    }
    assert bundle.data["text/plain"] == "assistant (to user):\n\n**Hello**, world"
    assert bundle.data["text/markdown"] == "**assistant** to user\n\n**Hello**, world"
    assert "<strong>Hello</strong>, world" in bundle.data["text/html"]


def test_message_is_an_article_with_a_name():
    page = Page(message_bundle(sent(), 0).data["text/html"])

    tag, attributes = page.tags[0]
    assert (tag, attributes["aria-label"]) == ("article", "assistant to user")
    assert page.text.startswith("assistant to user")  # for viewers that strip attributes


def test_exact_text_is_in_the_json_when_the_markdown_differs():
    harmless, harmful = message_bundle(sent("a < b"), 0), message_bundle(sent("<b>"), 0)

    assert "text" not in describe(harmless)
    assert describe(harmful)["text"] == "<b>"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n`<![]()")), st.text(max_size=20))
def test_exact_text_comes_back_whatever_was_said_by_whomever(text, name):
    bundle = message_bundle(sent(text, sender=name), 0)

    assert exact_text(bundle.data) == text
    assert exact_text(json.loads(json.dumps(bundle.data))) == text


@pytest.mark.parametrize("name", ['"><img src=x onerror=alert(1)>', "a\n\n# b", "![x](http://evil.test)", "<script>"])
def test_name_of_an_agent_is_only_text_when_it_looks_like_markup(name):
    bundle = message_bundle(sent("hi", sender=name, recipient=name), 0)

    assert [tag for tag, _ in Page(bundle.data["text/html"]).tags] == ["article", "div", "b", "small", "p"]
    assert bundle.data["text/markdown"].partition("\n\n")[2] == "hi"
    assert not re.search(r"<(?!br)|(?<!\\)!\[|(?<!\\)\[", bundle.data["text/markdown"])


def test_every_speaker_has_a_colour_of_its_own():
    def colour(bundle):
        return re.search(r"border-left:3px solid (#\w+)", bundle.data["text/html"])[1]

    transcript = Transcript()
    speakers = ("user", "assistant", "critic", "user", "assistant")

    colours = [colour(transcript.bundle(Entry(n, sent(sender=name)))) for n, name in enumerate(speakers)]

    assert colours[:2] == colours[3:]
    assert len(set(colours)) == 3


def test_text_is_folded_when_it_is_long():
    html = message_bundle(sent("many words " * 1000), 0).data["text/html"]

    assert "<details>" in html
    assert "(11,000 characters)" in html


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("length", "cut off at the token limit"),
        ("content_filter", "stopped by the content filter"),
        ("interrupted", "interrupted before its end"),
    ],
)
@pytest.mark.parametrize("has_code", [False, True])
def test_label_says_so_when_a_reply_is_not_whole(reason, label, has_code):
    text = "half\n\n```python\nx = 1\n```" if has_code else "half"

    bundle = message_bundle(sent(text, finish_reason=reason), 0)

    assert all(label in bundle.data[mime] for mime in ("text/html", "text/markdown", "text/plain"))
    assert ("nothing in it was run" in bundle.data["text/plain"]) is has_code
    assert describe(bundle)["finish_reason"] == reason
    assert exact_text(bundle.data) == text


def test_what_a_failed_reply_had_said_is_shown_when_there_is_some():
    [bundle] = shown(ModelFailed(0, "assistant", "gone", ""), ModelFailed(0, "assistant", "gone", "I was go"))

    assert "I was go" in bundle.data["text/html"]
    assert "interrupted" in bundle.data["text/plain"]


def test_failed_reply_says_for_whom_it_was_and_what_it_took():
    failed = ModelFailed(0, "assistant", "gone", "I was go", 1.23456, Usage(7, 2), "mini")

    _, bundle = shown(MessageSent(0, "user", "assistant", Message("Hi")), failed)

    assert describe(bundle)["recipient"] == "user"
    assert bundle.data["text/plain"].startswith("assistant (to user):")
    assert bundle.metadata["jupyter_agents"] == {
        "model": "mini",
        "usage": Usage(7, 2).to_json(),
        "seconds": 1.235,
    }


# -- Calls and results -------------------------------------------------------------------------------------------


def test_calls_are_shown_with_their_arguments():
    call = ToolCall("add", '{"a": 1, "b": "<x>"}', "call_8f3a")

    bundle = message_bundle(sent(None, tool_calls=(call,)), 0)

    assert describe(bundle)["calls"] == [{"name": "add", "arguments": '{"a": 1, "b": "<x>"}'}]
    assert 'calls add{\n  "a": 1,\n  "b": "<x>"\n}' in Page(bundle.data["text/html"]).text
    assert bundle.data["text/plain"].endswith('calls add:\n{\n  "a": 1,\n  "b": "<x>"\n}')
    assert "call_8f3a" not in json.dumps(bundle.data)  # a server makes it anew in every run


@pytest.mark.parametrize(
    ("arguments", "readable"),
    [
        ('{"a":1}', '{\n  "a": 1\n}'),
        ('{"cell": "x = 1\\nx", "n": 2}', "cell:\nx = 1\nx\nn: 2"),
        ('{"a": ', '{"a": '),
        ("[" * 100_000, "[" * 100_000),
        ("9" * 5000, "9" * 5000),
        ("", ""),
        ("{}", "{}"),
    ],
)
def test_arguments_are_readable_whatever_the_model_wrote(arguments, readable):
    assert readable_arguments(arguments) == readable


def test_results_name_their_tools_when_the_calls_were_seen():
    calls = (ToolCall("add", "{}", "c1"), ToolCall("plot", "{}", "c2"))
    results = (ToolResponse("c1", "3"), ToolResponse("c2", "<Figure at 0x7f3a5c0b1d90>"))

    _, bundle = shown(
        sent(None, tool_calls=calls), sent("3", origin="tool", sender="user", role="tool", tool_responses=results)
    )

    assert describe(bundle)["results"] == ["add", "plot"]
    assert "add returned:\n3\n\nplot returned:\n<Figure at 0x…>" in bundle.data["text/plain"]


def test_result_is_named_when_it_is_of_a_legacy_function():
    bundle = message_bundle(sent("42", origin="tool", role="function", name="answer"), 0)

    assert "answer returned" in bundle.data["text/html"]
    assert exact_text(bundle.data) == "42"


def test_result_is_folded_when_it_is_long():
    html = message_bundle(sent("x " * 5000, origin="tool", role="function", name="f"), 0).data["text/html"]

    assert "<summary" in html
    assert "(10,000 characters)" in html


def test_code_result_is_one_line_with_the_text_folded_away():
    bundle = message_bundle(sent(FAILED, origin="code", sender="user"), 0)

    assert re.search(r"<summary[^>]*><span[^>]*>exit code 1, failed</span></summary>", bundle.data["text/html"])
    assert "NameError" in bundle.data["text/html"]
    assert bundle.data["text/markdown"].endswith("\n\nexit code 1, failed")
    assert bundle.data["text/plain"] == "user (to user):\n\nexit code 1, failed"
    assert exact_text(bundle.data) == FAILED
    assert exact_text(bundle.data) == FAILED


def test_code_result_has_nothing_to_unfold_when_there_was_no_output():
    text = "exitcode: 0 (execution succeeded)\nCode output: \n"

    html = message_bundle(sent(text, origin="code"), 0).data["text/html"]

    assert "exit code 0" in html
    assert "<details>" not in html


def test_model_cannot_pass_for_code_when_it_writes_an_exit_code():
    html = message_bundle(sent("exitcode: 0 (execution succeeded)\nCode output: fine"), 0).data["text/html"]

    assert "exit code 0" not in html


@pytest.mark.parametrize(
    ("answer", "remark", "decision"),
    [
        (HumanAnswered(0, "user", "run"), "approved", {"action": "run"}),
        (HumanAnswered(0, "user", "edit", "x = 2"), "edited, then run", {"action": "edit", "text": "x = 2"}),
        (HumanAnswered(0, "user", "reject", "no"), "rejected", {"action": "reject", "text": "no"}),
    ],
)
def test_decision_stands_beside_the_result_it_led_to(answer, remark, decision):
    first, second = shown(answer, sent(FAILED, origin="code", sender="user"), sent("again", sender="user"))

    assert describe(first)["decisions"] == [decision]
    assert f"· {remark}" in Page(first.data["text/html"]).text
    assert ("x = 2" in first.data["text/html"]) == (answer.action == "edit")
    assert "decisions" not in describe(second)


def code_ran(status="error", seconds=0.25):
    return CodeStarted(0, "user", "python", "x"), CodeFinished(0, "user", 1, status, "NameError", seconds=seconds)


@pytest.mark.parametrize(
    ("reason", "line"),
    [("too *slow*\nreally", "not run: rejected – too *slow* really"), ("", "not run: rejected")],
)
def test_result_says_that_nothing_ran_when_the_code_was_rejected(reason, line):
    text = f"exitcode: 1 (execution failed)\nCode output: \nThe user refused to run this code: {reason}"

    [bundle] = shown(HumanAnswered(0, "user", "reject", reason), sent(text, origin="code", sender="user"))

    assert bundle.data["text/plain"].endswith(f"\n\n{line}")
    assert line in Page(bundle.data["text/html"]).text
    assert "exit code" not in bundle.data["text/html"] + bundle.data["text/markdown"]
    assert describe(bundle)["not_run"] is True
    assert exact_text(bundle.data) == text


def test_result_says_that_nothing_ran_when_the_executor_refused_it():
    text = "exitcode: 1 (execution failed)\nCode output: unknown language json"

    [bundle] = shown(*code_ran("refused"), sent(text, origin="code", sender="user"))

    assert bundle.data["text/plain"].endswith("not run: unknown language json")


@pytest.mark.parametrize(
    ("config", "answers", "line"),
    [
        ({"policy": "deny"}, [], "not run: Running code is not allowed here."),
        ({"policy": "ask"}, [Answer("no time", "reject")], "not run: rejected – no time"),
        ({"policy": "ask"}, [Answer("", "run")], "exit code 0"),
    ],
)
def test_result_says_what_became_of_the_code_of_a_real_chat(config, answers, line):
    me = user(code_execution_config={"executor": FakeExecutor()} | config, human=ScriptedHuman(answers))

    with use_session(quiet_session()):
        chat = me.initiate_chat(assistant("```python\n1\n```", "Done.\n\nTERMINATE"), message="go")
    _, _, result, *_ = shown(*(entry.event for entry in chat.log))

    assert result.data["text/plain"].partition("\n\n")[2].startswith(line)


def test_result_has_its_exit_code_when_a_block_ran_before_another_was_rejected():
    [bundle] = shown(
        *code_ran("ok"), HumanAnswered(0, "user", "reject", "no"), sent(FAILED, origin="code", sender="user")
    )

    assert "not_run" not in describe(bundle)
    assert "exit code 1, failed" in bundle.data["text/plain"]


def test_seconds_are_those_of_all_blocks_when_it_is_the_result_of_code():
    *_, first, second = shown(
        sent(recipient="user"),
        *code_ran(),
        *code_ran(),
        sent(FAILED, origin="code", sender="user", recipient="assistant"),
        sent(FAILED, origin="code", sender="user", recipient="assistant"),
    )

    assert first.metadata[METADATA_KEY] == {"seconds": 0.5}
    assert second.metadata == {}
    assert first.data[MESSAGE_MIME] | {"id": 2} == second.data[MESSAGE_MIME]  # the data does not tell


def test_colour_is_the_ordinal_of_the_speaker_and_that_of_the_author_is_with_the_result():
    transcript = Transcript()
    events = (
        sent(sender="user", recipient="assistant"),
        sent(),
        sent(FAILED, origin="code", sender="user", recipient="assistant"),
    )

    asked_early = transcript.ordinal("stranger")
    first, second, result = (describe(transcript.bundle(Entry(n, event))) for n, event in enumerate(events))

    assert asked_early == 0
    assert [one.get("colour", 0) for one in (first, second, result)] == [0, 1, 0]
    assert "author_colour" not in first | second
    assert result["author_colour"] == 1


def test_lines_tell_several_results_apart_when_they_stand_one_after_the_other():
    results = (ToolResponse("c1", "3\n4"), ToolResponse("c2", "x"))

    bundle = message_bundle(sent("3\n4\n\nx", origin="tool", role="tool", tool_responses=results), 0)
    other = message_bundle(sent("3", origin="tool", role="tool", tool_responses=results), 0)

    assert describe(bundle)["lines"] == [2, 1]
    assert "lines" not in describe(other)


# -- Runs differ, data does not ----------------------------------------------------------------------------------


def test_data_is_the_same_when_a_chat_is_replayed():
    live = sent(usage=Usage(10, 5), model="m")
    replayed = sent(replayed=True)

    assert message_bundle(live, 0, seconds=1.5).data == message_bundle(replayed, 0).data
    assert message_bundle(live, 0, seconds=1.5).metadata[METADATA_KEY] == {
        "model": "m",
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        "seconds": 1.5,
    }
    assert message_bundle(replayed, 0).metadata[METADATA_KEY] == {"replayed": True}


def test_seconds_are_those_of_the_call_behind_the_message():
    [bundle] = shown(ModelAnswered(0, "assistant", "stop", seconds=2.0), sent())

    assert bundle.metadata[METADATA_KEY] == {"seconds": 2.0}


def test_nothing_of_a_terminal_or_of_memory_is_left_in_a_result():
    text = "\x1b[31mred\x1b[0m <object at 0x7f3a5c0b1d90>\r\n"

    bundle = message_bundle(sent(text, origin="tool", role="function", name="f"), 0)

    assert "red <object at 0x…>" in bundle.data["text/plain"]
    assert "\x1b" not in json.dumps(bundle.data, ensure_ascii=False)


def test_messages_are_numbered_within_their_chat_and_silent_ones_not_shown():
    started = [ChatStarted(0, "user", "assistant"), ChatStarted(1, "critic", "writer", parent=0)]
    nested = MessageSent(1, "critic", "writer", Message("nested"))

    bundles = shown(started[0], sent(), started[1], nested, sent(silent=True), sent("last"))

    assert [(describe(one).get("chat", 0), describe(one)["id"]) for one in bundles] == [(0, 0), (1, 0), (0, 2)]
    assert [re.search(r"margin:([^;]+)", one.data["text/html"])[1] for one in bundles] == [
        "8px 0",
        "8px 0 8px 24px",
        "8px 0",
    ]


# -- Notes and ends ----------------------------------------------------------------------------------------------


def test_note_is_one_line_when_something_is_noted():
    bundle = note_bundle(Noted(0, "Code is run <without> asking.", level="warning"))

    assert bundle.data["text/plain"] == "⚠ Code is run <without> asking."
    assert "&lt;without&gt;" in bundle.data["text/html"]
    assert describe(bundle)["text"] == "Code is run <without> asking."


@pytest.mark.parametrize("ended_by", EndedBy)
def test_end_is_shown_unless_it_goes_on_or_no_more_was_wanted(ended_by):
    quiet = (EndedBy.NOT_REQUESTED, EndedBy.PAUSED)  # the latter goes on in another way, which a note says

    bundle = end_bundle(ChatEnded(0, str(ended_by), "a detail"))

    if ended_by in quiet:
        assert bundle is None
    else:
        assert bundle.data["text/plain"] == ending(str(ended_by), "a detail")
        assert all("a detail" in bundle.data[mime] for mime in ("text/plain", "text/html", "text/markdown"))
        assert describe(bundle) == {"schema": 1, "kind": "end", "ended_by": str(ended_by), "text": "a detail"}


def test_end_is_not_shown_when_the_last_message_says_it():
    assert end_bundle(ChatEnded(0, "termination message")) is None


@pytest.mark.parametrize(
    ("detail", "line"),
    [
        ("", "ann ended the chat."),
        ("stopped instead of running code", "ann ended the chat: stopped instead of running code."),
    ],
)
def test_end_says_who_it_was_when_a_person_ended_the_chat(detail, line):
    [bundle] = shown(HumanAnswered(1, "ben", "reply", "Go on"), ChatEnded(0, "person", detail, "ann"))

    assert bundle.data["text/plain"] == line
    assert describe(bundle)["person"] == "ann"


def test_end_says_that_it_was_a_person_when_nobody_knows_who():
    [bundle] = shown(ChatEnded(0, "person"))

    assert bundle.data["text/plain"] == "The chat ended (person)."
    assert "person" not in describe(bundle)


# -- Many in one -------------------------------------------------------------------------------------------------


def test_joined_bundle_holds_all_of_its_parts():
    parts = [message_bundle(sent("first"), 0), message_bundle(sent("<second>", usage=Usage(1, 1)), 1)]

    joined = joined_bundle(parts, left_out=1200)

    assert [item["text"] for item in describe(joined)["items"]][1:] == ["first", "<second>"]
    assert "1,200 earlier messages" in joined.data["text/plain"]
    assert Page(joined.data["text/html"]).text.count("assistant to user") == 2
    assert joined.metadata[METADATA_KEY]["items"][2] == {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}


WORDS = "The three species differ clearly in their mass, and **Gentoo** is the heaviest of them by far. " * 7
CODE = 'for name, group in frame.groupby("species"):\n    print(name, group["mass"].mean(), group["mass"].max())\n' * 6


@pytest.mark.parametrize(
    ("text", "most"),
    [(WORDS.strip(), 4.3), (f"Look:\n\n- {WORDS}\n\n```python\n{CODE}```", 4.25), (f"```python\n{CODE}```", 5.1)],
    ids=["prose", "prose with code", "code"],
)
def test_message_stays_small_in_the_file_when_it_is_of_ordinary_length(text, most):
    def size(outputs):
        return len(nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs)])))

    bundle = message_bundle(sent(text), 0)
    output = nbformat.v4.new_output("display_data", bundle.data, metadata=bundle.metadata)

    assert (size([output]) - size([])) / len(text) < most


# -- What a block has changed ------------------------------------------------------------------------------------

CHANGED = {
    "added": [{"name": "total", "kind": "int", "before": ""}],
    "rebound": [{"name": "df", "kind": "DataFrame 700 × 3", "before": "DataFrame 703 × 3"}],
    "changed": [{"name": "rows", "kind": "list, 2 items", "before": "list, 1 item"}],
    "deleted": [{"name": "t_mp", "kind": "", "before": "int"}],
    "more": 0,
    "is_known": True,
}
UNCHANGED = {"added": [], "rebound": [], "changed": [], "deleted": [], "more": 0, "is_known": True}
LINE = "set total (int), df (DataFrame 703 × 3 → 700 × 3) · changed rows (list, 1 item → 2 items) · deleted t_mp"


def finished(changes, block_id="b-1", **options):
    return CodeFinished(0, "user", 0, "ok", changes=changes, block_id=block_id, **options)


def ran(*blocks):
    text = "exitcode: 0 (execution succeeded)\nCode output: \n"
    [bundle] = shown(*blocks, sent(text, origin="code", sender="user"))
    return bundle


def test_result_says_in_every_form_what_the_block_changed():
    bundle = ran(finished(CHANGED))

    assert bundle.data["text/plain"].endswith(f"exit code 0\n\n{LINE}")
    assert bundle.data["text/markdown"].replace("\\", "").endswith(f"exit code 0\n\n{LINE}")
    assert LINE in Page(bundle.data["text/html"]).text
    assert describe(bundle)["changes"] == [
        {
            "added": [{"name": "total", "kind": "int"}],
            "rebound": [{"name": "df", "kind": "DataFrame 700 × 3", "before": "DataFrame 703 × 3"}],
            "changed": [{"name": "rows", "kind": "list, 2 items", "before": "list, 1 item"}],
            "deleted": [{"name": "t_mp", "before": "int"}],
        }
    ]


def test_id_of_a_block_is_metadata_only_as_it_differs_from_run_to_run():
    bundle = ran(finished(UNCHANGED, "b-1"), finished(CHANGED, "b-2"))

    assert bundle.metadata[METADATA_KEY]["blocks"] == ["b-2"]
    assert "b-2" not in json.dumps(bundle.data)


@pytest.mark.parametrize("changes", [None, UNCHANGED])
def test_result_says_nothing_of_changes_when_there_were_none(changes):
    bundle = ran(finished(changes))

    assert "changes" not in describe(bundle)
    assert "blocks" not in bundle.metadata[METADATA_KEY]
    assert bundle.data["text/plain"].endswith("\n\nexit code 0")


def test_only_the_metadata_says_that_another_cell_ran_beside_the_block():
    known, unknown = ran(finished(UNCHANGED)), ran(finished(UNCHANGED | {"is_known": False}))

    assert unknown.data == known.data
    assert unknown.metadata[METADATA_KEY]["is_change_unknown"] is True


def test_every_block_has_a_line_of_its_own_when_several_ran():
    other = UNCHANGED | {"added": [{"name": "n", "kind": "int", "before": ""}]}

    bundle = ran(finished(CHANGED, "b-1"), finished(other, "b-2"))

    assert bundle.data["text/plain"].endswith(f"{LINE}\n\nset n (int)")
    assert bundle.metadata[METADATA_KEY]["blocks"] == ["b-1", "b-2"]


def test_line_names_a_few_and_counts_the_others_when_a_block_changed_much():
    many = [{"name": f"n{number}", "kind": "int", "before": ""} for number in range(50)]

    bundle = ran(finished(UNCHANGED | {"added": many, "deleted": many[:1], "more": 10}))

    assert bundle.data["text/plain"].endswith("n7 (int) · 53 more")
    assert describe(bundle)["changes"][0]["more"] == 53


def test_name_that_looks_like_markup_is_only_text():
    name = {"name": "<img src=x onerror=alert(1)>![x](http://evil.test)", "kind": "int", "before": ""}

    bundle = ran(finished(UNCHANGED | {"added": [name]}))

    assert "img" not in {tag for tag, _ in Page(bundle.data["text/html"]).tags}
    assert not re.search(r"<(?!br)|(?<!\\)!\[|(?<!\\)\[", bundle.data["text/markdown"])


def test_changes_are_those_of_the_tool_when_a_tool_ran_the_code():
    tool = sent("3", origin="tool", sender="user", role="function", name="solve")

    first, second = shown(
        finished(CHANGED), tool, sent("exitcode: 0 (execution succeeded)", origin="code", sender="user")
    )

    assert LINE in first.data["text/plain"]
    assert "changes" not in describe(second)


def test_block_that_was_not_run_took_no_time():
    bundle = ran(CodeFinished(0, "user", 1, "refused", "no"))

    assert "seconds" not in bundle.metadata.get(METADATA_KEY, {})


def test_arguments_of_a_call_are_shown_as_they_were_used_when_they_were_edited():
    tool = sent("3", origin="tool", sender="user", role="function", name="add")

    [bundle] = shown(HumanAnswered(0, "user", "edit", '{"a": 2}'), tool)

    assert 'called with:\n{"a": 2}' in bundle.data["text/plain"]
    assert bundle.data["text/plain"].startswith("user (to user) · edited:")
