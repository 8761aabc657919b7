"""What a block has changed in the namespace, and taking it back."""

import asyncio
import json
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.drive import a_drive
from jupyter_agents.executors import undo as undoing
from jupyter_agents.executors.changes import MAX_NAMES, UNBOUND, Bindings, kind_of
from jupyter_agents.executors.live import LiveExecutor
from jupyter_agents.executors.undo import UndoHistory, forget, size_of, undo


@pytest.fixture
def run(run, bare_shell):
    """The same, with no variables and no changes of an earlier test."""
    for name in [name for name in bare_shell.user_ns if not name.startswith("_") and name not in ("In", "Out")]:
        if name not in bare_shell.user_ns_hidden:
            del bare_shell.user_ns[name]
    yield run
    forget()


def named(changes):
    return {sort: [one.name for one in getattr(changes, sort)] for sort in ("added", "rebound", "changed", "deleted")}


NOTHING = {"added": [], "rebound": [], "changed": [], "deleted": []}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("x = 1", {"added": ["x"]}),
        ("kept", {}),
        ("kept = kept", {}),
        ("kept = [1, 2]", {"rebound": ["kept"]}),
        ("kept.append(3)", {"changed": ["kept"]}),
        ("kept[0] = 9", {}),
        ("del kept", {"deleted": ["kept"]}),
        ("_hidden = 1; __also = 2", {}),
        ("6 * 7", {}),
        ("import json\ndef f(): pass\nclass C: pass", {"added": ["json", "f", "C"]}),
        ("frame.pop('b');", {"changed": ["frame"]}),
        ("frame['c'] = 1; frame = frame", {"changed": ["frame"]}),
        ("open = exit = In = 5", {}),
        ("x = 1\n1/0", {"added": ["x"]}),
    ],
)
def test_changes_name_what_the_block_changed(run, bare_shell, code, found):
    bare_shell.user_ns.update(kept=[1, 2], frame=pd.DataFrame({"a": [1], "b": [2]}))

    changes = run(code).changes

    assert named(changes) == NOTHING | found
    assert changes.is_known


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "None"),
        (True, "bool"),
        (1.5, "float"),
        ("secret", "str, 6 characters"),
        (b"x", "bytes, 1 byte"),
        ([1], "list, 1 item"),
        ({}, "dict, 0 items"),
        (pd.DataFrame({"a": range(1703), "b": 1}), "DataFrame 1,703 × 2"),
        (pd.Series([1.0, 2.0]), "Series float64 2"),
        (np.zeros((3, 4)), "ndarray float64 3 × 4"),
        (np.float64(2), "float64"),
        (json, "module json"),
        (json.dumps, "function"),
        (dict, "class dict"),
        (type("a\nb" + "c" * 200, (), {})(), "a\N{REPLACEMENT CHARACTER}b" + "c" * 76 + "…"),
    ],
)
def test_kind_says_what_a_value_is_and_never_what_is_in_it(value, kind):
    assert kind_of(value) == kind


def test_no_code_of_the_user_runs_when_changes_are_found(run):
    code = (
        "ran = []\n"
        "class Meta(type):\n"
        "    @property\n"
        "    def __name__(cls): ran.append('name'); return 'x'\n"
        "class Sly(list, metaclass=Meta):\n"
        "    def __len__(self): ran.append('len'); return 1\n"
        "    def __repr__(self): ran.append('repr'); return 'sly'\n"
        "    def __eq__(self, other): ran.append('eq'); return True\n"
        "    def __sizeof__(self): ran.append('sizeof'); return 1\n"
        "    def __getattribute__(self, name): ran.append(name); return super().__getattribute__(name)\n"
        "for sly in [Sly()]: pass"
    )

    first = run(code)
    second = run("for sly in [Sly()]: list.append(sly, 1)")  # IPython looks at what a line begins with
    undo(second.block_id)

    assert [one.kind for one in first.changes.added if one.name == "sly"] == ["Sly, 0 items"]
    assert [(one.kind, one.before) for one in second.changes.rebound] == [("Sly, 1 item", "Sly, 0 items")]
    assert run("ran").text == "[]"


