"""Foreign Markdown: what it may become, and what it never may."""

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from jupyter_agents.code_blocks import find_code_blocks
from jupyter_agents.display.markdown import MAX_MARKDOWN, code_markdown, defang, escape_markdown, to_html

TEXT_TAGS = frozenset(
    "p h1 h2 h3 h4 h5 h6 em strong s del code pre a ul ol li blockquote hr br table thead tbody tr th td div small span".split()
)
STYLES = re.compile(r"(?:(?:margin|padding|border-radius|border-left|white-space|text-align):[\w\s.,%()#-]+;?"
                    r"|font-family:monospace;?|background:#[\da-f]+;?)*")  # fmt: skip

PAYLOADS = {
    "img-onerror": "<img src=x onerror=alert(1)>",
    "img-remote": '<img src="http://evil.test/1.png">',
    "script": "<script>fetch('http://evil.test')</script>",
    "script-block": "text\n\n<script>\nalert(1)\n</script>",
    "md-image": "![logo](http://evil.test/2.png)",
    "md-image-title": '![a](http://evil.test/3.png "x\\" onload=\\"alert(1)")',
    "reference-image": "![a][r]\n\n[r]: http://evil.test/4.png",
    "collapsed-image": "![r][]\n\n[r]: http://evil.test/4.png",
    "shortcut-image": "![r]\n\n[r]: http://evil.test/5.png",
    "image-in-link": "[![a](http://evil.test/6.png)](http://ok.test)",
    "image-in-broken-link": "[[!\\[]()]() [[![](http://evil.test/7.png)]()](http://ok.test)",
    "svg": "<svg onload=alert(1)><image href='http://evil.test/8'/></svg>",
    "autolink-javascript": "<javascript:alert(1)>",
    "autolink-data": "<data:text/html;base64,PHNjcmlwdD4=>",
    "link-javascript": "[x](javascript:alert(1))",
    "link-mixed-case": "[x](JaVaScRiPt:alert(1))",
    "link-entity": "[x](&#106;avascript:alert(1))",
    "link-tab": "[x](<java\tscript:alert(1)>)",
    "link-data": "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "link-vbscript": "[x](vbscript:x)",
    "link-file": "[x](file:///etc/passwd)",
    "link-command": "[x](command:workbench.action.terminal)",
    "link-relative": "[x](//evil.test/)",
    "reference-link": "[x][r]\n\n[r]: javascript:alert(1)",
    "title-break-out": '[x](http://ok.test "a\\" onmouseover=\\"alert(1)")',
    "title-math": '[x](http://ok.test "$" onmouseover="alert(1)$")',
    "fence-info": '```"><img src=x onerror=alert(1)>\ncode\n```',
    "fence-info-quote": '```x" onmouseover="alert(1)\ncode\n```',
    "fence-closed-early": "````\n```\n<img src=x onerror=alert(1)>\n```\n````",
    "fence-closed-by-mixture": "```\n```~~~\n<img src=x onerror=alert(1)>\n```",
    "fence-in-math": "$$\n```\n$$\n<img src=x onerror=alert(1)>\n```",
    "fence-in-environment": "\\begin{a}\n```\n\\end{a}\n<img src=x onerror=alert(1)>\n```",
    "fence-in-list": "- a\n   ```\n   <img src=x onerror=alert(1)>\n  ```\n<img src=x>",
    "fence-in-label": "[a\n```\n]: x\n<img src=x onerror=alert(1)>\n```",
    "fence-in-definition": "[a\n~~~ x\nb]:\n```\n)[l](javascript:x)\n~~~",
    "fence-never-closed": "```\n<img src=x onerror=alert(1)>",
    "code-span-unbalanced": "`` a ` <img src=x onerror=alert(1)> ```",
    "video-poster": '<video poster="http://evil.test/9.png"></video>',
    "style-url": '<b style="background:url(http://evil.test/10)">x</b>',
    "style-tag": "<style>@import 'http://evil.test/11';</style>",
    "iframe": '<iframe src="http://evil.test/12"></iframe>',
    "form": '<form action="http://evil.test/13"><input name=x></form>',
    "commandlinker": '<button data-commandlinker-command="terminal:open" data-commandlinker-args="{}">Run</button>',
    "meta-refresh": '<meta http-equiv="refresh" content="0;url=http://evil.test/14">',
    "comment": "<!-- --><img src=x onerror=alert(1)>",
    "cdata": "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "heading-image": "# ![a](http://evil.test/15.png)",
    "table-image": "| a |\n|---|\n| ![a](http://evil.test/16.png) |",
    "carriage-returns": "```\r<img src=x onerror=alert(1)>\r```\r<img src=x onerror=alert(1)>",
    "nul": "<\x00img src=x onerror=alert(1)>",
}


