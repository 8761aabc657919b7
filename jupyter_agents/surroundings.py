"""How chats are held here: in a kernel on the page, in a terminal as text, with the model that is configured or found."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from jupyter_agents.errors import ConfigurationError, ModelNotConfiguredError
from jupyter_agents.journal.using import RECORDING_VARIABLE, REPLAY_VARIABLE, mode_of_environment, open_as
from jupyter_agents.models.keys import keyring_of_environment
from jupyter_agents.nearest import did_you_mean
from jupyter_agents.session import CodePolicy, ReplayMode, Session, Settings

if TYPE_CHECKING:
    from jupyter_agents.control import Control
    from jupyter_agents.events import Listener
    from jupyter_agents.executors.base import Executor
    from jupyter_agents.human.base import HumanInput
    from jupyter_agents.journal.recording import Recording
    from jupyter_agents.journal.takes import Takes
    from jupyter_agents.models.base import Model

CODE_POLICY_VARIABLE = "JUPYTER_AGENTS_CODE_POLICY"


def make_session() -> Session:
    """The session of this process, whatever it is: a kernel, IPython in a terminal, or a script."""
    settings = Settings(code_policy=_policy_of_environment(), keyring=keyring_of_environment())
    executors = functools.cache(_make_executor)
    return Session(
        settings,
        make_listeners=make_listeners,
        find_human=functools.cache(_make_human),
        find_executor=lambda options: executors(
            options.get("work_dir"), options.get("timeout"), options.get("allow_await", True)
        ),
        find_model=_ModelFinder(settings),
        find_recording=lambda: open_recording(settings.replay, settings.recording),
        render=_render,
        show_again=_show_again,
    )


def _policy_of_environment() -> CodePolicy | None:
    policy = os.environ.get(CODE_POLICY_VARIABLE, "").strip().lower()
    accepted = get_args(CodePolicy)
    if policy and policy not in accepted:
        raise ConfigurationError(
            f"Cannot use {CODE_POLICY_VARIABLE}={policy!r}: it must be one of {', '.join(accepted)}."
            f"{did_you_mean(policy, accepted) or ' Correct it.'}"
        )
    return cast(CodePolicy, policy) if policy else None


def running_shell() -> Any:
    """The IPython shell of this process, or `None`. IPython is not imported for it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def is_in_kernel() -> bool:
    """Whether this process is a Jupyter kernel."""
    return getattr(running_shell(), "kernel", None) is not None


def make_listeners(*, shows_opening: bool = True) -> list[Listener]:
    """Who shows a chat: the page of a notebook, or the terminal."""
    if is_in_kernel():
        from jupyter_agents.display.notebook import NotebookListener

        return [NotebookListener(skip_opening=not shows_opening)]
    from jupyter_agents.display.text import TextListener

    return [TextListener(stream=sys.stdout.isatty())]


def _make_human() -> HumanInput:
    if is_in_kernel():
        from jupyter_agents.display.people import PageHuman

        return PageHuman()
    from jupyter_agents.human.stdin import StdinHuman

    return StdinHuman()


def _make_executor(work_dir: str | None, timeout: float | None, allow_await: bool) -> Executor:
    from jupyter_agents.executors.live import LiveExecutor

    return LiveExecutor(work_dir=work_dir, timeout=timeout, allow_await=allow_await)


def _show_again(control: Control) -> bool:
    from jupyter_agents.display.stage import show_again

    return is_in_kernel() and show_again(control)