def test_changes_are_bounded_and_count_the_rest(run):
    changes = run("globals().update({f'n{i}': i for i in range(500)})").changes

    assert len(changes.added) == MAX_NAMES
    assert changes.more == 500 - MAX_NAMES


def test_changes_are_json(run):
    found = json.loads(json.dumps(run("text = 'abc'").changes.to_json()))

    assert found == {
        "added": [{"name": "text", "kind": "str, 3 characters", "before": ""}],
        "rebound": [],
        "changed": [],
        "deleted": [],
        "more": 0,
        "is_known": True,
    }


def test_result_has_no_changes_when_the_block_cannot_reach_the_namespace(run):
    assert run("true", "bash").changes is None
    assert run("{}", "json").changes is None


def test_every_run_of_a_block_has_an_id_of_its_own(run):
    first, second, other = run("x = 1"), run("x = 1"), run("x = 2")

    assert len({first.block_id, second.block_id, other.block_id}) == 3
    assert first.block_id.partition("-")[0] == second.block_id.partition("-")[0]


async def test_changes_are_unknown_when_a_cell_ran_beside_the_block(bare_shell, run):
    bare_shell.user_ns["begun"], bare_shell.user_ns["done"] = begun, done = asyncio.Event(), asyncio.Event()
    block = CodeBlock("python", "begun.set()\nawait done.wait()\ntheirs = 1")
    task = asyncio.ensure_future(a_drive(LiveExecutor(bare_shell).execute(block)))
    await begun.wait()
    bare_shell.run_cell("mine = 1")
    done.set()
    result = await task

    assert not result.changes.is_known
    assert named(result.changes) == NOTHING
    assert undo(result.block_id).restored == ()
    assert (bare_shell.user_ns["mine"], bare_shell.user_ns["theirs"]) == (1, 1)


def test_changes_are_unknown_when_a_cell_was_running_before_the_block_began(bare_shell, run):
    results = []
    bare_shell.user_ns["chat"] = lambda: results.append(run("theirs = 1"))

    bare_shell.run_cell("import threading\nthread = threading.Thread(target=chat)\nthread.start()\nthread.join()")

    assert not results[0].changes.is_known


# -- Undo ---------------------------------------------------------------------------------------------------------


def test_block_is_undone(run, bare_shell):
    bare_shell.user_ns.update(kept=(kept := [1]), gone=(gone := object()))
    result = run("kept = 5\nnew = 6\ndel gone")

    undone = undo(result.block_id)

    assert set(undone.restored) == {"kept", "new", "gone"}
    assert undone.left == {}
    assert bare_shell.user_ns["kept"] is kept
    assert bare_shell.user_ns["gone"] is gone
    assert "new" not in bare_shell.user_ns


def test_undo_leaves_what_the_user_has_bound_since(run, bare_shell):
    result = run("x = 1\ny = []\nz = 3\ndef f(): pass")
    bare_shell.user_ns.update(x=100, y=[])
    del bare_shell.user_ns["z"]
    bare_shell.user_ns["f"] = None

    undone = undo(result.block_id)

    assert undone.restored == ()
    assert dict.fromkeys("xyzf", "it has been changed since") == undone.left
    assert (bare_shell.user_ns["x"], bare_shell.user_ns["y"], bare_shell.user_ns["f"]) == (100, [], None)


def test_blocks_are_undone_one_after_the_other(run, bare_shell):
    bare_shell.user_ns["x"] = "first"
    one, two = run("x = 'second'"), run("x = 'third'")

    assert undo(one.block_id).left == {"x": "it has been changed since"}
    assert undo(two.block_id).restored == ("x",)
    assert bare_shell.user_ns["x"] == "second"


def test_undo_says_what_was_changed_in_place(run, bare_shell):
    bare_shell.user_ns["rows"] = [1]
    result = run("rows.append(2)\nx = 1")

    undone = undo(result.block_id)

    assert undone.restored == ("x",)
    assert undone.left == {"rows": "it was changed in place"}


