"""The classic examples, each a program of the size of a notebook in `tests/classic/`, with the import line changed.

Each asks a real server over HTTP, is answered by people in their seats, runs its code in a shell, and is held both ways:
as it stands, and with `await` before every call that has an `a_` face. What is looked at is what its user sees.
"""

import ast
import json
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jupyter_agents import EndedBy
from jupyter_agents.errors import ScriptEndedError
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from jupyter_agents.surroundings import make_session
from jupyter_agents.testing import FakeOpenAIServer
from tests.awaiting import run_program, with_await
from tests.fakes import texts

PROGRAMS = Path(__file__).parent / "classic"
SUCCEEDED = "exitcode: 0 (execution succeeded)\nCode output: \n"

both_ways = pytest.mark.parametrize("awaited", [False, True], ids=["sync", "async"])


class Seats:
    """People with scripted answers, each in the seat of an agent."""

    def __init__(self, **answers):
        self.people = {agent: ScriptedHuman(lines) for agent, lines in answers.items()}

    async def ask(self, prompt):
        if prompt.agent not in self.people:
            raise ScriptEndedError(f"Cannot answer {prompt.text!r}: nobody sits in the seat of {prompt.agent!r}.")
        return await self.people[prompt.agent].ask(prompt)

    def prompts(self, agent):
        return [prompt.text for prompt in self.people[agent].prompts]


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server that the config list in the environment names, and a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    with FakeOpenAIServer() as server:
        other = {"model": "gpt-3.5-turbo", "base_url": "http://127.0.0.1:9/v1", "api_key": "fake-key"}
        monkeypatch.setenv("OAI_CONFIG_LIST", json.dumps([server.config | {"model": "gpt-4"}, other]))
        yield server


@pytest.fixture
def play(bare_shell, server):
    """Hold the chats of a program; its variables."""
    before = dict(bare_shell.user_ns)

    def play(name, *replies, awaited=False, people=None):
        server.enqueue(*replies)
        with use_session(replace(make_session(), find_human=lambda: people)):
            return run_program(PROGRAMS / f"{name}.py", awaited=awaited)

    yield play
    bare_shell.user_ns.clear()
    bare_shell.user_ns.update(before)


def calling(name, **arguments):
    return raw_call(name, json.dumps(arguments))


def raw_call(name, arguments):
    return ModelReply(finish_reason="function_call", function_call=ToolCall(name, arguments))


def contents(request):
    return [message["content"] for message in request.body["messages"]]


def names(messages):
    return [message["name"] for message in messages]


def test_every_call_is_awaited_when_a_program_is_held_with_await():
    program = ast.unparse(with_await(ast.parse((PROGRAMS / "planning.py").read_text())))

    assert "async def ask_planner(message):" in program
    assert "await planner_user.a_initiate_chat(planner" in program
    assert "result = await user_proxy.a_initiate_chat(assistant" in program
    assert ".initiate_chat(" not in program


# -- Automatic feedback from running code ------------------------------------------------------------------------

WRONG_COLUMN = """\
I read the file and compare.

```python
import csv
with open("prices.csv") as file:
    rows = list(csv.DictReader(file))
gains = {r["share"]: float(r["close"]) / float(r["open"]) - 1 for r in rows}
```
"""
RIGHT_COLUMN = """\
The column is called `last`.

```python
gains = {r["share"]: float(r["last"]) / float(r["open"]) - 1 for r in rows}
print({share: round(gain, 2) for share, gain in gains.items()})
```
"""
DRAW = """\
```python
# filename: draw.py
bars = "".join(f'<rect y="{20 * n}" width="{100 * gain:.0f}" height="15"/>' for n, gain in enumerate(gains.values()))
with open("gains.svg", "w") as file:
    print(f'<svg xmlns="http://www.w3.org/2000/svg">{bars}</svg>', file=file)
```
"""


@pytest.fixture
def prices(tmp_path):
    (tmp_path / "coding").mkdir()
    (tmp_path / "coding" / "prices.csv").write_text("share,open,last\nAB,100,148\nXY,50,52.5\n", "utf-8")
    return tmp_path / "coding"


