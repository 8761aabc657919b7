"""A pytest plugin that keeps tests apart from the machine: its settings, its keys, its home folder, its network."""

from __future__ import annotations

import atexit
import builtins
import gc
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

UNWANTED = ("OPENAI_", "AZURE_OPENAI_", "JUPYTER_AGENTS_")


def pytest_unconfigure() -> None:
    """Let Python end at once: every shell that a test made collects all garbage then, which takes half a minute."""
    atexit.register(gc.freeze)


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run the session without keys, proxies and settings of ours, in an empty home folder."""
    home = tmp_path_factory.mktemp("home")
    fonts = Path.home() / ".cache" / "matplotlib"  # kept: building matplotlib's cache of fonts takes seconds
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(UNWANTED) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "JUPYTER_PATH"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home))
        patch.setenv("USERPROFILE", str(home))
        patch.setenv("IPYTHONDIR", str(home / ".ipython"))
        patch.setenv("JUPYTER_CONFIG_DIR", str(home / ".jupyter"))
        patch.setenv("JUPYTER_DATA_DIR", str(home / ".local" / "share" / "jupyter"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
        patch.setenv("MPLCONFIGDIR", os.environ.get("MPLCONFIGDIR", str(fonts)))
        yield


@pytest.fixture(autouse=True)
def same_environment_afterwards() -> Iterator[None]:
    """Undo what a test does to the environment, the working directory and the builtins."""
    environment, folder = dict(os.environ), Path.cwd()
    yield
    vars(builtins).pop("_", None)  # an example's last value; IPython would take it for gettext and leave `_` alone
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)
    os.chdir(folder)


@pytest.fixture(scope="session", autouse=True)
def network_guard() -> Iterator[list[str]]:
    """Let nothing in this process reach beyond this machine; the attempts."""
    attempts: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name), attempts))
        patch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo, attempts))
        yield attempts


@pytest.fixture(autouse=True)
def no_network(network_guard: list[str]) -> Iterator[None]:
    """Fail a test that tried to reach another machine, even if it caught the error."""
    network_guard.clear()
    yield
    if network_guard:
        attempts, network_guard[:] = ", ".join(network_guard), []
        pytest.fail(f"the test tried to reach {attempts}; tests talk to 127.0.0.1 only", pytrace=False)


def is_local(host: object) -> bool:
    """Whether a host is this machine. `None` and the empty name are, as sockets have it."""
    if isinstance(host, bytes):
        host = host.decode()
    if not isinstance(host, str) or host in ("", "localhost"):
        return host is None or isinstance(host, str)
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == socket.gethostname()
    return address.is_loopback or address.is_unspecified


def _guarded(method: Any, attempts: list[str]) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
            _refuse(f"{address[0]}:{address[1]}", attempts)
        return method(self, address)

    return connect


def _guarded_lookup(lookup: Any, attempts: list[str]) -> Any:
    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host):
            _refuse(f"{host}:{port}", attempts)
        return lookup(host, port, *args, **kwargs)

    return getaddrinfo


def _refuse(where: str, attempts: list[str]) -> None:
    attempts.append(where)
    raise OSError(f"Cannot connect to {where}: tests may only talk to 127.0.0.1.")
