"""What a shell script may do, by the commands in it."""

from __future__ import annotations

import re

from jupyter_agents.code_facts.notes import (
    DYNAMIC,
    ENDS,
    ENVIRONMENT,
    INSTALLS,
    NETWORK,
    RIGHTS,
    WRITES,
    Notes,
)

_SEPARATOR = re.compile(r"\$\(|[;\n|&(){}`]+")
_REDIRECT = re.compile(r"(?:^|[^-=<>&])\d?>{1,2}(?!&)\s*(?!/dev/null\b)\S")
_PREFIXES = frozenset(
    "env nohup time exec command builtin xargs then do else elif if while until nice ! timeout".split()
)
_SHELL_RULES: dict[str, str] = {
    **dict.fromkeys(
        "rm rmdir unlink shred mv cp dd mkfs truncate tee touch mkdir ln chmod chown install unzip tar patch".split(),
        WRITES,
    ),
    **dict.fromkeys(
        "curl wget ssh scp sftp rsync nc ncat netcat ftp telnet git gh aws gcloud gsutil ping docker kubectl".split(),
        NETWORK,
    ),
    **dict.fromkeys("sudo su doas".split(), RIGHTS),
    **dict.fromkeys("export source . unset cd umask ulimit crontab systemctl".split(), ENVIRONMENT),
    **dict.fromkeys("kill pkill killall shutdown reboot halt poweroff".split(), ENDS),
    **dict.fromkeys("eval sh bash zsh python python3 perl ruby node osascript".split(), DYNAMIC),
}
_INSTALLERS = frozenset(
    "pip pip3 conda mamba micromamba uv npm pnpm yarn apt apt-get brew dnf yum apk pacman gem cargo".split()
)
_INSTALLING = frozenset("install add -S i sync update upgrade uninstall remove".split())


def note_script(script: str, notes: Notes) -> None:
    """Note what the commands of a script, the first words of its parts, are known for."""
    redirect = _REDIRECT.search(script)
    if redirect is not None:
        notes.add(WRITES, ">")
    for part in _SEPARATOR.split(script):
        words = part.split()
        while words and (words[0] in _PREFIXES or re.match(r"\w+=", words[0])):
            words = words[1:]
        _note_command(words, notes)


def _note_command(words: list[str], notes: Notes) -> None:
    if not words or words[0].startswith("#"):
        return
    name = words[0].strip("\"'\\").rpartition("/")[2]
    kind = _SHELL_RULES.get(name)
    if kind is not None:
        notes.add(kind, name)
    if kind == RIGHTS:
        _note_command(words[1:], notes)
    is_pip = name.startswith("python") and words[1:3] == ["-m", "pip"]
    if is_pip or (name in _INSTALLERS and _INSTALLING & set(words[1:4])):
        notes.add(INSTALLS, " ".join(words[:3]))
    if name in ("sed", "perl") and any(word.startswith("-i") for word in words[1:4]):
        notes.add(WRITES, f"{name} -i")
    if name == "find" and {"-delete", "-exec"} & set(words):
        notes.add(WRITES, "find")
