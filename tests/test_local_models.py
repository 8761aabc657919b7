"""Finding a model server on this machine."""

import socket
import threading

import pytest

from jupyter_agents.models.local import LocalServer, find_local_server
from jupyter_agents.testing import FakeOpenAIServer


@pytest.fixture
def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def port_of(server):
    return int(server.base_url.split(":")[2].removesuffix("/v1"))


class RawServer:
    """Answers every connection with the same bytes."""

    def __init__(self, answer):
        self.answer = answer
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join()

    def serve(self):
        try:
            connection, _ = self.listening.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(self.answer)


def http(body, status="200 OK", kind="application/json"):
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_server_is_found_when_one_of_the_ports_answers(free_port):
    with FakeOpenAIServer(models=["small", "large"]) as server:
        found = find_local_server(ports={free_port: "Nobody", port_of(server): "Ollama"})

    assert found == LocalServer(server.base_url, "Ollama", ("small", "large"))


@pytest.mark.parametrize(
    ("port", "name"), [(11434, "Ollama"), (1234, "LM Studio"), (8080, "llama.cpp"), (8000, "vLLM")]
)
def test_server_is_found_at_the_port_it_comes_with(monkeypatch, port, name):
    real = socket.create_connection

    def connect(address, *args, **options):
        if address != ("127.0.0.1", port):
            raise ConnectionRefusedError
        return real(("127.0.0.1", port_of(server)), *args, **options)

    monkeypatch.setattr(socket, "create_connection", connect)
    with FakeOpenAIServer(models=["m"]) as server:
        found = find_local_server()

    assert found == LocalServer(f"http://127.0.0.1:{port}/v1", name, ("m",))


def test_nothing_is_found_when_nobody_listens(free_port):
    assert find_local_server(ports={free_port: "Nobody"}) is None


def test_proxies_are_not_asked_when_looking(monkeypatch, free_port):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
    with FakeOpenAIServer() as server:
        assert find_local_server(ports={port_of(server): "x"}) is not None


@pytest.mark.parametrize(
    "answer",
    [
        http(b"<html>Jupyter</html>", kind="text/html"),
        http(b'{"data": [{"id": "m"}]}', status="404 Not Found"),
        http(b'{"data": [{"id": "m"}]}', status="302 Found"),
        http(b'{"data": {}}'),
        http(b'{"data": []}'),
        http(b'{"data": [{"name": "m"}, "m", {"id": ""}]}'),
        http(b'{"models": ["m"]}'),
        http(b"[" * 100_000),
        http(b"\xff"),
        http(b" " * (1024 * 1024 + 1)),
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
    ids=["html", "404", "redirect", "no_list", "no_models", "no_ids", "other", "deep", "bytes", "huge", "ssh", "eof"],
)
def test_server_does_not_count_when_it_answers_something_else(answer):
    with RawServer(answer) as server:
        assert find_local_server(ports={server.port: "x"}) is None


def test_looking_ends_in_time_when_a_server_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert find_local_server(0.05, ports={silent.getsockname()[1]: "x"}) is None
