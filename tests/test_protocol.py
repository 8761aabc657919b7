"""`protocol.ts` and the kernel's side of it say the same: every message that is really sent fits the types of the page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.control import Control
from jupyter_agents.display.bundle import METADATA_KEY
from jupyter_agents.display.page import LivePage
from jupyter_agents.executors import undo
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.human.base import Action, Prompt
from jupyter_agents.widgets.protocol import Activity, CodeFacts, Composer, Item, LiveTurn, QuestionCard, Standstill
from tests.fakes import FakeClock

SOURCE = Path(__file__).parents[1] / "labextension" / "src"
pytestmark = pytest.mark.skipif(not SOURCE.is_dir(), reason="the sources of the front end are not here")


# -- The types of the page ---------------------------------------------------------------------------------------


@dataclass
class Types:
    """Interfaces (fields and whether they may be missing), and unions of objects, by name."""

    interfaces: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=dict)
    unions: dict[str, list[dict[str, tuple[str, bool]]]] = field(default_factory=dict)

    @classmethod
    def read(cls, source: str) -> "Types":
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", source, flags=re.DOTALL)
        found = cls()
        for match in re.finditer(r"export interface (\w+) \{(.*?)\n\}", text, re.DOTALL):
            found.interfaces[match[1]] = _fields(match[2])
        for match in re.finditer(r"export type (\w+) =((?:\s*\|\s*\{.*?\})+);", text, re.DOTALL):
            found.unions[match[1]] = [_fields(one) for one in re.findall(r"\{(.*?)\}", match[2], re.DOTALL)]
        return found

    def fits(self, value: object, kind: str) -> bool:
        """Whether a value of JSON is of a type."""
        kinds = [one.strip() for one in kind.split("|") if one.strip()]
        return any(self._fits(value, one.removeprefix("readonly ").strip()) for one in kinds)

    def _fits(self, value: object, kind: str) -> bool:
        if kind.endswith("[]"):
            return isinstance(value, list | tuple) and all(self.fits(one, kind[:-2]) for one in value)
        if kind.startswith("'"):
            return value == kind.strip("'")
        if kind in self.interfaces:
            return fits_fields(self, value, self.interfaces[kind])
        if kind in self.unions:
            return any(fits_fields(self, value, fields) for fields in self.unions[kind])
        partial = re.fullmatch(r"Partial<(\w+)>", kind)
        if partial:
            fields = {name: (of, True) for name, (of, _) in self.interfaces[partial[1]].items()}
            return fits_fields(self, value, fields)
        if kind == "Readonly<Record<string, string>>":
            return isinstance(value, dict) and all(isinstance(one, str) for one in (*value, *value.values()))
        return isinstance(value, _PLAIN[kind]) and (kind != "number" or not isinstance(value, bool))

    def literals(self, interface: str, name: str) -> set[str]:
        """The words that a field may hold."""
        return set(re.findall(r"'(\w+)'", self.interfaces[interface][name][0]))

    def kinds(self, union: str, tag: str) -> dict[str, dict[str, tuple[str, bool]]]:
        """The members of a union, by what tells them apart."""
        return {fields[tag][0].strip("'"): fields for fields in self.unions[union]}


_PLAIN = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "Readonly<Record<string, unknown>>": dict,
}


def _fields(text: str) -> dict[str, tuple[str, bool]]:
    found = re.findall(r"readonly (\w+)(\??):\s*([^;]+?)\s*(?:;|$)", text)
    return {name: (kind, bool(optional)) for name, optional, kind in found}


def fits_fields(types: Types, value: object, fields: dict[str, tuple[str, bool]]) -> bool:
    """Whether an object has just these fields, each of its type."""
    if not isinstance(value, dict) or not set(value) <= set(fields):
        return False
    missing = set(fields) - set(value)
    return all(fields[name][1] for name in missing) and all(
        types.fits(one, fields[name][0]) for name, one in value.items()
    )


@pytest.fixture(scope="module")
def types():
    return Types.read((SOURCE / "view" / "protocol.ts").read_text("utf-8"))


def test_types_of_the_page_are_read_completely(types):
    text = (SOURCE / "view" / "protocol.ts").read_text("utf-8")

    assert set(types.interfaces) == set(re.findall(r"export interface (\w+)", text))
    assert set(types.unions) == {"Op", "FromKernel", "ToKernel"}
    assert sum(len(members) for members in types.unions.values()) == len(re.findall(r"readonly (?:t|op): '", text))


@pytest.mark.parametrize(
    ("value", "kind", "fits"),
    [
        ({"name": "x", "kind": "int"}, "IName", True),
        ({"name": "x"}, "IName", False),
        ({"name": "x", "kind": "int", "more": 1}, "IName", False),
        ({"name": "x", "kind": None}, "IName", False),
        ({"op": "text", "text": "x"}, "Op", True),
        ({"op": "set", "values": {"earlier": 1}}, "Op", True),
        ({"op": "set", "values": {"earlier": True}}, "Op", False),
        ({"op": "set", "values": {"later": 1}}, "Op", False),
        ([1, "x"], "readonly string[]", False),
        (None, "string | null", True),
    ],
)
def test_check_of_types_finds_what_does_not_fit(types, value, kind, fits):
    assert types.fits(value, kind) is fits


# -- What the kernel sends ---------------------------------------------------------------------------------------

BUNDLE = ({"text/plain": "hello"}, {"a": 1})
FACTS = CodeFacts(("df",), ("total",), ("tmp",), ("writes files",))


class Wire:
    """A live page whose widget keeps what it sends; `hear` says something as a page would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[dict[str, object]] = []
        monkeypatch.setattr("jupyter_agents.widgets.live.make_widget", self._make)
        self.clock, self.said = FakeClock(), []
        self.page = LivePage(Control(), lambda: {"df": [1], "total": 2}, self.clock)
        self.page.say = lambda to, text: self.said.append((to, text))
        assert self.page.model_id == "model-1"
        self.hear({"t": "hello", "page": "p"})
        self.hear({"t": "sync", "page": "p", "views": 1, "first": None, "earlier": False})

    def _make(self, hear, closed):
        self.hear = hear
        return self

    model_id = "model-1"
    comm = object()

    def send(self, message):
        self.sent.append(message)


