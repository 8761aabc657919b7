"""The figures of a chat: well-formed, harmless, the same in every run, and readable at every width."""

import re
from itertools import combinations
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

from jupyter_agents.display.exchanges import exchanges
from jupyter_agents.display.figures import NARROWEST, TEXT, WIDEST, text_width
from jupyter_agents.display.tables import Table
from jupyter_agents.display.timeline import steps_of, timeline
from jupyter_agents.display.token_bars import token_bars
from jupyter_agents.events import ChatStarted, CodeFinished, ModelAnswered, ModelFailed
from jupyter_agents.messages import Usage
from tests.chats import long_chat, result_of, said

SVG = "{http://www.w3.org/2000/svg}"
TEAM = ("planner", "coder", "critic", "a_user_proxy_with_a_very_long_name_indeed_it_is", "評論家", "writer")
CROWD = tuple(f"agent {number}" for number in range(30))
ATTACK = "</text></svg><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\x1b[31m\ud800\ufffe\u202e"

FIGURES = {
    "timeline": lambda result: timeline(result.events),
    "timed": lambda result: timeline(result.events, times=True),
    "exchanges": lambda result: exchanges(result.events),
    "tokens": lambda result: token_bars(result.by_speaker),
    "replays": lambda result: token_bars(result.by_speaker, replays=True),
}
CHATS = {
    "nothing": lambda: result_of(ChatStarted(0, "a", "b")),
    "one": lambda: long_chat(1),
    "pair": lambda: long_chat(12),
    "replayed": lambda: long_chat(12, replayed=True),
    "team": lambda: long_chat(70, TEAM),
    "crowd": lambda: long_chat(90, CROWD),
    "hundreds": lambda: long_chat(399),
    "thousand": lambda: long_chat(1000, TEAM),
    "slow": lambda: long_chat(20, pace=3600.0),
    "quick": lambda: long_chat(20, pace=0.0001),
}
every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
every_chat = pytest.mark.parametrize("make", CHATS.values(), ids=CHATS)


