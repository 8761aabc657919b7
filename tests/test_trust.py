import os
import stat
from pathlib import Path

import pytest

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.effects import Ask
from jupyter_agents.errors import RecordingError
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.journal.recording import Recording
from jupyter_agents.journal.trust import DATABASE, TRUST_ALL, TrustStore

TALK = Ask("user", Prompt("What next?", sender="assistant"))
CODE = Ask("user", Prompt("Run?", "approval", block=CodeBlock("python", "print(1)")))


@pytest.fixture(autouse=True)
def nothing_is_trusted(monkeypatch):
    monkeypatch.delenv(TRUST_ALL, raising=False)
    monkeypatch.delenv(DATABASE, raising=False)


@pytest.fixture
def here(tmp_path):
    return TrustStore(tmp_path / "here" / "trusted.jsonl")


@pytest.fixture
def elsewhere(tmp_path):
    return TrustStore(tmp_path / "elsewhere" / "trusted.jsonl")


def record(path, trust, *answers, first="What next?"):
    tape = Recording.open(path, "record", trust=trust).conversation()
    for ask, answer in [(Ask("user", Prompt(first)), Answer("go")), *((CODE, answer) for answer in answers)]:
        tape.record(ask, answer, chat=0, agent="user")
    tape.close()


def replay(path, trust, times=1, first="What next?"):
    tape = Recording.open(path, "replay", trust=trust).conversation()
    return [tape.replay(ask, chat=0, agent="user") for ask in [Ask("user", Prompt(first)), *[CODE] * times]]


def actions(answers):
    return [answer and answer.action for answer in answers]


@pytest.mark.parametrize("answer", [Answer("", "run"), Answer("print(2)", "edit"), Answer("", "reply")], ids=str)
def test_approval_counts_when_it_was_recorded_here(tmp_path, here, answer):
    record(tmp_path / "a.jsonl", here, answer)

    assert actions(replay(tmp_path / "a.jsonl", here)) == ["reply", answer.action]


@pytest.mark.parametrize("answer", [Answer("", "run"), Answer("print(2)", "edit"), Answer("", "reply")], ids=str)
def test_approval_is_asked_again_when_it_was_recorded_elsewhere(tmp_path, here, elsewhere, answer):
    record(tmp_path / "a.jsonl", elsewhere, answer)

    assert actions(replay(tmp_path / "a.jsonl", here)) == ["reply", None]


@pytest.mark.parametrize("action", ["reject", "stop"])
def test_refusal_counts_when_it_was_recorded_elsewhere(tmp_path, here, elsewhere, action):
    record(tmp_path / "a.jsonl", elsewhere, Answer("no", action))

    assert actions(replay(tmp_path / "a.jsonl", here)) == ["reply", action]


def test_talk_goes_on_when_an_approval_did_not_count(tmp_path, here, elsewhere):
    record(tmp_path / "a.jsonl", elsewhere, Answer("", "run"), Answer("no", "reject"))

    assert actions(replay(tmp_path / "a.jsonl", here, times=2)) == ["reply", None, "reject"]


@pytest.mark.parametrize(("value", "action"), [("1", "run"), ("true", "run"), ("0", None), ("", None), ("no", None)])
def test_approval_counts_when_the_environment_trusts_all_recordings(
    tmp_path, here, elsewhere, monkeypatch, value, action
):
    record(tmp_path / "a.jsonl", elsewhere, Answer("", "run"))

    monkeypatch.setenv(TRUST_ALL, value)

    assert actions(replay(tmp_path / "a.jsonl", here)) == ["reply", action]


def test_approval_counts_when_the_user_trusts_the_file(tmp_path, here, elsewhere):
    record(tmp_path / "a.jsonl", elsewhere, Answer("", "run"))

    assert here.trust(tmp_path / "a.jsonl") == 1

    assert actions(replay(tmp_path / "a.jsonl", here)) == ["reply", "run"]


