"""Which recordings this user trusts, kept where no notebook and no repository reaches.

A recording can hold a person's approval of code. Whoever hands you a recording could so approve code in your
name. So an approval counts only when the recording was made here, or its user said that it is to be trusted.
What is trusted is the SHA-256 of a recorded conversation: a change of one character ends it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from jupyter_agents.errors import RecordingError
from jupyter_agents.journal import recording_file

TRUST_ALL = "JUPYTER_AGENTS_TRUST_RECORDINGS"
"""Set to 1 where all recordings are one's own: in CI, and for a project's examples."""

DATABASE = "JUPYTER_AGENTS_TRUST_DB"
"""Another place for the file of the trust store."""


def trust_recording(path: str | os.PathLike[str]) -> int:
    """Trust all conversations of a recording from elsewhere: approvals in it count from now on. How many there are.

    Look at the code in it first: an approval in a trusted recording runs it without asking you.
    """
    return TrustStore().trust(Path(path))


class TrustStore:
    """The conversations that this user trusts: JSON lines in Jupyter's data directory, for this user's eyes only.

    >>> import tempfile
    >>> store = TrustStore(Path(tempfile.mkdtemp()) / "trusted.jsonl")
    >>> store.add("9f86d081884c7d65")
    >>> store.is_trusted("9f86d081884c7d65"), store.is_trusted("60303ae22b998861")
    (True, False)
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = None if path is None else Path(path)

    @property
    def path(self) -> Path:
        """The file. It need not exist."""
        if self._path is None:
            self._path = Path(os.environ.get(DATABASE) or _default())
        return self._path

    def is_trusted(self, digest: str) -> bool:
        """Whether a conversation with this digest was recorded here, or is trusted by word of the user."""
        return os.environ.get(TRUST_ALL, "").strip().lower() in ("1", "true", "yes") or digest in self._read()

    def add(self, digest: str, note: str = "") -> None:
        """Trust a conversation. `note` tells a person who reads the file which one it is."""
        if digest in self._read():
            return
        entry = json.dumps({"sha256": digest, "note": note, "since": recording_file.today()})
        line = f"\n{entry}\n"  # should the line before have been cut off, this one is still whole
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(
                os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab", buffering=0
            ) as file:
                file.write(line.encode())
        except OSError as error:
            raise RecordingError(
                f"Cannot trust a recording: {str(self.path)!r} cannot be written ({error.strerror or error}). "
                f"Set {DATABASE} to a file that can."
            ) from error

    def trust(self, path: str | Path) -> int:
        """Trust all conversations of a recording, approvals included; how many there are.

        Whoever does this says: I have read the code that is approved in there.
        """
        found = _digests(Path(path))
        for digest in found:
            self.add(digest, note=str(path))
        return len(found)

    def _read(self) -> frozenset[str]:
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError:
            return frozenset()
        return frozenset(_of_lines(lines))


def _of_lines(lines: Iterable[bytes]) -> Iterable[str]:
    for line in lines:
        try:
            yield str(json.loads(line)["sha256"])
        except (ValueError, TypeError, KeyError, RecursionError):
            continue  # a line that was cut off trusts nothing


def _digests(path: Path) -> list[str]:
    contents = recording_file.read(path, action="trust")
    return [one.digest for one in contents.conversations.values() if one.exchanges]


def _default() -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir(), "jupyter_agents", "trusted_recordings.jsonl")
