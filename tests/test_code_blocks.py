"""Code blocks: found as CommonMark has them, and never taken for whole when they are not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.code_blocks import CodeBlock, find_code_blocks, python_error, remove_code

LIMIT = 256 * 1024  # characters that are looked at


def codes(text):
    return [(block.language, block.code) for block in find_code_blocks(text) if block.closed]


# -- The forms that models write ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "```python\nx = 1\n```",
        "```python\nx = 1\n```\n",
        "Here:\n```python\nx = 1\n```\nDone.",
        "```python\r\nx = 1\r\n```\r\n",
        "```python\rx = 1\r```\r",
        "``` python\nx = 1\n```",
        "```python \t\nx = 1\n```   ",
        "```python title='a b' linenos\nx = 1\n```",
        "```{python}\nx = 1\n```",
        "```{python, echo=FALSE}\nx = 1\n```",
        "```python:plot.py\nx = 1\n```",
        "```Python\nx = 1\n```",
        "````python\nx = 1\n````",
        "```python\nx = 1\n`````",
        "~~~python\nx = 1\n~~~",
        "   ```python\n   x = 1\n   ```",
        "   ```python\nx = 1\n ```",
        "- do this:\n\n  ```python\n  x = 1\n  ```",
        "1. do this:\n   ```python\n   x = 1\n   ```\n2. then that",
        "> ```python\n> x = 1\n> ```",
        "> 1. > ```python\n>    > x = 1\n>    > ```",
    ],
)
def test_block_is_found_whatever_the_form_of_its_fence(text):
    assert codes(text) == [("python", "x = 1\n")]


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("", ""),
        ("  ", ""),
        ("c++", "c++"),
        ("objective-c", "objective-c"),
        ("SH", "sh"),
        ("{}", ""),
        ("ipython3 cell", "ipython3"),
        ("{ .r }", ".r"),
    ],
)
def test_language_is_the_first_word_of_the_info_string(info, language):
    assert codes(f"```{info}\nx\n```") == [(language, "x\n")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```py\n```", [("py", "")]),
        ("```py\n\n```", [("py", "\n")]),
        ("~~~py\n```\n~~~", [("py", "```\n")]),
        ("````py\n'''\n```\n'''\n````", [("py", "'''\n```\n'''\n")]),
        ("```py\ns = '''\n    ```\n'''\n```", [("py", "s = '''\n    ```\n'''\n")]),
        ("```py\n``\n~~~\n```", [("py", "``\n~~~\n")]),
        ("```py\na\n``` not the end\nb\n```", [("py", "a\n``` not the end\nb\n")]),
        ("```py\na\n```\xa0\nb\n```", [("py", "a\n```\xa0\nb\n")]),
        ("```py\na\n> ```\nb\n```", [("py", "a\n> ```\nb\n")]),
        ("```py\nif x:\n\ty\n```", [("py", "if x:\n\ty\n")]),
        ("- ```py\n  if x:\n      y\n  ```", [("py", "if x:\n    y\n")]),
        ("```py\na\n```\n```sh\nb\n```", [("py", "a\n"), ("sh", "b\n")]),
        ("* * *\n```py\na\n```", [("py", "a\n")]),
        ("Title\n---\n```py\na\n```", [("py", "a\n")]),
        ("<details>\n```py\na\n```\n</details>", [("py", "a\n")]),
    ],
)
def test_code_is_exact_when_the_block_is_unusual(text, expected):
    assert codes(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no code",
        "run `x = 1` now",
        "``` x = 1 ```",
        "```python x = `1`\nx = 1",
        "``python\nx = 1\n``",
        "    ```python\n    x = 1\n    ```",
        "use ``` to fence",
        "`` `python\nx = 1\n`` `",
    ],
)
def test_no_block_is_found_when_there_is_no_fence(text):
    assert find_code_blocks(text) == []


def test_blocks_know_the_line_where_they_begin():
    text = "one\n```py\na\n```\r\ntwo\r\n\r\n> ~~~sh\n> b\n> ~~~"

    assert [block.line for block in find_code_blocks(text)] == [1, 6]


# -- Blocks that are cut off -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "```python",
        "```python\n",
        "```python\nx = 1",
        "```python\nx = 1\n",
        "```python\nx = 1\n``",
        "````python\nx = 1\n```",
        "```python\nx = 1\n~~~",
        "```python\nx = 1\n``` .",
        "```python\nx = 1\n```\xa0",
        "```python\nx = 1\n```\x0c",
        "```python\nx = 1\n> ```",
        "```python\nx = 1\n    ```",
        "```python\nx = 1\n\t```",
        "> ```python\n> x = 1\n\nthe quotation is over",
        "> ```python\n> x = 1\n```",
        "- ```python\n  x = 1\n\nthe list is over",
        "- ```python\n  x = 1\n- ```",
        "> ```python\n> x = 1\n> > ```",
    ],
)
def test_block_is_not_closed_when_its_fence_is_not(text):
    blocks = find_code_blocks(text)

    assert blocks[0].language == "python"
    assert [block.closed for block in blocks] == [False] * len(blocks)


def test_only_the_last_block_is_open_when_the_reply_is_cut_off_in_it():
    blocks = find_code_blocks("```py\na\n```\nand\n```py\nb\n")

    assert [(block.code, block.closed) for block in blocks] == [("a\n", True), ("b\n", False)]


# -- Properties --------------------------------------------------------------------------------------------------

LANGUAGES = st.sampled_from(["", "python", "c++", "sh"])
FENCES = st.builds(lambda mark, length: mark * length, st.sampled_from("`~"), st.integers(3, 6))
CODE_LINE = st.text(st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]), max_size=20)
CODE = st.lists(CODE_LINE | st.sampled_from(["", "    x", "\ty", "'''", "> ```", "- a"]), max_size=8)
PIECES = st.sampled_from(
    [
        "```",
        "~~~",
        "````",
        "> ",
        "- ",
        "1. ",
        "  ",
        "    ",
        "\t",
        "\n",
        "\n\n",
        "python",
        "x",
        "#",
        "---",
        "[a]: b",
        "`",
    ]
    + ["\r\n", "\r", "\xa0", "<pre>", "|", "\\", "\0", "\u2028"]
)
MESSES = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60)


def is_fence_like(line, fence):
    return line.strip(" \t").startswith(fence)


@given(
    LANGUAGES, FENCES, CODE, st.sampled_from(["", "Some words.\n\n", "- a list\n\n"]), st.sampled_from(["", " ", "\n"])
)
def test_block_is_found_again_when_code_was_fenced(language, fence, lines, before, after):
    lines = [line for line in lines if not is_fence_like(line, fence)]
    code = "".join(line + "\n" for line in lines)
    start = before.count("\n")

    found = find_code_blocks(f"{before}{fence}{language}\n{code}{fence}{after}")

    assert found == [CodeBlock(language, code, closed=True, line=start)]


@given(LANGUAGES, FENCES, CODE)
def test_block_is_found_open_when_its_closing_fence_is_missing(language, fence, lines):
    code = "".join(line + "\n" for line in lines if not is_fence_like(line, fence))

    assert find_code_blocks(f"{fence}{language}\n{code}") == [CodeBlock(language, code, closed=False)]


@given(st.text(st.characters()) | MESSES)
def test_any_text_can_be_looked_at(text):
    for block in find_code_blocks(text):
        assert 0 <= block.line <= text.count("\n") + text.count("\r")
        assert block.language == block.language.strip().lower()
        assert block.code == "" or block.code.endswith("\n")
    assert remove_code(text).count("\n") <= text.count("\n") + text.count("\r")


@given(MESSES)
def test_blocks_are_the_same_whatever_ends_the_lines(text):
    plain = text.replace("\r\n", "\n").replace("\r", "\n")

    assert find_code_blocks(text) == find_code_blocks(plain)
    assert find_code_blocks(plain.replace("\n", "\r\n")) == find_code_blocks(plain)


@given(MESSES)
def test_no_block_is_closed_too_early_while_a_reply_streams(text):
    lines = text.splitlines(keepends=True)
    final = find_code_blocks(text + "\n")

    for count in range(len(lines)):
        early = [block for block in find_code_blocks("".join(lines[:count])) if block.closed]

        assert [block for block in early if block not in final] == []


@given(st.lists(st.sampled_from("ab`~> \n-")).map("".join))
def test_top_level_blocks_are_those_of_a_naive_reader(text):
    text = text.replace(">", "q").replace("-", "q")  # no quotations and lists: fences alone decide

    assert find_code_blocks(text) == list(_read_naively(text.split("\n")))


def _read_naively(lines):
    """Fences as the CommonMark text describes them, line by line, without containers."""
    at = 0
    while at < len(lines):
        fence = _opening(lines[at])
        if fence is None:
            at += 1
            continue
        start, indent, at = at, len(lines[at]) - len(lines[at].lstrip(" ")), at + 1
        body = []
        while at < len(lines) and not _closes(lines[at], fence):
            body.append(lines[at][min(indent, len(lines[at]) - len(lines[at].lstrip(" "))) :])
            at += 1
        is_closed = at < len(lines)
        if not is_closed and body and body[-1] == "" == lines[-1]:
            body.pop()  # what follows the last line feed is no line
        info = lines[start].strip(" ").lstrip(fence[0]).split()
        yield CodeBlock(info[0] if info else "", "".join(line + "\n" for line in body), is_closed, start)
        at += 1


def _opening(line):
    text = line.lstrip(" ")
    fence = text[: len(text) - len(text.lstrip(text[:1]))] if text[:1] in ("`", "~") else ""
    is_code = len(line) - len(text) < 4 and len(fence) >= 3 and ("~" in fence or "`" not in text[len(fence) :])
    return fence if is_code else None


def _closes(line, fence):
    text = line.lstrip(" ")
    return len(line) - len(text) < 4 and len(text.rstrip(" ")) >= len(fence) and not text.rstrip(" ").strip(fence[0])


# -- Long texts --------------------------------------------------------------------------------------------------


def test_block_is_left_open_when_it_reaches_beyond_the_limit():
    text = "```py\na\n```\n```py\n" + "x\n" * (LIMIT // 2) + "```\n"

    first, second = find_code_blocks(text)

    assert (first.code, first.closed) == ("a\n", True)
    assert not second.closed


def test_line_at_the_limit_closes_nothing_when_it_is_cut():
    start = "```py\n"
    text = start + "x" * (LIMIT - len(start) - 4) + "\n``` is not the end\n```\n"
    assert text[:LIMIT].endswith("\n```")

    (block,) = find_code_blocks(text)

    assert not block.closed


def test_words_beyond_the_limit_are_left_out():
    text = "start\n```py\n" + "x\n" * (LIMIT // 2) + "```\nend"

    assert remove_code(text).split() == ["start"]


GROWING = {
    "blocks": "```a\nx\n```\n",
    "half open": "```a\nx",
    "tildes": "~~~\n",
    "quotations": "> ```\n",
    "lists": "- ```\n",
    "numbers": "1. ```\n",
    "paragraph": "words > and ``` words\n",
    "references": '[a]: b "```\n',
    "deep quotation": ">",
    "deep list": "- ",
    "back-ticks": "```",
    "spaces": " ",
    "blank lines": "\n",
}


@pytest.mark.parametrize("piece", GROWING.values(), ids=GROWING)
@pytest.mark.parametrize("function", [find_code_blocks, remove_code])
def test_time_grows_with_the_length_and_not_with_its_square(function, piece):
    short, long = ("```\n" + piece * count for count in (1_000, 8_000))

    ratio = _fastest(function, long) / max(_fastest(function, short), 1e-4)

    assert ratio < 8 * 3  # eight times the text; its square would be 64


@pytest.mark.parametrize("piece", ["\n", " \n", "=\n", "? ", "x = 1\n"])
def test_code_is_checked_in_linear_time_however_it_is_padded(piece):
    short, long = (piece * count + "1" for count in (1_000, 8_000))

    assert _fastest(python_error, long) / max(_fastest(python_error, short), 1e-4) < 8 * 3


def test_file_name_is_found_in_linear_time_when_the_line_is_padded():
    def name_of(line):
        return CodeBlock("python", line).filename

    short, long = (f"# filename: a{' ' * count}b" for count in (20_000, 160_000))

    assert _fastest(name_of, long) / max(_fastest(name_of, short), 1e-4) < 8 * 3


def _fastest(function, text):
    def seconds():
        start = time.process_time()
        function(text)
        return time.process_time() - start

    return min(seconds() for _ in range(3))


# -- What is known of a block ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("# filename: plot.py\nx = 1\n", "plot.py"),
        ("#filename:plot.py", "plot.py"),
        ("  #  filename:  my plot.py  \nx", "my plot.py"),
        ("// filename: a.js\n", "a.js"),
        ("<!-- filename: a.html -->\n", "a.html"),
        ("/* filename: a.css */\n", "a.css"),
        ("# filename: sub/a.py\r\n", "sub/a.py"),
        ("x = 1\n# filename: plot.py\n", None),
        ("# filename:\nx = 1\n", None),
        ("# filename:   \n", None),
        ("<!-- filename: -->\n", None),
        ("# the filename: a.py\n", None),
        ("filename: a.py\n", None),
        ("", None),
    ],
)
def test_file_name_is_that_of_the_first_line(code, expected):
    assert CodeBlock("python", code).filename == expected


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("python", True),
        ("py", True),
        ("python3", True),
        ("ipython", True),
        ("sh", False),
        ("pycon", False),
        ("", False),
    ],
)
def test_block_is_python_when_it_is_tagged_so(language, expected):
    assert CodeBlock(language, "x").is_python is expected


def test_block_is_plain_data():
    assert CodeBlock("py", "x\n", closed=False, line=3).to_json() == {"language": "py", "code": "x\n"}


# -- Whether it is Python ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "",
        "x = 1\nx",
        "await f()\nasync for x in y: pass",
        "%pip install pandas",
        "%%time\nx = 1",
        "files = !ls",
        "!ls | wc",
        "%matplotlib inline\nimport x",
        "df?",
        "?df",
        "'\\d'",
        "1 is 1",
        "assert (x, 'always')",
    ],
)
def test_nothing_is_wrong_when_ipython_can_run_it(code):
    assert python_error(code) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = 1\nx = (", "'(' was never closed (line 2)"),
        ("x = ", "invalid syntax (line 1)"),
        ("if x:\ny", "expected an indented block after 'if' statement on line 1 (line 2)"),
        ("def f():\n    '''\n    Example:\n", "unterminated triple-quoted string literal"),
        ("-" * 100_000 + "1", "it is nested too deeply"),
    ],
)
def test_error_and_line_are_named_when_it_is_not_python(code, expected):
    assert python_error(code).startswith(expected)


@pytest.mark.parametrize("code", ["x = '\0'", "x = '\ud800'", "(" * 1000, "9" * 5000])
def test_error_is_named_when_it_is_nothing_that_can_be_compiled(code):
    assert python_error(code)


@given(st.text(st.characters()))
def test_any_code_can_be_checked(code):
    assert python_error(code) != ""


# -- The author's own words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("plain", ["plain"]),
        ("a > b", ["a", ">", "b"]),
        ("before\n```py\ncode\n```\nafter", ["before", "after"]),
        ("before\n~~~\ncode\n", ["before"]),
        ("before\r\n> quoted\r\n> quoted\r\n\r\nafter", ["before", "after"]),
        ("> quoted\nown", ["own"]),
        ("> > quoted\n> quoted\nown", ["own"]),
        (">quoted", []),
        ("> ```\n> code\n> ```\nown", ["own"]),
        ("- item\n  > quoted\n  own", ["-", "item", "own"]),
        ("- > quoted\n\n  own", ["own"]),
        ("see `>` there", ["see", "`>`", "there"]),
    ],
)
def test_code_and_quotations_are_gone_when_they_are_removed(text, words):
    assert remove_code(text).split() == words


@given(MESSES)
def test_lines_stay_where_they_are_when_code_is_removed(text):
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    left = remove_code(text).split("\n")

    assert len(left) == len(lines)
    assert all(line in ("", own) for line, own in zip(left, lines, strict=True))