class Box(NamedTuple):
    text: str
    left: float
    right: float
    top: float
    bottom: float

    def touches(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def length(given: str | None, width: float) -> float:
    given = given or "0"
    return float(given.removesuffix("%")) * width / 100 if given.endswith("%") else float(given)


def text_boxes(node: ET.Element, width: float, left: float = 0, top: float = 0) -> list[Box]:
    """Where the texts are when the figure is so wide; a nested picture clips what is in it."""
    found: list[Box] = []
    for child in node:
        if child.tag == f"{SVG}svg" and child.get("overflow") != "visible":
            inner = length(child.get("width"), width)
            x, y = left + length(child.get("x"), width), top + length(child.get("y"), width)
            found += [
                one._replace(left=max(one.left, x), right=min(one.right, x + inner))
                for one in text_boxes(child, inner, x, y)
            ]
        elif child.tag == f"{SVG}text":
            found.append(text_box(child, width, left, top))
        else:
            found += text_boxes(child, width, left, top)
    return found


def text_box(node: ET.Element, width: float, left: float, top: float) -> Box:
    wide = text_width(node.text or "")
    x = left + length(node.get("x"), width) + length(node.get("dx"), width)
    x -= {"end": wide, "middle": wide / 2}.get(node.get("text-anchor", ""), 0)
    baseline = top + length(node.get("y"), width)
    return Box(node.text or "", x, x + wide, baseline - 0.75 * TEXT, baseline + 0.2 * TEXT)


@every_figure
@every_chat
def test_figure_is_well_formed_and_says_what_it_is_when_it_is_drawn(make, draw):
    figure = draw(make())

    root = ET.fromstring(figure.svg())

    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert root[0].text
    assert root[1].text


@every_figure
@every_chat
@pytest.mark.parametrize("width", [NARROWEST, 360, WIDEST])
def test_labels_keep_apart_and_inside_when_the_page_is_so_wide(make, draw, width):
    figure = draw(make())

    boxes = text_boxes(ET.fromstring(figure.svg()), width)

    assert [(one.text, other.text) for one, other in combinations(boxes, 2) if one.touches(other)] == []
    assert [one for one in boxes if one.left < -0.5 or one.right > width + 0.5] == []
    assert [one for one in boxes if one.top < 0 or one.bottom > figure.height] == []


@every_figure
@every_chat
def test_shapes_stay_inside_when_they_are_drawn(make, draw):
    figure = draw(make())

    bars = [one for one in ET.fromstring(figure.svg()).iter(f"{SVG}rect") if one.get("x", "").endswith("%")]

    assert all(length(one.get("x"), 100) + length(one.get("width"), 100) <= 100.7 for one in bars)
    assert all(float(one.get("y", 0)) + float(one.get("height", 0)) <= figure.height for one in bars)


@pytest.mark.parametrize("draw", [FIGURES["timeline"], FIGURES["exchanges"], FIGURES["tokens"]])
def test_names_are_cut_with_an_ellipsis_only_when_they_may_not_fit(draw):
    names = ("user", "a_name_that_is_longer_than_most_names_are", "short")

    root = ET.fromstring(draw(long_chat(12, names)).svg())

    cut = [one for one in root.iter() if one.tag.endswith("}div")]
    assert cut
    assert all("a_name" in one.text for one in cut)
    assert all("text-overflow:ellipsis" in one.get("style") for one in cut)


@every_figure
def test_names_stay_text_when_they_are_markup(draw):
    html = draw(long_chat(12, (ATTACK, "assistant", f"x{ATTACK}"))).html()

    assert not re.search(r"<(script|img)|\x1b|\ufffe|\u202e|[\ud800-\udfff]", html)
    assert html.count("<svg") == html.count("</svg>")
    ET.fromstring(html)


@every_figure
def test_description_and_table_remain_when_pictures_are_taken_out(draw):
    figure = draw(long_chat(12))
    root = ET.fromstring(figure.html())

    for node in root.findall("div"):
        assert node.get("style") == "font-size:0;visibility:hidden"  # what is left of its pictures is not seen
        root.remove(node)

    assert not list(root.iter(f"{SVG}svg"))
    remaining = {text.strip() for text in root.itertext()}
    assert {figure.title, figure.description, *(cell for row in figure.table.rows for cell in row)} <= remaining


@every_figure
def test_figure_refers_to_nothing_outside_and_runs_nothing_when_it_is_drawn(draw):
    html = draw(long_chat(40, TEAM)).html()

    assert not re.search(r"href|url\(|<style|<script|\bid=|\son\w+=", html)
    assert not re.findall(r"(?:fill|stroke|background|color):#", html)  # only as what a variable falls back to


@pytest.mark.parametrize("name", ["timeline", "exchanges", "tokens"])
@pytest.mark.parametrize("turns", [12, 400])
def test_figure_is_the_same_when_the_run_is_slower_or_replayed(name, turns):
    first, slower, replayed = long_chat(turns), long_chat(turns, pace=7.3), long_chat(turns, replayed=True)

    drawn = [FIGURES[name](one).html() for one in (first, slower, replayed)]

    assert drawn[0] == drawn[1] == drawn[2]


# -- The timeline ------------------------------------------------------------------------------------------------


def test_steps_belong_to_the_turn_they_led_to_when_a_turn_has_several():
    steps = steps_of(long_chat(8).events)

    assert [(step.turn, step.speaker, step.kind) for step in steps[:3]] == [
        (0, "user", "message"),
        (1, "assistant", "model"),
        (2, "user", "code"),
    ]
    assert [step.kind for step in steps if step.turn == 5] == ["model", "tool"]
    assert [step.kind for step in steps if step.turn == 6] == ["person", "code"]
    assert [step.turn for step in steps if step.failed] == [2, 5]


def test_last_call_is_drawn_when_it_failed_and_nothing_was_said():
    events = [said("user", "assistant"), ModelFailed(0, "assistant", "down")]

    figure = timeline(events)

    assert [(one.turn, one.kind, one.failed) for one in steps_of(events)] == [(0, "message", False), (1, "model", True)]
    assert figure.table.rows[1] == ("2", "assistant", "1 model call (1 failed)")
    assert figure.description.startswith("1 turn and one without a message of 2 speakers:")


def test_bars_are_as_long_as_the_steps_took_when_times_are_asked_for():
    figure = timeline(
        [
            ModelAnswered(0, "a", "stop", seconds=6.0),
            said("a", "b"),
            CodeFinished(0, "b", 0, "ok", seconds=2.0),
            said("b", "a"),
        ],
        times=True,
    )

    blocks = [one for one in ET.fromstring(figure.svg()).iter(f"{SVG}g") if len(one)]

    widths = [float(one[0].get("width").removesuffix("%")) for one in blocks]
    assert widths[0] == pytest.approx(3 * widths[1])
    assert [row[3] for row in figure.table.rows] == ["6.00", "2.00"]


def test_axis_counts_turns_when_no_seconds_were_measured():
    events = [ModelAnswered(0, "a", "stop", replayed=True, seconds=0.01), said("a", "b")]

    figure = timeline(events, times=True)

    assert "No seconds were measured" in figure.description
    assert figure.table.rows == (("1", "a", "1 model call", "–"),)


def test_columns_are_few_and_nothing_is_lost_when_there_are_hundreds_of_turns():
    result = long_chat(399)

    figure = timeline(result.events)

    assert "Each column is 5 turns." in figure.description
    assert figure.table.rows[0][:2] == ("1–20", "user")
    assert len(figure.table.rows) == 2 * 20
    shown = sum(int(found) for row in figure.table.rows for found in re.findall(r"(\d+) model calls?", row[2]))
    assert shown == result.model_calls


def test_columns_of_all_speakers_have_one_scale_when_turns_share_columns():
    busy = [said("busy", "idle") for _ in range(160)]
    figure = timeline([said("idle", "busy"), *busy])

    heights = [
        float(one.get("height")) for one in ET.fromstring(figure.svg()).iter(f"{SVG}rect") if one.get("rx") is None
    ]

    assert (min(heights), max(heights)) == (pytest.approx(18 / 3), pytest.approx(18))


def test_those_who_did_least_share_a_row_when_there_are_many_speakers():
    figure = timeline(long_chat(90, CROWD).events)

    names = {row[1] for row in figure.table.rows}

    assert len(names) == 12
    assert "19 others" in names


# -- Who talked to whom ------------------------------------------------------------------------------------------


def test_pair_is_drawn_with_two_arrows_when_two_talk():
    figure = exchanges(long_chat(5).events)

    assert figure.table.rows == (("user", "assistant", "3"), ("assistant", "user", "2"))
    assert figure.svg().count("<line") == 2
    assert figure.description == "5 messages: 3 from user to assistant and 2 back."


def test_matrix_has_every_count_when_more_than_two_talk():
    figure = exchanges(long_chat(70, TEAM).events)

    root = ET.fromstring(figure.svg())

    numbers = [int(one.text) for one in root.findall(f"{SVG}text") if one.get("style") is None]
    assert sum(numbers) == 70
    assert len(figure.table.rows) == 6


def test_matrix_has_eight_speakers_and_the_table_all_when_there_are_many():
    figure = exchanges(long_chat(90, CROWD).events)

    assert "8. 23 others" in figure.svg()
    assert "others" not in figure.description
    assert len(figure.table.rows) == 30


# -- Tokens ------------------------------------------------------------------------------------------------------


def calls(*usages: Usage | None, replayed: bool = False):
    return result_of(*(ModelAnswered(0, "a", "stop", one, replayed=replayed) for one in usages)).by_speaker


def test_tokens_are_marked_when_they_are_estimates():
    figure = token_bars(calls(Usage(1000, 20, estimated=True)))

    assert figure.table.rows == (("a", "1", "≈1,000", "≈20", "≈1,020"),)
    assert "≈ estimated" in figure.svg()


def test_tokens_are_a_dash_when_they_are_unknown():
    figure = token_bars(calls(None))

    assert figure.table.rows == (("a", "1", "–", "–", "–"),)
    assert (figure.description, "– unknown" in figure.svg()) == ("No tokens were counted.", True)


def test_replays_are_marked_when_they_are_asked_for():
    facts = calls(Usage(10, 2), replayed=True)

    assert "↻10" in token_bars(facts, replays=True).svg()
    assert "↻" not in token_bars(facts).svg()


# -- Tables ------------------------------------------------------------------------------------------------------


def test_numbers_are_aligned_at_the_right_when_a_column_holds_nothing_else():
    table = Table.of(("who", "count"), [("a", "1,000"), ("b", "≈7"), ("c", "–")])

    assert table.text().splitlines()[1:] == ["a    1,000", "b       ≈7", "c        –"]
    assert table.markdown().splitlines()[1] == "| --- | ---: |"
    assert table.html().count("text-align:right") == 4


def test_cells_stay_cells_when_they_hold_markup():
    table = Table.of(("who",), [("a | b\n<b>![x](http://e.org)",)])

    assert "<b>" not in table.html()
    assert table.markdown().splitlines()[2] == r"| a \| b &lt;b\>\!\[x\]\(http://e.org\) |"


def test_columns_stay_aligned_when_characters_are_wide():
    assert Table.of(("who", "n"), [("評論家", "1"), ("ab", "22")]).text().splitlines() == [
        "who      n",
        "評論家   1",
        "ab      22",
    ]
