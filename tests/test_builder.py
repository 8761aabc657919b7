"""The agent builder: what is typed, the agents and the code that come of it, and what never travels."""

import ast
import dataclasses
import json
import re
import typing
from pathlib import Path
from types import SimpleNamespace

import comm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from jupyter_agents import AssistantAgent, ResponsiveAgent, UserProxyAgent
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.session import Session, Settings, use_session
from jupyter_agents.testing import ScriptedModel
from jupyter_agents.tools import Tool
from jupyter_agents.widgets import AgentBuilder, _builder_page, _builder_protocol, live
from jupyter_agents.widgets._blueprint import KINDS, source_of_all, variable_for
from jupyter_agents.widgets._builder_protocol import Draft
from jupyter_agents.widgets._reading import read_drafts
from jupyter_agents.widgets._source import text_source
from tests.fake_comm import FakeComm

KEY = "sk-" + "canary" * 4  # put together, so that nothing in this file looks like a key
PROTOCOL_TS = Path(__file__).parents[1] / "labextension" / "src" / "view" / "builderProtocol.ts"


def lookup(city: str) -> str:
    """The weather in a city."""
    return city


def untyped(a, *, b: int = 1):
    return a


def settings_of(agent):
    """All settings of an agent that a constructor takes."""
    return {
        "class": type(agent),
        "name": agent.name,
        "description": agent.description,
        "system_message": agent.system_message,
        "human_input_mode": agent.human_input_mode,
        "max_replies": agent.max_consecutive_auto_reply(),
        "code": agent.code_config,
        "llm_config": agent.llm_config if isinstance(agent.llm_config, bool) else dict(agent.llm_config),
        "model": (type(agent.model), repr(agent.model)),
        "options": dict(agent.request_options),
        "functions": agent.function_map,
        "is_termination_msg": agent.is_termination_msg,
        "default_auto_reply": agent.default_auto_reply,
        "human": agent.human,
    }


def run(code, namespace):
    """Run code as a cell would, after IPython's transformations."""
    exec(TransformerManager().transform_cell(code), namespace)
    return namespace


def code_of(draft, namespace=None, kept=None):
    reading = read_drafts([draft], kept or {}, namespace or {})
    assert [one for one in reading.problems if not one["is_note"]] == []
    return source_of_all(list(reading.blueprints.values()))


def errors_of(draft, namespace=None):
    reading = read_drafts([draft], {}, namespace or {})
    return {one["field"]: one["text"] for one in reading.problems if not one["is_note"]}


def forget_built():
    live.static_text.cache_clear()
    _builder_page.widget_class.cache_clear()


@pytest.fixture
def front_end(monkeypatch, bare_shell, tmp_path):
    """A kernel with a page: `page()` shows a builder, and gives it and its comm."""
    comms = []
    monkeypatch.setattr(comm, "create_comm", lambda **given: comms.append(FakeComm(**given)) or comms[-1])
    monkeypatch.setattr(bare_shell, "kernel", SimpleNamespace(), raising=False)
    monkeypatch.setattr(live, "STATIC", tmp_path)
    forget_built()
    for name in ("builder.js", "agents.css"):
        (tmp_path / name).write_text("/* built */\n", "utf-8")
    builders = []

    def page(*agents, **namespace):
        made = AgentBuilder(*agents, namespace=namespace)
        builders.append(made)
        made._repr_mimebundle_()
        return made, next(one for one in reversed(comms) if "_esm" in one.opened_with.get("state", {})), namespace

    yield page
    for one in builders:
        one.close()
    forget_built()


def hello(view="v1"):
    return {"t": "hello", "view": view, "version": 1}


def check(*drafts, ask=1, view="v1"):
    return {"t": "check", "view": view, "ask": ask, "drafts": [draft.to_json() for draft in drafts]}


def create(*drafts, which=None, replace=(), ask=1):
    found = check(*drafts, ask=ask)
    return {**found, "t": "create", "which": which, "replace": list(replace)}


