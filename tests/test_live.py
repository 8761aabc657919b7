"""The live executor in a plain shell, without a kernel: what does not need one."""

import asyncio
import builtins
import json
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.drive import drive
from jupyter_agents.errors import ConfigurationError, ExecutorError
from jupyter_agents.executors.base import Executor
from jupyter_agents.executors.live import LiveExecutor
from jupyter_agents.executors.stopping import stop_running_block


def kinds(result):
    return [output["output_type"] for output in result.outputs]


def test_live_executor_is_an_executor(bare_shell):
    assert isinstance(LiveExecutor(bare_shell), Executor)


def test_result_holds_what_the_block_showed_in_order(run, capsys):
    result = run("import sys\nprint('out')\nprint('err', file=sys.stderr)\ndisplay({'a': 1})\n6 * 7")

    assert (result.exit_code, result.status) == (0, "ok")
    assert result.text == "out\nerr\n{'a': 1}\n42"
    assert kinds(result) == ["stream", "stream", "display_data", "execute_result"]
    assert capsys.readouterr() == ("out\n{'a': 1}\n42\n", "err\n")


def test_variables_stay_when_the_block_has_ended(run, bare_shell):
    run("answer = 6 * 7")

    assert bare_shell.user_ns["answer"] == 42
    assert run("answer + 1").text == "43"


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("1/0", 1, "ZeroDivisionError: division by zero"),
        ("x = ", 1, "SyntaxError: invalid syntax"),
        ("  x = 1\n y = 2", 1, "IndentationError: "),
        ("return 1", 1, "SyntaxError: 'return' outside function"),
        ("import sys; sys.exit(3)", 3, "SystemExit: 3"),
        ("import sys; sys.exit()", 1, "SystemExit: "),
        ("import sys; sys.exit(0)", 1, "SystemExit: 0"),
        ("import sys; sys.exit(True)", 1, "SystemExit: True"),
        ("import sys; sys.exit('bye')", 1, "SystemExit: bye"),
        ("exit()", 1, "exit() and quit() are not available to agent code"),
        ("quit", 1, "exit() and quit() are not available to agent code"),
        ("input('name?')", 1, "input() is not available to agent code"),
        ("import getpass; getpass.getpass()", 1, "input() is not available to agent code"),
        ("raise KeyboardInterrupt", 1, "KeyboardInterrupt"),
        ("raise GeneratorExit", 1, "GeneratorExit"),
        ("raise type('Own', (BaseException,), {})('mine')", 1, "Own: mine"),
        ("raise ExceptionGroup('both', [ValueError('a'), TypeError('b')])", 1, "TypeError: b"),
        (
            "import sys; sys.setrecursionlimit(300)\ndef f(): f()\nf()",
            1,
            "RecursionError: maximum recursion depth exceeded",
        ),
        ("%no_such_magic", 1, "Line magic function `%no_such_magic` not found"),
        ("!exit 7", 7, "`exit 7` ended with exit code 7."),
        ("!false\nprint('went on')", 1, "went on"),
        ("!exit 3\n!exit 4\n!true", 3, "`exit 4` ended with exit code 4."),
        ("found = !ls /no/such/place", 2, "`ls /no/such/place` ended with exit code 2."),
        ("%%bash\nexit 5", 5, "The script ended with exit code 5."),
        ("x = 1\x00", 1, "null bytes"),
        ("class A:\n    def __repr__(self): raise ValueError('shy')\nA()", 1, "ValueError: shy"),
        ("class Sad(Exception):\n    def __str__(self): raise ValueError\nraise Sad", 1, "Sad"),
        ("import pathlib\npathlib.Path('script.py').write_text('1/0')\n%run script.py", 1, "ZeroDivisionError"),
        ("(" * 5000 + ")" * 5000, 1, "Error"),
        ("-" * 100_000 + "1", 1, "Error"),
        ("import builtins; del builtins.len, builtins.isinstance, builtins.vars; 1/0", 1, "NameError"),
    ],
)
def test_block_fails_truthfully(run, tmp_path, code, exit_code, said):
    result = run(code, work_dir=tmp_path)

    assert (result.exit_code, result.status, result.ok) == (exit_code, "error", False)
    assert said in result.text