def test_approval_is_asked_again_when_the_recording_was_changed(tmp_path, here):
    path = tmp_path / "a.jsonl"
    record(path, here, Answer("no", "reject"))

    path.write_text(path.read_text().replace('{"action": "reject", "text": "no"}', '{"action": "run", "text": ""}'))

    assert actions(replay(path, here)) == ["reply", None]


def test_approval_counts_when_only_the_ends_of_lines_changed(tmp_path, here):
    path = tmp_path / "a.jsonl"
    record(path, here, Answer("", "run"))

    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert actions(replay(path, here)) == ["reply", "run"]


def test_foreign_approval_gains_nothing_when_the_user_records_into_the_same_file(tmp_path, here, elsewhere):
    path = tmp_path / "a.jsonl"
    record(path, elsewhere, Answer("", "run"))

    record(path, here, Answer("", "run"), first="Something else?")

    assert actions(replay(path, here, first="Something else?")) == ["reply", "run"]
    assert actions(replay(path, here)) == ["reply", None]


def test_approval_is_asked_again_when_the_recording_ended_with_a_killed_kernel(tmp_path, here):
    tape = Recording.open(tmp_path / "a.jsonl", "record", trust=here).conversation()
    tape.record(TALK, Answer("go"), chat=0, agent="user")
    tape.record(CODE, Answer("", "run"), chat=0, agent="user")

    found = Recording.open(tmp_path / "a.jsonl", "replay", trust=here).conversation()

    assert found.replay(TALK, chat=0, agent="user") == Answer("go", replayed=True)
    assert found.replay(CODE, chat=0, agent="user") is None


def test_store_is_for_the_user_only_when_it_is_written(here):
    before = os.umask(0)
    try:
        here.add("abc")
    finally:
        os.umask(before)

    assert stat.S_IMODE(here.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(here.path.parent.stat().st_mode) == 0o700


def test_store_holds_a_digest_once_when_it_is_added_again(here):
    here.add("abc", "one")
    here.add("abc", "two")

    assert here.path.read_text().count("abc") == 1


def test_store_trusts_the_whole_lines_when_some_are_damaged(here):
    here.add("abc")
    with here.path.open("a") as file:
        file.write('not JSON\n[]\n"abc"\n{"sha": 1}\n' + "[" * 100_000 + '\n{"sha256": "def"}\n{"sha256": "gh')

    assert [here.is_trusted(one) for one in ("abc", "def", "gh", "")] == [True, True, False, False]


def test_store_writes_a_whole_line_when_the_last_one_was_cut_off(here):
    here.add("abc")
    with here.path.open("a") as file:
        file.write('{"sha256": "de')

    here.add("xyz")

    assert here.is_trusted("xyz")
    assert here.is_trusted("abc")


def test_store_refuses_when_it_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(
        RecordingError, match=r"^Cannot trust a recording: .*cannot be written.* Set JUPYTER_AGENTS_TRUST_DB"
    ):
        TrustStore(tmp_path / "file" / "trusted.jsonl").add("abc")


def test_recording_is_whole_when_it_cannot_be_trusted(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    unwritable = TrustStore(tmp_path / "file" / "trusted.jsonl")

    record(tmp_path / "a.jsonl", unwritable, Answer("", "run"))

    assert actions(replay(tmp_path / "a.jsonl", unwritable)) == ["reply", None]
    assert "Cannot trust a recording" in caplog.text


def test_trust_refuses_when_the_file_is_no_recording(tmp_path, here):
    (tmp_path / "a.jsonl").write_text("{}\n")

    with pytest.raises(RecordingError, match=r"^Cannot trust .*first line is not the header"):
        here.trust(tmp_path / "a.jsonl")


def test_store_is_in_the_data_directory_when_nothing_else_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))

    assert TrustStore().path == tmp_path / "jupyter_agents" / "trusted_recordings.jsonl"


def test_store_is_where_the_environment_says_when_it_does(tmp_path, monkeypatch):
    monkeypatch.setenv(DATABASE, str(tmp_path / "db"))

    assert TrustStore().path == Path(tmp_path / "db")
