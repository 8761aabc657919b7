import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.executors.outputs import (
    MESSAGE_MIME,
    Page,
    Transcript,
    as_json,
    describe,
    error_bundle,
    for_page,
    plain,
    plain_traceback,
    shorten,
)

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big") + b"\x08\x06\x00"
TERMINAL = st.text(st.sampled_from("ab\r\n\b\x1b[K2m\x07]\ud83d\ude00"), max_size=60)


def display(text: str, **data: object) -> dict[str, object]:
    return {"output_type": "display_data", "data": {"text/plain": text} | data, "metadata": {}}


# -- Normalising -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain\n", "plain\n"),
        ("windows\r\nlines\r\r\n", "windows\nlines\n"),
        ("  0%|\r 50%|\r100%|\n", "100%|\n"),
        ("a longer line\rshort\n", "shortger line\n"),
        ("a longer line\x1b[2K\rshort\n", "short\n"),
        ("a longer line\rshort\x1b[K\n", "short\n"),
        ("1/3\b\b\b2/3\b\b\b3/3", "3/3"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("nul\x00 bell\a", "nul\ufffd bell"),
        ("lone \ud800 surrogate, \ud83d\ude00 pair", "lone \ufffd surrogate, \U0001f600 pair"),
        ("<object at 0x7f3a5c0b1d90>", "<object at 0x…>"),
        ("hex(140234) is 0x223ca, at 0x10", "hex(140234) is 0x223ca, at 0x10"),
        ("/tmp/ipykernel_4711/123.py:1: UserWarning: w", "<code block>:1: UserWarning: w"),
        ('File "<ipython-input-3-0a1b2c>", line 1', 'File "<code block>", line 1'),
    ],
)
def test_text_reads_as_a_terminal_shows_it(text, seen):
    assert plain(text) == seen


@given(TERMINAL)
def test_normalised_text_encodes_and_has_nothing_left_to_normalise(text):
    once = plain(text)

    assert once.encode("utf-8").decode("utf-8") == once
    assert not set(once) & set("\r\b\x1b\x00\a")
    assert plain(once) == once


def test_traceback_names_no_cell_and_no_folder_of_libraries():
    import json

    lines = f"Cell In[12], line 3\nFile {json.__file__}:346, in loads(s)\nFile ~/analysis.py:3"

    assert plain_traceback(lines) == "Code block, line 3\nFile json/__init__.py:346, in loads(s)\nFile ~/analysis.py:3"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("10%\r20%", "10%\r20%"),
        ("a\r\n", "a\n"),
        ("\ud800\x00", "\ufffd\ufffd"),
        ("\x1b]8;;http://x.example\x07link", "link"),
        ("at 0x7f3a5c0b1d90", "at 0x…"),
    ],
)
def test_page_keeps_colours_and_progress_but_not_what_breaks_it(text, shown):
    assert for_page(text) == shown


@given(st.text(), st.integers(0, 50))
def test_shortened_text_keeps_both_ends_and_states_the_cut(text, limit):
    short = shorten(text, limit)

    if len(text) <= limit:
        assert short == text
    else:
        before, cut, after = short.partition(f"\n… {len(text) - limit:,} characters not shown …\n")
        assert cut
        assert len(before + after) == limit
        assert text.startswith(before)
        assert text.endswith(after)


# -- Bundles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        ({"text/plain": "42"}, "42"),
        ({"text/plain": "   a\n0  1", "text/html": "<table></table>"}, "   a\n0  1"),
        ({"text/plain": "<Figure size 640x480>", "image/png": PNG}, "<figure: image/png 640x480>"),
        ({"image/png": base64.b64encode(PNG).decode()}, "<figure: image/png 640x480>"),
        ({"image/png": "not base64!"}, "<figure: image/png>"),
        ({"image/svg+xml": "<svg/>", "text/plain": "x"}, "<figure: image/svg+xml>"),
        ({"text/plain": "<IPython.core.display.Markdown object>", "text/markdown": "**hi**"}, "**hi**"),
        ({"text/plain": "<IPython.core.display.HTML object>", "text/html": "<b>"}, "<output: text/html>"),
        ({}, "<output: empty>"),
    ],
)
def test_bundle_is_told_in_words(bundle, words):
    assert describe(bundle) == words