def test_output_before_a_failure_is_kept(run):
    result = run("print('before')\n1/0")

    assert result.text.startswith("before\n---")
    assert kinds(result) == ["stream", "error"]


@pytest.mark.parametrize("code", ["!true", "found = !echo hi", "%%bash\ntrue", "", "# nothing", "1;", "%%time\nx = 1"])
def test_block_succeeds_truthfully(run, code):
    assert run(code).exit_code == 0


def test_command_sees_the_variables_of_the_function_it_is_in(run):
    result = run("def f():\n    where = 'inside'\n    !echo {where} $where\nf()")

    assert result.text == "inside inside\n"


def test_value_is_quiet_when_the_block_ends_with_a_semicolon(run):
    assert run("42;").text == ""
    assert run("42").text == "42"


def test_traceback_is_the_same_in_every_run_and_names_no_frame_of_ours(run):
    code = "def f(callback):\n    return callback()\nf(lambda: get_ipython().ask_exit() or object().missing)"
    other = "import json\nclass A: pass\ntry:\n    json.loads('{')\nexcept ValueError as error:\n    raise KeyError(A()) from error"

    first, second, third = run(code), run(other), run(other)

    assert "exit()" in first.text
    assert second.text == third.text
    assert "Code block, line 6" in second.text
    assert "Code block, line 4" in second.text
    for text in (first.text, second.text):
        assert "jupyter_agents" not in text
        assert "interactiveshell" not in text
        assert "0x7" not in text
        assert "\x1b" not in text


def test_traceback_shows_the_agents_code_only_when_a_library_raised(run):
    code = "import json\ndef load(text):\n    return json.loads(text)\nload('{')"

    result = run(code)

    assert "Code block, line 4" in result.text
    assert "Code block, line 3, in load(text)" in result.text
    assert "JSONDecodeError: Expecting property name" in result.text
    assert "decoder.py" not in result.text


def test_error_behind_an_error_is_left_out_when_it_was_a_librarys_own_affair(run):
    code = "import os\nos.environ['NO_SUCH_VARIABLE_HERE']"  # os raises KeyError(key) from None behind an inner one

    result = run(code)

    assert result.text.count("KeyError") == 2  # the heading and the last line
    assert "During handling" not in result.text


def test_error_behind_an_error_is_shown_when_the_block_raised_it(run):
    code = "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('no') from error"

    result = run(code)

    assert "ZeroDivisionError: division by zero" in result.text
    assert "The above exception was the direct cause" in result.text


def test_traceback_is_whole_when_only_a_library_ran(run):
    result = run("%run -m json.tool --no-such-option")

    assert result.exit_code != 0


def test_block_runs_through_a_cell_magic_when_the_shell_has_one_for_its_language(bare_shell, run):
    bare_shell.register_magic_function(lambda line, cell: f"queried {cell.strip()}", "cell", "SQL")

    result = run("select 1", "sql")

    assert (result.exit_code, result.text) == (0, "'queried select 1'")


def test_blocks_of_a_message_run_in_order_whatever_runs_them(bare_shell):
    from jupyter_agents import UserProxyAgent

    bare_shell.register_magic_function(lambda line, cell: f"queried {cell.strip()}", "cell", "SQL")
    user = UserProxyAgent(
        "user", human_input_mode="NEVER", code_execution_config={"executor": LiveExecutor(bare_shell)}
    )
    text = "```python\nprint('first')\n```\n```sql\nselect 1\n```\n```python\nprint('last')\n```"

    reply = user.generate_reply(messages=[{"role": "user", "content": text}])

    assert reply == "exitcode: 0 (execution succeeded)\nCode output: \nfirst\n\n'queried select 1'\nlast\n"


