"""Interrupting the block that runs, and nothing else: the chat goes on, or ends, as the person wishes."""

import asyncio
import os
import signal
import threading
import time

import pytest

from jupyter_agents.drive import drive
from jupyter_agents.effects import CallTool
from jupyter_agents.executors.stopping import interrupt_block, is_block_under_way, use_owner

SAID = "The block was interrupted by the user.\n"


class Click:
    """A click in another thread, as soon as a block has run for a while."""

    def __init__(self, *, ends_chat, after=0.2, times=1, thread=None):
        self.at, self.told = 0.0, []
        self._options = {"ends_chat": ends_chat, "thread": thread}
        self._after, self._times = after, times
        self._thread = threading.Thread(target=self._click)
        self._thread.start()

    def _click(self):
        while not is_block_under_way():
            time.sleep(0.001)
        for _ in range(self._times):
            time.sleep(self._after)
            self.at = time.monotonic()
            self.told.append(interrupt_block(**self._options))

    def join(self):
        self._thread.join(10)
        return time.monotonic() - self.at


BLOCKS = pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "print('begun')\nwhile True: pass"),
        ("python", "import time; print('begun'); time.sleep(20)"),
        ("python", "import time; print('begun')\ntry:\n    time.sleep(20)\nexcept Exception: pass"),
        ("python", "print('begun')\n!sleep 20"),
        ("python", "import asyncio; print('begun'); await asyncio.sleep(20)"),
        ("python", "import asyncio; print('begun'); await asyncio.sleep(0)\nwhile True: pass"),
        ("bash", "echo begun; sleep 20"),
    ],
)


@BLOCKS
def test_block_ends_with_a_result_when_only_code_is_interrupted(run, language, code):
    before = signal.getsignal(signal.SIGINT)
    click = Click(ends_chat=False)

    result = run(code, language)

    assert click.join() < 2
    assert click.told == [True]
    assert (result.exit_code, result.status) == (130, "error")
    assert result.text.replace("^C\n", "") == f"begun\n{SAID}"  # which the terminal of a command echoes
    assert signal.getsignal(signal.SIGINT) is before
    assert run("6 * 7").text == "42"


@BLOCKS
def test_chat_ends_when_the_interrupt_says_so(run, language, code):
    click = Click(ends_chat=True)

    with pytest.raises(KeyboardInterrupt):
        run(code, language)

    assert click.join() < 2
    assert run("6 * 7").text == "42"


@pytest.mark.parametrize("code", ["while True: pass", "import asyncio; await asyncio.sleep(20)"])
async def test_awaited_chat_goes_on_when_only_code_is_interrupted(a_run, code):
    click = Click(ends_chat=False)

    result = await a_run(code)

    click.join()
    assert (result.exit_code, result.text) == (130, SAID)
    assert (await a_run("6 * 7")).text == "42"


async def test_chat_ends_when_it_is_cancelled_while_its_block_is_being_interrupted(a_run, bare_shell):
    bare_shell.user_ns["begun"] = begun = asyncio.Event()
    task = asyncio.ensure_future(a_run("import asyncio\nbegun.set()\nawait asyncio.sleep(20)"))
    await begun.wait()

    interrupt_block(ends_chat=False)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("ends_chat", [False, True])
@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("while True: pass", "python"),
        ("import time\nwhile True: time.sleep(0.01)", "python"),
        ("import asyncio; await asyncio.sleep(20)", "python"),
        ("sleep 20", "bash"),
    ],
)
def test_block_of_another_thread_is_interrupted(run, a_run, code, language, ends_chat):
    ended = []

    def chat():
        try:
            ended.append(asyncio.run(a_run(code, language)) if "await" in code else run(code, language))
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            ended.append(error)

    thread = threading.Thread(target=chat)
    thread.start()
    while not interrupt_block(thread.ident, ends_chat=ends_chat):
        assert thread.is_alive()
    thread.join(10)

    assert not thread.is_alive()
    if ends_chat:
        assert isinstance(ended[0], KeyboardInterrupt | asyncio.CancelledError)
    else:
        assert ended[0].text == SAID
    assert run("6 * 7").text == "42"


def test_only_the_innermost_block_ends_when_a_block_has_started_another(run, bare_shell):
    bare_shell.user_ns["run"] = run
    click = Click(ends_chat=False)

    result = run("inner = run('while True: pass')\nprint(inner.exit_code)\nprint('and on it goes')")

    click.join()
    assert (result.exit_code, result.text) == (0, f"{SAID}130\nand on it goes\n")


