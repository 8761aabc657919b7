"""Tools of agents: what a model is offered, and who makes its calls."""

import base64

import pytest

from jupyter_agents import AssistantAgent, EndedBy, UserProxyAgent
from jupyter_agents.agents.tool_use import is_external, register_function
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import ToolFinished
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.journal.recording import Recording
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.testing import FakeOpenAIServer
from jupyter_agents.tools import Tool
from tests.fakes import assistant, both_faces, quiet_session, user, wire_of

DONE = "Done.\n\nTERMINATE"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (4).to_bytes(4, "big") + (3).to_bytes(4, "big")
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}}


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def area(width: int, height: int = 1):
    """The area of a rectangle."""
    return {"area": width * height}


def search(query: str):
    """Search the archive."""
    return query


def calling(name, arguments="{}", call_id="1"):
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"content": None, "tool_calls": [call]}


def calling_legacy(name, arguments="{}"):
    return {"content": None, "function_call": {"name": name, "arguments": arguments}}


def offered(agent, call=-1):
    """The names of the tools in a request."""
    return [one["function"]["name"] for one in agent.model.requests[call].options.get("tools") or ()]


def names_of(agent, key="tools"):
    return [(one.get("function") or one)["name"] for one in agent.llm_config.get(key, ())]


# -- Who makes a call --------------------------------------------------------------------------------------------


@both_faces
def test_own_tool_is_called_by_whoever_receives_the_call(face):
    agent, me = assistant(calling("area", '{"width": 6, "height": 7}'), DONE), user()
    agent.tool(area)

    result = face(me, "initiate_chat", agent, message="How large?")

    assert offered(agent) == ["area"]
    assert wire_of(agent)[-1] == {"role": "tool", "tool_call_id": "1", "content": '{"area": 42}'}
    assert [(one.agent, one.ok) for one in result.log.select(ToolFinished)] == [("user", True)]
    assert result.ended_by is EndedBy.TERMINATION


@both_faces
def test_function_of_the_receiver_goes_before_the_callers_own_tool(face):
    agent, me = assistant(calling("area", '{"width": 6}'), DONE), user(function_map={"area": lambda width: "mine"})
    agent.tool(area)

    face(me, "initiate_chat", agent, message="How large?")

    assert wire_of(agent)[-1]["content"] == "mine"


@both_faces
def test_function_of_the_caller_is_not_lent_when_it_is_no_tool_of_its_own(face):
    agent, me = assistant(calling("area", '{"width": 6}'), DONE, function_map={"area": area}), user()

    face(me, "initiate_chat", agent, message="How large?")

    assert wire_of(agent)[-1]["content"] == "Error: Function area not found. Available functions: none."


@both_faces
def test_own_tools_are_named_when_the_model_mistypes_one(face):
    agent, me = assistant(calling("aera"), DONE), user(function_map={"search": search})
    agent.tool(area)

    face(me, "initiate_chat", agent, message="How large?")

    assert wire_of(agent)[-1]["content"].endswith("Did you mean area? Available functions: area, search.")


@both_faces
def test_own_tool_is_lent_for_legacy_calls_too(face):
    agent, me = assistant(calling_legacy("area", '{"width": 6}'), DONE), user()
    agent.tool(area)

    face(me, "initiate_chat", agent, message="How large?")

    assert wire_of(agent)[-1] == {"role": "function", "name": "area", "content": '{"area": 6}'}


def test_own_tool_is_no_longer_lent_when_it_was_taken_away():
    agent, me = assistant(calling("area", '{"width": 6}'), DONE), user()
    agent.tool(area)

    agent.register_function({"area": None})
    me.initiate_chat(agent, message="How large?")

    assert wire_of(agent)[-1]["content"].startswith("Error: Function area not found.")


