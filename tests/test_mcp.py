"""Tools of MCP servers: real servers as processes and over HTTP, and servers that misbehave."""

import _thread
import asyncio
import base64
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_agents.drive import a_drive, drive
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.human.base import Answer
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.mcp import MCPResult, MCPServer, MCPToolError, tools_of
from jupyter_agents.mcp import server as server_module
from jupyter_agents.session import use_session
from jupyter_agents.testing import RecordingExecutor
from jupyter_agents.tool_results import ToolResult
from jupyter_agents.tool_schema import BadArguments
from jupyter_agents.tools import Tool, call_function, call_tool
from tests.fakes import assistant, both_faces, quiet_session, user

SERVERS = Path(__file__).parent / "servers"
KEY = "key-0123456789"


def everything(**options):
    options = {"env": {"SERVER_KEY": KEY}, "name": "everything"} | options
    return MCPServer.stdio(sys.executable, [SERVERS / "mcp_server.py"], **options)


def odd(way, *args, **options):
    options = {"env": {"SERVER_KEY": KEY}, "name": "odd", "connect_timeout": 10, "timeout": 10} | options
    return MCPServer.stdio(sys.executable, [SERVERS / "odd_mcp_server.py", way, *args], **options)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def threads_of_ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("jupyter-agents-mcp")]


def refuse_connections_until_up(port, process):
    while process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the test's web server has ended")


# Whoever imports the SDK pays for it: a server that does takes a second of this machine. So there is one of them behind
# pipes and one at an address for all tests; what is done to a server of one's own, is done to one without the SDK.


class WebServer:
    """The test's server over HTTP, which can be stopped and started again at the same port."""

    def __init__(self):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.process = None

    def start(self):
        command = [sys.executable, str(SERVERS / "mcp_server.py"), "http", str(self.port)]
        self.process = subprocess.Popen(command, env=os.environ | {"SERVER_KEY": KEY}, stderr=subprocess.DEVNULL)
        refuse_connections_until_up(self.port, self.process)

    def stop(self):
        self.process.kill()
        self.process.wait()

    @property
    def is_up(self):
        return self.process is not None and self.process.poll() is None


@pytest.fixture(scope="module")
def server():
    with everything() as running:
        yield running


@pytest.fixture(scope="module")
def one_web():
    server = WebServer()
    yield server
    server.stop()


@pytest.fixture
def web(one_web):
    """A server that runs. A test may end it."""
    if not one_web.is_up:
        one_web.start()
    return one_web


# -- What a model sees of the tools ----------------------------------------------------------------------------------


def test_tools_are_those_of_the_server_when_it_is_started(server):
    tools = server.tool_map

    assert tools["add"].description == "Add two whole numbers."
    assert tools["add"].parameters["required"] == ["a", "b"]
    assert {tool.external for tool in server.tools} == {True}


def test_description_is_the_name_in_words_when_the_server_gives_none(server):
    assert server.tool_map["getProcess_id"].description == "get process id"


def test_name_is_made_acceptable_and_mapped_back_when_the_api_does_not_take_it(server):
    said = server.call("weather_forPlace", place={"city": "Bern"})

    assert "weather.forPlace" not in server.tool_map
    assert said == "Rain in Bern."


def test_schema_keeps_its_definitions_when_it_refers_to_them(server):
    parameters = server.tool_map["weather_forPlace"].parameters

    assert parameters["properties"]["place"] == {"$ref": "#/$defs/Place"}
    assert parameters["$defs"]["Place"]["required"] == ["city"]


def test_schema_has_properties_when_the_tool_takes_nothing(server):
    assert server.tool_map["fail"].parameters == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("tool", "arguments", "complaint"),
    [
        ("add", {"a": 1, "b": "two"}, "b: 'two' is not of type 'integer'"),
        ("add", {"a": 1}, "arguments: 'b' is a required property"),
        ("weather_forPlace", {"place": {}}, "place: 'city' is a required property"),
    ],
)
def test_arguments_are_refused_when_they_do_not_fit_the_schema(server, tool, arguments, complaint):
    with pytest.raises(BadArguments) as refusal:
        server.tool_map[tool].validate(arguments)

    assert str(refusal.value) == complaint