def test_bundle_is_fit_for_a_message():
    found = as_json(
        {"image/png": b"\x89PNG", "text/html": "<b>\ud800</b>", "application/json": {"a": 1}, "text/plain": "x" * 30},
        limit=10,
    )

    assert found == {
        "image/png": "iVBORw==",
        "text/html": "<b>\ufffd</b>",
        "application/json": {"a": 1},
        "text/plain": "xxxxx\n… 20 characters not shown …\nxxxxx",
    }


def test_bundle_drops_what_no_page_could_hold():
    assert as_json({"text/html": "x" * 10_000_001, "text/plain": "words"}) == {"text/plain": "words"}
    assert as_json({"text/html": "x" * 10_000_001}) == {"text/plain": "<output: text/html, too large to show>"}


def test_error_is_displayed_as_text_and_never_as_html():
    error = {"output_type": "error", "ename": "E", "evalue": "<b>", "traceback": ["line 1", "E: <script>"]}

    bundle = error_bundle(error)

    assert bundle["text/plain"] == "line 1\nE: <script>"
    assert bundle["text/html"] == "<pre>line 1\nE: &lt;script&gt;</pre>"
    assert bundle[MESSAGE_MIME] == {
        "schema": 1, "kind": "error", "ename": "E", "evalue": "<b>", "traceback": ["line 1", "E: <script>"],
    }  # fmt: skip


# -- The transcript ----------------------------------------------------------------------------------------------


def test_transcript_keeps_the_order_of_appearance():
    transcript = Transcript()
    transcript.write("stdout", "one\n")
    transcript.write("stderr", "two\n")
    transcript.write("stdout", "three, unfinished")
    transcript.add("<figure>", display("<figure>"))
    transcript.write("stdout", "four\n")

    assert transcript.text() == "one\ntwo\nthree, unfinished\n<figure>\nfour\n"
    assert [output["output_type"] for output in transcript.outputs()] == ["stream"] * 3 + ["display_data", "stream"]


def test_progress_bar_stays_one_line_when_another_stream_speaks_in_between():
    transcript = Transcript()
    for step in range(3):
        transcript.write("stderr", f"\r{step}/2")
        transcript.write("stdout", f"step {step}\n")

    assert transcript.text() == "step 0\nstep 1\nstep 2\n2/2"


@given(st.lists(TERMINAL, max_size=8))
def test_transcript_does_not_depend_on_how_text_was_split(pieces):
    transcript = Transcript()
    for piece in pieces:
        transcript.write("stdout", piece)
        transcript._take_in()  # as a long stretch of output does

    assert transcript.text() == plain("".join(pieces))


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr", "display"]), st.text("ab\n", max_size=80))))
def test_transcript_stays_within_its_limit(parts):
    limit = 100
    transcript = Transcript(limit)
    for kind, text in parts:
        if kind == "display":
            transcript.add(text, display(text))
        else:
            transcript.write(kind, text)

    text = transcript.text()

    assert len(text) <= limit + 2 * len("\n… 1,000 characters not shown …\n") + len(parts)
    displays = [output for output in transcript.outputs() if output["output_type"] == "display_data"]
    assert displays == [display(text) for kind, text in parts if kind == "display"][:100]


def test_transcript_keeps_both_ends_and_states_the_cut_when_there_is_too_much():
    transcript = Transcript(1_000)
    for number in range(100_000):
        transcript.write("stdout", f"line {number}\n")

    text = transcript.text()

    total = sum(len(f"line {number}\n") for number in range(100_000))
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 99998\nline 99999\n")
    assert f"\n… {total - 1_000:,} characters not shown …\n" in text