@both_ways
def test_code_is_mended_after_its_error_and_a_second_task_goes_on_from_it(play, prices, server, awaited):
    found = play(
        "code_feedback", WRONG_COLUMN, RIGHT_COLUMN, "AB. TERMINATE", DRAW, "Done.\nTERMINATE", awaited=awaited
    )

    _, _, failed, _, succeeded, answer = texts(found["first"].messages)
    assert failed.startswith("exitcode: 1 (execution failed)\nCode output: \n")
    assert "KeyError: 'close'" in failed
    assert succeeded == SUCCEEDED + "{'AB': 0.48, 'XY': 0.05}\n"
    assert (answer, found["first"].ended_by) == ("AB. TERMINATE", EndedBy.TERMINATION)
    assert (prices / "gains.svg").read_text().count("<rect") == 2
    assert (prices / "draw.py").exists()
    assert found["followup"].ended_by is EndedBy.TERMINATION
    assert len(found["user_proxy"].chat_messages[found["assistant"]]) == 10
    assert contents(server.requests[-1])[1:7] == texts(found["first"].messages)
    assert {request.body["model"] for request in server.requests} == {"gpt-4"}
    assert {request.body["temperature"] for request in server.requests} == {0}


# -- Feedback of a person ----------------------------------------------------------------------------------------

BY_HAND = "I add the equations by hand. It is hard to see what comes of it."
WITH_SYMPY = """\
``` python
import sympy
x, y = sympy.symbols("x y")
total = sympy.cancel((7 * x + 7 * y + 7) / (x + y + 1))
print(total)
```
"""


@both_ways
def test_person_steers_the_assistant_runs_its_code_and_ends_the_chat(play, tmp_path, awaited):
    people = Seats(user_proxy=["use sympy", "", "", ""])

    found = play("human_feedback", BY_HAND, WITH_SYMPY, "The answer is 7.", "TERMINATE", awaited=awaited, people=people)

    task, by_hand, wish, _, result, answer, empty, end = texts(found["result"].messages)
    assert (by_hand, wish, answer, end) == (BY_HAND, "use sympy", "The answer is 7.", "TERMINATE")
    assert result == SUCCEEDED + "7\n"
    assert empty == ""
    assert found["result"].ended_by is EndedBy.TERMINATION
    assert [prompt.startswith("Provide feedback to assistant.") for prompt in people.prompts("user_proxy")] == [
        True
    ] * 4
    written = json.loads((tmp_path / "conversation.json").read_text())
    assert texts(written) == texts(found["result"].messages)
    assert texts(written)[0] == task == found["PROBLEM"]


# -- What the web says -------------------------------------------------------------------------------------------

READ_PAGE = """\
```python
import os, re, urllib.request
with urllib.request.urlopen(os.environ["PAPERS"] + "/abstract.html") as response:
    page = response.read().decode()
print(re.search("<blockquote>(.*?)</blockquote>", page, re.S)[1])
```
"""


