"""Memos in a file: kept, found by their words, forgotten; and what is said of a file that cannot be used."""

import os
import sqlite3
import threading

import pytest

from jupyter_agents import memo_store
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.memo_store import MemoStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "memos.sqlite"


def filled(path, *memos):
    store = MemoStore(path)
    for about, text in memos:
        store.add(text, about)
    return store


def test_memos_are_there_when_the_file_is_opened_again(path):
    filled(path, ("the deadline of Alpha", "June 3rd."))

    [memo] = MemoStore(path).memos()

    assert str(memo) == "the deadline of Alpha: June 3rd."


def test_nothing_is_written_when_there_is_only_something_to_look_up(path):
    store = MemoStore(path)

    assert (store.memos(), store.search("anything", 3), store.forget("x"), store.vectors()) == ([], [], 0, {})
    assert not path.parent.exists()


def test_same_memo_is_kept_once_and_as_the_newest(path):
    store = filled(path, ("a", "One."), ("b", "Two."), ("a", "One."))

    assert [(memo.id, memo.text) for memo in store.memos()] == [(2, "Two."), (3, "One.")]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("When is the deadline of project Alpha?", ["June 3rd."]),
        ("PLOTTING time series?", ["Use a logarithmic axis."]),
        ("make plots of the time series", ["Use a logarithmic axis."]),
        ("read_csv of the stations", ["Use read_csv with sep=';'."]),
        ("北京有多少人口", ["两千万。"]),
        ("Something else altogether", []),
        ("", []),
        ("the of and", []),
        ("\" OR * -- ' ; DROP TABLE memos", []),
    ],
)
def test_memos_are_found_by_their_words(path, question, found):
    store = filled(
        path,
        ("the deadline of project Alpha", "June 3rd."),
        ("plotting time series", "Use a logarithmic axis."),
        ("the files of the stations", "Use read_csv with sep=';'."),
        ("北京的人口", "两千万。"),
        ("colours", "Prefers blue."),
    )

    assert [memo.text for memo in store.search(question, 1, 0.3)] == found
    assert len(store.memos()) == 5


def test_rare_words_count_for_more_than_common_ones(path):
    store = filled(path, *((f"project number {one}", "data") for one in range(20)), ("project zebra", "data"))

    assert store.search("the data of project zebra", 3)[0].about == "project zebra"


def test_long_question_finds_memos_when_it_has_more_words_than_sqlite_takes_at_once(path):
    store = filled(path, ("deadline", "June 3rd."))

    assert store.search(" ".join(f"word{one}" for one in range(3_000)) + " deadline june 3rd", 3)


def test_memos_that_share_too_little_are_left_out(path):
    store = filled(path, ("the deadline of project Alpha in Berlin", "June 3rd, before noon."))

    assert store.search("Which project should we visit tomorrow morning?", 3, 0.3) == []
    assert len(store.search("Which project should we visit tomorrow morning?", 3)) == 1


@pytest.mark.parametrize(
    ("which", "left"),
    [(1, ["Two."]), ("ONE", ["Two."]), ("about", []), ("nothing", ["One.", "Two."]), (9, ["One.", "Two."])],
)
def test_memos_are_forgotten_by_id_or_by_a_part(path, which, left):
    store = filled(path, ("about a", "One."), ("about b", "Two."))

    count = store.forget(which)

    assert [memo.text for memo in store.memos()] == left
    assert count == 2 - len(left)


def test_all_are_forgotten_when_the_store_is_cleared(path):
    store = filled(path, ("a", "One."), ("b", "Two."))

    store.clear()

    assert store.memos() == []


def test_several_threads_may_write_at_once(path):
    store = MemoStore(path)
    threads = [threading.Thread(target=store.add, args=(f"Memo {one}.",)) for one in range(20)]

    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert len(store.memos()) == 20


# -- Files that cannot be used --------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"This is a text, and no database at all, whatever its name may say." * 9])
def test_damaged_file_is_an_error_that_says_so_and_stays_as_it_is(path, content):
    path.parent.mkdir()
    path.write_bytes(content)

    for access in (MemoStore(path).memos, lambda: MemoStore(path).add("One."), MemoStore(path).clear):
        with pytest.raises(ConfigurationError, match="it is no SQLite database, or it is damaged. Move it away"):
            access()
    assert path.read_bytes() == content


def test_database_of_something_else_is_left_alone(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE photos (id INTEGER)")
    database.close()

    with pytest.raises(ConfigurationError, match="it is a database of something else"):
        MemoStore(path).add("One.")


def test_file_that_somebody_else_writes_to_is_an_error_after_a_while(path, monkeypatch):
    monkeypatch.setattr(memo_store, "_WAIT", 0.1)
    store = filled(path, ("a", "One."))
    database = sqlite3.connect(path)
    database.execute("BEGIN EXCLUSIVE")

    try:
        with pytest.raises(ConfigurationError, match="Cannot write memos in .*: another program is writing to it"):
            store.add("Two.")
    finally:
        database.rollback()
        database.close()

    assert len(store.memos()) == 1


def test_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="Cannot write memos in .*Check its folder"):
        MemoStore(tmp_path / "file" / "memos.sqlite").add("One.")


def test_read_only_file_can_be_read_and_not_written(path):
    store = filled(path, ("a", "One."))
    if os.geteuid() == 0:  # for whom nothing is read-only: the error is that of a database opened so
        store = ReadOnly(path)
    else:
        path.chmod(0o400)
        path.parent.chmod(0o500)

    try:
        assert len(store.memos()) == 1
        with pytest.raises(ConfigurationError, match="it is read-only. Make it writable"):
            store.add("Two.")
    finally:
        path.parent.chmod(0o700)


class ReadOnly(MemoStore):
    """A store whose file cannot be written, also for the superuser."""

    def _prepare(self, database, what_for):
        super()._prepare(database, what_for)
        database.execute("PRAGMA query_only = ON")


@pytest.mark.parametrize("name", ["", " ", ":memory:"])
def test_what_is_no_file_is_refused(name):
    with pytest.raises(ConfigurationError, match="it is no file"):
        MemoStore(name)


def test_empty_memo_is_refused(path):
    with pytest.raises(ConfigurationError, match="Cannot remember nothing"):
        MemoStore(path).add(" \n")
