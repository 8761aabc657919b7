"""The session: defaults that need nobody, one a process, another one for tests and embedding."""

import asyncio
import threading

import pytest

from jupyter_agents import session as module
from jupyter_agents.drive import Run
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.session import Session, current_session, forget_session, set_session_maker, use_session


@pytest.fixture(autouse=True)
def own_process(monkeypatch):
    """What a test says about sessions holds for that test."""
    monkeypatch.setattr(module, "_maker", Session)
    monkeypatch.setattr(module, "_made", None)


# -- Defaults ----------------------------------------------------------------------------------------------------


def test_session_works_when_nothing_is_known_of_the_surroundings():
    session = Session()

    assert session.make_listeners() == []
    assert session.find_human() is None
    assert session.find_recording() is None
    assert session.settings.model is None
    assert session.settings.code_policy is None


def test_no_code_is_run_when_nothing_here_can():
    with pytest.raises(ConfigurationError, match="Cannot run code: nothing here can"):
        Session().executor({})


def test_executor_is_made_from_the_options_of_the_agent():
    asked = []
    session = Session(find_executor=lambda options: asked.append(options) or "an executor")

    assert session.executor({"work_dir": "out"}) == "an executor"
    assert asked == [{"work_dir": "out"}]


def test_sessions_share_no_settings():
    one, other = Session(), Session()

    one.settings.max_turns = 1

    assert other.settings.max_turns == 30


# -- One a process -----------------------------------------------------------------------------------------------


def test_session_is_made_once():
    made = []
    set_session_maker(lambda: made.append(Session()) or made[-1])

    sessions = [current_session(), current_session()]

    assert made == [sessions[0]]
    assert sessions[1] is sessions[0]


def test_session_is_the_same_in_every_thread():
    found = []

    thread = threading.Thread(target=lambda: found.append(current_session()))
    thread.start()
    thread.join()

    assert found[0] is current_session()


def test_session_is_made_anew_when_there_is_another_maker():
    before, other = current_session(), Session()

    set_session_maker(lambda: other)

    assert current_session() is other is not before


def test_session_is_made_anew_when_it_was_forgotten():
    before = current_session()

    forget_session()

    assert current_session() is not before


def test_session_is_tried_again_when_it_could_not_be_made():
    attempts = []

    def maker():
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("not yet")
        return Session()

    set_session_maker(maker)
    with pytest.raises(RuntimeError, match="not yet"):
        current_session()

    assert current_session() is current_session()


# -- Another one for a while -------------------------------------------------------------------------------------


def test_session_is_another_while_one_is_in_use():
    usual, outer, inner = current_session(), Session(), Session()

    with use_session(outer) as used:
        found = [current_session()]
        with use_session(inner):
            found.append(current_session())
        found.append(current_session())

    assert used is outer
    assert all(one is other for one, other in zip(found, [outer, inner, outer], strict=True))
    assert current_session() is usual


def test_session_is_the_usual_one_again_when_the_block_fails():
    usual = current_session()

    with pytest.raises(ValueError, match="in the block"), use_session(Session()):
        raise ValueError("in the block")

    assert current_session() is usual


def test_session_in_use_goes_with_tasks_and_stays_out_of_threads():
    usual, other, found = current_session(), Session(), []

    async def main():
        with use_session(other):
            task = asyncio.create_task(find())
            await asyncio.to_thread(lambda: None)  # the task runs meanwhile
            thread = threading.Thread(target=lambda: found.append(current_session()))
            thread.start()
            thread.join()
        return await task

    async def find():
        return current_session()

    assert asyncio.run(main()) is other
    assert found[0] is usual


def test_maker_is_not_asked_when_another_session_is_in_use():
    set_session_maker(lambda: pytest.fail("a session was made"))

    with use_session(Session()) as session:
        assert current_session() is session


def test_run_is_in_the_session_in_use_when_it_is_made():
    with use_session(Session()) as session:
        run = Run()

    assert run.session is session