@both_faces
def test_agent_makes_its_own_call_when_it_is_asked_to(face):
    agent = assistant(DONE)
    agent.tool(area)
    call = calling("area", '{"width": 6}') | {"role": "assistant"}

    reply = face(agent, "generate_reply", messages=[{"role": "user", "content": "go"}, call])

    assert reply["tool_responses"] == [{"role": "tool", "tool_call_id": "1", "content": '{"area": 6}'}]


@both_faces
def test_override_that_calls_the_function_itself_has_the_lent_ones(face):
    class Counting(UserProxyAgent):
        count = 0

        def execute_function(self, func_call):
            self.count += 1
            return super().execute_function(func_call)

    agent = assistant(calling("area", '{"width": 6}'), DONE)
    agent.tool(area)
    me = Counting("me", human_input_mode="NEVER", code_execution_config=False)

    face(me, "initiate_chat", agent, message="How large?")

    assert (wire_of(agent)[-1]["content"], me.count) == ('{"area": 6}', 1)


@both_faces
@pytest.mark.parametrize("policies", [("ask", "auto"), ("auto", "ask"), ("ask", "ask")])
def test_person_is_asked_when_either_agent_wants_it(face, policies):
    agent = assistant(calling("area", '{"width": 6}'), DONE, tool_policy=policies[0])
    agent.tool(area)
    human = ScriptedHuman(["no", "no", "no"])

    result = face(user(tool_policy=policies[1], human=human), "initiate_chat", agent, message="How large?")

    assert wire_of(agent)[-1]["content"].startswith("Error: ")
    assert [one.ok for one in result.log.select(ToolFinished)] == [False]


@pytest.mark.parametrize("policies", [("deny", "auto"), ("auto", "deny")])
def test_call_is_denied_when_either_agent_denies_it(policies):
    agent = assistant(calling("area", '{"width": 6}'), DONE, tool_policy=policies[0])
    agent.tool(area)

    user(tool_policy=policies[1]).initiate_chat(agent, message="How large?")

    assert "Calling functions is not allowed here" in wire_of(agent)[-1]["content"]


# -- The decorators ----------------------------------------------------------------------------------------------


def test_decorators_give_the_function_back():
    agent, me = assistant(DONE), user()

    assert agent.tool(area) is area
    assert agent.tool(name="find", description="Find.")(search) is search
    assert agent.register_for_llm(name="f", description="F.")(max_of) is max_of
    assert me.register_for_execution()(max_of) is max_of
    assert names_of(agent) == ["area", "find", "f"]


def max_of(values: list[int]):
    return max(values)


@both_faces
def test_tool_is_called_when_its_two_sides_are_registered_apart(face):
    agent, me = assistant(calling("largest", '{"values": ["1", 2]}'), DONE), user()

    @me.register_for_execution()
    @agent.register_for_llm(name="largest", description="The largest number.")
    def max_of(values: list[int]):
        return max(values)

    face(me, "initiate_chat", agent, message="go")

    assert wire_of(agent)[-1]["content"] == "2"
    assert agent.llm_config["tools"][0]["function"]["description"] == "The largest number."
    assert agent.function_map == {}


@both_faces
def test_tool_is_called_when_the_decorators_have_no_parentheses(face):
    agent, me = assistant(calling("total", '{"values": ["1", 2]}'), DONE), user()

    @me.register_for_execution
    @agent.register_for_llm
    def total(values: list[int]):
        """The sum."""
        return sum(values)

    face(me, "initiate_chat", agent, message="go")

    assert (total([1, 2]), list(me.function_map), offered(agent)) == (3, ["total"], ["total"])
    assert wire_of(agent)[-1]["content"] == "3"


@pytest.mark.parametrize("decorator", [lambda one: one.tool, lambda one: one.tool(), lambda one: one.tool(name="area")])
def test_tool_is_one_with_parentheses_and_without(decorator):
    agent = assistant(DONE)

    assert decorator(agent)(area) is area
    assert (names_of(agent), list(agent.function_map)) == (["area"], ["area"])