def test_all_blocks_end_when_the_chat_of_the_innermost_does(run, bare_shell):
    bare_shell.user_ns["run"] = run
    click = Click(ends_chat=True)

    with pytest.raises(KeyboardInterrupt):
        run("try: run('while True: pass')\nexcept BaseException: pass\nprint('and on it goes')")

    click.join()


def test_block_that_goes_on_is_interrupted_when_it_is_told_again(run):
    click = Click(ends_chat=False, times=3)

    result = run(
        "import time\nfor n in range(2):\n    try: time.sleep(20)\n    except BaseException: print('no')\ntime.sleep(20)"
    )

    click.join()
    assert (result.exit_code, result.text) == (130, f"no\nno\n{SAID}")


def test_signal_from_the_menu_keeps_its_meaning_when_a_click_came_before(run):
    click = Click(ends_chat=False)
    timer = threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()

    with pytest.raises(KeyboardInterrupt):
        run("import time\ntry: time.sleep(20)\nexcept BaseException: pass\ntime.sleep(20)")

    click.join()
    timer.join()


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "signal.SIG_DFL"])
def test_block_is_interrupted_and_python_lives_when_the_block_took_the_handler(run, handler):
    click = Click(ends_chat=False)

    result = run(f"import signal, time\nsignal.signal(signal.SIGINT, {handler})\nwhile True: time.sleep(0.01)")

    click.join()
    assert result.exit_code == 130


def test_nothing_is_interrupted_when_no_block_runs():
    assert not interrupt_block(ends_chat=False)
    assert not interrupt_block(threading.get_ident(), ends_chat=True)


async def test_cell_of_the_user_is_left_alone_when_it_runs_while_a_block_awaits(a_run, bare_shell):
    bare_shell.user_ns.update(interrupt_block=interrupt_block, begun=asyncio.Event(), done=asyncio.Event())
    task = asyncio.ensure_future(a_run("begun.set()\nawait done.wait()"))
    await bare_shell.user_ns["begun"].wait()

    cell = bare_shell.run_cell(
        "import threading, time\n"
        "thread = threading.Thread(target=interrupt_block, kwargs={'ends_chat': False})\n"
        "thread.start(); thread.join()\n"
        "time.sleep(0.3)\n"
        "mine = 'whole'"
    )
    result = await task

    assert cell.success
    assert bare_shell.user_ns["mine"] == "whole"
    assert (result.exit_code, result.text) == (130, SAID)


async def test_time_of_a_block_never_ends_a_cell_of_the_user(a_run, bare_shell):
    bare_shell.user_ns["begun"] = begun = asyncio.Event()
    task = asyncio.ensure_future(a_run("import asyncio\nbegun.set()\nawait asyncio.sleep(20)", timeout=0.2))
    await begun.wait()

    cell = bare_shell.run_cell("import time\ntime.sleep(0.5)\nmine = 'whole again'")
    result = await task

    assert cell.success
    assert result.exit_code == 124


async def test_block_of_another_chat_is_left_alone_when_it_shares_the_thread(a_run, bare_shell):
    bare_shell.user_ns["begun"], bare_shell.user_ns["done"] = begun, done = asyncio.Event(), asyncio.Event()
    one, other = object(), object()

    async def chat():
        with use_owner(one):
            return await a_run("begun.set()\nawait done.wait()\n'whole'")

    task = asyncio.ensure_future(chat())
    await begun.wait()
    told = interrupt_block(threading.get_ident(), ends_chat=True, owner=other)
    done.set()

    assert not told
    assert (await task).text == "'whole'"


def test_block_is_interrupted_for_its_chat_and_for_the_one_that_started_it(run, bare_shell):
    outer, inner, told = object(), object(), []
    bare_shell.user_ns.update(run=run, use_owner=use_owner, inner=inner)

    def click(owner):
        told.append(interrupt_block(ends_chat=False, owner=owner))

    for owner in (outer, inner):
        bare_shell.user_ns["click"] = lambda owner=owner: click(owner)
        with use_owner(outer):
            result = run("with use_owner(inner):\n    found = run('click()')\nprint(found.exit_code)")
        assert result.exit_code == 0
        assert result.text.endswith("130\n")


