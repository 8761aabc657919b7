"""What chats cost: prices of configs, what is shown of them, and budgets of money that are kept."""

import json
import re

import pytest

from jupyter_agents import (
    AssistantAgent,
    Budget,
    Cache,
    GroupChat,
    GroupChatManager,
    MaxCost,
    OpenAIWrapper,
    gather_usage_summary,
    initiate_chats,
    load_chat,
)
from jupyter_agents.budget import BudgetSpent, Ledger, budget_from_text
from jupyter_agents.display.bundle import METADATA_KEY, Transcript
from jupyter_agents.display.result import describe, result_bundle, result_metadata
from jupyter_agents.drive import Run, drive
from jupyter_agents.effects import Complete
from jupyter_agents.errors import ConfigurationError, ModelUnavailableError, ReplyInterruptedError
from jupyter_agents.events import ModelAnswered, ModelAsked, ReplyDropped
from jupyter_agents.journal.event_json import event_from_json, event_to_json
from jupyter_agents.journal.using import use_recording
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.config import model_from_config
from jupyter_agents.models.pricing import Price, expected_cost, prompt_tokens
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.prices import dollars
from jupyter_agents.progress import Consumption
from jupyter_agents.testing import ServerReply
from tests.fakes import user

pytestmark = pytest.mark.timeout(60)

PRICE = [0.01, 0.02]
"""US dollars for 1,000 tokens of a request, and of a reply."""
USED = Usage(1000, 500)
EACH = 0.02
"""What a reply that has used so much costs by that price."""


def priced(text, usage=USED, **more):
    return ModelReply(text, usage=usage, **more)


def assistant(server, name="assistant", **config):
    return AssistantAgent(name, llm_config=server.config | {"price": PRICE, "max_retries": 0} | config)


def hold(server, replies, *, turns=5, budget=None, agent=None, **more):
    server.enqueue(*(priced(one) if isinstance(one, str) else one for one in replies))
    agent = agent or assistant(server)
    return user().initiate_chat(agent, message="go", max_turns=turns, budget=budget, **more)


# -- What is known of a call ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("stream", [True, False])
def test_reply_has_its_price_when_the_config_says_one(server, ask, api, stream):
    server.enqueue(priced("Hi"))

    reply = ask(model_from_config(server.config | {"price": PRICE, "api": api, "stream": stream}))

    assert reply.cost == pytest.approx(EACH)
    assert "price" not in server.requests[0].body


def test_price_is_unknown_when_nobody_says_it(server, ask):
    server.enqueue(priced("Hi"))

    assert ask(model_from_config(server.config)).cost is None


def test_published_price_is_taken_when_the_host_sells_the_model():
    assert Price(None, "api.openai.com").of("gpt-4.1", Usage(1000, 10)) == pytest.approx(0.00208)
    assert Price(None, "127.0.0.1:8000").of("gpt-4.1", Usage(1000, 10)) is None
    assert Price((1, 1), "api.openai.com").of("gpt-4.1", Usage(1000, 0)) == 1


def test_price_is_not_that_of_another_model_when_one_is_asked_by_name(server):
    agent = assistant(server)

    assert agent.model.price == (0.01, 0.02)
    assert agent.model_config.renamed("other").model.price is None
    assert agent.model.renamed("other").price is None


@pytest.mark.parametrize("price", [3, [1], [1, 2, 3], ["a", "b"], [-1, 0], [float("nan"), 1], "ab", True, [True, 1]])
def test_price_is_refused_when_it_is_not_two_numbers(server, price):
    with pytest.raises(ConfigurationError, match="Cannot use the price .*two numbers"):
        model_from_config(server.config | {"price": price})


def test_models_and_clients_of_ones_own_have_the_price_of_their_config():
    class Own:
        name = "own"

        async def complete(self, request):
            return priced("Hi", model="own")

    class Client:
        def __init__(self, config): ...

        def create(self, params):
            return "Hi"

        def message_retrieval(self, response):
            return [response]

        def get_usage(self, response):
            return {"prompt_tokens": 1000, "completion_tokens": 500}

    class Telling(Client):
        def cost(self, response):
            return 7

    configs = [
        {"model": Own(), "price": PRICE},
        {"model": Own(), "price": PRICE, "temperature": 0},
        {"model": "m", "model_client_cls": Client, "price": PRICE},
        {"model": "m", "model_client_cls": Telling},
        {"model": "m", "model_client_cls": Telling, "price": PRICE},
        {"model": "m", "model_client_cls": Client},
    ]
    costs = []
    for config in configs:
        result = user().initiate_chat(AssistantAgent("a", llm_config=config), message="go", max_turns=1)
        costs.append(result.money)

    assert costs == [pytest.approx(EACH)] * 3 + [7, pytest.approx(EACH), None]


