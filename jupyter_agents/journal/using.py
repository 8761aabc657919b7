"""Which recording a program uses: what the environment says, and a block in which one recording holds for all chats."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast, get_args

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.journal.recording import Mode, Recording
from jupyter_agents.journal.takes import RunTakes
from jupyter_agents.nearest import did_you_mean
from jupyter_agents.session import ReplayMode, current_session, use_session

REPLAY_VARIABLE = "JUPYTER_AGENTS_REPLAY"
"""What is done with recordings, whatever notebooks and programs say."""

RECORDING_VARIABLE = "JUPYTER_AGENTS_RECORDING"
"""The file of the recording, where nothing else names one."""

_MODES = get_args(ReplayMode)


def mode_of_environment() -> ReplayMode | None:
    """What the environment says is done with recordings, if it says anything."""
    mode = os.environ.get(REPLAY_VARIABLE, "").strip().lower()
    if mode and mode not in _MODES:
        raise ConfigurationError(
            f"Cannot use {REPLAY_VARIABLE}={mode!r}: it must be one of {', '.join(_MODES)}.{did_you_mean(mode, _MODES)}"
        )
    return cast(ReplayMode, mode) if mode else None


@contextmanager
def use_recording(path: str | os.PathLike[str], mode: ReplayMode = "all") -> Iterator[Recording | None]:
    """Record or replay all chats that are begun in the block.

    `all` replays the words of models and of people, `model` those of models only; `record` records all, `refresh`
    replays what is still asked in the same words and records the rest, and `off` does none of it. The variable
    `JUPYTER_AGENTS_REPLAY` of the environment goes before `mode`, so that a program need not be changed to record it
    again; its `off` leaves the block as it is written. Gives the recording, `None` for `off`.

    Open it once for each run of the program: chats that begin with the same words are told apart by their order.
    """
    if mode not in _MODES:
        raise ConfigurationError(f"Cannot use a recording: mode is {mode!r}. Use one of {', '.join(_MODES)}.")
    told = mode_of_environment()
    recording = open_as(path, mode if told is None or told == "off" else told)
    with use_session(replace(current_session(), find_recording=lambda: recording)):
        yield recording


def open_as(path: str | os.PathLike[str], mode: ReplayMode, takes: RunTakes | None = None) -> Recording | None:
    """The recording in this file, opened as a setting says."""
    if mode == "off":
        return None
    if mode in ("record", "refresh"):
        return Recording.open(path, cast(Mode, mode), takes=takes)
    return Recording.open(path, "replay", kinds="all" if mode == "all" else "model", takes=takes)


__all__ = ["RECORDING_VARIABLE", "REPLAY_VARIABLE", "mode_of_environment", "open_as", "use_recording"]