def test_arguments_are_left_to_the_server_when_the_schema_is_broken():
    with odd("broken schema") as server:
        assert server.tool_map["odd"].validate({"a": 1}) == {"a": 1}


def test_all_pages_are_read_when_the_list_of_tools_has_several():
    with odd("pages") as server:
        assert [tool.name for tool in server.tools] == ["first", "odd"]


def test_there_are_no_tools_when_the_server_has_none():
    with odd("no tools") as server:
        assert server.tools == []


def test_tools_are_read_anew_when_the_server_says_that_they_changed(server):
    before = set(server.tool_map)

    server.call("grow")

    assert set(server.tool_map) - before == {"grown"}
    assert server.call("grown") == "used"


def test_names_begin_with_the_servers_when_they_collide():
    with odd("pages", name="one") as one, odd("plain", name="other place") as other:
        tools = tools_of(one, other, taken={"first"})
        answers = {tool.name: asyncio.run(tool.function()) for tool in tools}

        assert list(answers) == ["one_first", "one_odd", "other_place_odd"]
        assert answers["one_first"] == answers["one_odd"] != answers["other_place_odd"]


# -- Calls from sync and async code ----------------------------------------------------------------------------------


def test_call_answers_when_the_chat_is_synchronous(server):
    result = drive(call_tool(server.tool_map, "add", '{"a": 1, "b": 2}'))

    assert result == ToolResult("3", external=True)


async def test_call_answers_when_the_chat_is_asynchronous(server):
    result = await a_drive(call_tool(server.tool_map, "add", '{"a": 1, "b": 2}'))

    assert result == ToolResult("3", external=True)


async def test_loop_goes_on_when_a_tool_is_slow(server):
    call, ticks = asyncio.create_task(server.a_call("sleep")), 0

    for _ in range(20):
        await asyncio.sleep(0.005)
        ticks += 1
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert ticks == 20


async def test_calls_run_side_by_side_when_they_are_made_together(server, monkeypatch):
    monkeypatch.setattr(server, "_timeout", 0.5)
    began = time.monotonic()

    answers = await asyncio.gather(*(server.a_call("sleep") for _ in range(5)), return_exceptions=True)

    assert {type(answer) for answer in answers} == {MCPToolError}
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "call",
    [
        lambda server: server.call("sleep"),
        lambda server: drive(call_tool(server.tool_map, "sleep", "{}")),
    ],
)
def test_call_is_cancelled_at_the_server_when_it_is_interrupted(server, call):
    before = int(server.call("cancelled"))
    threading.Timer(0.3, _thread.interrupt_main, [signal.SIGINT]).start()

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        call(server)

    assert time.monotonic() - began < 5
    wait_until(lambda: int(server.call("cancelled")) == before + 1)


async def test_call_is_cancelled_at_the_server_when_its_task_is(server):
    before = int(await server.a_call("cancelled"))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(server.a_call("sleep"), 0.5)

    wait_until(lambda: int(server.call("cancelled")) == before + 1)


def test_call_is_an_error_for_the_model_when_it_takes_too_long(server, monkeypatch):
    before = int(server.call("cancelled"))
    monkeypatch.setattr(server, "_timeout", 0.3)

    succeeded, said = drive(call_function(server.tool_map, "sleep", "{}"))

    assert (succeeded, said) == (False, "Error: sleep did not answer within 0.3 s and was cancelled.")
    monkeypatch.undo()
    wait_until(lambda: int(server.call("cancelled")) == before + 1)


def test_call_ends_in_time_when_the_server_never_answers():
    with odd("never answers", timeout=0.3) as server:
        began = time.monotonic()

        said = failure_of(server)

        assert said == "odd did not answer within 0.3 s and was cancelled."
        assert time.monotonic() - began < 5


# -- What comes back ---------------------------------------------------------------------------------------------------


def test_image_is_a_part_for_the_model_when_a_vision_model_can_read_it(server):
    shown = server.call("picture")

    [part] = shown.images
    assert drive(call_tool(server.tool_map, "picture", "{}")).images == (part,)
    kind, _, data = part["image_url"]["url"].partition(",")
    assert (part["type"], kind) == ("image_url", "data:image/png;base64")
    assert base64.b64decode(data).startswith(b"\x89PNG")


