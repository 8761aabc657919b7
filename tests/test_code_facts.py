"""What is said of a block of code before it runs."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.code_facts import MAX_NAMES, facts_of

NAMES = frozenset({"df", "n", "rows", "old", "f", "os", "e"})


@pytest.mark.parametrize(
    ("code", "reads", "sets", "deletes"),
    [
        ("x = n", "n", "x", ""),
        ("x: int = n", "n", "x", ""),
        ("x: int", "", "", ""),
        ("n += 1", "n", "n", ""),
        ("n = 1\nprint(n)", "", "n", ""),
        ("print(n)\nn = 1", "n", "n", ""),
        ("if x():\n    n = 1\nprint(n)", "n", "n", ""),
        ("if x():\n    n = 1\n    print(n)", "", "n", ""),
        ("for n in rows: pass\nelse: y = 1", "rows", "n y", ""),
        ("while n: rows = 1", "n", "rows", ""),
        ("try:\n    n = 1\nexcept ValueError as e:\n    print(n, e)", "n", "n e", ""),
        ("with open(old) as h: pass", "old", "h", ""),
        ("import numpy as np, os.path\nfrom json import loads as l", "", "np os l", ""),
        ("def g(a, *b, c=n, **d):\n    x = a\n    return rows", "n rows", "g", ""),
        ("def g():\n    n = 1\n    return n", "", "g", ""),
        ("def g():\n    global n\n    n = 1\n    return n", "n", "g n", ""),
        ("def g():\n    n = 1\n    def h(): return n\n    return h", "", "g", ""),
        ("class C(f):\n    n = 1\n    def m(self): return n", "f n", "C", ""),
        ("async def g():\n    async for n in rows: pass", "rows", "g", ""),
        ("g = lambda n: n + old", "old", "g", ""),
        ("[n for n in rows if n > old]", "rows old", "", ""),
        ("{k: v for k in rows for v in df}", "rows df", "", ""),
        ("[(last := n) for n in rows]", "rows", "last", ""),
        ("if (m := n): pass", "n", "m", ""),
        (
            "match n:\n    case [a, *b]: pass\n    case {'k': c, **d}: pass\n    case str() as s: pass",
            "n",
            "a b c d s",
            "",
        ),
        ("del old", "", "", "old"),
        ("del old\nold = 1", "", "old", ""),
        ("x = 1\ndel x", "", "x", ""),
        ("df['b'] = df.a", "df", "df", ""),
        ("df.columns = []", "df", "df", ""),
        ("df.loc[0, 'a'] += 1", "df", "df", ""),
        ("del df['a']", "df", "df", ""),
        ("rows.append(n)", "rows n", "rows", ""),
        ("df.drop('a', inplace=True)", "df", "df", ""),
        ("df.drop('a', inplace=False)", "df", "", ""),
        ("os.remove('x')", "os", "", ""),
        ("rows = []\nrows.append(1)\nrows[0] = 2", "", "rows", ""),
        ("a, (b, *c) = rows", "rows", "a b c", ""),
        ("await f(n)", "f n", "", ""),
        ("print('n')", "", "", ""),
        ("%time x = n", "n", "x", ""),
        ("%%time\nx = n", "n", "x", ""),
        ("files = !ls\nx = n", "n", "files x", ""),
        ("%matplotlib inline\nn?\n?rows\nx = df", "df", "x", ""),
        ("!echo \\\nn\nx = n", "n", "x", ""),
        ("if n:\n    %cd /tmp\n    x = 1", "n", "x", ""),
        ("%reset -f", "", "", "df e f n old os rows"),
        ("s = '''\n%reset\n!rm x\n'''", "", "s", ""),
    ],
)
def test_facts_name_the_variables(code, reads, sets, deletes):
    facts = facts_of(code, "python", NAMES)

    assert (facts.reads, facts.sets, facts.deletes) == tuple(tuple(one.split()) for one in (reads, sets, deletes))


@pytest.mark.parametrize(
    ("code", "note"),
    [
        ("import os\nos.remove('x')", "writes or deletes files: os.remove"),
        ("import os as o\no.unlink('x')", "writes or deletes files: os.unlink"),
        ("from shutil import rmtree as gone\ngone('x')", "writes or deletes files: shutil.rmtree"),
        ("import shutil\nf = shutil.rmtree", "writes or deletes files: shutil.rmtree"),
        ("open('x', 'w')", "writes or deletes files: open(…, 'w')"),
        ("open('x', mode='a+b')", "writes or deletes files: open(…, 'a+b')"),
        ("open('x', mode)", "writes or deletes files: open(…)"),
        ("path.open('w')", "writes or deletes files: open(…, 'w')"),
        ("df.to_csv('x.csv')", "writes or deletes files: .to_csv"),
        ("np.save('x', a)", "writes or deletes files: numpy.save"),
        ("(Path('x') / 'y').write_text('')", "writes or deletes files: .write_text"),
        ("import subprocess\nsubprocess.run(['ls'])", "starts processes: subprocess.run"),
        ("import os\nos.system('ls')", "starts processes: os.system"),
        ("!ls", "starts processes: !ls"),
        ("x = !ls", "starts processes: !ls"),
        ("!rm -r x", "writes or deletes files: rm"),
        ("%%bash\ncurl example.org", "uses the network: curl"),
        ("import requests\nrequests.get(url)", "uses the network: requests.get"),
        ("from urllib.request import urlopen", "uses the network: urllib.request.urlopen"),
        ("pd.read_csv('https://example.org/x.csv')", "uses the network: https://example.org/x.csv"),
        ("%pip install evil", "installs packages: %pip"),
        ("!pip install evil", "installs packages: pip install evil"),
        ("import os\nos.environ['A'] = '1'", "uses or changes the environment of the process: os.environ"),
        ("%cd /", "uses or changes the environment of the process: %cd"),
        ("import sys\nsys.exit()", "ends programs or sends signals: sys.exit"),
        ("exit()", "ends programs or sends signals: exit"),
        ("run = eval", "runs code that is not written here: eval"),
        ("exec(text)", "runs code that is not written here: exec"),
        ("__import__('o' + 's')", "runs code that is not written here: __import__"),
        ("import pickle\npickle.load(h)", "runs code that is not written here: pickle.load"),
        ("%run x.py", "runs code that is not written here: %run"),
        ("getattr(os, 'sys' + 'tem')('ls')", "reaches names that are computed while it runs: getattr(…)"),
        ("globals()['x'] = 1", "reaches names that are computed while it runs: globals"),
        ("from os import *", "reaches names that are computed while it runs: from os import *"),
        ("().__class__.__subclasses__()", "reaches into Python or the shell: .__subclasses__"),
        ("get_ipython().run_cell('x')", "reaches into Python or the shell: get_ipython"),
        ("import ctypes", None),
        ("%reset", "deletes all variables: %reset"),
        ("x = ", "does not parse: invalid syntax (line 1)"),
        ("x = 1\x00", "does not parse: source code string cannot contain null bytes"),
        ("open('x')", None),
        ("open('x', 'rb')", None),
        ("getattr(x, 'name', None)", None),
        ("os.path.join('a', 'b')", None),
        ("import pandas as pd\npd.read_csv('x.csv').describe()", None),
        ("%pip list", None),
    ],
)
def test_facts_note_what_python_may_do(code, note):
    notes = facts_of(code, "python").notes

    assert (note in notes) if note else notes == ()


@pytest.mark.parametrize(
    ("script", "notes"),
    [
        ("ls -l; echo rm", ()),
        ("rm -r x", ("writes or deletes files: rm",)),
        ("A=1 /bin/rm x", ("writes or deletes files: rm",)),
        ("echo x > y", ("writes or deletes files: >",)),
        ("ls > /dev/null 2>&1", ()),
        ("sed -i s/a/b/ x", ("writes or deletes files: sed -i",)),
        ("cat x | xargs rm", ("writes or deletes files: rm",)),
        ("echo $(curl x)", ("uses the network: curl",)),
        ("if true; then wget x; fi", ("uses the network: wget",)),
        (
            "python3 -m pip install x",
            ("installs packages: python3 -m pip", "runs code that is not written here: python3"),
        ),
        ("sudo apt-get install x", ("installs packages: apt-get install x", "asks for other rights: sudo")),
        ("kill -9 1", ("ends programs or sends signals: kill",)),
        ("# rm x", ()),
    ],
)
def test_facts_note_what_a_script_may_do(script, notes):
    assert facts_of(script, "bash", NAMES).notes == notes


def test_facts_say_nothing_of_other_languages():
    assert facts_of("drop table x", "sql", NAMES).to_json() == {"reads": [], "sets": [], "deletes": [], "notes": []}


def test_lists_are_bounded():
    code = (
        "\n".join(f"x{i} = y{i}\nimport os; os.remove('{i}')" for i in range(500))
        + "\nos.unlink; os.rename; os.mkdir; os.open; os.write"
    )

    facts = facts_of(code, "python", {f"y{i}" for i in range(500)})

    assert (len(facts.reads), len(facts.sets)) == (MAX_NAMES, MAX_NAMES)
    assert len(facts.notes) == 1
    assert facts.notes[0].endswith(", …")


@pytest.mark.parametrize(
    "code",
    [
        "x = 1\n" * 30_000,
        "if a:\n    x = 1\n" * 10_000,
        "[x for x in y]\n" * 10_000,
        "def f():\n    x = y\n" * 8_000,
        " " * 190_000 + "!",
        "a," * 90_000 + "= 1",
        "!" + "x " * 90_000,
        "x = !" + "\\\n" * 90_000,
        "(" * 190_000,
        "-" * 190_000 + "1",
        "lambda: " * 20_000 + "1",
        "1+" * 90_000 + "1",
        "x." * 90_000 + "y",
        "f" + "()" * 90_000,
        "%" * 190_000,
        "?" * 190_000,
        "x" * 10_000_000,
    ],
    ids=lambda code: repr(code[:12]),
)
@pytest.mark.parametrize("language", ["python", "bash"])
def test_facts_of_large_code_are_found_in_a_few_seconds(code, language):
    started = time.process_time()

    facts_of(code, language, NAMES | {"x", "y", "a"})

    assert time.process_time() - started < 10


def test_facts_of_code_that_is_too_deep_name_what_is_in_it():
    facts = facts_of("y = n" + " + n" * 700 + "\nimport os; os.remove('x')", "python", NAMES)

    assert "n" in facts.reads
    assert "y" in facts.sets
    assert facts.notes == ("writes or deletes files: os.remove",)


PIECES = st.sampled_from(
    "df n = ( ) [ ] : \n    ! % %% ? rm open eval import del class def lambda for in if ' \" \\ > | ; , . \x00 \ud800 \u202e 1".split(
        " "
    )
)


@given(st.lists(PIECES).map(" ".join), st.sampled_from(["python", "bash", "sql", ""]))
def test_facts_are_always_found_and_are_json_in_one_line_each(code, language):
    facts = facts_of(code, language, {"df", "n", "\ud800"})

    json.dumps(facts.to_json()).encode()
    assert all(one.isprintable() for names in facts.to_json().values() for one in names)


@given(st.text())
def test_facts_never_raise(code):
    facts_of(code, "python")
    facts_of(code, "sh")