class Tags(HTMLParser):
    """The tags of a page, and what in them could run or be fetched."""

    def __init__(self, html):
        super().__init__()
        self.wrong = []
        self.links = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in TEXT_TAGS:
            self.wrong.append(tag)
        for name, value in attrs:
            self.check(tag, name, value or "")

    def check(self, tag, name, value):
        if tag == "a" and name == "href":
            self.links.append(value)
        is_fine = {
            "href": tag == "a" and re.match(r"(?:https?://|mailto:)", value),
            "rel": tag == "a",
            "target": value == "_blank",
            "title": True,
            "class": True,
            "id": True,
            "start": value.isdigit(),
            "align": value in ("left", "right", "center"),
            "style": STYLES.fullmatch(value),
        }.get(name, False)
        if not is_fine:
            self.wrong.append((tag, name, value))

    def handle_data(self, data):
        self.text += data

    def handle_decl(self, decl):
        self.wrong.append(("declaration", decl))

    def handle_comment(self, data):
        self.wrong.append(("comment", data))


def rendered_trusting(markdown):
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)


def rendered_by_nbconvert(markdown):
    # nbconvert puts a permalink, href="#…", behind every heading
    return re.sub(r'<a class="anchor-link" href="#[^"]*">&#182;</a>', "", markdown2html_mistune(markdown))


VIEWERS = [rendered_trusting, rendered_by_nbconvert]


# -- Attacks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_html_neither_runs_nor_fetches_when_text_attacks(payload):
    page = Tags(to_html(payload))

    assert page.wrong == []
    assert all(link.startswith(("http://", "https://")) for link in page.links)


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_defanged_markdown_neither_runs_nor_fetches_when_text_attacks(payload, viewer):
    assert Tags(viewer(defang(payload))).wrong == []


def test_viewers_are_vulnerable_when_markdown_is_not_defanged():
    caught = [name for name, payload in PAYLOADS.items() if Tags(rendered_trusting(payload)).wrong]

    assert len(caught) > len(PAYLOADS) / 2  # else the tests above could not fail


PIECES = st.sampled_from([
    *PAYLOADS.values(),
    *("```", "````", "~~~", "\n```\n", "\n```python\n", "\n~~~ x\n", "   ```", "\n  - ```\n", "```a`b\n", "`", "``"),
    *("\n", "\n\n", "\t", "    ", "> ", "- ", "1. ", "# ", "|", "\n|-|-|\n", "\n---\n", "*", "**", "_", "a", " b"),
    *("$", "$$", "\\", "\\[", "\\\\]", "\\begin{a}", "\\end{a}", "@@0@@", "&lt;", "\x0b", "\u2028"),
    *("[", "]", "(", ")", "![", "](", "]:", "<", "< ", "<!", "</", ">", "[^1]:", "\n[r]: http://evil.test/ 't\n"),
])  # fmt: skip
DOCUMENTS = st.one_of(st.text(), st.lists(PIECES, max_size=20).map("".join))


@given(DOCUMENTS)
def test_html_has_known_tags_only_whatever_the_text(text):
    assert Tags(to_html(text)).wrong == []


@given(DOCUMENTS)
def test_defanged_markdown_gives_known_tags_only_whatever_the_text(text):
    harmless = defang(text)

    assert [Tags(viewer(harmless)).wrong for viewer in VIEWERS] == [[], []]


# -- HTML --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("![a *b*](http://x.test/i.png)", "[image: a *b* http://x.test/i.png]"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("```python\nx < 1\n```", "pythonx < 1"),
        ("[x](javascript:alert)", "[x](javascript:alert)"),
        ("so $a*b*c_1$ and \\(x\\{1\\}\\)", "so $a*b*c_1$ and \\(x\\{1\\}\\)"),
        ("$$\n\\frac{a}{b} \\\\\n$$", "$$ \\frac{a}{b} \\\\ $$"),
        ("it costs $5 and then $6", "it costs $5 and then $6"),
        ("\x1b[31mred\x1b[0m\a", "red"),
        ("lone \ud800 surrogate", "lone � surrogate"),
    ],
)
def test_html_shows_the_text_when_it_is_not_markup(markdown, text):
    assert Tags(to_html(markdown)).text == text