def test_price_survives_a_cache_of_a_model_of_ones_own(tmp_path):
    class Own:
        name = "own"

        async def complete(self, request):
            return priced("Hi", model="own")

    agent = AssistantAgent("a", llm_config={"model": Own(), "price": PRICE, "cache": str(tmp_path / "c.sqlite")})
    results = [user().initiate_chat(agent, message="go", max_turns=1) for _ in range(2)]

    assert [one.money for one in results] == [pytest.approx(EACH), 0]
    assert results[1].by_speaker["a"].kept_cost == pytest.approx(EACH)


@pytest.mark.parametrize("kind", [ModelAnswered, ReplyDropped])
def test_event_says_its_price_only_when_it_is_known(kind):
    for cost in (None, 0.25):
        event = kind(0, "a", "stop", usage=USED, cost=cost)
        found = event_to_json(event)

        assert ("cost" in found) is (cost is not None)
        assert event_from_json(found) == event


# -- What a chat tells ---------------------------------------------------------------------------------------------


def test_chat_tells_what_it_cost_when_all_prices_are_known(server):
    result = hold(server, ["One", "Two"], turns=2)

    assert result.money == pytest.approx(2 * EACH)
    assert result.cost["usage_excluding_cached_inference"]["total_cost"] == pytest.approx(2 * EACH)
    model = result.cost["usage_including_cached_inference"]["fake-model"]
    assert model == {
        "cost": pytest.approx(2 * EACH),
        "prompt_tokens": 2000,
        "completion_tokens": 1000,
        "total_tokens": 3000,
    }
    assert result.by_speaker["assistant"].cost == pytest.approx(2 * EACH)
    assert result.to_frame()["cost"].dropna().tolist() == pytest.approx([EACH, EACH])
    assert describe(result).endswith("3,000 tokens · $0.04")
    assert result_metadata(result)[METADATA_KEY]["speakers"]["assistant"]["cost"] == pytest.approx(2 * EACH)


def test_chat_says_at_least_when_a_price_is_unknown(server):
    dear, other = assistant(server, "dear"), assistant(server, "other", price=None)
    server.enqueue(priced("One"), priced("Two"), priced("Three"))
    other.human_input_mode = "NEVER"

    result = other.initiate_chat(dear, message="go", max_turns=2)

    assert result.money is None
    assert result.cost["usage_excluding_cached_inference"]["total_cost"] is None
    assert "at least $0.04" in describe(result)
    assert [result.by_speaker[name].unpriced_calls for name in ("dear", "other")] == [0, 1]


def test_money_is_marked_when_it_rests_on_an_estimate(server):
    result = hold(server, [ModelReply("A reply without counts.")], turns=1)

    estimated = result.usage.estimated
    assert ("≈ $" in describe(result)) is estimated


def test_nothing_is_said_of_money_when_none_is_known(server):
    result = hold(server, ["One"], turns=1, agent=assistant(server, price=None))

    assert "$" not in describe(result)
    assert "$" not in str(result_bundle(result))
    assert result.cost["usage_including_cached_inference"]["total_cost"] is None


def test_page_has_the_price_of_each_message_and_of_the_chat(server):
    result = hold(server, ["One"], turns=1)

    transcript = Transcript()
    bundles = [transcript.bundle(entry) for entry in result.log.entries]
    costs = [
        one.metadata[METADATA_KEY].get("cost") for one in bundles if one is not None and METADATA_KEY in one.metadata
    ]
    assert costs == [pytest.approx(EACH)]
    assert "$0.02" in result_bundle(result)["text/html"]