@pytest.mark.parametrize(
    "language", ["html", "javascript", "svg", "latex", "markdown", "capture", "writefile", "agentchat"]
)
def test_block_is_refused_when_a_magic_would_show_its_text_as_it_is(run, language):
    assert run("<script>alert(1)</script>", language).status == "refused"


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (CodeBlock("json", "{}"), "the language 'json' cannot be run"),
        (CodeBlock("", "x"), "it names no language"),
        (CodeBlock("python", "x", closed=False), "its closing fence is missing"),
        (CodeBlock("python", "x = '\ud800'"), "lone surrogates"),
        (CodeBlock("python", "# filename: ../x.py\nx = 1"), "without '..'"),
    ],
)
def test_block_is_refused_when_it_cannot_be_run(bare_shell, block, reason):
    bare_shell.user_ns.pop("x", None)

    result = drive(LiveExecutor(bare_shell).execute(block))

    assert (result.status, result.exit_code) == ("refused", 1)
    assert reason in result.text
    assert "x" not in bare_shell.user_ns


def test_block_is_saved_and_run_when_it_has_a_filename(run, tmp_path):
    code = "# filename: tool.py\nvalue = 5"

    result = run(code, work_dir=tmp_path / "new")

    assert result.ok
    assert (tmp_path / "new" / "tool.py").read_text() == code
    assert run("import os; os.path.exists('tool.py'), value", work_dir=tmp_path / "new").text == "(True, 5)"


def test_block_of_another_language_is_saved_when_it_has_a_filename(run, tmp_path):
    result = run("<!-- filename: page.html -->\n<p>", "html", work_dir=tmp_path)

    assert (result.exit_code, result.text) == (0, "Saved to page.html.")
    assert (tmp_path / "page.html").exists()


