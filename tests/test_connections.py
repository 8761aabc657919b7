"""The pool of connections of a loop, over real HTTP; what it looks at is counted with connections that do nothing."""

import asyncio
import contextlib
import time

import httpcore2
import pytest

from jupyter_agents.models import network, transport
from jupyter_agents.models.connections import ConnectionPool
from jupyter_agents.testing import FakeOpenAIServer, ServerReply

URL = "http://127.0.0.1:1/"


@pytest.fixture
def server():
    with FakeOpenAIServer() as server:
        yield server


@contextlib.asynccontextmanager
async def pool_of(most=10, kept=10, seconds=30.0):
    pool = ConnectionPool(httpcore2.AsyncConnectionPool().create_connection, most=most, kept=kept, seconds=seconds)
    try:
        yield pool
    finally:
        await pool.aclose()


def request_to(url, patience=5.0):
    return httpcore2.Request(
        "POST",
        f"{url}/chat/completions",
        headers={"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": "2"},
        content=b"{}",
        extensions={"timeout": {"pool": patience, "connect": 5.0, "read": 5.0, "write": 5.0}},
    )


async def ask(pool, url, patience=5.0):
    response = await pool.handle_async_request(request_to(url, patience))
    try:
        return await response.aread()
    finally:
        await response.aclose()


async def test_connection_is_used_again_when_a_request_is_over(server):
    server.respond_with(lambda request: "ok")

    async with pool_of() as pool:
        for _ in range(3):
            assert b"ok" in await ask(pool, server.base_url)

    assert server.connections == 1


async def test_requests_wait_when_as_many_as_may_are_under_way(server):
    server.respond_with(lambda request: ServerReply(text="ok", delay=0.1))

    async with pool_of(most=2) as pool:
        started = time.monotonic()
        replies = await asyncio.gather(*(ask(pool, server.base_url) for _ in range(6)))
        took = time.monotonic() - started

    assert all(b"ok" in reply for reply in replies)
    assert server.connections == 2
    assert took >= 0.3


async def test_request_fails_when_it_waits_too_long_for_its_turn(server):
    server.respond_with(lambda request: ServerReply(text="ok", delay=0.5))

    async with pool_of(most=1) as pool:
        first = asyncio.create_task(ask(pool, server.base_url))
        await asyncio.sleep(0.05)
        with pytest.raises(httpcore2.PoolTimeout):
            await ask(pool, server.base_url, patience=0.05)

        assert b"ok" in await first
        assert b"ok" in await ask(pool, server.base_url)


async def test_oldest_are_closed_when_more_are_idle_than_are_kept(server):
    server.respond_with(lambda request: ServerReply(text="ok", delay=0.1))

    async with pool_of(kept=2) as pool:
        await asyncio.gather(*(ask(pool, server.base_url) for _ in range(5)))

        assert len(pool.connections) == 2


async def test_connection_is_not_used_again_when_it_was_idle_for_too_long(server):
    server.respond_with(lambda request: "ok")

    async with pool_of(seconds=0.05) as pool:
        await ask(pool, server.base_url)
        await asyncio.sleep(0.1)
        await ask(pool, server.base_url)

    assert server.connections == 2


async def test_another_connection_is_made_when_the_server_has_closed_the_idle_one():
    with FakeOpenAIServer() as server:
        server.respond_with(lambda request: "ok")
        async with pool_of() as pool:
            await ask(pool, server.base_url)
            stale = pool.connections[0]
            network = stale._connection._network_stream._stream
            network._transport.get_extra_info("socket").shutdown(2)  # as if the server had hung up
            await asyncio.sleep(0.05)

            assert b"ok" in await ask(pool, server.base_url)

        assert server.connections == 2


async def test_nothing_is_left_when_a_request_is_cancelled(server):
    server.enqueue(ServerReply.nothing("stall"), "ok")

    async with pool_of(most=1) as pool:
        task = asyncio.create_task(ask(pool, server.base_url))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert pool.connections == []
        assert b"ok" in await ask(pool, server.base_url)


async def test_nothing_is_left_when_nobody_listens(server):
    async with pool_of(most=1) as pool:
        for _ in range(2):
            with pytest.raises(httpcore2.ConnectError):
                await ask(pool, "http://127.0.0.1:9")

        assert pool.connections == []


async def test_connection_is_closed_when_the_body_is_given_up(server):
    server.enqueue(ServerReply.raw(b"data: {}\n\n", ending="stall"), "ok")

    async with pool_of(most=1) as pool:
        response = await pool.handle_async_request(request_to(server.base_url))
        await response.aclose()
        await response.aclose()  # once more does no harm

        assert pool.connections == []
        assert b"ok" in await ask(pool, server.base_url)
        assert pool._free._value == 1  # no more may be under way than before


async def test_next_request_has_its_turn_when_the_body_breaks_and_nobody_closes_it(server):
    server.enqueue(ServerReply.raw(b"data: {}\n\n", ending="stall"), "ok")

    async with pool_of(most=1) as pool:
        request = request_to(server.base_url)
        request.extensions["timeout"]["read"] = 0.1
        response = await pool.handle_async_request(request)
        with pytest.raises(httpcore2.ReadTimeout):
            await response.aread()

        assert pool.connections == []
        assert b"ok" in await ask(pool, server.base_url)