def _render(shown: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    from jupyter_agents.conversation import ChatResult
    from jupyter_agents.display.result import result_bundle, result_metadata
    from jupyter_agents.series import SeriesFacts

    return result_bundle(shown), result_metadata(shown) if isinstance(shown, ChatResult | SeriesFacts) else {}


# -- The model ---------------------------------------------------------------------------------------------------


class _ModelFinder:
    """Finds the model of a session, and keeps it until a setting or the environment says otherwise."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._found: tuple[Any, Model] | None = None

    def __call__(self) -> Model:
        told = self._settings.model, *_place(self._settings), *(os.environ.get(name) for name in _MODEL_VARIABLES)
        if self._found is None or self._found[0] != told:
            from jupyter_agents.models.base import is_configured

            model = find_model(self._settings)
            if not is_configured(model):  # a server may be started yet
                return model
            self._found = told, model
        return self._found[1]


def _place(settings: Settings) -> tuple[Any, ...]:
    """What the settings say of where models are."""
    return settings.base_url, settings.api_key_variable, settings.keyring


_MODEL_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")


def find_model(settings: Settings) -> Model:
    """The model of agents that name none: the configured one, the environment's, or one served on this machine.

    Where only a name is configured, the environment says where it is, or a server on this machine that offers it.
    Raises `ModelNotConfiguredError` when there is none.
    """
    from jupyter_agents.models.config import model_from_config
    from jupyter_agents.models.named import configured_model, says_environment_where

    if settings.model is not None:
        return configured_model(settings.model)
    if settings.base_url or says_environment_where():
        return model_from_config()
    return _find_local_model()


def _find_local_model() -> Model:
    from jupyter_agents.models.config import model_from_config
    from jupyter_agents.models.local import find_local_server

    wanted = os.environ.get("OPENAI_MODEL")
    server = (find_local_server(model=wanted) if wanted else None) or find_local_server()
    if server is None or not server.models:
        raise ModelNotConfiguredError(
            "Cannot call a model: none is configured and no local server answers. Set OPENAI_API_KEY (and "
            "OPENAI_BASE_URL), set %config JupyterAgents.model, start Ollama, LM Studio or llama.cpp, or use --replay."
        )
    name = wanted if wanted and server.offers(wanted) else server.models[0]
    return model_from_config({"model": name, "base_url": server.base_url})


def check_models(recipient: Any, sender: Any, message: str, session: Session) -> None:
    """Refuse to begin a chat that nobody could answer, as a model is not configured; a replay needs none."""
    from jupyter_agents.agents.first_reply import check_first_reply

    recording = session.find_recording()
    if recording is None or recording.mode == "record":
        check_first_reply(recipient, sender, message)


# -- The recording -----------------------------------------------------------------------------------------------


def open_recording(mode: ReplayMode, path: str | None, *, is_option: bool = False) -> Recording | None:
    """The recording of this notebook, or `None` when nothing is recorded or replayed.

    `JUPYTER_AGENTS_REPLAY` in the environment goes before `mode`, so that a whole notebook can be run live, replayed
    or recorded without a change to it. `JUPYTER_AGENTS_RECORDING` names the file where no `path` is given. `off` is about settings only: a mode that is an option of a cell stays.

    Chats of one session that begin with the same words are kept apart. A cell that runs again replaces what it
    recorded before, and replays what is its own.
    """
    told = mode_of_environment()
    if told is not None and not (told == "off" and is_option):
        mode = told
    if mode == "off":
        return None
    file = Path(path or _default_path()).absolute()
    version = file.stat().st_mtime_ns if mode in ("model", "all") and file.exists() else None
    return _opened(mode, str(file), version, running_cell())


def running_cell() -> tuple[str, str] | None:
    """The cell that runs and which of its executions this is; `None` outside of IPython.

    Front ends that edit notebooks give their cells ids. Whoever sends none runs each cell once, from top to bottom. In
    a terminal a cell is known by its text.
    """
    shell = running_shell()
    if shell is None:
        return None
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        texts = shell.history_manager.input_hist_raw
        return str(texts[-1] if texts else ""), str(shell.execution_count)
    request = kernel.get_parent()
    execution = str(request.get("header", {}).get("msg_id", ""))
    return str(request.get("metadata", {}).get("cellId") or execution), execution


def _default_path() -> Path:
    """The recording that the environment names, or the one beside the notebook that runs here, by the name that the server tells."""
    named = os.environ.get(RECORDING_VARIABLE, "").strip()
    if named:
        return Path(named)
    notebook = os.environ.get("JPY_SESSION_NAME") or "notebook"
    return Path("recordings") / f"{Path(notebook).stem}.jsonl"


@functools.lru_cache(maxsize=16)  # chats of one run of a cell share it; older ones hold what they need themselves
def _opened(mode: ReplayMode, path: str, version: int | None, cell: tuple[str, str] | None) -> Recording | None:
    return open_as(path, mode, _takes(path, None if cell else mode).of_run(*(cell or ())))


@functools.cache
def _takes(path: str, mode: ReplayMode | None) -> Takes:
    """The takes of a recording; what cells replay and record counts together, what scripts do does not."""
    from jupyter_agents.journal.takes import Takes

    return Takes()


__all__ = [
    "CODE_POLICY_VARIABLE",
    "REPLAY_VARIABLE",
    "check_models",
    "find_model",
    "is_in_kernel",
    "make_listeners",
    "make_session",
    "open_recording",
    "running_cell",
    "running_shell",
]