def test_dropped_replies_are_paid_for_when_a_filter_refuses_them(server):
    server.enqueue(priced("bad"), priced("good"))
    config = {
        "config_list": [server.config | {"price": PRICE}, server.config | {"price": [0.1, 0.2]}],
        "filter_func": lambda context, response: response.choices[0].message.content == "good",
    }

    result = user().initiate_chat(AssistantAgent("a", llm_config=config), message="go", max_turns=1)

    assert result.money == pytest.approx(EACH + 10 * EACH)
    assert result.usage == USED + USED
    assert [event.cost for event in result.events if isinstance(event, ReplyDropped)] == [pytest.approx(EACH)]


def test_replayed_calls_cost_nothing_and_say_what_they_had_cost(server, tmp_path, own_trust_store):
    path = tmp_path / "chat.jsonl"
    with use_recording(path, "record"):
        live = hold(server, ["One"], turns=1)
    with use_recording(path, "all"):
        replayed = hold(server, [], turns=1)

    assert (live.money, replayed.money) == (pytest.approx(EACH), 0)
    assert replayed.cost["usage_including_cached_inference"]["total_cost"] == pytest.approx(EACH)
    assert describe(replayed) == describe(live)


def test_results_of_a_series_have_the_money_of_all(server):
    server.enqueue(priced("One"), priced("Two"))
    results = initiate_chats(
        [
            {"sender": user(), "recipient": assistant(server, name), "message": "go", "max_turns": 1}
            for name in ("first", "second")
        ]
    )

    assert results.money == pytest.approx(2 * EACH)
    assert results.cost["usage_including_cached_inference"]["total_cost"] == pytest.approx(2 * EACH)


def test_wrapper_counts_the_prices_of_its_configs(server):
    server.enqueue(priced("One"))
    wrapper = OpenAIWrapper(**(server.config | {"price": PRICE}))

    response = wrapper.create(messages=[{"role": "user", "content": "Hi"}])

    assert response.cost == pytest.approx(EACH)
    assert wrapper.actual_usage_summary["total_cost"] == pytest.approx(EACH)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (0.1, "$0.10"), (1234.567, "$1,234.57"), (0.05, "$0.05"), (0.02, "$0.02"), (0.012345, "$0.0123"),
     (0.00000123456, "$0.00000123")],
)  # fmt: skip
def test_dollars_are_as_exact_as_a_person_reads_them(amount, text):
    assert dollars(amount) == text


# -- Usage of agents, in the classic form --------------------------------------------------------------------------


def test_usage_of_an_agent_is_summed_over_its_chats(server, capsys):
    agent, other = assistant(server), assistant(server, "other")
    assert (agent.get_actual_usage(), agent.get_total_usage()) == (None, None)
    for _ in range(2):
        hold(server, ["One"], turns=1, agent=agent)
    hold(server, ["Two"], turns=1, agent=other)

    assert agent.get_actual_usage()["total_cost"] == pytest.approx(2 * EACH)
    assert agent.get_total_usage()["fake-model"]["total_tokens"] == 3000
    capsys.readouterr()
    agent.print_usage_summary("actual")
    assert capsys.readouterr().out == (
        "Usage of calls of assistant that a server has answered: $0.04\n"
        "- fake-model: $0.04, 2000 prompt and 1000 completion tokens\n"
    )
    whole = gather_usage_summary([agent, other, agent, user()])
    assert whole["usage_excluding_cached_inference"]["total_cost"] == pytest.approx(3 * EACH)
    assert gather_usage_summary([user()])["usage_including_cached_inference"] == {"total_cost": 0}
    with pytest.raises(ConfigurationError, match="no agent"):
        gather_usage_summary(["assistant"])


def test_usage_of_an_agent_tells_kept_replies_apart(server, tmp_path):
    agent = assistant(server)
    for replies in (["One"], []):
        hold(server, replies, turns=1, agent=agent, cache=Cache(tmp_path / "c.sqlite"))

    assert agent.get_actual_usage()["total_cost"] == pytest.approx(EACH)
    assert agent.get_total_usage()["total_cost"] == pytest.approx(2 * EACH)


# -- Budgets of money ----------------------------------------------------------------------------------------------


def test_chat_ends_in_order_when_its_money_is_spent(server):
    result = hold(server, ["One", "Two", "Three"], budget=Budget(money=1.5 * EACH))

    assert (result.ended_by, result.detail) == ("budget", "the budget of $0.03 is spent")
    assert result.model_calls == 2


