"""How an agent runs code: the classic `code_execution_config`, checked and immutable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import Any, Literal

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.executors.base import Executor
from jupyter_agents.nearest import did_you_mean
from jupyter_agents.session import CodePolicy

_KEYS = ("work_dir", "timeout", "last_n_messages", "use_docker", "executor", "policy")
_STRICTNESS: tuple[CodePolicy, ...] = ("auto", "ask", "deny")


@dataclass(frozen=True)
class CodeConfig:
    """What the classic dictionary says. `executor` is `None` for whatever runs code in this session."""

    work_dir: str | None = None
    timeout: float | None = None
    last_n_messages: int | Literal["auto"] = 1
    executor: Executor | None = None
    policy: CodePolicy = "auto"
    _absolute: str | None = None  # where `work_dir` was when the agent was made: blocks run elsewhere

    @classmethod
    def from_classic(cls, config: Mapping[str, Any] | bool | None) -> CodeConfig | None:
        """The configuration; `None` where code execution is switched off with `False`.

        `None` and `{}` mean that code runs, without asking: whoever builds an agent so says that it may.
        """
        if config is False:
            return None
        given = dict(config) if isinstance(config, Mapping) else {}
        if config is not None and config is not True and not isinstance(config, Mapping):
            raise ConfigurationError(
                f"Cannot use code_execution_config={config!r}: give a dictionary ({', '.join(_KEYS)}) or False."
            )
        _check(given)
        given.pop("use_docker", None)
        work_dir = given.pop("work_dir", None)
        return cls(
            work_dir=None if work_dir is None else str(work_dir),
            _absolute=None if work_dir is None else os.path.abspath(os.path.expanduser(work_dir)),
            **given,
        )

    def strictest(self, other: CodePolicy | None) -> CodePolicy:
        """The stricter of this agent's policy and another."""
        return stricter(self.policy, other)

    def executor_options(self) -> dict[str, Any]:
        """What a session needs to know to make an executor."""
        return {"work_dir": self._absolute, "timeout": self.timeout}


def stricter(policy: CodePolicy, other: CodePolicy | None) -> CodePolicy:
    """The stricter of two policies: `deny`, then `ask`, then `auto`."""
    return max(policy, other or "auto", key=_STRICTNESS.index)


def check_policy(name: str, policy: Any) -> None:
    """Raise `ConfigurationError` unless it is a policy."""
    if policy not in _STRICTNESS:
        raise ConfigurationError(
            f"Cannot use {name}={policy!r}: it must be one of {', '.join(_STRICTNESS)}.{did_you_mean(policy, _STRICTNESS)}"
        )


def _check(given: Mapping[str, Any]) -> None:
    unknown = sorted(set(given) - set(_KEYS))
    if unknown:
        raise ConfigurationError(
            f"Cannot use code_execution_config key {unknown[0]!r}: known keys are {', '.join(_KEYS)}."
            + did_you_mean(unknown[0], _KEYS)
        )
    if given.get("use_docker"):
        raise ConfigurationError(
            "Cannot run code with use_docker: code runs in this kernel, and asking for isolation must not run it here. "
            "Remove use_docker, or pass an isolated executor in code_execution_config={'executor': …}."
        )
    check_policy("policy", given.get("policy", "auto"))
    last = given.get("last_n_messages", 1)
    if last != "auto" and (not isinstance(last, int) or isinstance(last, bool) or last < 1):
        raise ConfigurationError(f"Cannot use last_n_messages={last!r}: give a whole number of at least 1, or 'auto'.")
    timeout = given.get("timeout")
    if timeout is not None and not _is_duration(timeout):
        raise ConfigurationError(
            f"Cannot use timeout={timeout!r}: give a number of seconds above 0, or None for no limit."
        )
    work_dir = given.get("work_dir")
    if work_dir is not None and not isinstance(work_dir, str | os.PathLike):
        raise ConfigurationError(f"Cannot use work_dir={work_dir!r}: it is no path. Give a text or a pathlib.Path.")
    executor = given.get("executor")
    if isinstance(executor, type):
        raise ConfigurationError(
            f"Cannot use executor={executor.__name__}: it is a class. Give an object of it: {executor.__name__}(…)."
        )
    if executor is not None and not hasattr(executor, "execute"):
        raise ConfigurationError(f"Cannot use executor={executor!r}: it must have an execute(block) coroutine.")


def _is_duration(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and 0 < float(value) < inf