@both_faces
def test_tool_is_called_when_both_sides_are_registered_at_once(face):
    agent, me = assistant(calling("largest", '{"values": ["1", 2]}'), DONE), user()

    register_function(max_of, caller=agent, executor=me, name="largest", description="The largest number.")
    face(me, "initiate_chat", agent, message="go")

    assert (offered(agent), wire_of(agent)[-1]["content"]) == (["largest"], "2")


def test_tool_that_is_made_already_can_be_registered():
    agent, me = assistant(DONE), user()
    tool = Tool.from_function(area, external=True)

    register_function(tool, caller=agent, executor=me)
    agent.tool(tool, name="other")

    assert names_of(agent) == ["area", "other"]
    assert (is_external(me, "area"), is_external(agent, "other"), is_external(me, "search")) == (True, True, False)
    assert agent.function_map["other"].description == "The area of a rectangle."


def test_legacy_form_is_offered_when_it_is_asked_for():
    agent = assistant(calling_legacy("area"), DONE)

    agent.register_for_llm(api_style="function")(area)
    user().initiate_chat(agent, message="go", max_turns=1)

    assert [one["name"] for one in agent.model.requests[0].options["functions"]] == ["area"]
    assert "tools" not in agent.model.requests[0].options


def test_tools_of_the_config_stay_when_one_is_added():
    model, given = ScriptedModel([DONE]), {"type": "function", "function": {"name": "old"}}
    config = {"model": model, "temperature": 0, "tools": [given]}
    agent = AssistantAgent("a", llm_config=config)

    agent.tool(area)
    user().initiate_chat(agent, message="go", max_turns=1)

    assert [one["function"]["name"] for one in model.requests[0].options["tools"]] == ["old", "area"]
    assert model.requests[0].options["temperature"] == 0
    assert config["tools"] == [given]


def test_can_execute_function_says_which_functions_there_are():
    me = user(function_map={"a": area, "b": search})

    assert [me.can_execute_function(one) for one in ("a", ["a", "b"], ["a", "c"], "c", [])] == [
        True, True, False, False, True,
    ]  # fmt: skip


# -- Mistakes ----------------------------------------------------------------------------------------------------


def undescribed(x: int): ...


@pytest.mark.parametrize(
    ("register", "said"),
    [
        (lambda: user().register_for_llm()(area), "the tool 'area' to 'user': no model speaks for it"),
        (lambda: user().tool(area), "no model speaks for it"),
        (lambda: register_function(area, caller=user(), executor=user()), "no model speaks for it"),
        (lambda: assistant(DONE).tool(undescribed), "'undescribed': it has no description"),
        (lambda: assistant(DONE).register_for_llm(api_style="xml")(area), "in the style 'xml'"),
        (lambda: assistant(DONE).register_for_llm(undescribed), "'undescribed': it has no description"),
        (
            lambda: assistant(DONE).tool("area"),
            "'area' as a tool: it is no function. Give a name or a description by key",
        ),
        (lambda: assistant(DONE).tool()(5), "5 as a tool: it is no function"),
        (lambda: assistant(DONE).register_for_llm("Adds."), "'Adds.' as a tool: it is no function"),
        (lambda: user().register_for_execution(5), "5 as a tool: it is no function"),
        (lambda: user().register_for_execution("area")("area"), "'area' as a tool: it is no function"),
        (lambda: assistant(DONE).tool(max), "does not say what it takes"),
        (lambda: user().register_for_execution()(max), "does not say what it takes"),
        (lambda: assistant(DONE).update_tool_signature("area", is_remove=True), "Cannot remove 'area'.*they are none"),
        (lambda: assistant(DONE).update_tool_signature({"name": "area"}), "it has no name"),
        (lambda: assistant(DONE).update_function_signature("area"), "it has no name"),
        (lambda: user().update_tool_signature({}), "no model speaks for it"),
    ],
)
def test_registering_is_refused_when_nobody_could_call_the_tool(register, said):
    with pytest.raises(ConfigurationError, match=said):
        register()