def test_call_is_not_made_when_its_prompt_and_its_limit_may_cost_more_than_is_left(server):
    agent = assistant(server, max_tokens=2000)

    result = hold(server, ["One", "Two"], budget=Budget(money=0.05), agent=agent)

    assert result.ended_by == "budget"
    assert re.fullmatch(
        r"the next call may cost \$0\.04\d*, and \$0\.03 of the budget of \$0\.05 is left", result.detail
    )
    assert len(server.requests) == 1
    assert len([event for event in result.events if isinstance(event, ModelAsked)]) == 1


def test_chat_goes_on_when_it_is_resumed_with_more_money(server):
    ended = hold(server, ["One"], budget=Budget(money=EACH))
    assert (ended.ended_by, len(ended)) == ("budget", 3)
    server.enqueue(priced("Two"))

    gone_on = ended.resume(budget=Budget(money=EACH), max_turns=1)

    assert [one["content"] for one in gone_on.messages if one["name"] == "assistant"][-1] == "Two"


def test_price_is_refused_at_the_start_when_it_is_unknown_and_money_is_limited(server):
    with pytest.raises(ConfigurationError, match="Cannot limit the money .* its price is unknown"):
        hold(server, ["One"], budget=Budget(money=1), agent=assistant(server, price=None))

    assert server.requests == []


def test_price_of_a_member_is_refused_at_the_start_when_it_is_unknown(server):
    members = [assistant(server, "a"), assistant(server, "b", price=None)]
    manager = GroupChatManager(GroupChat(members, max_round=3, speaker_selection_method="round_robin"))

    with pytest.raises(ConfigurationError, match="'b' asks"):
        user().initiate_chat(manager, message="go", budget=Budget(money=1))

    assert server.requests == []


def test_unknown_prices_do_not_count_when_they_are_allowed(server):
    budget = Budget(money=EACH, unknown_price="allow")

    result = hold(server, ["One", "Two"], turns=2, budget=budget, agent=assistant(server, price=None))

    assert (result.ended_by, result.model_calls) == ("turn limit", 2)


def test_scripts_cost_nothing_when_money_is_limited():
    agent = AssistantAgent("a", llm_config=ScriptedModel(["One", "Two"]))

    result = user().initiate_chat(agent, message="go", max_turns=2, budget=Budget(money=0.01))

    assert result.ended_by == "turn limit"


def test_nested_chats_spend_the_money_of_the_outer_one(server):
    inner = assistant(server, "inner")
    outer = assistant(server, "outer")

    def consult(question: str) -> str:
        """Ask the inner agent."""
        return user("asker").initiate_chat(inner, message=question, max_turns=1).summary

    asker = user()
    outer.register_for_llm(description="Ask.")(consult)
    asker.register_for_execution()(consult)
    call = {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "consult", "arguments": '{"question": "?"}'}}]}  # fmt: skip
    server.respond_with(lambda request: reply_to(request, call))

    result = asker.initiate_chat(outer, message="go", max_turns=9, budget=Budget(money=3.5 * EACH))

    assert (result.ended_by, result.model_calls) == ("budget", 4)
    assert result.money == pytest.approx(4 * EACH)


def reply_to(request, call):
    if "tools" in request.body:
        from jupyter_agents.messages import ToolCall

        return ModelReply(None, "tool_calls", tool_calls=(ToolCall("consult", '{"question": "?"}', "1"),), usage=USED)
    return priced("Inner")


def test_calls_at_the_same_time_do_not_spend_the_same_money_twice():
    ledger = Ledger(Budget(money=1.0))
    first, second = Ledger(parent=ledger), Ledger(parent=ledger)

    with first.holding(0.6):
        with pytest.raises(BudgetSpent, match=r"may cost \$0.60, and \$0.40 of the budget of \$1.00 is left"):
            second.holding(0.6).__enter__()
        with second.holding(0.4):
            pass
    with second.holding(1.0):
        pass

    assert (ledger.held, first.held) == (0, 0)