def test_text_tells_of_everything_when_a_result_is_mixed(server):
    assert server.call("picture").splitlines() == [
        "a pixel",
        "[image 1: image/png, about 72 bytes]",
        "[link to more <https://example.org/more>]",
        "[resource <file:///notes.txt>]",
        "from a file",
        "[resource <file:///scan.tiff>] [image/tiff, about 72 bytes; not shown]",
        "[audio/wav, about 72 bytes; not shown]",
    ]


def test_text_is_the_json_when_the_content_is_structured_only(server):
    answer = server.call("numbers")

    assert json.loads(answer) == answer.structured == {"numbers": [1, 2]}


def test_text_is_cut_in_the_middle_when_it_is_huge(server):
    answer = server.call("much")

    assert len(answer) < 21_000
    assert answer.startswith("startxxx")
    assert answer.endswith("xxxend")
    assert "1,980,008 characters not shown" in answer


def test_result_is_text_wherever_it_goes():
    result = MCPResult("21 °C", images=[{"type": "image_url"}])

    assert f"{result}" == "21 °C"
    assert (result.images, result.structured) == (({"type": "image_url"},), None)


def test_error_is_the_servers_when_a_tool_says_that_it_failed(server):
    assert drive(call_function(server.tool_map, "fail", "{}")) == (False, "Error: no such city")


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("wrong answer", "odd answered what cannot be used: content: Input should be a valid list"),
        ("wants input", "odd failed: fill in a form first"),
        ("fails", "no city for [redacted]"),
    ],
)
def test_error_is_for_the_model_when_the_answer_is_of_no_use(way, said):
    with odd(way) as server, pytest.raises(MCPToolError) as error:
        server.call("odd")

    assert str(error.value) == said


# -- An agent with a server ------------------------------------------------------------------------------------------------


