"""Budgets of seconds, of output and of repairs: chats that reach one end in order, and can go on."""

import time

import pytest

from jupyter_agents import AssistantAgent, Budget
from jupyter_agents.budget import BudgetSpent, Ledger
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.executors.base import ExecutionResult
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import current_session, use_session
from jupyter_agents.testing import ServerReply
from tests.fakes import FakeExecutor, both_faces, failure, quiet_session, user

pytestmark = pytest.mark.timeout(60)

CODE = "```python\nprint(1)\n```"


def coder(*replies):
    return AssistantAgent("assistant", llm_config=ScriptedModel([*replies]))


def runner(*results):
    return user(code_execution_config={"executor": FakeExecutor(*results)})


# -- Values that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1, "3", [1], True, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["money", "seconds"])
def test_budget_is_refused_when_an_amount_is_no_number(name, value):
    with pytest.raises(ConfigurationError, match=f"Cannot use {name}=.* as a budget: give a number of"):
        Budget(**{name: value})


@pytest.mark.parametrize("value", [-1, 1.5, "3", True])
@pytest.mark.parametrize("name", ["output_bytes", "repairs"])
def test_budget_is_refused_when_a_count_is_no_whole_number(name, value):
    with pytest.raises(ConfigurationError, match=f"Cannot use {name}=.* as a budget: give a whole number"):
        Budget(**{name: value})


@pytest.mark.parametrize("value", ["maybe", None, 1, ["refuse"]])
def test_budget_is_refused_when_it_is_unclear_what_becomes_of_unknown_prices(value):
    with pytest.raises(ConfigurationError, match="give 'refuse' or 'allow'"):
        Budget(unknown_price=value)


def test_budget_shows_what_it_limits_and_nothing_else():
    assert repr(Budget(turns=1, seconds=2, unknown_price="allow")) == (
        "Budget(turns=1, seconds=2.0, unknown_price='allow')"
    )
    assert Budget(turns=1, seconds=2).limits == {"turns": 1, "seconds": 2.0}


# -- Seconds -------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.time = 100.0

    def __call__(self):
        return self.time


@pytest.mark.parametrize("reserve", ["reserve_turn", "reserve_model_call", "reserve_output", "check_time"])
def test_nothing_is_begun_when_no_second_is_left(reserve):
    clock = Clock()
    ledger = Ledger(parent=Ledger(Budget(seconds=60), clock=clock), clock=clock)
    getattr(ledger, reserve)()
    assert ledger.seconds_left == 60
    clock.time += 60

    with pytest.raises(BudgetSpent, match="the budget of 60 seconds is spent"):
        getattr(ledger, reserve)()

    assert ledger.seconds_left == 0


@both_faces
def test_chat_ends_when_a_reply_takes_longer_than_its_seconds(server, face):
    server.enqueue("One", ServerReply.forever())
    agent = AssistantAgent("assistant", llm_config=server.config | {"max_retries": 0})
    began = time.monotonic()

    result = face(user(), "initiate_chat", agent, message="go", budget=Budget(seconds=0.6))

    assert (result.ended_by, result.detail) == ("budget", "the budget of 0.6 seconds is spent")
    assert [one["content"] for one in result.messages][:2] == ["go", "One"]
    assert time.monotonic() - began < 5


def test_failure_of_a_model_stays_one_when_there_is_time_left(server):
    server.enqueue(ServerReply.error(400, "no"))
    agent = AssistantAgent("assistant", llm_config=server.config | {"max_retries": 0})

    with pytest.raises(Exception, match="no"):
        user().initiate_chat(agent, message="go", budget=Budget(seconds=60))


def test_chat_goes_on_when_it_is_resumed_with_more_seconds(server):
    server.enqueue(ServerReply.forever())
    agent = AssistantAgent("assistant", llm_config=server.config | {"max_retries": 0})
    ended = user().initiate_chat(agent, message="go", budget=Budget(seconds=0.3))
    server.enqueue("Late")

    gone_on = ended.resume(budget=Budget(seconds=30), max_turns=1)

    assert (ended.ended_by, gone_on.messages[-1]["content"]) == ("budget", "Late")