@pytest.fixture
def papers(tmp_path, monkeypatch):
    """A site with one page."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "abstract.html").write_text("<h1>Agents</h1><blockquote>Agents that converse.</blockquote>", "utf-8")
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *args: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=site)) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("PAPERS", f"http://127.0.0.1:{httpd.server_port}")
        yield
        httpd.shutdown()
        thread.join()


@both_ways
def test_model_stands_for_the_user_and_the_person_is_asked_at_the_end_only(play, papers, server, awaited):
    people = Seats(user_proxy=["For students, too?", ""])
    replies = (READ_PAGE, "People who build agents.", "CONTINUE", "TERMINATE", "Yes. TERMINATE")

    found = play("web_info", *replies, awaited=awaited, people=people)

    task, *said = texts(found["result"].messages)
    assert task.endswith("/abstract.html")
    assert said[1] == SUCCEEDED + "Agents that converse.\n"
    assert said[2:] == ["People who build agents.", "CONTINUE", "TERMINATE", "For students, too?", "Yes. TERMINATE"]
    assert found["result"].ended_by is EndedBy.TERMINATION
    assert [prompt.startswith("Please give feedback to assistant.") for prompt in people.prompts("user_proxy")] == [
        True
    ] * 2
    by_proxy = server.requests[2].body["messages"]
    assert by_proxy[0]["content"].startswith("If the task is solved, answer TERMINATE.")
    assert [one["role"] for one in by_proxy[1:]] == ["assistant", "user", "assistant", "user"]


# -- Functions ---------------------------------------------------------------------------------------------------

MANY_LINES = "{\"cell\": \"dialog = [\n    'A: Hello!',\n    'B: Hi!',\n]\nlen(dialog)\"}"
NO_JSON = '{"cell": "dialog"'


@both_ways
def test_functions_run_and_the_model_mends_arguments_that_are_no_json(play, server, bare_shell, awaited):
    solving = calling("solve", inequality="(2*x + 10)*(x + 3) < (3*x + 9)*(x + 8)")
    replies = [raw_call("python", NO_JSON), raw_call("python", MANY_LINES), calling("sh", script="echo drawn")]

    found = play("function_call", *replies, "TERMINATE", solving, "So it is. TERMINATE", awaited=awaited)

    broken, python, sh = [one for one in found["drawn"].messages if one["role"] == "function"]
    assert "The argument must be in JSON format." in broken["content"]
    assert (python["name"], python["content"]) == ("python", "2")
    assert (sh["name"], sh["content"]) == ("sh", str((0, "\ndrawn\n")))
    assert found["drawn"].ended_by is EndedBy.TERMINATION
    assert bare_shell.user_ns["dialog"] == ["A: Hello!", "B: Hi!"]
    assert found["algebra"].questions == ["(2*x + 10)*(x + 3) < (3*x + 9)*(x + 8)"]
    assert texts(found["solved"].messages)[2] == "Union(Interval.open(-oo, -14), Interval.open(-3, oo))"
    assert [one["name"] for one in server.requests[0].body["functions"]] == ["python", "sh"]
    assert [one["name"] for one in server.requests[4].body["functions"]] == ["solve"]
    assert server.requests[1].body["messages"][-1]["role"] == "function"


# -- Planning ----------------------------------------------------------------------------------------------------

PLAN = "1. Read the issues. 2. Take the one with the label 'easy'."
READ_ISSUES = """\
```python
import json
with open("issues.json") as file:
    print([one["title"] for one in json.load(file) if "easy" in one["labels"]])
```
"""


@both_ways
def test_planner_is_asked_in_a_chat_of_its_own_at_each_call(play, tmp_path, server, awaited):
    (tmp_path / "planning").mkdir()
    issues = [{"title": "Typo in the docs", "labels": ["easy"]}, {"title": "Crash", "labels": []}]
    (tmp_path / "planning" / "issues.json").write_text(json.dumps(issues), "utf-8")
    people = Seats(user_proxy=[""])
    again = calling("ask_planner", message="The only easy one is a typo. What now?")
    replies = [calling("ask_planner", message="How do I find one?"), PLAN, READ_ISSUES, again, "Mend it.", "TERMINATE"]

    found = play("planning", *replies, awaited=awaited, people=people)

    messages = found["result"].messages
    assert [one["content"] for one in messages if one["role"] == "function"] == [PLAN, "Mend it."]
    assert texts(messages)[4] == SUCCEEDED + "['Typo in the docs']\n"
    assert found["result"].ended_by is EndedBy.TERMINATION
    assert found["result"].model_calls == 6
    # each question to the planner is a chat of its own, and the planner is not answered
    assert texts(found["planner_user"].chat_messages[found["planner"]]) == [
        "The only easy one is a typo. What now?",
        "Mend it.",
    ]
    assert contents(server.requests[4])[1:] == ["The only easy one is a typo. What now?"]


# -- Two people --------------------------------------------------------------------------------------------------


@both_ways
def test_student_and_expert_answer_each_in_their_own_seat(play, server, awaited):
    people = Seats(student=["Why?", ""], expert=["Add the equations.", "exit"])
    replies = [
        calling("ask_expert", message="Is there a trick?"),
        "I try to solve for a.",
        "Then a + b + c is 7.",
        "Summary: all equations together say 7.",
        "It is 7. TERMINATE",
        "Because their sum says so. TERMINATE",
    ]

    found = play("two_users", *replies, awaited=awaited, people=people)

    messages = found["result"].messages
    assert [one["content"] for one in messages if one["role"] == "function"] == [
        "Summary: all equations together say 7."
    ]
    assert texts(messages)[3:] == ["It is 7. TERMINATE", "Why?", "Because their sum says so. TERMINATE"]
    assert found["result"].ended_by is EndedBy.TERMINATION
    assert ["assistant_for_expert" in one for one in people.prompts("expert")] == [True] * 2
    assert ["assistant_for_student" in one for one in people.prompts("student")] == [True] * 2
    asked = contents(server.requests[3])
    assert asked[1:5] == ["Is there a trick?", "I try to solve for a.", "Add the equations.", "Then a + b + c is 7."]
    assert asked[5].startswith("summarize the solution")


# -- Chess -------------------------------------------------------------------------------------------------------

CHESS = (
    *("I begin with e2-e4.", "e2e4"),
    *("I take your king: e8xe1!", "e8e1", "Excuse me. e7-e5.", "e7e5"),
    *("My knight goes to f3.", "g1f3"),
    *("So does mine, to c6.", "b8c6"),
)


@both_ways
def test_only_legal_moves_come_through_when_players_with_spaces_in_their_names_play_chess(
    play, server, capsys, awaited
):
    found = play("conversational_chess", *CHESS, awaited=awaited)

    result, black, board_agent = found["result"], found["player_black"], found["board_agent"]
    said = ["Your turn.", "I begin with e2-e4.", "Excuse me. e7-e5.", "My knight goes to f3.", "So does mine, to c6."]
    assert texts(result.messages) == said
    assert result.ended_by is EndedBy.NO_REPLY
    assert found["board"].fen() == "r1bqkbnr/pppp1ppp/2n5/4p3/4P3/5N2/PPPP1PPP/RNBQKB1R w KQkq - 2 3"
    told = texts(black.chat_messages[board_agent])
    assert told[0::2] == ["I take your king: e8xe1!", "Excuse me. e7-e5.", "So does mine, to c6."]
    assert told[1].startswith("Error: illegal uci: 'e8e1'")
    assert told[3::2] == ["e7e5", "b8c6"]
    printed = capsys.readouterr().out
    assert printed.count("<IPython.core.display.SVG object>") == 4
    assert "Player white (to Player black):" in printed
    assert "BoardAgent" not in printed


@both_ways
def test_players_see_the_board_and_the_referee_only_what_was_legal_in_the_chess_program(play, server, awaited):
    play("conversational_chess", *CHESS, awaited=awaited)

    opening, mended, later = (server.requests[n].body["messages"] for n in (0, 4, 9))
    assert opening[-1]["role"] == "system"
    assert opening[-1]["content"].startswith("Current board:\nr n b q k b n r")
    assert [one["role"] for one in mended] == ["system", "assistant", "system", "system"]
    assert mended[2]["content"].startswith("Error: illegal uci")
    assert [one["content"] for one in later[1:]] == ["Excuse me. e7-e5.", "e7e5", "So does mine, to c6."]
    assert [one["role"] for one in later[1:]] == ["user", "assistant", "user"]
    sent = [one["name"] for request in server.requests for one in request.body["messages"] if "name" in one]
    assert all(" " not in name for name in sent)


# -- A group -----------------------------------------------------------------------------------------------------

READ_PAPERS = """\
```python
import xml.etree.ElementTree as xml
print(max(xml.parse("papers.xml").iter("paper"), key=lambda one: one.get("date")).text)
```
"""


@both_ways
def test_model_gives_the_word_and_the_person_runs_code_and_ends_the_chat_in_a_group(play, tmp_path, server, awaited):
    (tmp_path / "groupchat").mkdir()
    papers = '<papers><paper date="2023-03">Sparks</paper><paper date="2023-08">Agents</paper></papers>'
    (tmp_path / "groupchat" / "papers.xml").write_text(papers, "utf-8")
    people = Seats(Human=["", "exit"])
    replies = ["Alice", READ_PAPERS, "The Human, who runs code.", "Bob", "It could plan journeys.", "Human"]

    found = play("group_chat", *replies, awaited=awaited, people=people)

    said = found["groupchat"].messages
    assert names(said) == ["Human", "Alice", "Human", "Bob"]
    assert texts(said)[2:] == [SUCCEEDED + "Agents\n", "It could plan journeys."]
    assert texts(found["bob"].chat_messages[found["manager"]]) == texts(said)
    assert found["result"].ended_by is EndedBy.HUMAN
    assert [one["name"] for one in server.requests[4].body["messages"][1:]] == ["Human", "Alice", "Human"]
    assert all("chat_manager" in prompt for prompt in people.prompts("Human"))


# -- News that arrive meanwhile ----------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["stream", "stream_in_a_thread"], ids=["async", "sync"])
def test_news_that_arrive_meanwhile_reach_the_model_once_and_in_order(play, server, program):
    server.respond_with(lambda request: f"Advice {len(server.requests)}.")

    found = play(program)

    messages = found["user_proxy"].chat_messages[found["assistant"]]
    told = [one["content"] for one in messages if one["content"].startswith("There are news.")]
    assert found["first"].messages[0]["content"].startswith("Shall I buy copper?")
    assert found["first"].ended_by in (EndedBy.NO_REPLY, EndedBy.AUTO_REPLY_LIMIT)
    assert tuple(line for one in told for line in one.splitlines()[1:]) == found["NEWS"]
    assert len(told) >= 2
    assert texts(messages)[1::2] == [f"Advice {n + 1}." for n in range(len(told) + 1)]
    assert contents(server.requests[-1])[1:] == texts(messages)[:-1]
