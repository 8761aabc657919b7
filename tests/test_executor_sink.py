"""What a block shows goes to a sink where there is one, and to the cell where there is none."""

import asyncio

import pytest

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.drive import a_drive
from jupyter_agents.executors.live import LiveExecutor
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.executors.sink import current_sink, use_sink


class Shown:
    """A sink that remembers."""

    def __init__(self):
        self.texts = {"stdout": "", "stderr": ""}
        self.outputs = []

    def write(self, name, text):
        self.texts[name] += text

    def show(self, data, metadata, *, display_id, update):
        self.outputs.append((data, metadata, display_id, update))


@pytest.fixture
def sink():
    return Shown()


def test_sink_gets_what_the_block_shows_and_the_cell_nothing(run, sink, capsys):
    with use_sink(sink):
        result = run("import sys\nprint('out')\nprint('err', file=sys.stderr)\ndisplay({'a': 1})\n6 * 7")

    assert sink.texts == {"stdout": "out\n", "stderr": "err\n"}
    assert [data["text/plain"] for data, *_ in sink.outputs] == ["{'a': 1}", "42"]
    assert result.text == "out\nerr\n{'a': 1}\n42"
    assert capsys.readouterr() == ("", "")


def test_result_is_the_same_with_a_sink_and_without(run, sink):
    code = "print('a')\ndisplay(1)\nhandle = display(2, display_id=True)\nhandle.update(3)\n1/0"

    with use_sink(sink):
        with_sink = run(code)
    without = run(code)

    assert with_sink.text == without.text
    assert with_sink.outputs == without.outputs


def test_sink_gets_the_error_bundle_when_the_block_fails(run, sink, capsys):
    with use_sink(sink):
        run("1/0")

    [(data, metadata, display_id, update)] = sink.outputs
    assert data[MESSAGE_MIME]["ename"] == "ZeroDivisionError"
    assert (metadata, display_id, update) == ({}, None, False)
    assert capsys.readouterr() == ("", "")


def test_sink_gets_as_much_as_the_page_when_there_is_too_much(run, sink, capsys):
    code = "for i in range(20_000): print(f'{i:5d} ' + 'x' * 90)\nfor i in range(120): display(i)"

    run(code, max_page=10_000)
    page = capsys.readouterr().out
    with use_sink(sink):
        run(code, max_page=10_000)

    assert len(sink.texts["stdout"]) < 11_200
    assert "characters not shown" in sink.texts["stdout"]
    assert "… 20 outputs not shown …" in sink.texts["stdout"]
    assert len(sink.outputs) == 100
    assert all(line in page for line in sink.texts["stdout"].splitlines()[-3:])


def test_update_replaces_a_display_of_the_block_and_is_published_when_it_is_of_another(
    run, bare_shell, sink, monkeypatch
):
    published = []
    bare_shell.user_ns["handle"] = None
    run("handle = display('old', display_id='mine')")
    monkeypatch.setattr(
        bare_shell.display_pub, "publish", lambda data, metadata=None, **options: published.append((data, options))
    )

    with use_sink(sink):
        run("handle.update('new')\nother = display('a', display_id='its')\nother.update('b');")

    assert [(data["text/plain"], name, update) for data, _, name, update in sink.outputs] == [
        ("'new'", "mine", True),
        ("'a'", "its", False),
        ("'b'", "its", True),
    ]
    assert [data["text/plain"] for data, _ in published] == ["'new'"]


def test_script_shows_its_output_in_the_sink(run, sink, capsys):
    with use_sink(sink):
        result = run("echo out; echo err >&2", "bash")

    assert sink.texts["stdout"] + sink.texts["stderr"] == result.text == "out\nerr\n"
    assert capsys.readouterr() == ("", "")


def test_thread_of_a_block_shows_its_output_in_the_sink(run, sink, capsys):
    with use_sink(sink):
        run("import threading\nthread = threading.Thread(target=print, args=('said',))\nthread.start()\nthread.join()")

    assert sink.texts["stdout"] == "said\n"
    assert capsys.readouterr() == ("", "")


def test_block_of_a_block_shows_its_output_once_and_by_way_of_it(run, bare_shell, sink):
    bare_shell.user_ns["run"] = run

    with use_sink(sink):
        result = run("print('outer')\nrun('print(\"inner\")');")

    assert sink.texts["stdout"] == "outer\ninner\n"
    assert result.text == "outer\ninner\n"


def test_block_of_a_block_has_its_own_sink_when_its_chat_has_one(run, bare_shell, sink):
    inner = Shown()
    bare_shell.user_ns.update(run=run, use_sink=use_sink, inner=inner)

    with use_sink(sink):
        run("print('outer')\nwith use_sink(inner):\n    run('print(1)')\nprint('again')")

    assert sink.texts["stdout"] == "outer\nagain\n"
    assert inner.texts["stdout"] == "1\n"


def test_sink_is_that_of_one_chat_and_is_forgotten(sink):
    with use_sink(sink):
        assert current_sink.get() is sink

    assert current_sink.get() is None


async def test_cell_of_the_user_is_never_handed_over_when_it_runs_while_a_block_awaits(bare_shell, sink, capsys):
    bare_shell.user_ns["begun"], bare_shell.user_ns["done"] = begun, done = asyncio.Event(), asyncio.Event()

    async def chat():
        with use_sink(sink):
            block = CodeBlock("python", "print('theirs')\nbegun.set()\nawait done.wait()\nprint('at last')")
            return await a_drive(LiveExecutor(bare_shell).execute(block))

    task = asyncio.ensure_future(chat())
    await begun.wait()
    bare_shell.run_cell("print('mine')\ndisplay('mine too')\n'and mine'")
    done.set()
    await task

    assert sink.texts["stdout"] == "theirs\nat last\n"
    assert sink.outputs == []
    assert capsys.readouterr().out.count("mine") == 3
