"""What a page shows of a pause and says about it: its buttons, and those of another cell or thread."""

import pytest

from jupyter_agents.control import Control
from jupyter_agents.display import front_end, pausing
from jupyter_agents.display.notebook import NotebookListener
from jupyter_agents.events import ChatEnded, ChatStarted, MessageSent, ModelAnswered, ModelAsked, Paused
from jupyter_agents.messages import Message
from jupyter_agents.run import Run, current_run
from tests.lab import Lab, tell

OPENING = MessageSent(0, "user", "assistant", Message("Do it."), "program")
ASKED, ANSWERED = ModelAsked(0, "assistant", 1), ModelAnswered(0, "assistant", "stop")
DONE = MessageSent(0, "assistant", "user", Message("Done."), "model")
BEFORE_USER = Paused(0, is_paused=True, agent="user", next="reply")


@pytest.fixture
def lab(monkeypatch):
    return Lab().install(monkeypatch)


@pytest.fixture
def control():
    return Control()


@pytest.fixture
def listener(lab, control):
    """The listener of a chat that is held by this thread, with a page that shows it."""
    listener = NotebookListener(is_live=True, at=lab.clock)
    token = current_run.set(Run(control=control))
    tell(listener, ChatStarted(0, "user", "assistant"), OPENING, ASKED)
    current_run.reset(token)
    lab.clock.run(1)
    lab.draw()
    with control.held(None):
        yield listener


def press(lab, button):
    lab.widget.hear({"t": button, "view": "v"})


def shown(lab):
    """The pause as a page that asks now gets it: what happens, and what comes next."""
    pause = lab.draw()["pause"]
    return pause and (pause["phase"], pause["agent"], pause["next"])


def test_buttons_of_the_page_pause_step_and_resume_the_chat(lab, listener, control):
    press(lab, "pause")
    paused = (control.is_paused, shown(lab))
    tell(listener, ANSWERED, DONE, BEFORE_USER)

    with control.waiting():
        resting = shown(lab)
        press(lab, "step")
        stepping = (control.must_wait, shown(lab))
        press(lab, "resume")

    assert paused == (True, ("pausing", "", ""))
    assert resting == ("paused", "user", "reply")
    assert stepping == (False, ("stepping", "", ""))
    assert (control.is_paused, shown(lab)) == (False, None)


def test_page_is_told_of_a_pause_in_one_patch_each(lab, listener, control):
    press(lab, "pause")
    lab.clock.run(0.1)
    tell(listener, ANSWERED, DONE, BEFORE_USER)
    with control.waiting():
        lab.clock.run(0.1)
        press(lab, "resume")
        lab.clock.run(0.1)

    sets = [op["values"] for sent in lab.widget.sent for op in sent.get("ops", ()) if op["op"] == "set"]
    phases = [values["pause"] and values["pause"]["phase"] for values in sets if "pause" in values]
    assert phases == ["pausing", "paused", None]


def test_page_says_that_it_rests_when_all_that_goes_on_at_the_same_time_does(lab, listener, control):
    press(lab, "pause")
    with control.parted(3) as end_one, control.waiting():
        tell(listener, Paused(1, is_paused=True, agent="ann", next="reply"))
        one_of_three = shown(lab)
        end_one()
        one_of_two = shown(lab)
        tell(listener, Paused(2, is_paused=True, agent="bob", next="code"))
        with control.waiting():
            both = shown(lab)

    assert [one_of_three, one_of_two] == [("pausing", "", "")] * 2
    assert both == ("paused", "bob", "code")


def test_step_is_one_when_two_pages_press_it(lab, listener, control):
    control.pause()

    with control.waiting():
        press(lab, "step")
        press(lab, "step")
        control.count_turn()

    assert control.must_wait


def test_step_that_comes_late_does_not_pause_a_chat_that_goes_on(lab, listener, control):
    press(lab, "pause")
    press(lab, "resume")

    press(lab, "step")

    assert not control.is_paused


def test_page_shows_a_pause_that_was_made_elsewhere(lab, listener, control):
    control.pause()
    paused = shown(lab)
    control.resume()

    assert paused == ("pausing", "", "")
    assert shown(lab) is None


def test_widget_stands_where_a_chat_rests_whose_turns_are_short(lab, listener, control):
    tell(listener, ANSWERED, DONE, ASKED, ANSWERED, MessageSent(0, "assistant", "user", Message("More."), "model"))
    before = lab.texts()[-1]

    control.pause()
    tell(listener, BEFORE_USER)

    assert before == "assistant (to user):\n\nMore."
    assert lab.texts()[-1] == f"live: {before}"


@pytest.mark.parametrize("end", ["stop", "chat"])
def test_nothing_of_a_pause_is_left_when_the_chat_ends(lab, listener, control, end):
    press(lab, "pause")
    tell(listener, ANSWERED, DONE, BEFORE_USER)

    with control.waiting():
        if end == "stop":
            control.reason = "stopped"
        tell(listener, ChatEnded(0, "stop"))

    assert shown(lab) is None
    control.resume()
    control.pause()
    assert shown(lab) is None


def rested_unseen(lab, listener, control, seconds):
    """Why a chat is to end that rests while its page says nothing for so long."""
    tell(listener, ANSWERED, DONE, BEFORE_USER)
    stopped = []
    control.stop = stopped.append
    with control.waiting():
        lab.clock.run(seconds)
    return stopped[:1]


def test_chat_that_blocks_ends_when_the_page_that_paused_it_is_gone(lab, listener, control):
    press(lab, "pause")

    assert rested_unseen(lab, listener, control, pausing.SILENCE - 5) == []
    assert rested_unseen(lab, listener, control, 10) == [pausing.PAGE_GONE]


def test_chat_rests_on_when_it_was_paused_elsewhere(lab, listener, control):
    control.pause()

    assert rested_unseen(lab, listener, control, 3 * pausing.SILENCE) == []


def test_chat_that_is_awaited_rests_on_for_a_page_that_comes_later(lab, listener, control, monkeypatch):
    monkeypatch.setattr(Control, "blocks_main_thread", False)
    monkeypatch.setattr(front_end, "hears_new_pages", lambda: True)
    press(lab, "pause")

    assert rested_unseen(lab, listener, control, 3 * pausing.SILENCE) == []