def test_cached_replies_cost_no_budget_when_they_are_kept(server, tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    hold(server, ["One"], turns=1, cache=cache)

    again = hold(server, [], turns=1, cache=cache, budget=Budget(money=EACH / 2, tokens=10))

    assert (again.ended_by, again.money) == ("turn limit", 0)


def test_replay_ends_where_the_chat_did_when_its_money_was_spent(server, tmp_path, own_trust_store):
    path, budget = tmp_path / "chat.jsonl", Budget(money=1.5 * EACH)
    with use_recording(path, "record"):
        live = hold(server, ["One", "Two"], budget=budget)
    with use_recording(path, "all"):
        replayed = hold(server, [], budget=budget)

    assert (replayed.ended_by, replayed.detail, len(replayed)) == ("budget", live.detail, len(live))


def test_replay_needs_no_price_when_money_is_limited(server, tmp_path, own_trust_store):
    path = tmp_path / "chat.jsonl"
    agent = assistant(server, price=None)
    with use_recording(path, "record"):
        hold(server, ["One"], turns=1, agent=agent)
    with use_recording(path, "all"):
        replayed = hold(server, [], turns=1, agent=agent, budget=Budget(money=1))

    assert replayed.ended_by == "turn limit"


def test_condition_counts_the_prices_of_the_configs_when_it_has_none_of_its_own(server):
    result = hold(server, ["One", "Two", "Three"], termination=MaxCost(1.5 * EACH))

    assert (result.ended_by, result.detail) == ("termination condition", "$0.04 of $0.03 was spent")
    assert result.model_calls == 2


def test_condition_says_so_when_a_price_is_unknown(server):
    result = hold(server, ["One"], turns=1, termination=MaxCost(1), agent=assistant(server, price=None))

    assert any("fake-model costs is not all known" in event.text for event in result.events if event.kind == "noted")


# -- What a call may cost ------------------------------------------------------------------------------------------


def test_expected_cost_is_of_the_prompt_and_of_the_longest_reply():
    model = model_from_config({"model": "m", "base_url": "http://127.0.0.1:9/v1", "price": [1, 10], "max_tokens": 100})
    request = ModelRequest([{"role": "user", "content": "x" * 4000}])

    assert expected_cost(model, request) == pytest.approx(1 + 1)
    assert expected_cost(model, ModelRequest(request.messages, {"n": 3, "max_tokens": 10})) == pytest.approx(1 + 0.3)
    assert expected_cost(model, ModelRequest(request.messages, {"max_tokens": None})) == pytest.approx(1)


def test_expected_cost_is_that_of_the_dearest_when_there_are_several():
    configs = [{"model": "m", "base_url": "http://127.0.0.1:9/v1", "price": [price, 0]} for price in (1, 3, 2)]
    request = ModelRequest([{"role": "user", "content": "x" * 4000}])

    assert expected_cost(model_from_config({"config_list": configs}), request) == pytest.approx(3)
    unknown = [*configs, {"model": "m", "base_url": "http://127.0.0.1:9/v1"}]
    assert expected_cost(model_from_config({"config_list": unknown}), request) is None


def test_prompt_is_counted_with_its_calls_its_tools_and_its_pictures():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10**6}}
    plain = ModelRequest([{"role": "user", "content": "x" * 40}])
    rich = ModelRequest([{"role": "user", "content": [{"type": "text", "text": "x" * 40}, image]}])
    tools = ModelRequest(plain.messages, {"tools": [{"type": "function", "function": {"name": "f" * 400}}]})

    assert prompt_tokens(plain) == 10
    assert prompt_tokens(rich) == 1010
    assert prompt_tokens(tools) > 100
    assert prompt_tokens(ModelRequest([{"role": "assistant", "content": None, "tool_calls": [{"id": "x" * 40}]}])) >= 10


# -- What a person writes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("0.5", Budget(money=0.5)),
        ("$2", Budget(money=2)),
        ("turns=20", Budget(turns=20)),
        ("turns=20,money=$0.5, seconds=90", Budget(turns=20, money=0.5, seconds=90)),
        ("tokens=1_000,unknown_price=allow", Budget(tokens=1000, unknown_price="allow")),
        ("output_bytes=10, repairs=2", Budget(output_bytes=10, repairs=2)),
    ],
)
def test_budget_is_read_from_a_text(text, budget):
    assert budget_from_text(text) == budget


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not say what it limits"),
        ("much", "'much' is no number"),
        ("rounds=3", "'rounds' is no limit"),
        ("turns=2.5", "Cannot use turns=2.5 as a budget"),
        ("money=-1", "Cannot use money=-1"),
        ("money=inf", "no number|Cannot use money"),
        ("money=nan", "no number|Cannot use money"),
        ("unknown_price=maybe", "give 'refuse' or 'allow'"),
    ],
)
def test_budget_is_refused_when_its_text_means_none(text, why):
    with pytest.raises(ConfigurationError, match=why):
        budget_from_text(text)


