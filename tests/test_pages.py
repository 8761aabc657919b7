"""The Python of the documentation runs, and prints what the pages say that it prints."""

from pathlib import Path

import pytest

from jupyter_agents.session import use_session
from jupyter_agents.testing import FakeOpenAIServer
from tests.pages import PAGES, SURROUNDINGS, Step, Surroundings, run_step, steps_of

PROGRAMS = [page for page in PAGES if any(steps_of(page))]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server(monkeypatch):
    """Whom a page asks that names a model."""
    with FakeOpenAIServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", "a-key")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


def lines_of(text):
    """Its lines without the spaces at their ends, which editors take away."""
    return [line.rstrip() for line in text.rstrip().split("\n")]


@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.name)
def test_python_of_a_page_runs_and_prints_what_the_page_says(page, place, server):
    here = SURROUNDINGS.get(page.name, Surroundings())
    here.lay_out(place)
    server.enqueue(*here.served)
    namespace = dict(here.names())
    steps = list(steps_of(page))

    with use_session(here.session()) as session:
        printed = [run_step(step, page, namespace) for step in steps]

    for step, text in zip(steps, printed, strict=True):
        assert step.printed is None or lines_of(text) == lines_of(step.printed), f"{page.name}, line {step.line}"
    assert session.find_model().calls == len(here.replies)
    assert len(session.find_human().prompts) == sum(map(len, here.people.values()))
    assert len(server.requests) == len(here.served)


def test_surroundings_belong_to_pages_that_are_there():
    assert SURROUNDINGS.keys() <= {page.name for page in PROGRAMS}


def test_block_below_python_is_what_it_prints(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nprint(1)\n```\n```text\n2\n```\n\nThen:\n\n```python\nx = 1\n```\n\n```text\nfree\n```\n"
    )

    steps = list(steps_of(page))

    assert steps == [Step("print(1)\n", 1, "2\n"), Step("x = 1\n", 10, None)]
    assert run_step(steps[0], page, {}) == "1\n"


def test_block_may_await_and_names_its_line_when_it_fails(tmp_path):
    page = tmp_path / "page.md"

    with pytest.raises(ZeroDivisionError) as caught:
        run_step(Step("import asyncio\nawait asyncio.sleep(0)\n1 / 0\n", 41), page, {})

    assert caught.traceback[-1].lineno + 1 == 44


def test_block_that_names_a_file_is_saved(place):
    run_step(Step("# filename: weather.py\nraise SystemExit\n", 1), Path("page.md"), {})

    assert (place / "weather.py").read_text().endswith("raise SystemExit\n")
