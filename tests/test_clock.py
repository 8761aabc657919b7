"""The thread that does what is due."""

import threading

from jupyter_agents.widgets.clock import Clock


def test_what_is_due_first_is_done_first_when_it_was_asked_for_last():
    clock, done = Clock(), threading.Event()
    clock.after(60, lambda: None)

    clock.after(0, done.set)

    assert done.wait(10)


def test_what_is_due_later_is_done_after_what_was_asked_for_before():
    clock, order, done = Clock(), [], threading.Event()

    clock.after(0.01, lambda: order.append("first"))
    clock.after(0.02, lambda: (order.append("second"), done.set()))

    assert done.wait(10)
    assert order == ["first", "second"]
