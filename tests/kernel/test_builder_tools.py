"""Tools that were picked in an agent builder: the model of the agent calls them, in a real kernel."""

import pytest

SETUP = """
from typing import Annotated

from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.session import current_session
from jupyter_agents.testing import ScriptedModel
from jupyter_agents.widgets import AgentBuilder

asked = []

def get_weather(city: Annotated[str, "its name in English"], days: int = 3) -> str:
    "The weather in a city for some days."
    asked.append((city, days))
    return f"sunny in {city} for {days} days"

def call_what_is_offered(request):
    "As a model does: it knows no function but those of the request."
    [tool] = request.options["tools"]
    function, properties = tool["function"], tool["function"]["parameters"]["properties"]
    assert function["description"].startswith("The weather") and properties["days"]["type"] == "integer"
    assert properties["city"] == {"type": "string", "description": "its name in English"}
    call = {"id": "c1", "type": "function", "function": {"name": function["name"], "arguments": '{"city": "Oslo"}'}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}

def tell_the_result(request):
    return "It is " + request.messages[-1]["content"] + ". TERMINATE"

def begin():
    asked.clear()
    current_session().settings.model = ScriptedModel([call_what_is_offered, tell_the_result])
"""
DRAFTS = [
    {"id": "a", "kind": "assistant", "name": "analyst", "tools": {"get_weather": "get_weather"}},
    {"id": "b", "kind": "user_proxy", "name": "me", "human_input_mode": "NEVER"},
]
CHAT = "begin()\nresult = me.initiate_chat(analyst, message='Oslo?', silent=True)"


@pytest.fixture(autouse=True)
def builder(kernel):
    """The name of a builder in the kernel, in whose form a tool was picked for one of two agents."""
    assert kernel.execute(SETUP).reply["status"] == "ok"
    kernel.execute("for name in ('me', 'analyst'): globals().pop(name, None)")
    kernel.execute(f"builder = AgentBuilder()\ndrafts = {DRAFTS!r}")
    return "builder"


def assert_tool_is_used(kernel):
    cell = kernel.execute(CHAT, "asked", "str(result.chat_history[-1]['content'])")

    assert cell.reply["status"] == "ok", cell.reply
    assert cell.value("asked") == [("Oslo", 3)]
    assert cell.value("str(result.chat_history[-1]['content'])") == "It is sunny in Oslo for 3 days. TERMINATE"


def test_model_calls_the_tool_when_the_builder_made_the_agents(kernel, builder):
    kernel.execute(f"{builder}._hear({{'t': 'create', 'view': 'v', 'ask': 1, 'drafts': drafts}})")

    assert_tool_is_used(kernel)


def test_model_calls_the_tool_when_the_code_of_the_builder_made_the_agents(kernel, builder):
    kernel.execute(f"{builder}._hear({{'t': 'check', 'view': 'v', 'ask': 1, 'drafts': drafts}})")
    kernel.execute(f"exec({builder}.code)")

    assert_tool_is_used(kernel)


def test_model_calls_the_tool_when_the_agents_were_loaded_and_made_again(kernel, builder):
    kernel.execute(f"{builder}._hear({{'t': 'create', 'view': 'v', 'ask': 1, 'drafts': drafts}})")
    kernel.execute("exec(AgentBuilder(analyst, me).code)")

    assert_tool_is_used(kernel)