@pytest.mark.parametrize(
    "register",
    [
        lambda agent: agent.tool(search, name="area"),
        lambda agent: agent.register_for_llm(name="area")(search),
        lambda agent: agent.register_for_llm(name="area", api_style="function")(search),
        lambda agent: agent.register_for_execution("area")(search),
        lambda agent: register_function(search, caller=agent, executor=user(), name="area"),
        lambda agent: register_function(search, caller=assistant(DONE), executor=agent, name="area"),
    ],
)
def test_second_tool_of_a_name_is_refused_and_both_are_named(register):
    agent = assistant(DONE)
    agent.tool(area)
    before = agent.llm_config, agent.function_map

    with pytest.raises(
        ConfigurationError, match=r"'area' with 'assistant'.*test_tool_use\.area.*test_tool_use\.search"
    ):
        register(agent)

    assert (agent.llm_config, agent.function_map) == before


def test_nothing_is_registered_when_the_other_side_refuses():
    agent, me = assistant(DONE), user(function_map={"area": search})

    with pytest.raises(ConfigurationError, match="test_tool_use.search"):
        register_function(area, caller=agent, executor=me)

    assert "tools" not in agent.llm_config


def test_tool_is_refused_when_its_name_is_in_the_config():
    config = {"model": ScriptedModel([DONE]), "tools": [{"type": "function", "function": {"name": "area"}}]}

    with pytest.raises(ConfigurationError, match="a signature in its llm_config"):
        AssistantAgent("a", llm_config=config).tool(area)


def test_tool_is_refused_when_each_config_has_its_own():
    config = {"config_list": [{"model": "m", "tools": []}]}

    with pytest.raises(ConfigurationError, match="config_list has 'tools' of its own"):
        AssistantAgent("a", llm_config=config).tool(area)


def test_function_replaces_its_older_self_when_a_cell_is_run_again():
    agent, namespace = assistant(calling("ping"), DONE), {"__name__": "__main__"}

    for text in ("old", "new"):
        exec(f"def ping():\n    'Say {text}.'\n    return '{text}'\n", namespace)
        agent.tool(namespace["ping"])
    user().initiate_chat(agent, message="go")

    assert [one["function"]["description"] for one in agent.llm_config["tools"]] == ["Say new."]
    assert wire_of(agent)[-1]["content"] == "new"


# -- Signatures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["tools", "functions"])
def test_signature_is_added_replaced_and_removed(key):
    agent = assistant(DONE)
    update = agent.update_tool_signature if key == "tools" else agent.update_function_signature

    def signature(description):
        function = {"name": "f", "description": description, "parameters": {"type": "object", "properties": {}}}
        return {"type": "function", "function": function} if key == "tools" else function

    update(signature("old"), is_remove=False)
    update(signature("new"), False)
    assert agent.llm_config[key] == [signature("new")]
    assert agent.request_options[key] == [signature("new")]

    update("f", is_remove=True)
    assert key not in agent.llm_config
    assert not agent.request_options.get(key)


def test_removed_tool_is_not_sent_when_the_model_was_made_with_it():
    model = ScriptedModel([DONE])
    signature = {"type": "function", "function": {"name": "f"}}
    agent = AssistantAgent("a", llm_config={"model": model, "tools": [signature]})

    agent.update_tool_signature("f", is_remove=True)
    user().initiate_chat(agent, message="go", max_turns=1)

    assert model.requests[0].options["tools"] is None


def test_tool_can_be_offered_again_when_its_signature_was_removed():
    agent = assistant(DONE)
    agent.tool(area)

    agent.update_tool_signature("area", is_remove=True)
    agent.register_for_llm(name="area")(search)

    assert agent.llm_config["tools"][0]["function"]["description"] == "Search the archive."


# -- Images ------------------------------------------------------------------------------------------------------


class Picture:
    def _repr_png_(self):
        return PNG


def draw():
    """Draw."""
    return Picture()


