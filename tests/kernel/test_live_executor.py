"""The live executor in a real ipykernel: what the cell shows, what comes back, and how the kernel is afterwards."""

import time

import pytest

MESSAGE_MIME = "application/vnd.jupyter-agents.message+json"
BOTH = pytest.mark.parametrize("awaited", [False, True], ids=["blocking", "awaited"])


def assert_answers(kernel):
    """The kernel executes the next cell as if nothing had been."""
    cell = kernel.execute("print(6 * 7)\ndisplay('shown')\n'value'")
    assert cell.reply["status"] == "ok"
    assert cell.reply["payload"] == []
    assert cell.kinds == ["stream", "display_data", "execute_result"]
    assert cell.stream() == "42\n"


@BOTH
def test_cell_shows_what_the_block_shows_in_order(kernel, awaited):
    ran = kernel.run("import sys\nprint('out')\nprint('err', file=sys.stderr)\ndisplay(1)\n6 * 7", awaited=awaited)

    assert ran.kinds == ["stream", "display_data", "execute_result"]
    assert (ran.stream("stdout"), ran.stream("stderr")) == ("out\n", "err\n")
    assert [data["text/plain"] for data in ran.data] == ["1", "42"]
    assert ran.text == "out\nerr\n1\n42"
    assert [output["output_type"] for output in ran.result["outputs"]] == [
        "stream", "stream", "display_data", "execute_result",
    ]  # fmt: skip


@BOTH
def test_figure_is_shown_once_after_its_block(kernel, awaited):
    ran = kernel.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);\nprint('plotted')", awaited=awaited)

    assert ran.kinds == ["stream", "display_data"]
    assert [set(data) for data in ran.data] == [{"text/plain", "image/png"}]
    assert ran.text.startswith("plotted\n<figure: image/png ")
    assert kernel.execute("0").kinds == ["execute_result"]


def test_figure_of_a_block_that_awaits_is_shown_with_it(kernel):
    ran = kernel.run(
        "import asyncio, matplotlib.pyplot as plt\nplt.plot([1, 2]);\nawait asyncio.sleep(0)\nprint('plotted')",
        awaited=True,
    )

    assert ran.kinds == ["stream", "display_data"]
    assert ran.text.startswith("plotted\n<figure: image/png ")


def test_frame_is_a_table_in_the_cell_and_text_for_the_model(kernel):
    ran = kernel.run("import pandas\npandas.DataFrame({'a': [1, 2]})")

    assert "<table" in ran.data[0]["text/html"]
    assert ran.text == "   a\n0  1\n1  2"


@BOTH
def test_traceback_is_displayed_and_the_cell_does_not_fail(kernel, awaited):
    ran = kernel.run("def f():\n    1/0\nprint('before')\nf()", awaited=awaited)

    assert ran.reply["status"] == "ok"
    assert ran.kinds == ["stream", "display_data"]
    data = ran.data[0]
    assert data[MESSAGE_MIME]["kind"] == "error"
    assert data[MESSAGE_MIME]["ename"] == "ZeroDivisionError"
    assert data["text/html"].startswith("<pre>")
    assert data["text/plain"].endswith("ZeroDivisionError: division by zero")
    assert ran.result["exit_code"] == 1
    assert ran.text == f"before\n{data['text/plain']}"
    assert "In[" not in ran.text
    assert "\x1b" not in ran.text


def test_text_is_the_same_in_every_run(kernel):
    code = (
        "import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('always')\n    warnings.warn('w')\n"
        "print(object())\n!echo from a terminal\nprint('\\x1b[31mred\\x1b[0m')\nraise ValueError(object())"
    )

    first, second = kernel.run(code), kernel.run(code)

    assert first.text == second.text
    assert first.text.startswith("<code block>:4: UserWarning: w\n  warnings.warn('w')\n<object object at 0x…>\n")
    assert "from a terminal\nred\n" in first.text
    assert "\r" not in first.stream()
    assert "\x1b[31mred" in first.stream()  # the page has colours


def test_output_of_child_processes_is_collected(kernel):
    ran = kernel.run("import os, subprocess\nos.system('echo one')\nsubprocess.run(['echo', 'two'])\nprint('three')")

    assert sorted(ran.text.splitlines()) == ["one", "three", "two"]


def test_value_does_not_touch_the_history_of_the_user(kernel):
    kernel.execute("'mine'")

    kernel.run("for _ in range(3): pass\n'theirs'")

    cell = kernel.execute("_, [value for value in Out.values() if value == 'theirs']")
    assert cell.data[0]["text/plain"] == "('mine', [])"