def calls(**given):
    """A reply that calls tools, by their names, with arguments."""
    made = [
        {"id": str(number), "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(given.items())
    ]
    return {"content": None, "tool_calls": made}


def offered(agent):
    return [one["function"]["name"] for one in agent.request_options.get("tools") or ()]


@pytest.fixture
def quiet():
    with use_session(quiet_session()) as session:
        yield session


@both_faces
def test_agent_calls_the_tools_of_a_server_that_it_uses(server, quiet, face):
    agent = assistant(calls(add={"a": 1, "b": 2}), "It is 3. TERMINATE").use(server)

    result = face(user(), "initiate_chat", agent, message="How much?")

    assert [one["content"] for one in result.messages[2:]] == ["3", "It is 3. TERMINATE"]
    assert result.messages[2]["context"] == {"external": True}
    sent = agent.model.requests[0].options["tools"]
    assert sent[0]["function"] == {
        "name": "add",
        "description": "Add two whole numbers.",
        "parameters": dict(server.tool_map["add"].parameters),
    }


def test_model_is_told_of_arguments_that_do_not_fit(server, quiet):
    agent = assistant(calls(add={"a": 1}), "Oh. TERMINATE").use(server)

    result = user().initiate_chat(agent, message="How much?")

    assert result.messages[2]["content"] == "Error: arguments: 'b' is a required property"


def test_image_of_a_server_goes_to_the_model_as_an_image(server, quiet):
    agent = assistant(calls(picture={}), "A pixel. TERMINATE").use(server)

    user().initiate_chat(agent, message="Look.")

    *_, result, shown = agent.model.requests[1].messages
    assert (result["role"], result["content"].splitlines()[0]) == ("tool", "a pixel")
    assert (shown["role"], [part["type"] for part in shown["content"]]) == ("user", ["text", "image_url"])


def test_several_agents_share_one_server(server, quiet):
    one = assistant(calls(getProcess_id={}), "Yes. TERMINATE", name="one").use(server)
    other = assistant(calls(getProcess_id={}), "Yes. TERMINATE", name="other").use(server)

    said = [user().initiate_chat(agent, message="Who?").messages[2]["content"] for agent in (one, other)]

    assert said[0] == said[1]


def test_names_begin_with_the_servers_when_the_agent_has_them_already(quiet):
    agent = assistant()

    @agent.tool
    def odd():
        """Something else."""

    with MCPServer.stdio(sys.executable, [SERVERS / "odd_mcp_server.py", "pages"], name="one") as server:
        agent.use(server)

    assert offered(agent) == ["odd", "first", "one_odd"]
    assert agent.function_map["odd"].function.__doc__ == "Something else."


def test_tools_are_read_anew_when_a_cell_runs_again(quiet):
    agent = assistant()
    with odd("pages") as one, odd("pages") as again, odd("plain", name="other") as other:
        agent.use(one).use(one, other)
        before = offered(agent)
        agent.use(again)

        assert before == ["first", "odd", "other_odd"]
        assert offered(agent) == ["other_odd", "first", "odd"]
        assert agent.function_map["odd"].function is again.tool_map["odd"].function


def test_server_is_started_when_an_agent_uses_it_and_kept_while_it_does(quiet):
    agent = assistant()
    agent.use(odd("plain"))
    process = int(call_by_hand(agent))

    gc.collect()
    there = is_there(process)
    agent.use([])
    agent.register_function({"odd": None})
    agent.tool_use.own.clear()
    agent.tool_use.offered.clear()
    agent.tool_use.sources.clear()
    gc.collect()

    assert there
    wait_until(lambda: not is_there(process))


def call_by_hand(agent):
    return drive(call_tool(agent.function_map, "odd", "{}")).text.split()[1]


def test_functions_and_tools_may_be_given_beside_a_server(quiet):
    def double(x: int) -> int:
        """Double it."""
        return 2 * x

    agent = assistant().use(double, [Tool.from_function(double, name="twice")])

    assert offered(agent) == ["double", "twice"]


def test_model_is_told_when_the_server_was_closed(quiet):
    with odd("plain") as server:
        agent = assistant(calls(odd={}), "Oh. TERMINATE").use(server)

    result = user().initiate_chat(agent, message="Go")

    assert result.messages[2]["content"] == "Error: The MCP server 'odd' is closed. Only a person can start it again."


def test_agent_stays_as_it_was_when_the_server_does_not_come_up(quiet):
    agent = assistant()

    with pytest.raises(ConfigurationError, match="Cannot start the MCP server 'odd'"):
        agent.use(odd("exits"))

    assert (offered(agent), agent.function_map) == ([], {})


def test_agent_without_a_model_is_refused_before_the_server_is_started(quiet):
    server = odd("plain")

    with pytest.raises(ConfigurationError, match="Cannot give 'user' the tools of <MCPServer 'odd'"):
        user().use(server)

    assert not server.is_running


@pytest.mark.parametrize("policy", ["ask", "deny"])
@pytest.mark.parametrize("of", ["agent", "session"])
def test_person_is_asked_about_an_external_tool_where_code_would_not_just_run(server, policy, of):
    human = ScriptedHuman([Answer("no", "reject")])
    agent = assistant(calls(add={"a": 1, "b": 2}), "Oh. TERMINATE", human=human).use(server)
    me = user(human=human, **({"code_execution_config": {"policy": policy}} if of == "agent" else {}))

    with use_session(quiet_session(**({"code_policy": policy} if of == "session" else {}))):
        result = me.initiate_chat(agent, message="How much?")

    assert [one.text for one in human.prompts] == ["Call add? (It is an external tool.)"]
    assert result.messages[2]["content"] == "Error: The user refused this call: no"


def test_nobody_is_asked_about_an_external_tool_where_code_just_runs(server, quiet):
    agent = assistant(calls(add={"a": 1, "b": 2}), "Oh. TERMINATE").use(server)

    result = user(code_execution_config={"executor": RecordingExecutor([])}).initiate_chat(agent, message="How much?")

    assert result.messages[2]["content"] == "3"


def test_nobody_is_asked_about_a_tool_that_is_not_external(quiet):
    agent = assistant(calls(one={}), "Oh. TERMINATE")
    agent.tool(lambda: "1", name="one", description="One.")

    result = user(code_execution_config={"policy": "ask"}).initiate_chat(agent, message="How much?")

    assert result.messages[2]["content"] == "1"
    assert "context" not in result.messages[2]


# -- Starting, crashing, restarting --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("exits", "its process ended, or closed its stdout. Run its command in a terminal to see why."),
        ("exits", "The end of its stderr:\n  Error: no configuration at /etc/odd, key [redacted]"),
        ("silent", "it did not answer within 0.3 s. Give more seconds as connect_timeout="),
        ("only strays", "It writes to stdout what is no MCP message: 'Welcome to the odd server!'"),
        ("refuses", "it answers 'no entry with [redacted]'"),
        ("nonsense", "it does not speak MCP (capabilities: Field required;"),
        ("silent about tools", "Cannot read the tools of the MCP server 'odd': no answer within 2 s."),
    ],
)
def test_start_is_an_error_with_the_reason_when_the_server_does_not_come_up(way, said):
    limits = {"silent": 0.3, "silent about tools": 2, "only strays": 2}  # the others speak first
    server = odd(way, connect_timeout=limits.get(way, 10))

    with pytest.raises(ConfigurationError) as error:
        server.start()
    server.close()

    assert said in str(error.value)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (lambda: MCPServer.stdio("no-such-program"), "there is no program 'no-such-program'"),
        (lambda: MCPServer.stdio(sys.executable, cwd="/no/such/folder"), "there is no folder '/no/such/folder'"),
        (lambda: MCPServer.http(f"http://127.0.0.1:9/mcp?key={KEY}"), "it cannot be reached at http://127.0.0.1:9/mcp"),
    ],
)
def test_start_is_an_error_when_there_is_no_server(server, said):
    with pytest.raises(ConfigurationError) as error, server() as _:
        pass

    assert said in str(error.value)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MCPServer.stdio("python", "weather.py"), "Pass a list of arguments"),
        (lambda: MCPServer.http("127.0.0.1:8000/mcp"), "Pass it whole"),
        (lambda: MCPServer.stdio("python", timeout=0), "timeout is 0. Pass a number of seconds above 0."),
        (lambda: MCPServer.stdio("python", connect_timeout="10"), "connect_timeout is '10'"),
    ],
)
def test_server_is_an_error_when_an_option_is_wrong(make, said):
    with pytest.raises(ConfigurationError, match="Cannot make an MCP server") as error:
        make()

    assert said in str(error.value)


