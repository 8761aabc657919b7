"""Replies in packets that are cut anywhere: what arrives together is read together, and nothing is waited for in vain."""

import contextlib
import socket
import threading
import time
import zlib

import pytest

from jupyter_agents.errors import ReplyInterruptedError
from jupyter_agents.models.openai import OpenAIModel

PAUSE = 0.1
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
PACKED_HEAD = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
END = b"0\r\n\r\n"


@contextlib.contextmanager
def raw_server(packets):
    """Answers one request with these bytes, each on its way alone, and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = threading.Thread(target=answer, args=(listening, packets))
        answering.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            answering.join()


def answer(listening, packets):
    connection, _ = listening.accept()
    with connection, contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asked = b""
        while b"\r\n\r\n" not in asked or not asked.endswith(b"}"):
            asked += connection.recv(65536)
        for number, packet in enumerate(packets):
            if number:
                time.sleep(PAUSE)
            connection.sendall(packet)


def said(text, reason="null"):
    return f'data: {{"choices": [{{"delta": {{"content": "{text}"}}, "finish_reason": {reason}}}]}}\n\n'.encode()


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def packed(*events):
    """Events of a packed body, each of which can be unpacked when it has come."""
    packing = zlib.compressobj(wbits=31)
    return [chunk(packing.compress(one) + packing.flush(zlib.Z_SYNC_FLUSH)) for one in events]


ONE, TWO, THREE, DONE = said("one "), said("two "), said("three", '"stop"'), b"data: [DONE]\n\n"
ALL = [chunk(ONE), chunk(TWO), chunk(THREE) + chunk(DONE) + END]
WHOLE = b"".join(ALL)
AT_HEAD, AFTER_HEAD, AT_DATA, AT_END = len(ALL[0]) + 1, len(ALL[0]) + 4, len(ALL[0]) + 20, len(ALL[0]) - 1

PACKETS = {
    "all at once": ([HEAD + WHOLE], ["one two three"]),
    "all after the head": ([HEAD, WHOLE], ["one two three"]),
    "one by one": ([HEAD, *ALL], ["one ", "two ", "three"]),
    "cut within the number of a chunk": ([HEAD, WHOLE[:AT_HEAD], WHOLE[AT_HEAD:]], ["one ", "two three"]),
    "cut after the number of a chunk": ([HEAD, WHOLE[:AFTER_HEAD], WHOLE[AFTER_HEAD:]], ["one ", "two three"]),
    "cut within an event": ([HEAD, WHOLE[:AT_DATA], WHOLE[AT_DATA:]], ["one ", "two three"]),
    "cut within the end of a chunk": ([HEAD, WHOLE[:AT_END], WHOLE[AT_END:]], ["one ", "two three"]),
    "cut after the data of a chunk": ([HEAD, WHOLE[: AT_END - 1], WHOLE[AT_END - 1 :]], ["one ", "two three"]),
    "several events in one chunk": ([HEAD + chunk(ONE + TWO + THREE + DONE) + END], ["one two three"]),
    "no chunks": ([PLAIN_HEAD + ONE, TWO, THREE + DONE], ["one ", "two ", "three"]),
    "packed, one by one": ([PACKED_HEAD, *packed(ONE, TWO, THREE + DONE), END], ["one ", "two ", "three"]),
    "the same chunk twice": ([HEAD + chunk(ONE) * 2, chunk(THREE) + END], ["one ", "one ", "three"]),
}  # fmt: skip


@pytest.mark.parametrize(("packets", "told"), PACKETS.values(), ids=PACKETS)
def test_text_is_told_as_it_comes_when_packets_are_cut_anywhere(ask, packets, told):
    notices = []

    with raw_server(packets) as url:
        reply = ask(OpenAIModel("m", base_url=url, api_key="k"), notices=notices)

    assert reply.content == "".join(told)
    assert [notice.text for notice in notices] == told


@pytest.mark.parametrize(
    "packets", [[HEAD + chunk(ONE) + b"zz\r\n"], [HEAD, chunk(ONE), b"zz\r\n"]], ids=["at once", "later"]
)
def test_what_came_before_a_break_is_kept_when_the_framing_breaks(ask, packets):
    notices = []

    with raw_server(packets) as url, pytest.raises(ReplyInterruptedError) as caught:
        ask(OpenAIModel("m", base_url=url, api_key="k", max_retries=0), notices=notices)

    assert caught.value.partial.content == "one "
    assert [notice.text for notice in notices] == ["one "]


def test_events_are_told_while_the_server_rests_when_it_stops_right_after_them(ask):
    at = []

    class Told(list):
        def append(self, notice):
            at.append(time.monotonic())
            super().append(notice)

    notices = Told()
    with raw_server([HEAD + chunk(ONE) + chunk(TWO), b"", b"", b"", chunk(THREE) + END]) as url:
        ask(OpenAIModel("m", base_url=url, api_key="k"), notices=notices)

    assert [notice.text for notice in notices] == ["one two ", "three"]
    assert at[1] - at[0] > 2 * PAUSE