WRITER = Draft(id="a", kind="assistant", name="writer")


# -- Code ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draft", "statement"),
    [
        (WRITER, 'writer = AssistantAgent("writer")'),
        (Draft("a", kind="user_proxy", name="me", code="auto"), 'me = UserProxyAgent("me")'),
        (Draft("a", kind="user_proxy", name="me", code="off"), 'me = UserProxyAgent("me", code_execution_config=False)'),
        (
            Draft("a", kind="user_proxy", name="me"),
            'me = UserProxyAgent("me", code_execution_config={"policy": "ask"})',
        ),
        (Draft("a", kind="user_proxy", name="me", code="auto", model="default"), 'me = UserProxyAgent("me", llm_config=True)'),
        (Draft("a", kind="assistant", name="w", model="none"), 'w = AssistantAgent("w", llm_config=False)'),
        (Draft("a", kind="assistant", name="w", max_replies="100", human_input_mode="NEVER"), 'w = AssistantAgent("w")'),
        (Draft("a", kind="assistant", name="w", system_message=AssistantAgent("x").system_message), 'w = AssistantAgent("w")'),
        (Draft("a", kind="assistant", name="w", code="auto"), 'w = AssistantAgent("w", code_execution_config={"policy": "auto"})'),
    ],
)  # fmt: skip
def test_code_says_only_what_differs_when_it_is_made(draft, statement):
    code = code_of(draft)

    assert code.strip().splitlines()[-1] == statement


def test_code_reads_like_written_when_much_is_set():
    draft = Draft(
        "a",
        kind="user_proxy",
        name="Data analyst",
        system_message='Say "hi".\nThen stop.',
        code="ask",
        work_dir="out",
        timeout="90",
        max_replies="5",
        tools={"lookup": "lookup"},
    )

    code = code_of(draft, {"lookup": lookup})

    assert code == (
        "from jupyter_agents import UserProxyAgent\n\n"
        "data_analyst = UserProxyAgent(\n"
        '    "Data analyst",\n'
        '    system_message="""\\\nSay "hi".\nThen stop.""",\n'
        "    max_consecutive_auto_reply=5,\n"
        '    code_execution_config={"policy": "ask", "work_dir": "out", "timeout": 90},\n'
        '    function_map={"lookup": lookup},\n'
        ")\n"
    )


CALLER = Draft("a", kind="assistant", name="caller", tools={"lookup": "lookup"})
RUNNER = Draft("b", kind="user_proxy", name="runner")


def test_code_tells_the_model_of_a_tool_when_it_is_chosen():
    code = code_of(CALLER, {"lookup": lookup})

    assert code == (
        "from jupyter_agents import AssistantAgent\n"
        "from jupyter_agents.tools import tool_schema\n\n"
        "caller = AssistantAgent(\n"
        '    "caller",\n'
        '    llm_config={"tools": [tool_schema(lookup)]},\n'
        '    function_map={"lookup": lookup},\n'
        ")\n"
    )


def test_agent_without_a_model_runs_the_tools_that_others_call():
    reading = read_drafts([CALLER, RUNNER], {}, {"lookup": lookup})

    caller, runner = (reading.blueprints[one].build() for one in "ab")

    assert runner.function_map == {"lookup": lookup}
    assert (runner.model, caller.request_options["tools"][0]["function"]["name"]) == (None, "lookup")
    assert [(one["draft"], one["text"]) for one in reading.problems] == [
        ("b", "It also runs lookup, which caller may call.")
    ]


def test_note_says_who_runs_a_tool_when_no_other_agent_is_made():
    reading = read_drafts([CALLER], {}, {"lookup": lookup})

    [note] = reading.problems

    assert (note["is_note"], note["field"]) == (True, "tools")
    assert note["text"].startswith("lookup: run by the agent it talks with.")


TOOLS_OF_ITS_OWN = {"model": "m", "tools": [{"type": "function", "function": {"name": "other", "parameters": {}}}]}