def test_block_is_undone_once(run):
    result = run("x = 1")

    undo(result.block_id)

    assert undo(result.block_id).reason == "This block has been undone already."
    assert undo("no such block").to_json() == {
        "restored": [],
        "left": {},
        "reason": "Nothing is kept of a block with this id.",
    }


def test_nothing_is_undone_while_a_block_runs(run, bare_shell):
    first = run("x = 1")
    bare_shell.user_ns.update(undo=undo, first=first.block_id)

    result = run("undo(first).reason")

    assert "A block is running" in result.text
    assert undo(first.block_id).restored == ("x",)


def test_former_values_are_let_go_when_they_are_forgotten(run):
    result = run("x = 1")

    forget()

    assert undo(result.block_id).restored == ()


def test_oldest_block_is_forgotten_when_the_budget_is_spent():
    history, namespace = UndoHistory(budget=25_000), {}
    for number in range(5):
        before = namespace.get("x", UNBOUND)
        namespace["x"] = np.zeros(1_250)  # 10 kB
        history.keep(f"block {number}", namespace, {"x": (before, namespace["x"])})

    assert history.size <= 25_000
    assert [number for number in range(5) if history.can_undo(f"block {number}")] == [3, 4]


def test_undo_says_what_was_too_large_to_keep():
    before = np.zeros(1_000)
    history, namespace = UndoHistory(budget=5_000), {"x": 1, "y": 2}

    history.keep("block", namespace, {"x": (before, 1), "y": (0, 2)})

    undone = history.undo("block")
    assert (undone.restored, undone.left) == (("y",), {"x": "its former value was too large to keep"})


def test_value_that_a_block_made_is_not_kept_alive():
    class Big:
        pass

    history, namespace = UndoHistory(), {"x": Big()}
    history.keep("block", namespace, {"x": (UNBOUND, namespace["x"])})
    watched = undoing.weakref.ref(namespace["x"])

    del namespace["x"]

    assert watched() is None
    assert history.undo("block").left == {"x": "it has been changed since"}


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        (np.zeros(1_000), 8_000, 8_100),
        (pd.DataFrame({"a": np.zeros(1_000)}), 8_000, 8_400),
        ([np.zeros(1_000)] * 500, 4_000_000, 4_100_000),
        ({"a": b"x" * 10_000}, 10_000, 10_500),
        ("x" * 1_000, 1_000, 1_100),
        (type("Holder", (), {"__init__": lambda self: setattr(self, "held", "x" * 9_000)})(), 9_000, 9_500),
        (threading.Lock(), 1, 500),
    ],
)
def test_size_is_about_right(value, least, most):
    assert least <= size_of(value) <= most


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
VALUES = st.one_of(st.integers(), st.text(max_size=3), st.none(), st.lists(st.integers(), max_size=2), st.booleans())
BINDINGS = st.dictionaries(NAMES, VALUES)


@given(BINDINGS, st.lists(st.tuples(NAMES, st.one_of(st.just(UNBOUND), VALUES)), max_size=8))
def test_namespace_has_the_very_objects_of_before_when_a_block_that_binds_and_deletes_is_undone(namespace, steps):
    before, bindings, history = dict(namespace), Bindings(namespace), UndoHistory()
    for name, value in steps:
        namespace.pop(name, None)
        if value is not UNBOUND:
            namespace[name] = value
    history.keep("block", namespace, bindings.differences(namespace), bindings.resized(namespace))

    history.undo("block")

    assert namespace.keys() == before.keys()
    assert all(namespace[name] is value for name, value in before.items())


@given(BINDINGS, st.lists(st.lists(st.tuples(NAMES, VALUES), max_size=3), max_size=5))
def test_namespace_is_that_of_the_beginning_when_all_blocks_are_undone_backwards(namespace, blocks):
    before, history = dict(namespace), UndoHistory()
    for number, steps in enumerate(blocks):
        bindings = Bindings(namespace)
        namespace.update(steps)
        history.keep(str(number), namespace, bindings.differences(namespace))

    for number in reversed(range(len(blocks))):
        history.undo(str(number))

    assert namespace.keys() == before.keys()
    assert all(namespace[name] is value for name, value in before.items())