def test_files_are_saved_in_the_same_place_when_a_block_has_another_directory(run, bare_shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    executor = LiveExecutor(bare_shell, work_dir="coding")
    bare_shell.user_ns["save"] = lambda: drive(executor.execute(CodeBlock("css", "/* filename: x.css */\na")))

    result = drive(executor.execute(CodeBlock("python", "save().text")))

    assert result.text == "'Saved to x.css.'"
    assert [str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*")] == ["coding", "coding/x.css"]


async def test_file_is_saved_only_when_no_other_block_has_the_directory_changed(
    a_run, bare_shell, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    bare_shell.user_ns["begun"], bare_shell.user_ns["done"] = begun, done = asyncio.Event(), asyncio.Event()
    first = asyncio.ensure_future(a_run("begun.set()\nawait done.wait()", work_dir="other"))
    await begun.wait()
    second = asyncio.ensure_future(a_run("/* filename: x.css */\na", "css"))
    await asyncio.sleep(0)
    done.set()

    await asyncio.gather(first, second)

    assert (tmp_path / "x.css").exists()
    assert not (tmp_path / "other" / "x.css").exists()


@pytest.mark.parametrize("timeout", [0, -1])
def test_limit_of_time_must_be_above_zero(timeout):
    with pytest.raises(ConfigurationError, match="Cannot limit code to timeout="):
        LiveExecutor(timeout=timeout)


def test_work_dir_that_cannot_be_made_is_an_error(bare_shell, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="Cannot use work_dir="):
        drive(LiveExecutor(bare_shell, work_dir=tmp_path / "file").execute(CodeBlock("python", "1")))


# -- What a block may break ---------------------------------------------------------------------------------------

ABUSE = [
    "import sys; sys.stdout = None",
    "import sys; sys.stdout = sys.stderr = sys.stdin = None; 1/0",
    "import sys; sys.stdout.close(); sys.stderr.close()",
    "import sys; sys.stdout.write = None",
    "import sys; sys.displayhook = sys.excepthook = None",
    "import sys; sys.setrecursionlimit(10_000)",
    "import builtins; builtins.print = None; builtins.input = None; del builtins.len",
    "import os; os.chdir('/')",
    "import os, tempfile; where = tempfile.mkdtemp(); os.chdir(where); os.rmdir(where)",
    "import signal; [signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)];",
    "get_ipython().run_cell = None",
    "get_ipython().run_cell_async = get_ipython().showtraceback = get_ipython()._showtraceback = None",
    "get_ipython().display_pub = get_ipython().display_pub.__class__(shell=get_ipython())",
    "get_ipython().display_pub.publish = get_ipython().displayhook.write_format_data = None",
    "get_ipython().set_custom_exc((Exception,), lambda *a, **k: 1/0); 1/0",
    "get_ipython().execution_count = 99",
    "get_ipython().set_next_input('rm -rf /')",
    "get_ipython = exit = In = Out = _ = __ = None",
    "%reset -f",
    "Out.clear(); In.clear()",
    "del get_ipython().user_ns['In']",
    "from __future__ import annotations",
    "import sys; sys.settrace(None); raise SystemExit",
]


def state(bare_shell):
    hook = bare_shell.displayhook
    names = ("_", "__", "___", "In", "Out", "get_ipython", "exit", "quit")
    return {
        "streams": (sys.stdout, sys.stderr, sys.stdin, sys.displayhook, sys.excepthook),
        "writes": (vars(sys.stdout).get("write"), vars(sys.stderr).get("write")),
        "builtins": (print, input, len, vars(builtins).get("get_ipython")),
        "limit": sys.getrecursionlimit(),
        "directory": os.getcwd(),
        "handlers": [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "shell": {name: value for name, value in vars(bare_shell).items() if callable(value)},
        "parts": (
            bare_shell.display_pub,
            hook,
            bare_shell.custom_exceptions,
            bare_shell.execution_count,
            bare_shell.compile.flags,
        ),
        "hooks": (dict(vars(bare_shell.display_pub)).keys(), dict(vars(hook)).keys(), hook._, hook.exec_result),
        "names": {name: bare_shell.user_ns.get(name, "missing") for name in names},
        "history": (list(bare_shell.history_manager.input_hist_parsed), dict(bare_shell.history_manager.output_hist)),
        "payloads": list(bare_shell.payload_manager.read_payload()),
    }


@pytest.mark.parametrize("code", ABUSE)
def test_session_is_as_before_when_a_block_has_abused_it(run, bare_shell, capsys, code):
    bare_shell.run_cell("40 + 2", store_history=True)
    before = state(bare_shell)

    run(code)

    assert state(bare_shell) == before
    capsys.readouterr()
    assert bare_shell.run_cell("print(_ + 1)").success
    assert capsys.readouterr().out == "43\n"


def test_value_of_a_block_does_not_become_that_of_the_cell(run, bare_shell):
    bare_shell.run_cell("'mine'", store_history=True)
    outputs = dict(bare_shell.user_ns["Out"])

    run("for _ in range(3): pass\n'theirs'")

    assert bare_shell.user_ns["_"] == "mine"
    assert bare_shell.user_ns["Out"] == outputs


def test_value_of_the_cell_survives_a_block_inside_it(run, bare_shell):
    bare_shell.user_ns["run"] = run

    result = bare_shell.run_cell("run('1 + 1'); 'mine'")

    assert result.result == "mine"


def test_help_is_shown_as_text_when_a_block_asks_for_it(run, bare_shell):
    result = run("len?")

    assert "Return the number of items in a container." in result.text
    assert bare_shell.payload_manager.read_payload() == []


def test_clearing_the_output_forgets_what_was_before_and_leaves_the_cell_alone(run, capsys):
    result = run("from IPython.display import clear_output\nprint('old')\nclear_output()\nprint('new')")

    assert result.text == "new\n"
    assert capsys.readouterr().out == "old\nnew\n"


def test_input_is_asked_when_it_is_allowed(run, monkeypatch):
    monkeypatch.setattr(builtins, "input", lambda prompt="": f"answer to {prompt}")

    assert run("input('name?')", allow_input=True).text == "'answer to name?'"


def test_output_is_bounded_for_the_model_and_for_the_page(run, capsys):
    result = run("for i in range(20_000): print(f'{i:5d} ' + 'x' * 90)", max_text=2_000, max_page=10_000)

    assert len(result.text) < 2_100
    assert result.text.startswith("    0 xxx")
    assert f"{20_000 * 97 - 2_000:,} characters not shown" in result.text
    assert result.text.endswith("19999 " + "x" * 90 + "\n")
    page = capsys.readouterr().out
    assert len(page) < 11_200
    assert page.endswith("19999 " + "x" * 90 + "\n")


def test_output_that_no_message_could_carry_is_mended(run, capsys):
    result = run("print('a\\ud800b\\x00c')")

    assert result.text == "a\ufffdb\ufffdc\n"
    assert capsys.readouterr().out == "a\ufffdb\ufffdc\n"


def test_output_of_a_thread_and_of_an_old_handler_is_collected(run):
    result = run(
        "import logging, sys, threading\n"
        "thread = threading.Thread(target=print, args=('from a thread',))\n"
        "thread.start(); thread.join()\n"
    )

    assert result.text == "from a thread\n"


# -- Scripts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["sh", "bash", "shell"])
def test_script_tells_its_output_in_order_and_its_exit_status(run, tmp_path, capsys, language):
    result = run("echo out; echo err >&2; pwd; exit 4", language, work_dir=tmp_path)

    assert (result.exit_code, result.status) == (4, "error")
    assert result.text == f"out\nerr\n{tmp_path}\n"
    assert capsys.readouterr().out == result.text


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [("true", 0), ("no-such-command", 127), ("kill -TERM $$", 143), ('read line; test -z "$line"', 0), ("", 0)],
)
def test_script_ends_with_the_status_that_its_shell_states(run, script, exit_code):
    assert run(script, "bash").exit_code == exit_code


def test_script_does_not_wait_for_what_it_left_in_the_background(run):
    started = time.monotonic()

    result = run("sleep 20 & echo $!", "bash")

    assert result.exit_code == 0
    assert time.monotonic() - started < 5
    os.kill(int(result.text), signal.SIGKILL)  # it lives on


def test_script_is_killed_with_its_children_when_its_time_is_over(run):
    started = time.monotonic()

    result = run("trap '' INT; echo $$; sleep 20 | sleep 20", "bash", timeout=0.3)

    assert result.exit_code == 124
    assert result.text.endswith("The block timed out after 0.3 s.\n")
    assert time.monotonic() - started < 5
    group = int(result.text.split()[0])
    alive = [one for one in psutil.process_iter(["status"]) if one.info["status"] != psutil.STATUS_ZOMBIE]
    assert [one for one in alive if one.pid and os.getpgid(one.pid) == group] == []


def test_script_that_is_no_program_here_is_a_result(run, monkeypatch):
    monkeypatch.setenv("PATH", "")

    result = run("true", "bash")

    assert result.exit_code == 127
    assert "Cannot run bash" in result.text


def test_script_is_a_result_when_it_is_too_long_for_the_system(run):
    result = run("echo " + "x" * 3_000_000, "sh")

    assert result.exit_code == 126
    assert "Argument list too long" in result.text


# -- Time and interrupts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(20)",
        "import time\nwhile True:\n    try: time.sleep(20)\n    except Exception: pass",
        "!sleep 20",
        "import asyncio; await asyncio.sleep(20)",
    ],
)
def test_block_ends_when_its_time_is_over(run, bare_shell, code):
    before = state(bare_shell)
    started = time.monotonic()

    result = run(code, timeout=0.2)

    assert (result.exit_code, result.status) == (124, "error")
    assert result.text.endswith("The block timed out after 0.2 s.\n")
    assert time.monotonic() - started < 5
    assert state(bare_shell) == before


def test_timer_of_the_user_goes_on_when_a_block_had_one_of_its_own(run):
    rang = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rang.append(number))
    signal.setitimer(signal.ITIMER_REAL, 30)
    try:
        run("x = 1", timeout=5)

        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 20 < left <= 30
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.pause()
        assert rang == [signal.SIGALRM]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def interrupt_soon():
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "while True: pass"),
        ("python", "import time; time.sleep(20)"),
        ("python", "import time\ntry:\n    time.sleep(20)\nexcept BaseException: pass"),
        ("python", "import asyncio; await asyncio.sleep(20)"),
        ("bash", "sleep 20"),
    ],
)
def test_interrupt_of_a_person_ends_the_chat(run, bare_shell, language, code):
    before = state(bare_shell)
    timer = interrupt_soon()

    with pytest.raises(KeyboardInterrupt):
        run(code, language)

    timer.join()
    assert state(bare_shell) == before