@pytest.mark.parametrize("config", [TOOLS_OF_ITS_OWN, {"model": "m"}, ScriptedModel(["hi"])])
@pytest.mark.parametrize("is_named", [True, False])
def test_tool_is_told_beside_what_a_config_has_when_its_agent_is_edited(config, is_named):
    before = AssistantAgent("agent", llm_config=config)
    namespace = {"agent": before, "lookup": lookup}
    namespace |= {"config": config} if is_named or isinstance(config, ScriptedModel) else {}
    edited = AgentBuilder(before, namespace=namespace)
    [draft] = edited._drafts

    reading = read_drafts([dataclasses.replace(draft, tools={"lookup": "lookup"})], edited._kept, namespace)
    made = run(source_of_all([reading.blueprints[draft.id]]), dict(namespace))["agent"]

    names = [one["function"]["name"] for one in made.request_options["tools"]]
    assert names == [*(["other"] if config is TOOLS_OF_ITS_OWN else []), "lookup"]
    assert repr(before.model).strip("<>") in repr(made.model)


def test_model_is_not_told_of_a_tool_any_more_when_it_is_taken_off():
    namespace = {"lookup": lookup}
    namespace["caller"] = read_drafts([CALLER], {}, namespace).blueprints["a"].build()
    edited = AgentBuilder(namespace["caller"], namespace=namespace)
    [draft] = edited._drafts

    reading = read_drafts([dataclasses.replace(draft, tools={})], edited._kept, namespace)

    assert source_of_all([*reading.blueprints.values()]).endswith('caller = AssistantAgent("caller")\n')


TEXT = st.text(alphabet=st.one_of(st.sampled_from("\"\\\n\t\r '%!?#{}$\u202e\xa0\ud83d"), st.characters()), max_size=60)

_ON_ONE_LINE = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
NAME = st.text(st.sampled_from("\"\\ '%!?#{}$\u202e\xa0\ud83d") | _ON_ONE_LINE, max_size=60).filter(str.strip)


@given(TEXT)
def test_text_comes_back_when_its_source_is_read(text):
    assert ast.literal_eval(text_source(text)) == text


@st.composite
def drafts(draw):
    return Draft(
        id="a",
        kind=draw(st.sampled_from(sorted(KINDS))),
        name=draw(NAME),
        variable=draw(st.sampled_from(["agent", "größe", "x1", "_hidden"])),
        description=draw(TEXT),
        system_message=draw(st.none() | TEXT),
        model=draw(st.sampled_from([None, "default", "none", "named"])),
        model_name=draw(st.sampled_from(["gpt-4o", 'a "b"\\', "llama3:8b"])),
        human_input_mode=draw(st.sampled_from([None, "ALWAYS", "TERMINATE", "NEVER"])),
        code=draw(st.sampled_from([None, "off", "ask", "auto", "deny"])),
        work_dir=draw(st.sampled_from(["", "out", "a b/ü"])),
        timeout=draw(st.sampled_from(["", "60", "0.5", " 1e3 "])),
        max_replies=draw(st.sampled_from(["", "0", "7", "100"])),
        tools=draw(st.dictionaries(TEXT, st.sampled_from(["lookup", "untyped", "words.upper"]), max_size=3)),
    )


@given(drafts().map(lambda draft: Draft.from_json(draft.to_json())))
def test_code_makes_the_same_agent_when_it_is_run(draft):
    namespace = {"lookup": lookup, "untyped": untyped, "words": "x"}
    reading = read_drafts([draft], {}, namespace)
    made = reading.blueprints["a"].build()

    ran = run(source_of_all([reading.blueprints["a"]]), dict(namespace))[draft.variable]

    assert settings_of(ran) | {"functions": None} == settings_of(made) | {"functions": None}
    assert {name: repr(one) for name, one in ran.function_map.items()} == {
        name: repr(one) for name, one in made.function_map.items()
    }