@both_faces
def test_model_sees_an_image_after_the_results(face):
    calls = [calling("draw", call_id=one)["tool_calls"][0] for one in "ab"]
    agent, me = assistant({"content": None, "tool_calls": calls}, DONE), user()
    agent.tool(draw)

    result = face(me, "initiate_chat", agent, message="Draw.")

    text = "<figure: image/png 4x3> (attached as image 1)"
    assert wire_of(agent)[2:] == [
        {"role": "tool", "tool_call_id": "a", "content": text},
        {"role": "tool", "tool_call_id": "b", "content": text},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Tool call a gave this image:"},
                IMAGE,
                {"type": "text", "text": "Tool call b gave this image:"},
                IMAGE,
            ],
        },
    ]
    assert [one.content for one in result.log.select(ToolFinished)] == [text, text]


@both_faces
def test_model_sees_an_image_after_the_result_of_a_legacy_call(face):
    agent, me = assistant(calling_legacy("draw"), DONE), user()
    agent.tool(draw)

    face(me, "initiate_chat", agent, message="Draw.")

    assert [one["role"] for one in wire_of(agent)[-2:]] == ["function", "user"]
    assert wire_of(agent)[-1]["content"][-1] == IMAGE


@both_faces
def test_override_of_execute_function_may_give_images(face):
    class Drawing(UserProxyAgent):
        def execute_function(self, func_call):
            return True, {"name": "draw", "role": "function", "content": [{"type": "text", "text": "Look:"}, IMAGE]}

    agent = assistant(calling("draw"), DONE)

    face(Drawing("me", human_input_mode="NEVER", code_execution_config=False), "initiate_chat", agent, message="Draw.")

    assert wire_of(agent)[-2]["content"] == "Look:"
    assert wire_of(agent)[-1]["content"][-1] == IMAGE


@both_faces
def test_chat_with_an_image_is_replayed_as_it_was_recorded(face, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_AGENTS_TRUST_DB", str(tmp_path / "trusted.jsonl"))
    found = []

    for mode in ("record", "replay"):
        recording = Recording.open(tmp_path / "chat.jsonl", mode)
        agent, me = assistant(calling("draw"), DONE), user()
        agent.tool(draw)
        with use_session(quiet_session(find_recording=lambda found=recording: found)):
            result = face(me, "initiate_chat", agent, message="Draw.")
        found.append((result.messages, result.ended_by, agent.chat_messages[me], agent.model.calls))

    assert found[0][:3] == found[1][:3]
    assert [calls for *_, calls in found] == [2, 0]
    assert found[1][0][2]["tool_responses"][0]["images"] == [IMAGE]


# -- Over the wire -----------------------------------------------------------------------------------------------


@both_faces
def test_server_is_sent_the_schema_the_result_and_the_image(face):
    call = ToolCall("chart", '{"values": [1, 2]}', "c1")
    with FakeOpenAIServer() as server:
        server.enqueue(ModelReply(finish_reason="tool_calls", tool_calls=(call,)), DONE)
        agent = AssistantAgent("ada", llm_config={"model": "m", "api_key": "fake-key", "base_url": server.base_url})

        @agent.tool
        async def chart(values: list[int]):
            """Draw a chart.

            Args:
                values: What to draw.
            """
            return [f"{len(values)} values", Picture()]

        result = face(user(), "initiate_chat", agent, message="Draw.")

    first, second = (request.body for request in server.requests)
    assert first["tools"] == agent.llm_config["tools"]
    assert first["tools"][0]["function"]["parameters"]["properties"] == {
        "values": {"type": "array", "items": {"type": "integer"}, "description": "What to draw."}
    }
    assert second["messages"][-2:] == [
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": "2 values\n<figure: image/png 4x3> (attached as image 1)",
        },
        {"role": "user", "content": [{"type": "text", "text": "Tool call c1 gave this image:"}, IMAGE]},
    ]
    assert result.ended_by is EndedBy.TERMINATION