def test_block_that_awaits_is_refused_when_the_chat_blocks(kernel):
    ran = kernel.run("import asyncio\nawait asyncio.sleep(0)")

    assert ran.result["status"] == "refused"
    assert "a_initiate_chat" in ran.text
    assert ran.kinds == []


@BOTH
@pytest.mark.parametrize("code", ["exit()", "quit", "import sys; sys.exit(0)", "get_ipython().ask_exit()"])
def test_kernel_lives_when_a_block_ends_it(kernel, code, awaited):
    ran = kernel.run(code, awaited=awaited)

    assert ran.result["exit_code"] == 1
    assert ran.kinds == ["display_data"]
    assert_answers(kernel)


def test_kernel_lives_for_longer_than_it_takes_to_end_one(kernel):
    kernel.run("exit()")

    cell = kernel.execute("import asyncio; await asyncio.sleep(1.5); print('alive')")

    assert cell.stream() == "alive\n"
    assert kernel.manager.is_alive()


@BOTH
@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.stdout = None",
        "import sys; sys.stdout.close(); sys.stderr.close()",
        "import sys; sys.stdout = sys.stderr = None; 1/0",
        "get_ipython().run_cell = None",
        "get_ipython().run_cell_async = None",
        "get_ipython().display_pub = get_ipython().displayhook = None",
        "get_ipython().set_custom_exc((BaseException,), print)",
        "import builtins; builtins.print = builtins.input = None",
        "import sys; sys.displayhook = sys.excepthook = None",
        "import os; os.chdir('/')",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN);",
        "import signal; signal.signal(signal.SIGALRM, signal.SIG_DFL); signal.alarm(0);",
        "get_ipython().set_next_input('import os')",
        "%reset -f",
        "Out.clear(); In.clear(); _ = 1",
        "raise SystemExit",
        "raise type('Own', (BaseException,), {})",
        "-" + "-" * 100_000 + "1",
        "x = 1\x00",
        "print('\\ud800\\x00 lone')",
        "print('\\ud800', end=''); 1/0",
    ],
)
def test_kernel_answers_the_next_cell_after_an_abuse(kernel, code, awaited):
    before = kernel.execute("import os", "os.getcwd()", "In[-1]")

    ran = kernel.run(code, awaited=awaited)

    assert ran.reply["status"] == "ok"
    assert "error" not in ran.kinds
    assert_answers(kernel)
    after = kernel.execute("import os", "os.getcwd()", "In[-1]")
    assert after.reply["user_expressions"] == before.reply["user_expressions"]


def test_kernel_can_be_interrupted_after_a_block_ignored_interrupts(kernel):
    kernel.run("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN);", awaited=True)

    cell = kernel.execute("import time\nprint('busy', flush=True)\ntime.sleep(30)", when=kernel.interrupt_when("busy"))

    assert cell.reply["ename"] == "KeyboardInterrupt"


@pytest.mark.parametrize(
    ("code", "language", "awaited"),
    [
        ("print('busy', flush=True)\nwhile True: pass", "python", False),
        ("print('busy', flush=True)\nwhile True: pass", "python", True),
        ("import time\nprint('busy', flush=True)\ntime.sleep(30)", "python", True),
        ("import time\nprint('busy', flush=True)\ntry: time.sleep(30)\nexcept BaseException: pass", "python", True),
        ("import asyncio\nprint('busy', flush=True)\nawait asyncio.sleep(30)", "python", True),
        ("import asyncio\nprint('busy', flush=True)\nawait asyncio.sleep(0)\nwhile True: pass", "python", True),
        ("!echo busy; sleep 30", "python", True),
        ("echo busy; sleep 30", "bash", True),
    ],
)
def test_interrupt_ends_the_chat_within_a_second(kernel, code, language, awaited):
    ran = kernel.run(code, language, awaited=awaited, when=kernel.interrupt_when("busy"))

    assert time.monotonic() - kernel.interrupted_at < 1
    assert ran.result == "interrupted"
    assert ran.reply["status"] == "ok"
    assert_answers(kernel)


@BOTH
@pytest.mark.parametrize("code", ["raise KeyboardInterrupt", "import signal; signal.raise_signal(signal.SIGTERM)"])
def test_failure_of_a_block_is_no_interrupt(kernel, code, awaited):
    handled = f"import signal\nsignal.signal(signal.SIGTERM, signal.default_int_handler)\n{code}"

    ran = kernel.run(handled, awaited=awaited)

    assert ran.result["exit_code"] == 1
    assert "KeyboardInterrupt" in ran.text


