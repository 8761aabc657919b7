import pytest

from jupyter_agents.executors.files import UnsafePathError, save_code


def test_code_is_saved_when_the_name_stays_inside(tmp_path):
    saved = save_code(tmp_path, "src/plot.py", "x = 'é'\n")

    assert saved.as_posix() == "src/plot.py"
    assert (tmp_path / "src" / "plot.py").read_bytes() == "x = 'é'\n".encode()


def test_code_is_saved_in_the_current_directory_when_there_is_no_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    save_code(None, "plot.py", "x")

    assert (tmp_path / "plot.py").read_text() == "x"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "../up.py", "a/../../up.py", "a/../b.py", "C:\\x.py", "C:x.py", "\\\\host\\share\\x.py", "..\\x.py",
        "\\x.py", "a\x00.py", "a\nb.py", ".", "",
    ],
)  # fmt: skip
def test_name_is_refused_when_it_could_lead_out(tmp_path, name):
    work_dir = tmp_path / "work"
    work_dir.mkdir()

    with pytest.raises(UnsafePathError, match="Cannot save the block as"):
        save_code(work_dir, name, "x")

    assert [*tmp_path.rglob("*")] == [work_dir]


@pytest.mark.parametrize("name", ["link/x.py", "file.py"])
def test_name_is_refused_when_a_link_leads_out(tmp_path, name):
    work_dir, outside = tmp_path / "work", tmp_path / "outside"
    work_dir.mkdir()
    outside.mkdir()
    (work_dir / "link").symlink_to(outside)
    (work_dir / "file.py").symlink_to(outside / "file.py")

    with pytest.raises(UnsafePathError, match="leads out"):
        save_code(work_dir, name, "x")

    assert [*outside.iterdir()] == []


def test_name_is_refused_when_it_is_that_of_a_folder(tmp_path):
    (tmp_path / "src").mkdir()

    with pytest.raises(UnsafePathError, match="Cannot save the block as 'src'"):
        save_code(tmp_path, "src", "x")


@pytest.mark.parametrize(
    ("name", "first", "is_kept"),
    [
        ("data.json", "# filename: data.json", False),
        ("data.json", "// filename: data.json", False),
        ("data.csv", "# filename: data.csv", False),
        ("page.html", "<!-- filename: page.html -->", True),
        ("page.html", "# filename: page.html", False),
        ("style.css", "/* filename: style.css */", True),
        ("style.css", "# filename: style.css", False),
        ("plot.py", "# filename: plot.py", True),
        ("settings.yaml", "# filename: settings.yaml", True),
    ],
)
def test_line_with_the_name_is_written_when_it_is_a_comment_there(tmp_path, name, first, is_kept):
    save_code(tmp_path, name, f"{first}\nbody\n")

    assert (tmp_path / name).read_text() == (f"{first}\nbody\n" if is_kept else "body\n")