@pytest.fixture
def wire(monkeypatch):
    return Wire(monkeypatch)


def everything_that_happens(wire) -> Iterator[None]:
    """Every change of the state, one after the other."""
    page, channel = wire.page, wire.page.channel
    now = wire.clock.now()
    yield channel.set(live=LiveTurn("assistant", "user", 1, "Hel"), is_going_on=True)
    yield channel.text("lo")
    for kind in ("model", "code", "tool", "retry", "queue", "person"):
        yield channel.set(activity=Activity(kind, "assistant", "why", now, now + 3 if kind == "retry" else None))
    yield channel.add(Item(1, "bundle", *BUNDLE))
    yield channel.add(Item(-1, "output", *BUNDLE))
    yield channel.renew()
    yield channel.stream(Item(-1, "output", *BUNDLE), "more")
    yield channel.set(live=None, activity=None, composer=Composer(("coder", "critic"), is_busy=True))
    for phase in ("pausing", "paused", "stepping"):
        yield channel.set(pause=Standstill(phase, "assistant", "reply"))
    block = CodeBlock("python", "total = 2")
    yield page.ask(Prompt("Run this code?", "approval", "user", block=block, timeout=5), facts=FACTS)
    yield page.ask(Prompt("Which?", "choice", "user", choices=("a", "b"), otherwise="a", timeout=3))
    yield page.ask(Prompt("Who?", agent="user", sender="assistant", empty="auto"))


def test_all_that_the_kernel_sends_fits_the_types_of_the_page(types, wire):
    for _ in everything_that_happens(wire):
        wire.clock.run(0.05)
        wire.hear({"t": "sync", "page": "p", "views": 1, "first": None, "earlier": False})
    undo.history().keep("abc-1", {"x": 2}, {"x": (1, 2)}, ["rows"])
    wire.hear({"t": "undo", "view": "v", "block": "abc-1"})
    wire.hear({"t": "look", "view": "v", "ask": 1, "prefix": "d", "text": "Hi", "attached": ["df"]})
    [question, *_] = wire.page.questions.values()
    wire.hear({"t": "answer", "view": "v", "id": question.card.id, "answer": {"action": "run", "text": ""}})
    wire.page.close_question(question)
    wire.clock.run(2)

    assert [message for message in wire.sent if not types.fits(message, "FromKernel")] == []
    ops = [op["op"] for message in wire.sent for op in message.get("ops", ())]
    assert set(ops) == set(types.kinds("Op", "op"))
    # That a slot is about to be replaced is known to the page without being told: no kernel sends `leaving` now.
    assert {message["t"] for message in wire.sent} == set(types.kinds("FromKernel", "t")) - {"leaving"}