async def test_connection_is_not_used_again_when_the_server_says_that_it_closes(server):
    server.respond_with(lambda request: ServerReply(text="ok", headers={"connection": "close"}))

    async with pool_of() as pool:
        for _ in range(2):
            assert b"ok" in await ask(pool, server.base_url)
            assert pool.connections == []


async def test_connections_of_one_server_are_not_used_for_another(server):
    server.respond_with(lambda request: "one")
    with FakeOpenAIServer() as other:
        other.respond_with(lambda request: "two")
        async with pool_of() as pool:
            said = [await ask(pool, each.base_url) for each in (server, other, server, other)]

    assert [b"one" in one for one in said] == [True, False, True, False]
    assert (server.connections, other.connections) == (1, 1)


class Nothing:
    """A body without a byte."""

    async def __aiter__(self):
        for nothing in ():
            yield nothing

    async def aclose(self):
        pass


class Idle:
    """A connection that answers at once, and counts how often anyone looks at one."""

    looks = 0

    async def handle_async_request(self, request):
        return httpcore2.Response(200, content=Nothing())

    def is_closed(self):
        Idle.looks += 1
        return False

    def is_idle(self):
        Idle.looks += 1
        return True

    def has_expired(self):
        Idle.looks += 1
        return False

    async def aclose(self):
        pass


@pytest.mark.parametrize("number", [1, 500])
async def test_request_looks_at_few_connections_when_there_are_many(number):
    pool = ConnectionPool(lambda origin: Idle(), most=1_000, kept=1_000, seconds=30.0)
    many = [await pool.handle_async_request(httpcore2.Request("GET", URL)) for _ in range(number)]
    for response in many:
        await response.aclose()
    Idle.looks = 0

    response = await pool.handle_async_request(httpcore2.Request("GET", URL))
    await response.aclose()

    assert len(pool.connections) == number
    assert Idle.looks <= 4


class Stuck(Idle):
    """A connection in the middle of something, for good."""

    def __init__(self):
        self.was_closed = False

    def is_idle(self):
        return False

    async def aclose(self):
        self.was_closed = True


async def test_connection_is_closed_when_it_cannot_carry_another_request():
    stuck = Stuck()
    pool = ConnectionPool(lambda origin: stuck, most=1, kept=1, seconds=30.0)

    response = await pool.handle_async_request(httpcore2.Request("GET", URL))
    await response.aclose()

    assert stuck.was_closed
    assert pool.connections == []


async def test_connections_under_way_are_closed_when_the_pool_is():
    stuck = Stuck()
    pool = ConnectionPool(lambda origin: stuck, most=1, kept=1, seconds=30.0)
    await pool.handle_async_request(httpcore2.Request("GET", URL))

    await pool.aclose()

    assert stuck.was_closed


async def test_client_of_a_loop_has_this_pool_and_its_deadlines_when_it_is_made(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    client = await transport.a_http_client(local=False)

    ways = transport._transports(client)
    assert len(ways) == 2  # the direct one, and the proxy's
    origin = httpcore2.URL("https://example.com/").origin
    for way in ways:
        assert isinstance(way._pool, ConnectionPool)
        made = way._pool._connect(origin)
        inner = getattr(made, "_connection", None) or made
        assert isinstance(inner._network_backend, network.AsyncBackend)
    assert not client.follow_redirects


class Broken(Idle):
    """A connection that cannot even be closed."""

    async def aclose(self):
        raise OSError("it is gone")


async def test_request_is_answered_when_an_old_connection_fails_to_close():
    made = iter([Broken(), Broken(), Idle()])
    pool = ConnectionPool(lambda origin: next(made), most=9, kept=9, seconds=0.0)
    many = [await pool.handle_async_request(httpcore2.Request("GET", URL)) for _ in range(2)]
    for response in many:
        await response.aclose()

    response = await pool.handle_async_request(httpcore2.Request("GET", URL))
    await response.aclose()

    assert response.status == 200


async def test_nothing_is_kept_when_a_request_ends_after_the_pool_was_closed():
    late = Stuck()
    pool = ConnectionPool(lambda origin: late, most=1, kept=1, seconds=30.0)
    response = await pool.handle_async_request(httpcore2.Request("GET", URL))
    await pool.aclose()
    late.was_closed, late.is_idle = False, lambda: True  # as one that had been connecting still

    await response.aclose()

    assert late.was_closed
    assert pool.connections == []


def test_each_loop_has_its_own_when_one_ends_after_another(server):
    server.respond_with(lambda request: "ok")

    async def twice():
        client = await transport.a_http_client(local=True)
        for _ in range(2):
            assert (await client.post(f"{server.base_url}/chat/completions", content=b"{}")).status_code == 200
        return client

    first, second = asyncio.run(twice()), asyncio.run(twice())

    assert first is not second
    assert server.connections == 2
    assert first._transport._pool.connections == second._transport._pool.connections == []