# -- Output --------------------------------------------------------------------------------------------------------


def test_no_code_runs_when_what_it_may_show_is_spent():
    agent = coder(CODE, CODE, CODE)
    me = runner("x" * 60, "x" * 60, "x" * 60)

    result = me.initiate_chat(agent, message="go", budget=Budget(output_bytes=100))

    assert (result.ended_by, result.detail) == ("budget", "the budget of 100 bytes of output is spent")
    assert len(me.code_config.executor.codes) == 2


@pytest.mark.parametrize(
    ("result", "size"),
    [
        (ExecutionResult(0, "é" * 5), 10),
        (ExecutionResult(0, "\ud800"), 3),
        (ExecutionResult(0, "", ({"output_type": "display_data", "data": {"text/plain": "ab", "image/png": "x" * 40}},)), 40),
        (ExecutionResult(0, "", ({"output_type": "display_data", "data": {"application/json": {"a": 1}}},)), 8),
        (ExecutionResult(0, "ab", ({"output_type": "stream", "text": "ab"},)), 2),
    ],
)  # fmt: skip
def test_output_is_counted_in_bytes_of_what_is_shown(result, size):
    assert result.size == size


# -- Repairs -------------------------------------------------------------------------------------------------------


def test_chat_ends_when_a_model_has_been_told_of_enough_mistakes():
    agent = coder(CODE, CODE, CODE, CODE)
    me = runner(failure("boom"), "fine", failure("boom"), failure("boom"))

    result = me.initiate_chat(agent, message="go", budget=Budget(repairs=2))

    assert (result.ended_by, result.detail) == ("budget", "the budget of 2 repairs is spent")
    assert len(me.code_config.executor.codes) == 4


# -- Settings ------------------------------------------------------------------------------------------------------


def test_budget_of_the_session_holds_for_chats_that_are_given_none():
    session = quiet_session()
    session.settings.budget = Budget(model_calls=1)
    with use_session(session):
        own = user().initiate_chat(coder("1", "2", "3"), message="go", max_turns=2, budget=Budget(model_calls=9))
        given = user().initiate_chat(coder("1", "2", "3"), message="go", max_turns=2)

    assert (own.model_calls, given.model_calls) == (2, 1)
    assert given.ended_by == "budget"


@pytest.mark.parametrize("told", ["'model_calls=1'", "0.5", "'$0.50'", "__import__('jupyter_agents').Budget(turns=3)"])
def test_budget_is_a_setting_of_the_notebook(shell, told):
    shell.run_line_magic("config", f"JupyterAgents.budget = {told}")

    budget = current_session().settings.budget
    shell.run_line_magic("config", "JupyterAgents.budget = None")
    assert budget in (Budget(model_calls=1), Budget(money=0.5), Budget(turns=3))
    assert current_session().settings.budget is None


def test_setting_is_refused_when_it_means_no_budget(shell):
    shell.run_line_magic("config", "JupyterAgents.budget = 'rounds=3'")

    assert current_session().settings.budget is None


def test_budget_is_an_option_of_the_cell(shell):
    shell.user_ns |= {"assistant": coder("1", "2", "3"), "me": user("me")}

    shell.run_cell_magic("agentchat", "--to assistant --from me --budget model_calls=1", "go")

    assert shell.user_ns["_chat"].detail == "the budget of 1 model calls is spent"


@pytest.mark.parametrize(("word", "why"), [("rounds=3", "'rounds' is no limit"), ("much", "'much' is no number")])
def test_cell_is_refused_when_its_budget_means_none(shell, word, why):
    shell.user_ns |= {"assistant": coder("1"), "me": user("me")}

    with pytest.raises(ConfigurationError, match=why):
        shell.run_cell_magic("agentchat", f"--to assistant --from me --budget {word}", "go")


def test_reply_has_no_form_of_its_own_when_it_only_costs():
    assert ModelReply("x", cost=0.5).to_json() == {"content": "x", "finish_reason": "stop", "cost": 0.5}
    assert ModelReply.from_json({"content": "x", "cost": 0.5}).cost == 0.5