@pytest.mark.parametrize(
    ("interface", "name", "words"),
    [
        ("IItem", "kind", get_args(get_type_hints(Item)["kind"])),
        ("IActivity", "kind", get_args(get_type_hints(Activity)["kind"])),
        ("IQuestion", "kind", get_args(get_type_hints(QuestionCard)["kind"])),
        ("IQuestion", "empty", get_args(get_type_hints(QuestionCard)["empty"])),
        ("IAnswer", "action", get_args(Action)),
        ("IPause", "phase", get_args(get_type_hints(Standstill)["phase"])),
        ("IPause", "next", set(get_args(get_type_hints(Standstill)["next"])) - {""}),
    ],
)
def test_words_of_a_field_are_the_same_on_both_sides(types, interface, name, words):
    assert types.literals(interface, name) == set(words)


# -- What the kernel hears ---------------------------------------------------------------------------------------


class Read(dict):
    """A message that writes down which of its fields are read."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.read: set[str] = set()

    def get(self, name, default=None):
        self.read.add(name)
        return super().get(name, default)

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)


def spoken(question: str) -> dict[str, dict[str, object]]:
    """One message of a page of each kind."""
    answer = {"action": "reply", "text": "Ada", "attached": ["df"], "always": False}
    return {
        "hello": {"page": "p"},
        "pong": {"page": "p", "views": 1},
        "sync": {"page": "p", "views": 1, "first": None, "earlier": True},
        "answer": {"view": "v", "id": question, "answer": Read(answer)},
        "stop": {"view": "v"},
        "interrupt": {"view": "v"},
        "pause": {"view": "v"},
        "resume": {"view": "v"},
        "step": {"view": "v"},
        "undo": {"view": "v", "block": "abc-1"},
        "say": {"view": "v", "to": "coder", "text": "Hi", "attached": []},
        "look": {"view": "v", "ask": 1, "prefix": None, "text": "Hi", "attached": []},
    }


def test_kernel_reads_every_field_of_what_a_page_says_and_no_other(types, wire):
    question = wire.page.ask(Prompt("Who?", agent="user"))
    messages = spoken(question.card.id)
    assert set(messages) == set(types.kinds("ToKernel", "t"))

    for kind, content in messages.items():
        message = Read({"t": kind} | content)
        wire.hear(message)

        fields = set(types.kinds("ToKernel", "t")[kind])
        assert set(message) == fields
        assert types.fits(dict(message), "ToKernel")
        assert message.read - fields <= {"view", "page", "t"}, kind
        assert fields - message.read <= {"view", "page"}, kind

    given = messages["answer"]["answer"]
    assert given.read == set(types.interfaces["IAnswer"])
    assert question.answer.text.startswith("Ada")
    assert wire.said == [("coder", "Hi")]


# -- Names that both sides know ----------------------------------------------------------------------------------


def test_mime_types_and_keys_are_the_same_on_both_sides():
    protocol, message, undoing = (
        (SOURCE / path).read_text("utf-8") for path in ("view/protocol.ts", "view/message.ts", "undo.ts")
    )

    assert f"MESSAGE_MIME = '{MESSAGE_MIME}'" in protocol
    assert f"METADATA = '{METADATA_KEY}'" in message
    assert f"UNDONE_MIME = '{undo.UNDONE_MIME}'" in undoing
    assert undo.undo.__module__ in undoing
    assert f"'{undo.undoable.__name__}'" in undoing


def test_page_lets_the_id_of_every_block_through():
    [pattern] = re.findall(r"const BLOCK = /(.*)/;", (SOURCE / "view" / "changes.ts").read_text("utf-8"))

    for number in range(100):
        assert re.fullmatch(pattern.strip("^$"), undo.new_block_id(f"x = {number}"))


def test_page_has_words_for_every_reason_of_the_kernel(wire):
    source = (SOURCE / "view" / "changes.ts").read_text("utf-8")
    history = undo.UndoHistory(budget=1000)
    history.keep("abc-1", {"x": 3}, {"x": (1, 2), "big": ("x" * 2000, 1)}, ["rows"])

    reasons = [*history.undo("abc-1").left.values(), history.undo("abc-1").reason]

    assert len(set(reasons)) == 4
    assert [reason for reason in reasons if f"__('{reason}')" not in source and f"'{reason}'" not in source] == []