@given(drafts())
def test_agent_stays_the_same_when_it_is_loaded_and_made_again(draft):
    namespace = {"lookup": lookup, "untyped": untyped}
    typed = Draft.from_json({**draft.to_json(), "variable": "agent", "tools": {"f": "lookup"}})
    before = namespace["agent"] = read_drafts([typed], {}, namespace).blueprints["a"].build()

    ran = run(AgentBuilder(before, namespace=namespace).code, dict(namespace))["agent"]

    assert settings_of(ran) == settings_of(before) | {"description": before.description or None}


# -- Loading ---------------------------------------------------------------------------------------------------


def is_over(message):
    return "over" in message["content"]


EXAMPLES = [
    lambda: ResponsiveAgent("a", llm_config={"config_list": [{"model": "m", "base_url": "http://127.0.0.1:1/v1"}]}),
    lambda: AssistantAgent("a", model="m", temperature=0, functions=[{"name": "f", "parameters": {"type": "object"}}]),
    lambda: AssistantAgent("a", llm_config={"temperature": 0.5}, is_termination_msg=is_over),
    lambda: UserProxyAgent("a", default_auto_reply=None, code_execution_config={"last_n_messages": "auto"}),
    lambda: UserProxyAgent("a", llm_config=MODEL, max_consecutive_auto_reply=3),
]
MODEL = ScriptedModel(["hi"])


@pytest.mark.parametrize("make", EXAMPLES)
def test_what_has_no_field_is_kept_when_an_agent_is_loaded(make):
    namespace = {"a": make(), "is_over": is_over, "MODEL": MODEL}

    code = AgentBuilder(namespace["a"], namespace=namespace).code

    assert settings_of(run(code, dict(namespace))["a"]) == settings_of(namespace["a"])


