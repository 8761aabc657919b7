"""Finds a model server on this machine: Ollama, LM Studio, llama.cpp, vLLM, at the ports they come with."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

USUAL_PORTS: dict[int, str] = {11434: "Ollama", 1234: "LM Studio", 8080: "llama.cpp", 8000: "vLLM"}
"""Ports that are asked, in this order, and who listens there by default."""

_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server with OpenAI's API. `name` is a guess from its port; `models` are the names it offers."""

    base_url: str
    name: str
    models: tuple[str, ...]

    def offers(self, model: str) -> bool:
        """Whether it has a model of this name, which Ollama calls `NAME:latest`."""
        return model in self.models or f"{model}:latest" in self.models


def find_local_server(
    timeout: float = 0.3, ports: dict[int, str] | None = None, *, model: str | None = None
) -> LocalServer | None:
    """The first server found (that offers `model`), or `None`. Each port is given `timeout` seconds; no proxy is asked.

    What listens there counts only if it answers `/v1/models` as the API has it and offers a model.
    """
    return next((one for one in _servers(timeout, ports) if model is None or one.offers(model)), None)


def find_local_servers(timeout: float = 0.3, ports: dict[int, str] | None = None) -> list[LocalServer]:
    """All servers with OpenAI's API on this machine, in the order of the ports. As for `find_local_server`."""
    return list(_servers(timeout, ports))


def _servers(timeout: float, ports: dict[int, str] | None) -> Iterator[LocalServer]:
    for port, name in (USUAL_PORTS if ports is None else ports).items():
        server = LocalServer(f"http://127.0.0.1:{port}/v1", name, _models_at(port, timeout))
        if server.models:
            yield server


def _models_at(port: int, timeout: float) -> tuple[str, ...]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/v1/models", headers={"Accept": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            return ()
        return _names(json.loads(_read(response, time.monotonic() + timeout)))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return ()
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    body = b""
    while piece := response.read1(65536):
        body += piece
        if len(body) > _MAX_BYTES or time.monotonic() > deadline:
            raise ValueError("not the answer of a model server")
    return body


def _names(answer: object) -> tuple[str, ...]:
    models = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(models, list):
        return ()
    names = [model.get("id") if isinstance(model, dict) else None for model in models]
    return tuple(name for name in names if isinstance(name, str) and name)
