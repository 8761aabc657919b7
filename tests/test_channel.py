"""The kernel's end of a page: what a lossy channel leaves out, a page gets back."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_agents.widgets.channel import FRAME, TEXT_FRAME, Channel
from jupyter_agents.widgets.protocol import Activity, Item, LiveTurn, QuestionCard, ViewState
from tests.fakes import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


def opened(clock, sent, heard=None):
    channel = Channel(sent.append, ViewState(), (heard if heard is not None else []).append, clock)
    channel.is_open = True
    channel.hear({"t": "hello", "page": "p"})
    return channel


def sync(page, *, first=None, earlier=False):
    return {"t": "sync", "page": page, "views": 1, "first": first, "earlier": earlier}


def item(number, text="hello"):
    return Item(number, "bundle", {"text/plain": text})


def test_changes_of_one_frame_are_one_patch(clock):
    sent = []
    channel = opened(clock, sent)

    channel.set(live=LiveTurn("assistant"))
    channel.text("Hel")
    channel.text("lo")
    clock.run(FRAME)

    [patch] = sent
    assert patch["seq"] == 1
    assert [op["op"] for op in patch["ops"]] == ["set", "text"]
    assert patch["ops"][1]["text"] == "Hello"
    assert channel.state.live.text == "Hello"


def test_five_thousand_pieces_of_text_are_ten_messages_a_second(clock):
    sent = []
    channel = opened(clock, sent)
    channel.set(live=LiveTurn("assistant"))

    for _ in range(5000):
        channel.text("x")
        clock.run(0.001)
    clock.run(1)

    assert len(sent) <= 5 / TEXT_FRAME + 2
    assert sum(len(op["text"]) for patch in sent for op in patch["ops"] if op["op"] == "text") == 5000


def test_first_words_go_at_once_when_a_model_has_taken_its_time(clock):
    sent = []
    channel = opened(clock, sent)
    channel.set(live=LiveTurn("assistant"))
    clock.run(1)
    del sent[:]

    channel.text("Hello")
    clock.run(0)
    first = len(sent)
    channel.text(", you")
    clock.run(0.9 * TEXT_FRAME)
    between = len(sent)
    clock.run(0.1 * TEXT_FRAME)

    assert (first, between, len(sent)) == (1, 1, 2)


def test_words_go_with_the_output_when_they_come_before_it_is_live(clock):
    sent = []
    channel = opened(clock, sent)
    channel.set(live=LiveTurn("assistant"))
    channel.flush()

    for _ in range(7):
        channel.text("x")
        clock.run(0.02)
    before = len(sent)
    channel.flush()

    assert (before, sent[-1]["ops"]) == (1, [{"op": "text", "text": "xxxxxxx"}])


def test_words_that_wait_go_with_whatever_must_go_sooner(clock):
    sent = []
    channel = opened(clock, sent)
    channel.set(live=LiveTurn("assistant"))
    clock.run(1)
    channel.text("a")
    clock.run(0)
    del sent[:]

    channel.text("b")
    channel.set(activity=None)
    clock.run(1)

    assert [[op["op"] for op in one["ops"]] for one in sent] == [["text", "set"]]


def test_nothing_is_sent_when_no_page_is_there(clock):
    sent = []
    channel = Channel(sent.append, ViewState(), print, clock)
    channel.is_open = True

    channel.add(item(1))
    clock.run(1)

    assert sent == []
    channel.hear(sync("p"))
    assert sent[-1]["state"]["items"][0]["bundle"]["data"] == {"text/plain": "hello"}


def test_new_view_shows_only_what_came_since_the_slot_began(clock):
    sent = []
    channel = opened(clock, sent)
    channel.add(item(1))
    channel.renew()
    channel.add(item(2))

    channel.hear(sync("p"))

    channel.hear(sync("loaded later"))

    first, later = (one["state"] for one in sent[-2:])
    assert [one["id"] for one in first["items"]] == [one["id"] for one in later["items"]] == [2]
    assert (first["earlier"], later["earlier"]) == (0, 1)  # the first page has what was before as outputs


def test_page_that_asks_again_keeps_what_it_shows(clock):
    sent = []
    channel = opened(clock, sent)
    channel.add(item(1))
    channel.hear(sync("p"))
    channel.renew()
    channel.add(item(2))

    channel.hear(sync("p", first=1))

    assert [one["id"] for one in sent[-1]["state"]["items"]] == [1, 2]
    assert sent[-1]["slot"] == 1


def test_page_gets_all_that_is_kept_when_what_it_shows_is_gone(clock):
    sent = []
    channel = opened(clock, sent)
    for number in range(600):
        channel.add(item(number))

    channel.hear(sync("p", first=20))

    assert len(sent[-1]["state"]["items"]) == 500


def test_new_slot_is_told_to_pages_before_its_output_is_shown(clock):
    sent = []
    channel = opened(clock, sent)
    channel.add(item(1))
    channel.renew()
    channel.hear(sync("p"))
    channel.hear(sync("loaded later"))

    patch, first, later = sent

    assert [op["op"] for op in patch["ops"]] == ["item", "slot"]
    assert (first["to"], first["slot"]) == ("p", 0)
    assert (later["to"], later["slot"]) == ("loaded later", None)


def test_view_gets_everything_when_it_asks_for_earlier_items(clock):
    sent = []
    channel = opened(clock, sent)
    for number in range(3):
        channel.add(item(number))
        channel.renew()

    channel.hear(sync("p", earlier=True))

    assert [one["id"] for one in sent[-1]["state"]["items"]] == [0, 1, 2]
    assert sent[-1]["state"]["earlier"] == 0


def test_page_counts_as_gone_when_it_is_silent(clock):
    channel = opened(clock, [])
    channel.hear(sync("p"))
    was_viewed = channel.is_viewed

    clock.run(10)

    assert was_viewed
    assert not channel.is_viewed
    assert channel.silence == 10
    channel.hear({"t": "pong", "page": "p"})
    assert channel.is_viewed


def test_page_that_says_that_it_has_no_view_has_none(clock):
    channel = opened(clock, [])
    channel.hear(sync("p"))

    channel.hear({"t": "pong", "page": "p", "views": 0})

    assert not channel.is_viewed
    assert channel.has_page


def test_pings_say_the_last_number_and_end_with_the_chat(clock):
    sent = []
    channel = opened(clock, sent)
    channel.ping()
    channel.add(item(1))
    clock.run(3)
    numbers = {one["seq"] for one in sent if one["t"] == "ping"}

    channel.set(is_going_on=False)
    clock.run(2)
    before = len(sent)
    clock.run(5)

    assert numbers == {0, 1}
    assert len(sent) == before


def pings_in(clock, sent, seconds):
    del sent[:]
    clock.run(seconds)
    return sum(one["t"] == "ping" for one in sent)


def test_page_is_pinged_rarely_while_nothing_depends_on_it(clock):
    sent = []
    channel = opened(clock, sent)
    channel.ping()
    before = pings_in(clock, sent, 3)
    channel.hear(sync("p"))
    clock.run(1)
    calm = pings_in(clock, sent, 30)
    channel.set(questions=[QuestionCard("q", "text", "Well?")])
    asked = pings_in(clock, sent, 30)

    assert (before, calm, asked) == (12, 10, 30)


def test_page_is_pinged_soon_after_a_change_that_nothing_follows(clock):
    sent = []
    channel = opened(clock, sent)
    channel.ping()
    channel.hear(sync("p"))
    clock.run(3)
    channel.add(item(1))
    channel.flush()

    assert pings_in(clock, sent, 1) == 1


@pytest.mark.parametrize("content", [None, "x", 3, [], {}, {"t": None}, {"t": "sync"}, {"t": ["sync"]}])
def test_nonsense_of_a_page_is_passed_over(clock, content):
    heard = []
    channel = opened(clock, [], heard)

    channel.hear(content)

    assert all(isinstance(one, dict) for one in heard)


def test_what_is_not_about_the_channel_is_handed_on(clock):
    heard = []
    channel = opened(clock, [], heard)

    channel.hear({"t": "stop", "view": "v"})

    assert heard == [{"t": "stop", "view": "v"}]


def test_times_go_as_differences(clock):
    sent = []
    channel = opened(clock, sent)

    channel.set(activity=Activity("retry", "assistant", "rate limit", since=90.0, until=104.0))
    channel.flush()

    activity = sent[-1]["ops"][0]["values"]["activity"]
    assert (activity["elapsed"], activity["remaining"]) == (10.0, 4.0)


def test_state_keeps_a_bounded_number_of_items(clock):
    channel = opened(clock, [])

    for number in range(1200):
        channel.add(item(number))

    assert len(channel.state.items) == 500
    assert channel.state.items[-1].id == 1199


def test_slot_begins_where_it_did_when_earlier_items_are_dropped(clock):
    channel = opened(clock, [])
    for number in range(400):
        channel.add(item(number))
    channel.renew()

    for number in range(400, 700):
        channel.add(item(number))

    assert channel.state.items[channel.first].id == 400


def test_nothing_is_sent_when_it_is_closed(clock):
    sent = []
    channel = opened(clock, sent)
    channel.close()

    channel.add(item(1))
    channel.post({"t": "leaving"})
    clock.run(2)

    assert sent == []


class Page:
    """A page on a channel that loses messages: what `connection.ts` does, in short."""

    def __init__(self):
        self.seq, self.text, self.items, self.wants = None, "", {}, True

    def get(self, message):
        if message["t"] == "state":
            state = message["state"]
            self.seq = message["seq"]
            self.text = state["live"]["text"] if state["live"] else ""
            self.items = {one["id"]: one for one in state["items"]}
            self.wants = False
        elif message["t"] == "ping":
            self.wants = self.wants or message["seq"] != self.seq
        elif message["t"] == "patch" and not self.wants:
            if message["seq"] != self.seq + 1:
                self.wants = message["seq"] > self.seq
                return
            self.seq = message["seq"]
            for op in message["ops"]:
                self.apply(op)

    def apply(self, op):
        if op["op"] == "text":
            self.text += op["text"]
        elif op["op"] == "item":
            self.items[op["item"]["id"]] = op["item"]
        elif op["op"] == "set" and "live" in op["values"]:
            live = op["values"]["live"]
            self.text = live["text"] if live else ""


@given(seed=st.integers(0, 2**32), loss=st.floats(0, 0.6))
@settings(max_examples=40, deadline=None)
def test_page_has_everything_exactly_once_when_messages_are_lost(seed, loss):
    chance, clock, page = random.Random(seed), FakeClock(), Page()
    channel = opened(clock, [])
    channel._send = lambda message: page.get(message) if chance.random() >= loss else None
    channel.set(live=LiveTurn("assistant"))
    channel.ping()

    for number in range(60):
        channel.text(f"{number} ")
        if number % 10 == 0:
            channel.add(item(number))
        clock.run(chance.random() / 5)
        if page.wants:
            channel.hear(sync("p", earlier=True))
    loss = 0
    for _ in range(3):
        clock.run(2)
        if page.wants:
            channel.hear(sync("p", earlier=True))

    assert page.text == "".join(f"{number} " for number in range(60))
    assert sorted(page.items) == [0, 10, 20, 30, 40, 50]


def test_page_hears_of_the_end_when_the_last_patch_is_lost(clock):
    sent = []
    channel = opened(clock, sent)
    channel.ping()
    channel.hear(sync("p"))

    channel.add(item(1))
    channel.set(is_going_on=False)
    channel.flush()
    del sent[:]
    clock.run(5)

    assert [one["seq"] for one in sent if one["t"] == "ping"] == [channel._seq] * 2


def test_pings_begin_anew_when_another_chat_begins(clock):
    sent = []
    channel = opened(clock, sent)
    channel.set(is_going_on=False)
    channel.ping()
    clock.run(10)
    del sent[:]

    channel.set(is_going_on=True)
    channel.ping()
    clock.run(3)

    assert sum(one["t"] == "ping" for one in sent) >= 3