CONFIGS = [
    {"model": "m", "api_key": KEY},
    {"config_list": [{"model": "m", "api_key": KEY}, {"model": "n", "api_key": KEY}]},
    {"model": "m", "base_url": f"http://user:{KEY}@127.0.0.1:1/v1"},
    {"model": "m", "base_url": f"http://127.0.0.1:1/v1/{KEY}"},
    {"model": "m", "extra_headers": {"x-key": KEY}},
    {"model": "m", "unheard_of": KEY},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_key_is_nowhere_when_an_agent_with_one_is_loaded(config, front_end):
    writer = AssistantAgent("writer", llm_config=config)
    form_object, page, _ = front_end(writer=writer, headers=config.get("extra_headers"))

    [form] = page.hear(hello())
    [loaded] = page.hear({"t": "load", "view": "v1", "ask": 1, "variable": "writer"})
    [checked] = page.hear(check(Draft.from_json(loaded["draft"])))

    assert "llm_config" in checked["code"]
    assert KEY not in json.dumps([form, loaded, checked, page.opened_with]) + repr(form_object) + form_object.code


def test_code_takes_the_key_from_the_environment_when_it_is_there(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    namespace = {"a": AssistantAgent("a", llm_config={"model": "m", "api_key": KEY})}

    code = AgentBuilder(namespace["a"], namespace=namespace).code

    assert 'llm_config={"model": "m", "api_key": os.environ["OPENAI_API_KEY"]}' in code
    assert settings_of(run(code, dict(namespace))["a"]) == settings_of(namespace["a"])


def test_code_names_the_variable_when_one_holds_the_config():
    config_list = [{"model": "m", "api_key": KEY}]
    namespace = {"config_list": config_list, "a": AssistantAgent("a", config_list=config_list)}

    code = AgentBuilder(namespace["a"], namespace=namespace).code

    assert 'a = AssistantAgent("a", llm_config={"config_list": config_list})' in code


def test_key_does_not_go_along_when_another_choice_is_made(front_end):
    writer = AssistantAgent("writer", llm_config={"model": "m", "base_url": "http://127.0.0.1:1/v1"})
    _, page, _ = front_end(writer=writer)
    [loaded] = page.hear({"t": "load", "view": "v1", "ask": 1, "variable": "writer"})

    [checked] = page.hear(check(dataclasses.replace(Draft.from_json(loaded["draft"]), model="default")))

    assert 'writer = AssistantAgent("writer")' in checked["code"]


def test_loading_says_why_when_code_could_not_name_the_model(front_end):
    _, page, _ = front_end(writer=AssistantAgent("writer", llm_config=ScriptedModel([])))

    [loaded] = page.hear({"t": "load", "view": "v1", "ask": 3, "variable": "writer"})

    assert loaded["draft"] is None
    assert "its model is a ScriptedModel that no variable holds" in loaded["why"]


def test_loading_says_what_it_leaves_out_when_no_variable_holds_it(front_end):
    agent = AssistantAgent("a", is_termination_msg=lambda message: True, function_map={"f": lambda: 1})
    _, page, _ = front_end(a=agent)
    [loaded] = page.hear({"t": "load", "view": "v1", "ask": 1, "variable": "a"})

    [checked] = page.hear(check(Draft.from_json(loaded["draft"])))

    notes = " ".join(one["text"] for one in checked["problems"] if one["is_note"])
    assert "Left out: is_termination_msg" in notes
    assert "Left out: the function 'f'" in notes


def test_agents_of_other_classes_are_listed_with_the_reason_when_they_cannot_be_loaded(front_end):
    class Own(AssistantAgent):
        pass

    _, page, _ = front_end(own=Own("own"), writer=AssistantAgent("writer"))

    [form] = page.hear(hello())

    assert {one["variable"]: bool(one["why"]) for one in form["place"]["agents"]} == {"own": True, "writer": False}


# -- Validation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": " "}, "name", "Cannot name an agent"),
        ({"name": "a\nb"}, "name", "Give one that is on one line"),
        ({"variable": "2x"}, "variable", "Cannot use '2x' as a variable"),
        ({"variable": "class"}, "variable", "Cannot use 'class' as a variable"),
        ({"variable": "print"}, "variable", "that name holds a builtin_function_or_method"),
        ({"variable": "data"}, "variable", "that name holds a list"),
        ({"variable": "AssistantAgent"}, "variable", "Take another name"),
        ({"human_input_mode": "SOMETIMES"}, "human_input_mode", "it must be one of ALWAYS, TERMINATE, NEVER"),
        ({"model": "named", "model_name": " "}, "model", "give the name of one"),
        ({"model": "kept"}, "model", "not known any more"),
        ({"code": "perhaps"}, "code", "it must be one of auto, ask, deny"),
        ({"code": "ask", "timeout": "soon"}, "timeout", "give a number of seconds above 0"),
        ({"code": "ask", "timeout": "nan"}, "timeout", "give a number of seconds above 0"),
        ({"code": "ask", "timeout": "-1"}, "timeout", "give a number of seconds above 0"),
        ({"max_replies": "-1"}, "max_replies", "give a whole number, 0 or more"),
        ({"max_replies": "9" * 5000}, "max_replies", "give a whole number, 0 or more"),
        ({"tools": {"gone": "gone"}}, "tools", "no variable has this name any more"),
        ({"tools": {"data": "data"}}, "tools", "it holds a list, which cannot be called"),
        ({"kind": "group"}, "kind", "the kinds are assistant, user_proxy, responsive"),
    ],
)
def test_mistake_is_said_at_its_field_when_there_is_one(changes, field, words):
    errors = errors_of(dataclasses.replace(WRITER, **changes), {"data": [1]})

    assert list(errors) == [field]
    assert words in errors[field]


def test_second_agent_is_refused_when_two_take_one_variable():
    reading = read_drafts([WRITER, dataclasses.replace(WRITER, id="b")], {}, {})

    assert [one["draft"] for one in reading.problems if not one["is_note"]] == ["b"]
    assert list(reading.blueprints) == ["a"]


