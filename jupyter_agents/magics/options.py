"""What may stand behind `%%agentchat` and `%%agent`, and what their `--help` says."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import Any, NoReturn

from jupyter_agents.budget import Budget, budget_from_text
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.nearest import nearest

MODES = ("ALWAYS", "TERMINATE", "NEVER")
POLICIES = ("ask", "auto", "deny")
REPLAYS = ("model", "all")


class HelpAsked(Exception):
    """The line asks for help; the text is the help."""


class Options(argparse.ArgumentParser):
    """A parser that neither prints nor ends the process, and whose errors say what to do."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(add_help=False, allow_abbrev=False, formatter_class=_Help, **kwargs)
        self.add_argument("-h", "--help", action="store_true", help="show this help")

    def parse_line(self, line: str) -> argparse.Namespace:
        """The options of a line. Raises `HelpAsked`, or `ConfigurationError` in one line."""
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise ConfigurationError(
                f"Cannot read the options of {self.prog}: {error}. Check the quotation marks."
            ) from None
        if {"-h", "--help"} & set(words):
            raise HelpAsked(self.format_help())
        found, unknown = self.parse_known_args(words)
        if unknown:
            self._refuse(unknown[0])
        return found

    def error(self, message: str) -> NoReturn:
        """What argparse calls for a mistake; it would end the process."""
        raise ConfigurationError(f"Cannot run {self.prog}: {message}. See {self.prog} --help.")

    def _refuse(self, word: str) -> NoReturn:
        known = [option for action in self._actions for option in action.option_strings]
        guess = nearest(word.partition("=")[0], known) if word.startswith("-") else None
        hint = f"Did you mean {guess}?" if guess else f"See {self.prog} --help."
        kind = "option" if word.startswith("-") else "word"
        raise ConfigurationError(f"Cannot run {self.prog}: unknown {kind} {word!r}. {hint}")


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=100)


def _choice(kind: str, choices: Sequence[str], *, upper: bool = False) -> Any:
    def checked(word: str) -> str:
        found = word.upper() if upper else word.lower()
        if found not in choices:
            raise argparse.ArgumentTypeError(
                f"{word!r} is no {kind}; choose {', '.join(choices[:-1])} or {choices[-1]}"
            )
        return found

    return checked


def _positive(word: str) -> int:
    if not word.isdigit() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number of at least 1")
    return int(word)


def _budget(word: str) -> Budget:
    try:
        return budget_from_text(word)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error).removesuffix(".")) from None


def chat_options() -> Options:
    """The options of `%%agentchat`."""
    parser = Options(
        prog="%%agentchat",
        usage="%%%%agentchat [options]\n       MESSAGE",
        description="Hold a conversation between agents. The cell's text is the opening message; {name}, {name.attribute}\n"
        "and {name[key]} stand for values of your variables. Other braces are sent as they are (JSON, formulas, code);\n"
        "a {name} of which there is no variable is, too, and a note says so. The result is in _chat.",
        epilog="Without agents in the notebook, an assistant and a user proxy are made for you; the code of the assistant\n"
        "runs in this kernel after you have approved it. Settings for all chats: %config JupyterAgents\n"
        "JUPYTER_AGENTS_REPLAY in the environment goes before both: model, all, record and refresh hold for every\n"
        "chat, off switches the settings off, but not the options --record, --replay and --refresh.",
    )
    add = parser.add_argument
    add(
        "--to",
        metavar="AGENT",
        help="who is spoken to, an agent or group: a variable or name (if not given, the only group or assistant)",
    )
    add("--from", dest="from_", metavar="AGENT", help="who speaks for you (if not given, the only user proxy)")
    add(
        "--human",
        metavar="MODE",
        type=_choice("mode", MODES, upper=True),
        help="when the one who speaks for you asks you: always, terminate (at the end) or never",
    )
    add(
        "--max-turns",
        metavar="N",
        type=_positive,
        help="end after N round trips (30, if not configured); not for groups",
    )
    add(
        "--budget",
        metavar="LIMITS",
        type=_budget,
        help="end before more is spent: US dollars (0.50), or limits by name (turns=20,money=0.50,seconds=60)",
    )
    add(
        "--cache",
        metavar="FILE",
        nargs="?",
        const=True,
        help="ask a model only what is not kept in FILE, or in .jupyter_agents/cache.sqlite, and keep what it replies",
    )
    add(
        "--approve",
        metavar="HOW",
        type=_choice("policy", POLICIES),
        help="code of all agents in this chat: ask you, auto (run it without asking) or deny",
    )
    add("--model", metavar="NAME", help="the model that speaks for the agent spoken to, in this chat")
    add("--continue", dest="continue_", action="store_true", help="go on with the last chat between the two")
    add(
        "--background",
        action="store_true",
        help="return at once and talk on while you work; _chat is a task until then",
    )
    add("--into", metavar="NAME", help="put the result into this variable (besides _chat)")
    add(
        "--record",
        metavar="FILE",
        nargs="?",
        const="",
        help="record what models and people say, in FILE or recordings/NOTEBOOK.jsonl",
    )
    add(
        "--replay",
        metavar="WHAT",
        nargs="?",
        const="all",
        help="replay a recording: the words of models only (model) or of people too (all, if not given)",
    )
    add(
        "--refresh",
        metavar="FILE",
        nargs="?",
        const="",
        help="replay what is still asked as it was recorded, and record the rest",
    )
    add("--recording", metavar="FILE", help="the recording's file, for --record, --replay and --refresh")
    add("--quiet", action="store_true", help="show only what the code shows")
    return parser


def agent_options() -> Options:
    """The options of `%%agent`."""
    parser = Options(
        prog="%%agent",
        usage="%%%%agent NAME [options]\n       SYSTEM MESSAGE",
        description="Define an agent. It becomes the variable NAME; the cell's text is its system message.",
    )
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="the agent's name, and the variable that holds it")
    add("--model", metavar="NAME", help="the model that speaks for it (the configured one, if not given)")
    add(
        "--human",
        metavar="MODE",
        type=_choice("mode", MODES, upper=True),
        help="when it asks you: always, terminate (at the end) or never (if not given)",
    )
    add("--proxy", action="store_true", help="a user proxy: it speaks for you and runs code, and has no model")
    add(
        "--approve",
        metavar="HOW",
        type=_choice("policy", POLICIES),
        help="before a proxy runs code: ask you (if not given), auto (run it without asking) or deny",
    )
    add("--description", metavar="TEXT", help="what it is for, for other agents")
    return parser
