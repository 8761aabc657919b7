"""`api_rate_limit`: requests to one endpoint begin so many a second, whoever makes them."""

import asyncio
import threading
import time

import pytest

from jupyter_agents.drive import a_drive, drive
from jupyter_agents.errors import ConfigurationError, RateLimitedError
from jupyter_agents.events import Waiting
from jupyter_agents.models import rate_limit
from jupyter_agents.testing import FakeOpenAIServer
from tests.model_calls import HELLO, model_of, sync_face

pytestmark = [pytest.mark.timeout(20), pytest.mark.usefixtures("first_or_later")]
RATE = 20.0
GAP = 1 / RATE


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(rate_limit, "_turns", {})
    with FakeOpenAIServer() as server:
        server.respond_with(lambda request: "ok")
        sync_face(model_of(server))  # loads the client, which takes longer than a turn
        server.requests.clear()
        yield server


def test_wait_is_told_and_kept_when_requests_come_too_fast(server, ask):
    model, notices = model_of(server, api_rate_limit=RATE), []
    started = time.monotonic()

    for _ in range(4):
        ask(model, notices=notices)

    waits = [one for one in notices if isinstance(one, Waiting)]
    assert time.monotonic() - started >= 3 * GAP
    assert len(waits) == 3
    assert waits[0].reason == "no more than 20 requests per second"
    assert all(0 < one.seconds <= GAP for one in waits)


def test_nobody_waits_when_requests_are_rare(server, ask):
    model, notices = model_of(server, api_rate_limit=1000), []

    for _ in range(2):
        ask(model, notices=notices)
        time.sleep(0.01)

    assert not [one for one in notices if isinstance(one, Waiting)]


def test_limit_is_shared_when_models_differ_and_some_are_async(server):
    models = [model_of(server, api_rate_limit=RATE).renamed(name) for name in "abc"]
    started = time.monotonic()
    threads = [threading.Thread(target=sync_face, args=(models[0],)) for _ in range(3)]

    async def ask_all():
        await asyncio.gather(*(a_drive(model.complete(HELLO)) for model in models))

    for thread in threads:
        thread.start()
    asyncio.run(ask_all())
    for thread in threads:
        thread.join()

    assert len(server.requests) == 6
    assert time.monotonic() - started >= 5 * GAP


def test_other_endpoints_do_not_wait_when_one_is_busy(server):
    with FakeOpenAIServer() as other:
        other.enqueue("ok")
        sync_face(model_of(server, api_rate_limit=0.1))
        started = time.monotonic()

        sync_face(model_of(other, api_rate_limit=0.1))

        assert time.monotonic() - started < 1


def test_call_ends_at_once_when_its_turn_is_after_its_deadline(server, ask):
    model = model_of(server, api_rate_limit=0.5, timeout=1)
    ask(model)
    started = time.monotonic()

    with pytest.raises(RateLimitedError, match=r"api_rate_limit=0\.5") as caught:
        ask(model)

    assert time.monotonic() - started < 0.5
    assert 1 < caught.value.retry_after <= 2
    assert len(server.requests) == 1


def test_turn_is_free_again_when_a_wait_is_cancelled(server):
    model = model_of(server, api_rate_limit=1)
    sync_face(model)

    async def cancel():
        task = asyncio.ensure_future(a_drive(model.complete(HELLO)))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for _ in range(3):
        asyncio.run(cancel())
    started = time.monotonic()
    drive(model.complete(HELLO))

    assert time.monotonic() - started < 1
    assert len(server.requests) == 2


@pytest.mark.parametrize("rate", [0, -1, True, "fast", float("nan"), float("inf")])
def test_limit_is_refused_when_it_is_no_rate(server, rate):
    with pytest.raises(ConfigurationError, match="api_rate_limit"):
        model_of(server, api_rate_limit=rate)