@pytest.mark.parametrize(
    ("name", "variable"),
    [("Data analyst", "data_analyst"), ("2nd", "agent_2nd"), ("class", "class_"), ("Jürgen", "jürgen"), ("!", "")],
)
def test_variable_is_made_from_the_name_when_none_is_given(name, variable):
    assert variable_for(name) == variable


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([one.name for one in dataclasses.fields(Draft)]), inner)))  # fmt: skip
def test_draft_is_read_and_judged_when_it_is_anything(data):
    draft = Draft.from_json(data)

    reading = read_drafts([draft], {}, {})

    assert len(reading.blueprints) + len({one["draft"] for one in reading.problems if not one["is_note"]}) == 1


# -- Conversation with a page ----------------------------------------------------------------------------------


def test_agent_is_in_the_namespace_when_it_is_created(front_end):
    _, page, namespace = front_end()

    answers = page.hear(create(WRITER, ask=7))

    assert answers[-1] == {"t": "created", "to": "v1", "ask": 7, "variables": ["writer"], "outdated": []}
    assert settings_of(namespace["writer"]) == settings_of(AssistantAgent("writer"))


def test_page_is_asked_first_when_an_agent_would_be_replaced(front_end):
    before = AssistantAgent("old")
    _, page, namespace = front_end(writer=before)

    [asks] = page.hear(create(WRITER))
    held = namespace["writer"]
    page.hear(create(WRITER, replace=["writer"]))

    assert asks["replaced"] == [{"variable": "writer", "name": "old", "class_name": "AssistantAgent", "talks": 0}]
    assert held is before
    assert namespace["writer"].name == "writer"


def test_nothing_is_created_when_one_of_several_is_wrong(front_end):
    _, page, namespace = front_end(data=[1])

    [created] = page.hear(create(WRITER, Draft("b", kind="assistant", name="data")))

    assert created["variables"] == []
    assert namespace == {"data": [1]}


def test_only_one_is_created_when_one_is_meant(front_end):
    _, page, namespace = front_end()

    page.hear(create(WRITER, Draft("b", kind="assistant", name=""), which="a"))

    assert list(namespace) == ["writer"]


def test_what_was_typed_comes_back_when_the_page_is_loaded_anew(front_end):
    _, page, _ = front_end()
    page.hear(check(WRITER))

    [form] = page.hear(hello("v2"))

    assert form["to"] == "v2"
    assert [one["name"] for one in form["drafts"]] == ["writer"]


def test_nothing_typed_is_in_the_state_when_the_notebook_saves_it(front_end):
    form_object, page, _ = front_end()
    page.hear(check(dataclasses.replace(WRITER, system_message=KEY)))

    state = form_object._open().get_state()

    assert KEY not in json.dumps(state, default=str)
    assert KEY not in json.dumps([one for one in page.sent if one.get("method") != "custom"], default=str)


def test_lone_surrogate_is_replaced_when_it_is_typed(front_end):
    _, page, namespace = front_end()

    page.hear(create(dataclasses.replace(WRITER, description="a\ud800")))

    assert namespace["writer"].description == "a\ufffd"


def test_page_hears_of_functions_when_a_cell_has_defined_one(front_end, bare_shell):
    _, page, namespace = front_end(untyped=untyped)
    [form] = page.hear(hello())
    namespace["lookup"] = lookup

    bare_shell.run_cell("1", silent=False)

    [place] = [one["place"] for one in page.custom if one["t"] == "place"]
    assert [one["name"] for one in form["place"]["functions"]] == ["untyped"]
    facts = {one["name"]: one for one in place["functions"]}
    assert facts["lookup"]["signature"] == "(city: str) -> str"
    assert facts["lookup"]["doc"] == "The weather in a city."
    assert (facts["lookup"]["untyped"], facts["untyped"]["untyped"]) == ([], ["a"])


