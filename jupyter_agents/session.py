"""Where we are: who answers questions, what runs code, which model is meant by default, who listens.

The core never looks for a kernel or a terminal. It asks the session, and whoever knows the surroundings (the package's
`__init__`, the magics, a test) says how sessions are made here. So L2 never imports the display.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from jupyter_agents.errors import ConfigurationError

if TYPE_CHECKING:
    from jupyter_agents.budget import Budget
    from jupyter_agents.control import Control
    from jupyter_agents.events import Listener
    from jupyter_agents.executors.base import Executor
    from jupyter_agents.human.base import HumanInput
    from jupyter_agents.journal.recording import Recording
    from jupyter_agents.models.base import Model

CodePolicy = Literal["ask", "auto", "deny"]
ReplayMode = Literal["off", "model", "all", "record", "refresh"]
Rendered = dict[str, Any] | tuple[dict[str, Any], dict[str, Any]]
"""How something shows itself: data by MIME type, perhaps with metadata, as IPython takes it."""


@dataclass
class Settings:
    """What a user has configured for all chats (`%config JupyterAgents.…` in IPython).

    `model` is a model name, an `llm_config` dictionary or a `Model`; `None` means the environment or a local server.
    `code_policy` and `tool_policy` make agents stricter about running code and calling functions. `max_repairs` is how many failures in a row a model
    may try to mend; `max_turns` the turn limit of `%%agentchat`. `recording` is the file of this notebook's
    recording, `replay` what is done with it: nothing, replay the words of models (`model`) or of people too (`all`),
    `record`, or `refresh`: replay what still fits and record the rest. `prompt_timeout` is how many seconds a prompt on the page waits for its answer (`None`: for ever); after
    that a question counts as skipped, and code as rejected.

    `base_url` and `api_key_variable` hold for models whose config says neither: where they are, and which variable of the
    environment has their key. `keyring` lets keys be read from the system's keyring (see `models/keys.py`). `budget` is
    that of every chat which is given none and is not nested in another; so is `cache`, `True` or the path of one.
    """

    model: str | Mapping[str, Any] | Model | None = None
    code_policy: CodePolicy | None = None
    max_repairs: int = 10
    max_turns: int = 30
    recording: str | None = None
    replay: ReplayMode = "off"
    prompt_timeout: float | None = None
    tool_policy: CodePolicy | None = None
    base_url: str | None = None
    api_key_variable: str | None = None
    keyring: bool = False
    budget: Budget | None = None
    cache: bool | str | None = None

    def __repr__(self) -> str:
        from jupyter_agents.models.masking import shown_setting  # there may be a key in them

        shown = ((one.name, shown_setting(one.name, getattr(self, one.name))) for one in fields(self))
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown)})"


@dataclass
class Session:
    """The surroundings of chats. Everything has a default that works with no kernel and nobody there.

    `approved` are the digests of texts that a person lets run again without asking (see `approval_digest`).
    """

    settings: Settings = field(default_factory=Settings)
    make_listeners: Callable[..., list[Listener]] = list
    find_human: Callable[[], HumanInput | None] = lambda: None
    find_executor: Callable[[Mapping[str, Any]], Executor] | None = None
    find_model: Callable[[], Model] | None = None
    find_recording: Callable[[], Recording | None] = lambda: None
    render: Callable[[Any], Rendered] | None = None
    show_again: Callable[[Control], bool] = lambda control: False
    """Shows the chat with these buttons, which goes on in the background, in the cell that runs now; whether it could."""
    approved: set[str] = field(default_factory=set)

    def executor(self, options: Mapping[str, Any]) -> Executor:
        """Whatever runs code here. `options` are the classic keys (`work_dir`, `timeout`)."""
        if self.find_executor is None:
            raise ConfigurationError(
                "Cannot run code: nothing here can. Pass an executor in code_execution_config={'executor': …}, "
                "or switch code off with code_execution_config=False."
            )
        return self.find_executor(options)


_maker: Callable[[], Session] = Session
_made: Session | None = None
_override: ContextVar[Session | None] = ContextVar("jupyter_agents_session", default=None)


def current_session() -> Session:
    """The session of this process, made at the first call."""
    global _made
    override = _override.get()
    if override is not None:
        return override
    if _made is None:
        _made = _maker()
    return _made


def rendered(shown: Any) -> Rendered:
    """What the session shows of something; where it shows nothing, the `repr`."""
    render = current_session().render
    return render(shown) if render is not None else {"text/plain": repr(shown)}


def set_session_maker(maker: Callable[[], Session]) -> None:
    """Say how a session is made here. One that was made before is forgotten."""
    global _maker, _made
    _maker, _made = maker, None


def forget_session() -> None:
    """Make the session anew when it is next asked for."""
    global _made
    _made = None


@contextmanager
def use_session(session: Session) -> Iterator[Session]:
    """Hold chats in another session for as long as the block runs; for tests and embedding."""
    token = _override.set(session)
    try:
        yield session
    finally:
        _override.reset(token)