@pytest.mark.parametrize("code", ["while True: pass", "import asyncio; await asyncio.sleep(20)"])
async def test_interrupt_of_a_person_ends_an_awaited_chat(a_run, code):
    timer = interrupt_soon()

    with pytest.raises(asyncio.CancelledError):
        await a_run(code)

    timer.join()


# -- Awaiting -----------------------------------------------------------------------------------------------------


def test_block_may_await_when_no_loop_is_running(run):
    assert run("import asyncio\nawait asyncio.sleep(0)\n'done'").text == "'done'"


async def test_block_may_await_under_the_asynchronous_driver(a_run):
    result = await a_run("import asyncio\nprint('a')\nawait asyncio.sleep(0)\n'done'")

    assert (result.exit_code, result.text) == (0, "a\n'done'")


async def test_block_that_awaits_is_refused_when_the_driver_cannot(run):
    result = run("import asyncio\nawait asyncio.sleep(0)")

    assert result.status == "refused"
    assert "a_initiate_chat" in result.text


@pytest.mark.parametrize(
    "code", ["import asyncio\nawait asyncio.sleep(0)\nx = 'ran'", "async with None: x = 'ran'", "%%waits\nx = 'ran'"]
)
@pytest.mark.parametrize("awaited", [False, True])
def test_block_that_awaits_is_refused_when_it_may_not(run, a_run, bare_shell, waits, code, awaited):
    bare_shell.user_ns.pop("x", None)

    result = asyncio.run(a_run(code, allow_await=False)) if awaited else run(code, allow_await=False)

    assert (result.status, result.outputs) == ("refused", ())
    assert "not available in a background chat" in result.text
    assert "x" not in bare_shell.user_ns
    assert run("6 * 7", allow_await=False).text == "42"


