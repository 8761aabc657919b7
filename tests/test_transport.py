"""What the network stream below the HTTP clients writes, and when."""

import asyncio

import pytest

from jupyter_agents.models.network import AsyncStream, SyncStream

LONG = bytes(1024 * 1024)


class Network:
    """A network stream that notes what is done with it, as a list of words and bytes."""

    def __init__(self):
        self.done = []

    def get_extra_info(self, info):
        return None

    def write(self, buffer, timeout=None):
        self.done.append(buffer)

    def read(self, max_bytes, timeout=None):
        self.done.append("read")
        return b"answer"


class AsyncNetwork(Network):
    async def write(self, buffer, timeout=None):
        super().write(buffer)

    async def read(self, max_bytes, timeout=None):
        return super().read(max_bytes)


def sync_stream(*steps):
    network = Network()
    stream = SyncStream(network)
    for step in steps:
        stream.read(100) if step == "read" else stream.write(step)
    return network.done


def async_stream(*steps):
    async def take():
        network = AsyncNetwork()
        stream = AsyncStream(network)
        for step in steps:
            await (stream.read(100) if step == "read" else stream.write(step))
        return network.done

    return asyncio.run(take())


@pytest.mark.parametrize("done", [sync_stream, async_stream], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([b"head ", b"body", b"", "read"], [b"head body", "read"]),
        ([b"head", b"", "read", "read"], [b"head", "read", "read"]),
        ([b"head ", b"one", b"two", b"", "read"], [b"head one", b"two", "read"]),
        ([b"alone", "read"], [b"alone", "read"]),
        ([b"1 ", b"2", "read", b"3 ", b"4", "read"], [b"1 2", "read", b"3 4", "read"]),
        (["read", b"head ", b"body", "read"], ["read", b"head body", "read"]),
        ([b"head", LONG, b"", "read"], [b"head", LONG, "read"]),
    ],
    ids=["request", "no body", "several pieces", "a single write", "one after the other", "read first", "long"],
)
def test_request_is_written_in_as_few_pieces_as_are_worth_it_when_it_is(done, steps, expected):
    assert done(*steps) == expected