def test_start_says_what_to_install_when_the_sdk_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    server = odd("plain")

    with pytest.raises(ConfigurationError, match=r"pip install 'jupyter-agents\[mcp\]'"):
        server.start()
    server.close()


def test_start_is_tried_again_when_it_failed_before(tmp_path):
    script = tmp_path / "late.py"
    server = MCPServer.stdio(sys.executable, [script, "plain"])
    with pytest.raises(ConfigurationError):
        _ = server.tools

    script.write_text((SERVERS / "odd_mcp_server.py").read_text())

    assert [tool.name for tool in server.tools] == ["odd"]
    server.close()


def test_nothing_is_left_when_the_start_is_interrupted():
    server = odd("silent")
    threading.Timer(0.3, _thread.interrupt_main, [signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        server.start()
    server.close()

    assert not threads_of_this(server)


def threads_of_this(server):
    return [name for name in threads_of_ours() if name.endswith(server.name)]


def test_server_works_when_it_writes_strays_to_stdout(capfd):
    with odd("strays") as server:
        assert server.call("odd").startswith("from ")

    assert capfd.readouterr() == ("", "")


def test_server_works_when_it_knows_the_newest_protocol_only():
    with odd("new protocol") as server:
        assert [tool.name for tool in server.tools] == ["odd"]
        assert server.call("odd").startswith("from ")


def test_crash_is_an_error_with_the_last_words_when_it_happens_during_a_call():
    with odd("crashes") as server:
        succeeded, said = drive(call_function(server.tool_map, "odd", "{}"))

        assert not succeeded
        assert said.startswith("Error: The MCP server 'odd' ended while it worked on odd.\n")
        assert said.endswith("  line 29\n  the key was [redacted]\n  out of order")
        assert "line 12\n" in said
        assert "line 11\n" not in said
        assert repr(server).endswith(", ended>")


def test_server_is_started_again_when_it_crashed_before_the_call():
    with odd("plain") as server:
        first = server.call("odd")
        os.kill(int(first.split()[1]), signal.SIGKILL)
        wait_until(lambda: not server.is_running)

        second = server.call("odd")

        assert second.startswith("from ")
        assert second != first


async def test_server_is_started_once_when_many_calls_find_it_crashed(tmp_path):
    started = tmp_path / "started"
    async with odd("plain", started) as server:
        os.kill(int((await server.a_call("odd")).split()[1]), signal.SIGKILL)
        wait_until(lambda: not server.is_running)

        answers = await asyncio.gather(*(server.a_call("odd") for _ in range(10)))

        assert len(set(answers)) == 1
        assert len(started.read_text().splitlines()) == 2


def test_server_is_not_started_again_when_it_crashes_all_the_time(tmp_path, monkeypatch):
    started, now = tmp_path / "started", [0.0]
    monkeypatch.setattr(server_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with odd("starts once", started) as server:
        os.kill(int(server.call("odd").split()[1]), signal.SIGKILL)
        wait_until(lambda: not server.is_running)

        said = [failure_of(server) for _ in range(5)]
        now[0] = 61.0
        later = failure_of(server)
        with pytest.raises(ConfigurationError, match="its process ended"):
            server.start()
        after_start = [failure_of(server) for _ in range(4)]

        assert ["its process ended" in one for one in said] == [True, True, True, False, False]
        assert "it has ended 3 times within a minute. Mend it, then call its start()." in said[4]
        assert "its process ended" in later
        assert ["its process ended" in one for one in after_start] == [True, True, True, False]
        assert len(started.read_text().splitlines()) == 1 + 3 + 1 + 1 + 3


def failure_of(server):
    with pytest.raises(MCPToolError) as error:
        server.call("odd")
    return str(error.value)


# -- Over HTTP -----------------------------------------------------------------------------------------------------------


def test_tools_work_when_the_server_is_reached_over_http(web):
    with MCPServer.http(web.url, headers={"Authorization": f"Bearer {KEY}"}) as server:
        assert server.call("add", a=20, b=22) == "42"
        assert len(server.call("picture").images) == 1
        assert len(server.call("much")) < 21_000


def test_tools_are_read_anew_over_http_when_they_changed(web):
    with MCPServer.http(web.url) as server:
        server.call("grow")

        wait_until(lambda: "grown" in server.tool_map)


def test_call_over_http_is_an_error_when_it_takes_too_long(web):
    with MCPServer.http(web.url, timeout=0.3) as server:
        before = int(server.call("cancelled"))
        with pytest.raises(MCPToolError, match="sleep did not answer within 0.3 s"):
            server.call("sleep")

        wait_until(lambda: int(server.call("cancelled")) == before + 1)


def test_call_is_an_error_and_not_repeated_when_the_web_server_crashes_during_it(web):
    with MCPServer.http(web.url, name="web", timeout=20) as server, pytest.raises(MCPToolError) as error:
        server.call("crash")

    assert "crash" in str(error.value)


def test_session_is_begun_anew_when_the_web_server_was_restarted(web):
    with MCPServer.http(web.url) as server:
        first = server.call("getProcess_id")
        web.stop()
        web.start()

        second = server.call("getProcess_id")

        assert int(second) == web.process.pid != int(first)


def test_call_is_an_error_when_the_web_server_is_gone(web):
    with MCPServer.http(web.url, name="web") as server:
        web.stop()

        with pytest.raises(MCPToolError, match="Cannot connect to the MCP server 'web': it cannot be reached at"):
            server.call("add", a=1, b=2)


def test_start_names_the_refusal_when_the_web_server_asks_for_a_key():
    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=web.serve_forever).start()
    server = MCPServer.http(f"http://127.0.0.1:{web.server_port}/mcp", headers={"X-Api-Key": KEY})

    with pytest.raises(ConfigurationError) as error:
        server.start()
    server.close()
    web.shutdown()
    web.server_close()

    assert "it answers 401 Unauthorized" in str(error.value)
    assert "headers=" in str(error.value)
    assert KEY not in str(error.value)


# -- Secrets -------------------------------------------------------------------------------------------------------------


def test_secrets_are_not_in_the_error_when_the_server_quotes_them(server):
    with pytest.raises(MCPToolError) as error:
        server.call("secret")

    assert "bad key [redacted]" in str(error.value)


@pytest.mark.parametrize(
    "server",
    [
        MCPServer.stdio("python", ["weather.py", "--key", KEY], env={"KEY": KEY}),
        MCPServer.http(f"https://ada:{KEY}@example.org/mcp?key={KEY}", headers={"Authorization": f"Bearer {KEY}"}),
    ],
)
def test_secrets_are_not_in_the_repr(server):
    assert KEY not in repr(server)
    assert KEY not in repr(server._transport)


def test_server_sees_only_what_it_is_given_when_our_environment_has_keys(monkeypatch):
    monkeypatch.setenv("SERVER_KEY", KEY)

    with odd("fails", env=None) as server:
        assert failure_of(server) == "no city for None"


# -- The end ---------------------------------------------------------------------------------------------------------------


def test_nothing_is_left_when_it_is_closed():
    with odd("plain") as server:
        process = int(server.call("odd").split()[1])

    assert not is_there(process)
    assert not threads_of_this(server)
    assert repr(server).endswith(", closed>")


def test_process_is_ended_when_it_will_not_go(monkeypatch):
    monkeypatch.setattr("mcp.client.stdio.PROCESS_TERMINATION_TIMEOUT", 0.2)  # how long the SDK asks it to go
    with odd("will not go") as server:
        process = int(server.call("odd").split()[1])

    assert not is_there(process)


def test_call_is_an_error_when_the_server_is_closed():
    with odd("plain") as server:
        tools = server.tool_map

    assert drive(call_function(tools, "odd", "{}")) == (
        False,
        "Error: The MCP server 'odd' is closed. Only a person can start it again.",
    )
    assert [tool.name for tool in server.tools] == ["odd"]


def test_server_can_be_started_again_when_it_was_closed():
    server = odd("plain")
    for _ in range(2):
        server.start()
        assert server.call("odd").startswith("from ")
        server.close()


def test_call_that_is_under_way_fails_when_the_server_is_closed():
    server = odd("never answers").start()
    failures = []

    def call():
        try:
            server.call("odd")
        except MCPToolError as error:
            failures.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(0.2)
    server.close()
    thread.join(5)

    assert failures == ["The MCP server 'odd' ended while it worked on odd."]


def test_process_ends_when_nobody_holds_the_server_any_more():
    server = odd("plain")
    process = int(server.call("odd").split()[1])

    del server
    gc.collect()

    wait_until(lambda: not is_there(process))


def test_processes_end_quietly_when_the_interpreter_does():
    script = (
        "import sys\n"
        "from jupyter_agents.mcp import MCPServer\n"
        "kept = []\n"
        "for way in ('strays', 'will not go'):\n"
        f"    kept.append(MCPServer.stdio(sys.executable, [{str(SERVERS / 'odd_mcp_server.py')!r}, way]))\n"
        "    sys.stdout.write(kept[-1].call('odd').split()[1] + ' ')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=SERVERS.parents[1]
    )

    assert (done.returncode, done.stderr) == (0, "")
    processes = [int(one) for one in done.stdout.split()]
    assert [is_there(one) for one in processes] == [False, False]


class Offering:
    """A source of tools that can offer others the next time."""

    def __init__(self, *names):
        self.names = names

    def replaces(self, other):
        return other is self

    def tools_for(self, taken):
        names = [f"of_{name}" if name in taken else name for name in self.names]
        return [Tool.from_function(lambda: "own", name=name, description="Does it.") for name in names]


def test_function_of_the_user_stays_when_tools_of_its_name_are_offered_again():
    agent, source = assistant("never"), Offering("p", "q")
    agent.use(source)
    agent.register_function({"q": len})

    source.names = ("p", "q", "r")
    agent.use(source)
    agent.use(source)

    assert agent.function_map["q"] is len
    assert sorted(agent.function_map) == ["of_q", "p", "q", "r"]
