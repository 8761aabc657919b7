"""What agents show of themselves, alone and in the list of all."""

import re
from xml.etree import ElementTree as ET

import pytest

from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.display.agent_card import kind_of, signature_of
from jupyter_agents.display.result import result_bundle
from jupyter_agents.magics.roster import Roster
from jupyter_agents.session import use_session
from jupyter_agents.testing import ScriptedModel
from tests.fakes import assistant, quiet_session, user

KEY = "sk-" + "canary" * 4  # put together, so that nothing in this file looks like a key
ATTACK = "</dt></section><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session(render=result_bundle)) as session:
        yield session


def search(query: str, limit: int = 10) -> list[str]:
    return [query] * limit


class Analyst(AssistantAgent):
    pass


def words(html):
    return " ".join("".join(ET.fromstring(html).itertext()).split())


def test_agent_shows_what_it_is_when_it_is_displayed():
    agent = Analyst(
        "ada",
        "You read tables.",
        llm_config=ScriptedModel(["Hello."]),
        function_map={"search": search},
        description="Reads tables.",
        code_execution_config={"policy": "ask"},
    )

    facts = (
        "ada Analyst, a kind of AssistantAgent",
        "descriptionReads tables.",
        "NEVER: never asked",
        "ask: runs when you approve it",
        "search(query: str, limit: int = 10) -> list[str]",
        "system message (16 characters)You read tables.",
    )

    bundle = agent._repr_mimebundle_()

    shown = words(bundle["text/html"])
    assert [fact for fact in facts if fact not in shown] == []
    assert bundle["text/plain"] == repr(agent)
    assert "You read tables." in bundle["text/markdown"]


def test_agent_says_with_whom_it_talked_when_it_did():
    me, agent = user(), assistant("Hello.")

    me.initiate_chat(agent, message="Hi", max_turns=1)

    assert "user (2 messages)" in words(agent._repr_mimebundle_()["text/html"])
    assert "has talked with" not in words(assistant("x")._repr_mimebundle_()["text/html"])


def test_policy_is_the_one_that_holds_when_the_session_is_stricter():
    agent = user(code_execution_config={})

    with use_session(quiet_session(render=result_bundle, code_policy="deny")):
        assert "deny: never runs" in words(agent._repr_mimebundle_()["text/html"])


def test_model_and_code_are_said_to_be_none_when_there_are_none():
    shown = user()._repr_mimebundle_()["text/markdown"]

    assert "- model: none\n" in shown
    assert "- code: off" in shown


def test_everything_foreign_stays_text_when_it_is_markup():
    def tool(x=ATTACK):
        return x

    agent = assistant("x", name=ATTACK, system_message=ATTACK, description=ATTACK, function_map={ATTACK: tool})

    bundle = agent._repr_mimebundle_()

    assert not re.search(r"<(script|img)", bundle["text/html"])
    assert ATTACK.replace("<", "&lt;").replace(">", "&gt;") in bundle["text/html"]
    outside_of_code = bundle["text/markdown"].partition("```")[0]
    assert not re.search(r"<(script|img)", outside_of_code)
    ET.fromstring(bundle["text/html"])


def test_key_is_nowhere_when_an_agent_is_displayed():
    agent = AssistantAgent("a", llm_config={"model": "m", "api_key": KEY, "base_url": "http://127.0.0.1:1/v1"})

    assert KEY not in "".join(agent._repr_mimebundle_().values())


class Unwilling:
    """A callable that says of itself what it likes."""

    __name__ = "unwilling"

    @property
    def __signature__(self):
        raise RuntimeError("no")

    def __call__(self):
        return None


@pytest.mark.parametrize(
    ("function", "expected"), [(Unwilling(), "f(…)"), (search, "f(query: str, limit: int = 10) -> list[str]")]
)
def test_function_is_shown_by_name_when_its_signature_is_unknown(function, expected):
    assert signature_of("f", function) == expected


def test_long_lists_are_cut_when_an_agent_has_many_functions():
    agent = user(function_map={f"f{number}": search for number in range(80)})

    assert "… and 30 more" in words(agent._repr_mimebundle_()["text/html"])


def test_kind_names_the_known_class_when_the_class_is_a_user_s():
    assert (kind_of(Analyst("a", llm_config=False)), kind_of(user())) == (
        "Analyst, a kind of AssistantAgent",
        "UserProxyAgent",
    )


# -- The list ----------------------------------------------------------------------------------------------------


def test_roster_is_a_table_in_each_form_when_there_are_agents():
    roster = Roster({"ada": AssistantAgent("Ada", llm_config=False), "me": UserProxyAgent("Me")})

    assert repr(roster).splitlines()[0].split() == "variable name kind model human approve functions".split()
    assert ">Ada</td>" in roster._repr_html_()
    assert roster._repr_markdown_().splitlines()[2].startswith("| ada | Ada | AssistantAgent |")


def test_roster_has_only_its_sentence_when_there_is_nobody():
    roster = Roster({})

    assert (roster._repr_html_(), roster._repr_markdown_()) == (None, None)
    assert repr(roster).startswith("No agents yet.")


def test_names_stay_in_their_cells_when_they_hold_markup():
    roster = Roster({"a": assistant("x", name="a | b <img src=x> c")})

    assert "<img" not in roster._repr_html_()
    assert r"a \| b &lt;img src=x\> c" in roster._repr_markdown_()