@pytest.fixture
def waits(bare_shell):
    """An input transformer that makes of a cell `%%waits` one that awaits."""

    def transform(lines):
        return ["import asyncio\n", "await asyncio.sleep(0, 'waited')\n"] if lines[0] == "%%waits\n" else lines

    bare_shell.input_transformers_cleanup.append(transform)
    yield
    bare_shell.input_transformers_cleanup.remove(transform)


async def test_block_may_await_when_an_input_transformer_adds_the_await(a_run, run, waits):
    assert (await a_run("%%waits\n")).text == "'waited'"
    assert run("%%waits\n").status == "refused"


@pytest.fixture
async def during_a_block(a_run, bare_shell):
    """Run a cell of the user while a block awaits; what came of the block."""

    async def during_a_block(cell):
        bare_shell.user_ns["begun"], bare_shell.user_ns["done"] = begun, done = asyncio.Event(), asyncio.Event()
        task = asyncio.ensure_future(a_run("print('theirs')\nbegun.set()\nawait done.wait()\nprint('at last')"))
        await begun.wait()
        result = bare_shell.run_cell(cell, store_history=True)
        done.set()
        return result, await task

    return during_a_block


async def test_cell_of_the_user_keeps_what_it_did_when_it_ran_while_a_block_awaited(
    during_a_block, bare_shell, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    count, inputs = bare_shell.execution_count, len(bare_shell.user_ns["In"])

    await during_a_block("import os\nos.mkdir('new')\nos.chdir('new')\n'mine'")

    assert bare_shell.execution_count == count + 1
    assert len(bare_shell.user_ns["In"]) == inputs + 1
    assert (bare_shell.user_ns["Out"][count], bare_shell.user_ns["_"]) == ("mine", "mine")
    assert os.getcwd() == str(tmp_path / "new")


async def test_model_does_not_get_what_a_cell_of_the_user_says_while_a_block_awaits(during_a_block, capsys):
    cell = "import os, sys\nprint('mine')\nprint('mine', file=sys.stderr)\ndisplay('mine')\nos.getcwd()\n1/0"

    _, result = await during_a_block(cell)

    assert (result.exit_code, result.text) == (0, "theirs\nat last\n")
    assert capsys.readouterr().out.count("mine") >= 2


async def test_threads_of_a_block_belong_to_it_when_it_awaits(a_run):
    code = "import asyncio, threading\nthreading.Thread(target=print, args=['said']).start()\nawait asyncio.sleep(0.01)"

    assert (await a_run(code)).text == "said\n"


async def test_nothing_listens_for_cells_when_a_block_has_ended(a_run, bare_shell):
    before = list(bare_shell.events.callbacks["pre_execute"])

    await a_run("import asyncio\nawait asyncio.sleep(0)")

    assert bare_shell.events.callbacks["pre_execute"] == before


async def test_failure_after_an_await_is_told(a_run):
    result = await a_run("import asyncio\nawait asyncio.sleep(0)\n1/0")

    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.text


async def test_cancelling_a_chat_cancels_the_block_that_awaits(a_run, bare_shell):
    bare_shell.user_ns["begun"] = begun = asyncio.Event()
    task = asyncio.ensure_future(a_run("import asyncio\nbegun.set()\nawait asyncio.sleep(20)"))
    await begun.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_blocks_of_two_chats_never_run_at_once(a_run, bare_shell):
    bare_shell.user_ns["log"] = log = []
    code = "import asyncio\nlog.append('{0} begins')\nawait asyncio.sleep(0.1)\nlog.append('{0} ends')"

    await asyncio.gather(a_run(code.format("a")), a_run(code.format("b")))

    assert log in (["a begins", "a ends", "b begins", "b ends"], ["b begins", "b ends", "a begins", "a ends"])


async def test_block_of_a_synchronous_chat_fails_when_it_would_wait_for_ever(a_run, run, bare_shell):
    bare_shell.user_ns["begun"], bare_shell.user_ns["done"] = begun, done = asyncio.Event(), asyncio.Event()
    task = asyncio.ensure_future(a_run("begun.set()\nawait done.wait()"))
    await begun.wait()

    with pytest.raises(ExecutorError, match="Cannot run the block"):
        run("1")

    done.set()
    assert (await task).ok
    assert run("1").ok


def test_block_may_run_a_block(run, bare_shell):
    bare_shell.user_ns["run"] = run

    result = run("print('outer')\ninner = run('print(1)')\nprint(inner.text)")

    assert result.text == "outer\n1\n1\n\n"


def test_interrupt_ends_the_chat_whose_block_has_started_another(run, bare_shell):
    bare_shell.user_ns["run"] = run
    timer = interrupt_soon()

    with pytest.raises(KeyboardInterrupt):
        run("try: run('while True: pass')\nexcept BaseException: pass\nprint('and on it goes')")

    timer.join()


def test_blocks_of_two_threads_take_turns(run):
    results = []
    code = "import time\nprint('{0}')\ntime.sleep(0.05)\nprint('{0}')"
    threads = [threading.Thread(target=lambda name=name: results.append(run(code.format(name)).text)) for name in "ab"]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == ["a\na\n", "b\nb\n"]


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("while True: pass", "python"),
        ("import time\nwhile True: time.sleep(0.01)", "python"),
        ("try:\n    while True: pass\nexcept BaseException: pass", "python"),
        ("import asyncio; await asyncio.sleep(20)", "python"),
        ("sleep 20", "bash"),
    ],
)
def test_block_of_another_thread_ends_when_it_is_told_to_stop(run, a_run, bare_shell, code, language):
    ended = []

    def chat():
        try:
            ended.append(asyncio.run(a_run(code, language)) if "await" in code else run(code, language))
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            ended.append(error)

    before = state(bare_shell)
    thread = threading.Thread(target=chat)
    thread.start()

    while not stop_running_block(thread.ident):
        assert thread.is_alive()
    thread.join(10)

    assert isinstance(ended[0], KeyboardInterrupt | asyncio.CancelledError)
    assert not stop_running_block(thread.ident)
    assert state(bare_shell) == before
    assert run("6 * 7").text == "42"


def test_block_is_left_alone_when_another_thread_is_meant(run, bare_shell):
    bare_shell.user_ns["stop"] = lambda: stop_running_block(threading.get_ident() + 1)

    assert run("stop()").text == "False"


# -- A plain script -----------------------------------------------------------------------------------------------


def test_plain_script_needs_no_kernel(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import json\n"
        "from jupyter_agents.code_blocks import CodeBlock\n"
        "from jupyter_agents.drive import drive\n"
        "from jupyter_agents.executors.live import LiveExecutor\n"
        "given = 20\n"
        "result = drive(LiveExecutor().execute(CodeBlock('python', 'made = given + 1\\nprint(made)\\nmade * 2')))\n"
        "print(json.dumps([result.text, made]))\n"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert done.stderr == ""
    assert done.stdout == "21\n42\n" + json.dumps(["21\n42", 21]) + "\n"