def test_nothing_is_sent_when_every_view_is_gone(front_end, bare_shell):
    _, page, namespace = front_end()
    page.hear(hello())
    page.hear({"t": "bye", "view": "v1"})
    namespace["lookup"] = lookup

    bare_shell.run_cell("1")

    assert [one["t"] for one in page.custom] == ["form"]


def test_defaults_of_functions_stay_in_the_kernel_when_they_may_be_keys(front_end):
    def call(url: str, key: str = KEY, times: int = 3) -> None: ...

    _, page, _ = front_end(call=call)

    [form] = page.hear(hello())

    assert form["place"]["functions"][0]["signature"] == "(url: str, key: str = …, times: int = 3) -> None"


class Awkward:
    """A variable that answers no question about itself."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __eq__(self, other):
        raise RuntimeError("==")

    __hash__ = None


def test_form_is_there_when_a_variable_answers_no_question(front_end):
    writer = AssistantAgent("writer", llm_config={"model": "m", "api_key": KEY})
    _, page, _ = front_end(awkward=Awkward(), held=[Awkward()], writer=writer)

    [form] = page.hear(hello())
    [loaded] = page.hear({"t": "load", "view": "v1", "ask": 1, "variable": "writer"})

    assert [one["variable"] for one in form["place"]["agents"]] == ["writer"]
    assert loaded["draft"]["name"] == "writer"


def test_models_are_those_known_here_when_nobody_has_looked(front_end, monkeypatch):
    monkeypatch.setenv("OPENAI_MODEL", "from-env")
    agents = {"a": AssistantAgent("a", model="configured"), "b": AssistantAgent("b", model="of-agent")}
    _, page, _ = front_end(**agents)

    with use_session(Session(Settings(model={"model": "configured", "api_key": KEY}))):
        [form] = page.hear(hello())

    assert [(one["name"], one["source"]) for one in form["place"]["models"]] == [
        ("configured", "configured"),
        ("from-env", "environment"),
        ("of-agent", "agent"),
    ]
    assert form["place"]["default_model"] == "configured"


@pytest.mark.parametrize("message", [None, [], "x", {}, {"t": "no"}, {"t": "check"}, {"t": "create", "drafts": 5}])
def test_builder_goes_on_when_a_message_makes_no_sense(message, front_end):
    _, page, _ = front_end()

    page.hear(message)

    assert page.hear(hello())[-1]["t"] == "form"


def test_failure_is_told_when_a_request_cannot_be_answered(front_end, monkeypatch):
    _, page, _ = front_end()
    monkeypatch.setattr("jupyter_agents.models.local.find_local_server", lambda: 1 / 0)

    [failed] = page.hear({"t": "find_models", "view": "v1", "ask": 4})

    assert (failed["t"], failed["ask"]) == ("failed", 4)
    assert "ZeroDivisionError" in failed["why"]


# -- Where there is no page ------------------------------------------------------------------------------------


def test_text_says_what_to_do_when_there_is_no_notebook():
    data, _ = AgentBuilder(namespace={})._repr_mimebundle_()
    shown = data["text/plain"]

    assert "needs a notebook" in shown
    example = "\n".join(line.strip() for line in shown.splitlines() if line.startswith("    "))
    assert isinstance(run(example.rpartition("\n")[0], {})["assistant"], AssistantAgent)


def test_error_says_how_to_build_when_the_front_end_is_missing(front_end, tmp_path):
    forget_built()
    (tmp_path / "builder.js").unlink()

    with pytest.raises(ConfigurationError, match=r"builder.js has not been built"):
        front_end()


def test_agent_is_refused_when_no_variable_holds_it():
    with pytest.raises(ConfigurationError, match="Assign it to a variable first"):
        AgentBuilder(AssistantAgent("a"), namespace={})


# -- Both sides of the protocol --------------------------------------------------------------------------------


def interfaces():
    source = PROTOCOL_TS.read_text("utf-8")
    found = re.findall(r"export interface I(\w+) \{(.*?)\n\}", source, re.DOTALL)
    return {name: re.findall(r"readonly (\w+):", body) for name, body in found}


def test_page_and_kernel_say_the_same_when_they_talk():
    python = {
        name: list(typing.get_type_hints(one))
        for name, one in vars(_builder_protocol).items()
        if isinstance(one, type) and one.__module__ == _builder_protocol.__name__
    }

    assert interfaces() == python
    version = re.search(r"BUILDER_PROTOCOL = (\d+)", PROTOCOL_TS.read_text("utf-8"))
    assert version is not None
    assert int(version[1]) == _builder_protocol.BUILDER_PROTOCOL


def test_names_of_messages_are_the_same_when_page_and_kernel_talk():
    source = PROTOCOL_TS.read_text("utf-8")
    python = {
        typing.get_args(hints["t"])[0]
        for one in vars(_builder_protocol).values()
        if isinstance(one, type)
        and "t" in (hints := getattr(one, "__annotations__", {}) and typing.get_type_hints(one))
    }

    assert set(re.findall(r"readonly t: '(\w+)'", source)) == python


def test_builder_says_what_it_was_given_when_that_is_no_agent():
    with pytest.raises(ConfigurationError, match=r"'bot': it is a str and no agent\. Pass the agent itself"):
        AgentBuilder("bot", namespace={})


# -- Tools that are more than a function -----------------------------------------------------------------------


def weather_tool():
    return Tool.from_function(lookup, name="get_weather", description="The weather, now.")


def test_page_offers_tools_under_the_name_by_which_models_call_them(front_end):
    _, page, _ = front_end(weather=weather_tool(), lookup=lookup)

    [form] = page.hear(hello())

    facts = {one["name"]: one for one in form["place"]["functions"]}
    assert {name: one["called"] for name, one in facts.items()} == {"weather": "get_weather", "lookup": "lookup"}
    assert facts["weather"]["doc"] == "The weather, now."
    assert facts["weather"]["signature"] == "(city: str) -> str"


def test_model_is_told_what_the_tool_says_of_itself_when_it_is_chosen():
    namespace = {"weather": weather_tool()}
    draft = Draft("a", kind="assistant", name="caller", tools={"get_weather": "weather"})

    made = run(code_of(draft, namespace), dict(namespace))["caller"]

    assert made.request_options["tools"] == [weather_tool().to_wire()]
    assert made.function_map["get_weather"] is namespace["weather"]


def make_decorated():
    """An agent with tools that were made by its decorator, and the functions of these tools."""
    agent = AssistantAgent("agent")
    agent.tool(lookup)
    agent.tool(name="search", description="Look it up.", external=True)(words_of)
    return {"agent": agent, "lookup": lookup, "words_of": words_of}


def words_of(text: str) -> list[str]:
    """The words."""
    return text.split()


def test_tools_of_the_decorator_stay_when_their_agent_is_loaded_and_made_again():
    namespace = make_decorated()

    code = AgentBuilder(namespace["agent"], namespace=namespace).code
    ran = run(code, dict(namespace))["agent"]

    assert 'Tool.from_function(words_of, name="search", description="Look it up.", external=True)' in code
    assert "Tool.from_function(lookup)" in code
    assert ran.request_options["tools"] == namespace["agent"].request_options["tools"]
    assert {name: (one.to_wire(), one.external, one.function) for name, one in ran.function_map.items()} == {
        name: (one.to_wire(), one.external, one.function) for name, one in namespace["agent"].function_map.items()
    }


def test_nothing_of_a_tool_is_left_when_it_is_taken_off_a_loaded_agent():
    namespace = make_decorated()
    edited = AgentBuilder(namespace["agent"], namespace=namespace)
    [draft] = edited._drafts

    reading = read_drafts([dataclasses.replace(draft, tools={})], edited._kept, namespace)

    assert source_of_all([*reading.made.values()]).endswith('agent = AssistantAgent("agent")\n')