@BOTH
def test_block_ends_when_its_time_is_over(kernel, awaited):
    ran = kernel.run("print('begun')\nwhile True: pass", awaited=awaited, timeout=0.3)

    assert ran.result["exit_code"] == 124
    assert ran.text.endswith("The block timed out after 0.3 s.\n")
    assert ran.stream() == "begun\nThe block timed out after 0.3 s.\n"
    assert_answers(kernel)


def test_flood_is_bounded_on_the_page_for_the_model_and_in_memory(kernel):
    memory = "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss"
    before = kernel.execute("import resource", memory).value(memory)

    ran = kernel.run("for _ in range(50): print('x' * 1_000_000)\nprint('the end')")

    assert ran.result["exit_code"] == 0
    assert len(ran.text) < 20_100
    assert ran.text.endswith("the end\n")
    assert "characters not shown" in ran.text
    assert len(ran.stream()) < 230_000
    assert ran.stream().endswith("the end\n")
    assert "characters not shown" in ran.stream()
    grown = kernel.execute("import resource", memory).value(memory) - before
    assert grown < 40_000  # kB


def test_hundred_thousand_prints_are_bounded(kernel):
    ran = kernel.run("for i in range(100_000): print(i)")

    assert ran.text.startswith("0\n1\n2\n")
    assert ran.text.endswith("99998\n99999\n")
    assert len(ran.stream()) < 230_000


def test_flood_of_displays_is_bounded(kernel):
    ran = kernel.run("for i in range(500): display(i)")

    assert len(ran.of("display_data")) == 100
    assert "… 400 outputs not shown …" in ran.stream()
    assert ran.text.endswith("498\n499")
    assert len(ran.result["outputs"]) == 100


def test_update_of_a_display_replaces_it(kernel):
    ran = kernel.run("handle = display('begun', display_id=True)\nhandle.update('done')")

    assert ran.kinds == ["display_data", "update_display_data"]
    assert ran.text == "'done'"


def test_clearing_the_output_leaves_the_cell_alone(kernel):
    ran = kernel.run("from IPython.display import clear_output\nprint('old')\nclear_output()\nprint('new')")

    assert "clear_output" not in ran.kinds
    assert ran.text == "new\n"


def test_input_is_refused(kernel):
    ran = kernel.run("name = input('name?')")

    assert ran.result["exit_code"] == 1
    assert ran.text.startswith("RuntimeError: input() is not available to agent code.")


def test_input_is_the_kernels_own_when_it_is_allowed(kernel):
    ran = kernel.run("name = input('name?')", allow_input=True)

    assert "StdinNotImplementedError" in ran.text  # this front end has none


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("!exit 3", 3), ("%%bash\nexit 4", 4), ("%pip --no-such-option", 2), ("x = !exit 5", 5), ("%%time\n1 + 1", 0)],
)
def test_status_of_commands_counts(kernel, code, exit_code):
    assert kernel.run(code).result["exit_code"] == exit_code


def test_script_streams_into_the_cell_as_it_runs(kernel):
    seen = []

    def look(message):
        if message["msg_type"] == "stream":
            seen.append((time.monotonic(), message["content"]["text"]))

    ran = kernel.run("echo first; sleep 1; echo second >&2; exit 3", "bash", awaited=True, when=look)

    assert ran.result["exit_code"] == 3
    assert ran.text == ran.stream() == "first\nsecond\n"
    assert seen[-1][0] - seen[0][0] > 0.5


def test_blocks_of_two_chats_in_one_cell_never_run_at_once(kernel):
    code = "import asyncio\nlog.append('begins')\nawait asyncio.sleep(0.1)\nlog.append('ends')"
    kernel.execute("log = []")

    cell = kernel.execute(f"await asyncio.gather(*(executor_harness.a_run({code!r}) for _ in range(3)));", "log")

    assert cell.value("log") == ["begins", "ends"] * 3


def test_parts_of_the_kernel_are_not_wrapped_again_and_again(kernel):
    own = "{name for part in (sys.stdout, sys.stderr, get_ipython(), get_ipython().display_pub) for name in vars(part)}"
    before = kernel.execute("import sys", own).value(own)

    for _ in range(5):
        kernel.run("1/0")

    cell = kernel.execute("", own, "sys.stdout.write.__module__")
    assert cell.value(own) == before
    assert not cell.value("sys.stdout.write.__module__").startswith("jupyter_agents")