def test_click_from_the_main_thread_interrupts_the_code_that_made_it(run, bare_shell):
    bare_shell.user_ns["click"] = lambda: interrupt_block(ends_chat=False)

    result = run("print('before')\nclick()\nprint('after')")

    assert (result.exit_code, result.text) == (130, f"before\n{SAID}")


def test_block_ends_in_order_when_its_command_has_just_begun(run, bare_shell, monkeypatch):
    def system(command):
        try:
            interrupt_block(ends_chat=False)
        except KeyboardInterrupt:
            raise UnboundLocalError("child") from None  # as IPython does when it has no process yet

    monkeypatch.setattr(bare_shell, "system", system)

    assert run("!sleep 20\nprint('and on it goes')").text == SAID


# -- Limits of time where there are no signals ----------------------------------------------------------------------


def in_thread(chat):
    """What a function gives in a thread of its own."""
    found = []
    thread = threading.Thread(target=lambda: found.append(chat()))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    return found[0]


LIMITED = pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "print('begun')\nwhile True: pass"),
        ("python", "import time; print('begun')\nwhile True: time.sleep(0.01)"),
        ("python", "print('begun')\ntry:\n    while True: pass\nexcept Exception: pass"),
        ("python", "print('begun')\n!sleep 20"),
        ("python", "import asyncio; print('begun'); await asyncio.sleep(20)"),
        ("python", "import asyncio; print('begun'); await asyncio.sleep(0)\nwhile True: pass"),
        ("bash", "echo begun; sleep 20"),
    ],
)


def has_timed_out(result, *, after=0.3):
    """Whether the block says so, after what it has shown; a traceback says where its code was."""
    is_over = result.exit_code == 124 and result.text.endswith(f"The block timed out after {after} s.\n")
    return is_over and result.seconds < 5


@LIMITED
@pytest.mark.parametrize("awaited", [False, True], ids=["sync", "async"])
def test_time_of_a_block_ends_in_a_thread(run, a_run, language, code, awaited):
    def chat():
        return asyncio.run(a_run(code, language, timeout=0.3)) if awaited else run(code, language, timeout=0.3)

    result = in_thread(chat)

    assert result.text.startswith("begun\n")
    assert has_timed_out(result)
    assert in_thread(lambda: run("6 * 7", timeout=5)).text == "42"


@LIMITED
async def test_time_of_a_block_ends_in_a_thread_that_is_awaited(run, language, code):
    result = await asyncio.to_thread(run, code, language, timeout=0.3)

    assert has_timed_out(result)
    assert (await asyncio.to_thread(run, "6 * 7", timeout=5)).text == "42"


def test_time_of_a_block_ends_when_an_async_callback_runs_it(a_run):
    async def callback():
        return await a_run("print('begun')\nwhile True: pass", timeout=0.3)

    async def core():
        return await CallTool(callback)

    result = drive(core())

    assert has_timed_out(result)


def test_block_that_waits_in_c_has_timed_out_when_it_comes_back(run):
    result = in_thread(lambda: run("import time; time.sleep(1); print('and on it goes')", timeout=0.2))

    assert has_timed_out(result, after=0.2)
    assert "and on it goes" not in result.text.splitlines()
    assert result.seconds > 0.9


def test_block_that_goes_on_is_told_again_when_its_time_is_over(run):
    code = (
        "import time\ndef wait():\n    while True: time.sleep(0.01)\n"
        "for _ in range(2):\n    try: wait()\n    except BaseException: print('no')\nwait()"
    )

    result = in_thread(lambda: run(code, timeout=0.2))

    assert result.text.startswith("no\nno\n")
    assert has_timed_out(result, after=0.2)


def test_time_limit_hits_the_block_or_nothing_when_it_comes_at_any_moment(run):
    def many():
        found = []
        for number in range(150):
            code = "import time\nfor _ in range(8):\n    time.sleep(0.0003)\n    sum(range(2_000))"
            found.append(run(code, timeout=0.001 + number * 0.00008).exit_code)
            time.sleep(0.0005)
        return found

    assert set(in_thread(many)) <= {0, 124}


def test_no_clock_is_left_when_a_block_has_ended_in_time(run):
    in_thread(lambda: run("1", timeout=60))
    time.sleep(0.05)

    assert not [one for one in threading.enumerate() if one.name == "jupyter-agents-time-limit"]