def test_transcript_keeps_the_traceback_when_it_comes_after_a_flood():
    transcript = Transcript(1_000)
    transcript.write("stdout", "x" * 1_000_000)
    transcript.add("ValueError: no", {"output_type": "error", "ename": "ValueError"})

    assert transcript.text().endswith("\nValueError: no")
    assert transcript.outputs()[-1]["ename"] == "ValueError"


def test_transcript_holds_little_when_a_stream_is_endless():
    transcript = Transcript(1_000)
    for _ in range(200):
        transcript.write("stdout", "x" * 10_000)
        transcript.write("stderr", "\r50%" * 2_500)

    pieces = [*transcript._head, *transcript._middle, *transcript._tail]
    held = sum(len(piece.text) for piece in pieces) + sum(len(line.text) for line in transcript._lines.values())
    assert held < 50_000


def test_rich_outputs_beyond_a_hundred_are_dropped():
    transcript = Transcript()
    for number in range(150):
        transcript.add(str(number), display(str(number)))

    assert len(transcript.outputs()) == 100
    assert transcript.text().endswith("148\n149")


def test_display_is_replaced_when_it_is_updated():
    transcript = Transcript()
    transcript.add("0 %", display("0 %"), "bar")
    transcript.write("stdout", "after\n")
    transcript.update("100 %", display("100 %"), "bar")
    transcript.update("lost", display("lost"), "unknown")

    assert transcript.text() == "100 %\nafter\n"
    assert transcript.outputs()[0] == display("100 %")


def test_repeated_updates_never_use_up_the_transcript():
    transcript = Transcript(1_000)
    transcript.write("stdout", "x" * 2_000)
    transcript.add("start", display("start"), "bar")
    for number in range(1_000):
        transcript.update(f"step {number}", display(f"step {number}", **{"text/html": "y" * 50_000}), "bar")

    assert transcript.text().endswith("step 999")
    assert transcript.outputs()[-1]["data"]["text/plain"] == "step 999"


# -- The page ----------------------------------------------------------------------------------------------------


@given(st.lists(st.text("ab\n", max_size=40)))
def test_page_gets_everything_when_it_fits(pieces):
    page = Page(limit=10_000)

    assert "".join(page.admit(piece) for piece in pieces) + page.rest() == "".join(pieces)


@given(st.lists(st.text("ab\n", max_size=400), min_size=1))
def test_page_gets_both_ends_and_the_size_of_the_cut(pieces):
    text, page = "".join(pieces), Page(limit=100)

    head = "".join(page.admit(piece) for piece in pieces)
    rest = page.rest()

    assert text.startswith(head)
    assert len(head) == min(len(text), 100)
    tail = rest.rpartition("…\n")[2]
    assert text.endswith(tail)
    hidden = len(text) - len(head) - len(tail)
    assert (f"… {hidden:,} characters not shown …" in rest) == (hidden > 0)


def test_progress_bar_does_not_use_up_the_page():
    page = Page(limit=1_000)
    steps = [f"\r{step:4d}/150 ##########" for step in range(150)]

    shown = "".join(page.admit(step) for step in steps)

    assert shown == "".join(steps)
    assert page.admit("done\n") == "done\n"
    assert page.rest() == ""


def test_page_ends_a_progress_bar_that_never_does():
    page = Page(limit=1_000)

    shown = sum(len(page.admit("\r##########")) for _ in range(10_000))

    assert shown <= 20_000
    assert "characters not shown" in page.rest()


def test_page_counts_the_outputs_that_it_does_not_show():
    page = Page()

    admitted = [page.admit_output() for _ in range(120)]

    assert admitted == [True] * 100 + [False] * 20
    assert page.rest() == "\n… 20 outputs not shown …\n"