def test_links_open_elsewhere_and_tell_nothing_when_they_lead_to_the_web():
    html = to_html('[docs](https://a.test/x?y=1&z "title")')

    assert "href='https://a.test/x?y=1&amp;z' rel='noreferrer' target='_blank'" in html
    assert "title" not in html


def test_headings_stand_below_those_of_the_notebook():
    assert re.findall(r"<(h\d)", to_html("# a\n\n## b\n\n##### c")) == ["h3", "h4", "h6"]


def test_table_is_a_table():
    assert "<td" in to_html("| a | b |\n|---|--:|\n| 1 | 2 |")


def test_text_is_not_parsed_when_it_is_enormous():
    html = to_html("*a* <b> " * MAX_MARKDOWN)

    assert "<em>" not in html
    assert Tags(html).wrong == []


# -- Markdown ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "plain words, 1 < 2, a <= b, `x <- y` & more",
        "# Title\n\n- a\n- b\n\n| a |\n|---|\n| 1 |",
        "see [docs](https://a.test/x?y=1)",
        'Run:\n```python\nd = {"a": [1]}\nif d["a"][0]:\n    print("<img src=x>", "![x](y)", "]: z")\n```\nand look',
        "~~~~ c++\nvector<int> a;\n```\n~~~~",
        "$$\na_1 *b*\n$$\n\n```\nx = 1\n```",
        "",
        "\n\n",
    ],
)
def test_markdown_stays_as_it_is_when_it_is_harmless(text):
    assert defang(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "1. first\n   ```html\n   <img src=x>\n   ```\n2. second",
        "> quoted\n> ```html\n> <img src=x>\n> ```",
        "- ```html\n  <img src=x>\n  ```",
        "```html {#id}\n<img src=x>\n```",
        "  ```html\n  <img src=x>\n  ```",
        "```html\n<img src=x>",
    ],
)
def test_code_stays_exact_when_its_fence_is_moved_to_the_margin(text):
    harmless = defang(text)

    assert [block.code for block in find_code_blocks(harmless)] == ["<img src=x>\n"]
    assert "\n```html\n<img src=x>\n```" in f"\n{harmless}"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n`~<>![]()$\\"), max_size=200))
def test_code_stays_exact_in_a_fence_whatever_it_is(code):
    text = code_markdown(code, "python")

    assert defang(text) == text
    assert [block.code.removesuffix("\n") for block in find_code_blocks(text)] == [code.removesuffix("\n")]


@given(st.text())
def test_escaped_text_is_only_text_whatever_it_is(text):
    page = rendered_trusting(escape_markdown(text))

    assert set(re.findall(r"<(\w+)", page)) <= {"p"}


def test_name_stands_for_itself_when_it_looks_like_markup():
    assert (
        Tags(rendered_trusting(escape_markdown("a_b*c* <i> [x](y) &amp; #1"))).text.strip()
        == "a_b*c* <i> [x](y) &amp; #1"
    )


# -- The same on both sides --------------------------------------------------------------------------------------

CASES = Path(__file__).parent.parent / "labextension" / "src" / "__tests__" / "markdown-cases.json"
SAMPLES = [
    *PAYLOADS.values(),
    "plain *em* **strong** ~~gone~~ `code` line\nbreak  \nhard",
    "# One\n\n## Two\n\n###### Six\n\nSetext\n======",
    "- a\n- b\n  - c\n\n    d\n\n3. x\n4. y",
    "> quoted\n> - in a list\n>   ```python\n>   x = 1\n>   ```",
    "| a | b | c |\n|---|--:|:-:|\n| 1 | `2` | **3** |\n| | x |",
    "| | a |\n|---|--:|\n| b | 1 |",
    "```python\nfor x in y:\n    print(x)\n```\n\n    indented\n\n~~~ c++\nint a;\n~~~",
    "[a](https://a.test/?x=1&y) [b][r] <https://b.test> [c]() [d](javascript:x)\n\n[r]: http://r.test 't'",
    "so $a*b*c_1$ and \\(x\\{1\\}\\), $$\n\\frac{a}{b}\n$$ but $5 and $6",
    "a\n***\nb\n\n1) x\n\n&lt; &amp; &copy; \\* \\_",
    "",
]


def test_views_draw_what_the_static_html_shows_when_they_get_the_same_text():
    """The specification of the views reads these cases: `UPDATE_CASES=1` writes them anew."""
    cases = [{"markdown": text, "html": to_html(text)} for text in SAMPLES]
    if os.environ.get("UPDATE_CASES"):
        CASES.write_text(json.dumps(cases, indent=2) + "\n", encoding="utf-8")

    assert json.loads(CASES.read_text(encoding="utf-8")) == cases