def test_price_is_shown_and_saved_with_the_agent(server, tmp_path):
    agent = assistant(server, api="chat", cache=str(tmp_path / "kept.sqlite"))
    assert "'price': [0.01, 0.02]" in repr(agent.llm_config)

    result = hold(server, ["One"], turns=1, agent=agent)
    loaded = load_chat(result.save(tmp_path / "chat.jsonl"), given={"assistant": {"llm_config": agent.llm_config}})
    state = agent.to_state()

    assert loaded.money == pytest.approx(EACH)
    assert (state["llm_config"]["price"], state["llm_config"]["api"]) == ([0.01, 0.02], "chat")
    assert state["llm_config"]["cache"] == str(tmp_path / "kept.sqlite")


# -- What counts ---------------------------------------------------------------------------------------------------


def test_price_that_a_reply_has_stays():
    assert Price((1, 1)).put_on(priced("x", cost=7)).cost == 7
    assert Price((1, 1)).put_on(priced("x")).cost == pytest.approx(1.5)


def test_chat_of_cached_replies_is_not_ended_by_what_they_had_cost(server, tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    hold(server, ["One", "Two", "Three"], turns=3, cache=cache)

    again = hold(server, [], turns=3, cache=cache, budget=Budget(money=EACH / 2, tokens=10))

    assert (again.ended_by, again.model_calls) == ("turn limit", 3)


def test_what_is_dropped_counts_on_the_budget(server):
    server.respond_with(lambda request: priced("bad" if request.body["model"] == "dear" else "good"))
    config = {
        "config_list": [
            server.config | {"model": "dear", "price": [0.1, 0.2]},
            server.config | {"model": "cheap", "price": PRICE},
        ],
        "filter_func": lambda context, response: response.choices[0].message.content == "good",
    }

    result = user().initiate_chat(
        AssistantAgent("a", llm_config=config), message="go", max_turns=5, budget=Budget(money=5 * EACH)
    )

    assert (result.ended_by, result.model_calls) == ("budget", 1)


class Broken:
    """A model whose reply breaks off after it has said what it used."""

    name = "broken"

    async def complete(self, request):
        error = ModelUnavailableError("it broke")
        error.partial = ModelReply("half", "interrupted", usage=USED, model="broken", cost=EACH)
        raise error


def test_what_came_to_nothing_is_paid_for():
    with pytest.raises(ModelUnavailableError) as caught:
        user().initiate_chat(AssistantAgent("a", llm_config={"model": Broken()}), message="go")

    assert caught.value.result.money == pytest.approx(EACH)
    ledger = Ledger()
    with pytest.raises(ModelUnavailableError):
        drive(_asked(Broken()), Run(ledger=ledger))
    assert (ledger.money, ledger.tokens) == (pytest.approx(EACH), 1500)


async def _asked(model):
    return await Complete("a", model, ModelRequest([]))


def test_chat_counts_what_it_has_cost_itself():
    ledger = Ledger()
    ledger.spend(USED, "m", 5.0)
    consumed = Consumption(ledger)
    assert consumed.cost == 0

    ledger.spend(USED, "m", 1.0)
    assert consumed.cost == pytest.approx(1)
    unknown = Ledger()
    unknown.spend(USED, "m", None)
    assert Consumption(unknown).cost is None


def test_least_time_counts_when_several_chats_are_in_each_other():
    outer = Ledger(Budget(seconds=5), clock=lambda: 0.0)

    assert Ledger(Budget(seconds=60), outer, clock=lambda: 0.0).seconds_left == 5


def test_reply_that_breaks_off_has_the_price_of_what_its_server_counted(server, ask):
    said = {"choices": [{"delta": {"content": "Half"}}], "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}
    server.enqueue(ServerReply.raw(f"data: {json.dumps(said)}\n\n".encode()))

    with pytest.raises(ReplyInterruptedError) as caught:
        ask(model_from_config(server.config | {"price": PRICE, "max_retries": 0}))

    assert caught.value.partial.cost == pytest.approx(EACH)
