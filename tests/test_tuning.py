"""The search for the best config: what it finds, what it spends, and what it says when it cannot."""

import asyncio
import itertools
import json
import re

import pytest

from jupyter_agents import AssistantAgent, Budget, Usage, UserProxyAgent, use_recording
from jupyter_agents.errors import ConfigurationError, ModelRejectedError
from jupyter_agents.models import ModelReply, ScriptedModel
from jupyter_agents.prices import price_of as published_price
from jupyter_agents.testing import FakeOpenAIServer, ServerReply
from jupyter_agents.tuning import Range, a_tune, evaluate, tune
from tests.synthetic_models import DEFAULT, HELP, PLANTED, QUESTIONS, SKILL, TEMPERATURES, Synthetic, is_right, price_of

pytest.importorskip("optuna")

GRID = [
    dict(zip(PLANTED, one, strict=True)) for one in itertools.product(SKILL, TEMPERATURES, HELP)
]  # 45 configs, of which each would be asked 64 times


@pytest.fixture
def search(tmp_path):
    """Tune synthetic models; the result and the models."""

    def search(seed: int = 0, models: Synthetic | None = None, data=QUESTIONS, **changes):
        models = models or Synthetic(seed)
        settings = {"space": models.space, "eval_func": is_right, "metric": "success", "num_samples": 30, "seed": seed}
        settings |= {"start": [DEFAULT], "store": tmp_path / "store.sqlite"}
        return tune(data, **(settings | changes)), models

    return search


# -- What it finds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_planted_optimum_is_found_at_half_of_the_calls_of_an_exhaustive_search(search, seed):
    result, models = search(seed)

    assert max(GRID, key=lambda one: models.true_score(one, seed)) == PLANTED
    assert result.best.labels == PLANTED
    assert result.best.score == models.true_score(PLANTED, seed) > result.trials[0].score
    assert result.trials[0].labels == DEFAULT
    assert len(models.asked) == result.spent.model_calls < len(GRID) * len(QUESTIONS) / 2


def test_pruning_saves_calls_when_most_configs_are_worse(search):
    pruned, _ = search(store=None)
    whole, _ = search(store=None, prune=False)

    assert pruned.best.labels == whole.best.labels
    assert pruned.spent.model_calls < 0.6 * whole.spent.model_calls == 0.6 * 30 * len(QUESTIONS)
    assert {one.state for one in whole.trials} == {"complete"}
    assert {one.state for one in pruned.trials if one.instances == len(QUESTIONS)} == {"complete"}


def test_every_config_is_tried_once_when_there_are_fewer_than_samples(search):
    models = Synthetic()
    result, _ = search(models=models, space=models.space | {"temperature": [0.3]}, start=())

    assert len(result.trials) == 9
    assert len({tuple(one.labels.items()) for one in result.trials}) == 9
    assert result.ended_by == "every config was tried"


def test_smaller_score_is_better_when_mode_is_min(search):
    result, models = search(eval_func=lambda responses, answer, **_: responses[0] != answer, metric="loss", mode="min")

    assert result.best.labels == PLANTED
    assert result.best.score == pytest.approx(1 - models.true_score(PLANTED))
    assert any(one.state == "pruned" for one in result.trials)


def test_ranges_are_searched_when_numbers_are_continuous(search):
    models = Synthetic()
    space = {"model": models.models["large"], "prompt": "steps: {question}", "temperature": Range(0.0, 1.5)}
    result, _ = search(models=models, space=space, start=(), num_samples=12, store=None)

    assert all(0 <= one.labels["temperature"] <= 1.5 for one in result.trials)
    assert len({one.labels["temperature"] for one in result.trials}) == 12
    assert abs(result.best.labels["temperature"] - 0.3) < 0.3


def test_cheapest_config_is_the_best_when_scores_are_equal(search):
    models = {name: ScriptedModel(lambda _, name=name: ModelReply("yes", usage=_usage(), model=name)) for name in SKILL}
    space = {"model": models, "prompt": "{question}"}
    result, _ = search(space=space, eval_func=lambda responses, **_: True, metric=None, start=(), prices=price_of)

    assert result.best.labels == {"model": "small"}
    assert result.best.cost == pytest.approx(110e-6)


def _usage():
    return Usage(100, 10)


# -- The store ---------------------------------------------------------------------------------------------------


def test_second_run_asks_nothing_and_gives_the_same_table_when_answers_are_stored(search):
    first, _ = search(prices=price_of)
    again, models = search(prices=price_of)

    assert models.asked == []
    assert again == first
    assert again.to_frame().equals(first.to_frame())
    assert (first.spent_now.model_calls, again.spent_now.model_calls) == (first.spent.model_calls, 0)
    assert again.spent_now.money == 0.0


def test_store_is_asked_anew_when_fresh(search):
    search(num_samples=3)
    _, models = search(num_samples=3, fresh=True)

    assert models.asked


def test_search_goes_on_where_it_was_when_it_was_interrupted(search, tmp_path):
    whole, everything = search(store=None)
    calls = itertools.count(1)

    def interrupted(responses, answer, **rest):
        if next(calls) == 300:
            raise KeyboardInterrupt
        return is_right(responses, answer, **rest)

    before = Synthetic()
    with pytest.raises(KeyboardInterrupt):
        search(models=before, eval_func=interrupted)
    after, later = search()

    assert after == whole
    assert len(before.asked) == 300
    assert len(before.asked) + len(later.asked) == len(everything.asked)


def test_scores_are_counted_anew_when_eval_func_has_changed(search):
    first, _ = search(num_samples=3)
    again, models = search(num_samples=3, eval_func=lambda responses, **_: 1.0, metric=None)

    assert models.asked == []
    assert {one.score for one in again.trials} == {1.0} != {one.score for one in first.trials}


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be looked at" * 40, None])
def test_search_goes_on_without_a_store_when_the_file_cannot_be_used(search, tmp_path, content):
    path = tmp_path / "damaged"
    path.mkdir() if content is None else path.write_bytes(content)

    with pytest.warns(RuntimeWarning, match="Answers are not kept: .*damaged' cannot be used") as warned:
        result, _ = search(num_samples=2, store=path)

    assert len(warned) == 1
    assert result.best is not None


def test_store_is_its_owners_alone_and_holds_no_secret(search, tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET_KEY", "canary-0123456789")
    model = ScriptedModel(lambda _: "the key is canary-0123456789")
    search(space={"model": {"m": model}, "prompt": ["{question}", "{answer}"]}, start=(), metric="success")

    stored = b"".join(path.read_bytes() for path in tmp_path.glob("store.sqlite*"))
    assert b"the key is" in stored
    assert b"canary" not in stored
    assert (tmp_path / "store.sqlite").stat().st_mode & 0o777 == 0o600


def test_models_without_a_name_are_not_taken_for_each_other_when_answers_are_stored(tmp_path):
    def said_by(model):
        config = {"prompt": "{question}", "model": model}
        found = evaluate(QUESTIONS[:1], config, lambda responses, **_: 1, store=tmp_path / "store")
        return found.instances[0].responses

    assert said_by(ScriptedModel(lambda _: "one")) == ("one",)
    assert said_by(ScriptedModel(lambda _: "two")) == ("two",)


# -- Budgets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls", [100, 333])
def test_search_never_exceeds_its_calls_when_they_are_limited(search, calls):
    result, models = search(budget=Budget(model_calls=calls))

    assert calls / 2 < len(models.asked) <= calls
    assert result.ended_by == "the budget is spent"
    assert result.best is not None


def test_nothing_is_asked_when_there_is_no_budget(search):
    result, models = search(budget=Budget(model_calls=0))

    assert (result.trials, result.best, models.asked) == ((), None, [])
    assert result.ended_by == "the budget is spent"
    assert result.to_frame().empty


def test_trial_never_exceeds_its_calls_when_they_are_limited(search):
    result, _ = search(trial_budget=Budget(model_calls=20), num_samples=5)

    assert len(result.trials) == 5
    assert max(one.spent.model_calls for one in result.trials) <= 20
    assert {one.state for one in result.trials} == {"over budget"}
    assert result.best is None


def test_search_never_exceeds_its_money_when_calls_of_a_trial_cost_alike(search):
    result, _ = search(optimization_budget=0.2, prices=price_of)

    assert 0.1 < result.spent.money <= 0.2
    assert result.ended_by == "the budget is spent"


def test_config_cannot_win_when_it_costs_more_than_the_inference_budget(search):
    result, _ = search(inference_budget=500e-6, prices=price_of)

    assert result.best.labels == {"model": "medium", "temperature": 0.3, "prompt": "steps"}
    assert {one.state for one in result.trials if one.labels["model"] == "large"} == {"too costly"}
    assert all(one.instances < len(QUESTIONS) for one in result.trials if one.state == "too costly")


@pytest.mark.parametrize("limit", [{"optimization_budget": 1.0}, {"inference_budget": 0.1}, {"budget": 1.0}])
def test_money_is_refused_before_anything_is_asked_when_the_price_of_a_named_model_is_unknown(search, limit):
    with FakeOpenAIServer() as server:  # the name is in price lists; a server on this machine sells nothing
        config = {"base_url": server.base_url, "api_key": "1"}
        space = {"model": ["small", "gpt-4.1"], "prompt": "{question}"}

        with pytest.raises(ConfigurationError, match=r"the price of 'gpt-4\.1' is unknown\. Give prices="):
            search(space=space, start=(), prices=price_of, llm_config=config, **limit)

        assert server.requests == []


@pytest.mark.parametrize("named", [{"model": "unheard-of"}, {"config_list": [{"model": "unheard-of", "api_key": "1"}]}])
def test_money_is_refused_when_the_model_of_all_configs_has_no_price(search, named):
    space = {"prompt": "{question}", "n": [1, 2]}

    with pytest.raises(ConfigurationError, match=r"the price of 'unheard-of' is unknown"):
        search(space=space, start=(), budget=1.0, llm_config={"api_key": "1"} | named)


def test_published_prices_count_when_there_are_no_others(search):
    pytest.importorskip("genai_prices")
    model = ScriptedModel(lambda _: ModelReply("yes", usage=_usage(), model="gpt-4.1"))
    space = {"model": model, "prompt": ["{question}", "{answer}"]}
    result, _ = search(space=space, start=(), eval_func=lambda responses, **_: 1, metric=None, budget=1.0)

    assert result.spent.money == pytest.approx(result.spent.model_calls * published_price("gpt-4.1", _usage()))
    assert result.spent.money > 0


def test_cost_is_unknown_when_a_server_that_sells_nothing_has_a_model_of_a_known_name(tmp_path):
    with FakeOpenAIServer() as server:
        choice = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 1}
        said = json.dumps({"model": "gpt-4.1", "choices": [choice], "usage": usage}).encode()
        server.enqueue(ServerReply(body=said, headers={"content-type": "application/json"}))
        config = {"model": "gpt-4.1", "base_url": server.base_url, "api_key": "1", "stream": False}
        settings = {"eval_func": lambda responses, **_: 1, "llm_config": config, "store": tmp_path / "store"}
        asked, stored = (evaluate(QUESTIONS[:1], {"prompt": "{question}"}, **settings) for _ in range(2))

    assert asked.spent.model_calls == stored.spent.model_calls == 1
    assert (asked.spent.money, stored.spent.money) == (None, None)
    assert (asked.spent.tokens, stored.spent.tokens) == (10, 10)


def test_trial_ends_when_its_cost_is_certainly_over_the_inference_budget():
    calls = itertools.count()

    def answer(request):
        is_costly = request.options["n"] == 1 and next(calls) == 0
        return ModelReply("yes", usage=Usage(1000 if is_costly else 1, 0), model="small")

    space = {"model": ScriptedModel(answer), "prompt": "{question}", "n": [1, 2]}
    limits = {"inference_budget": 50e-6, "prices": price_of, "prune": False, "store": None}
    result = tune(QUESTIONS[:8], space=space, eval_func=lambda responses, **_: 1, **limits)

    found = {one.labels["n"]: (one.state, one.instances) for one in result.trials}
    assert found == {1: ("too costly", 4), 2: ("complete", 8)}


def test_money_is_refused_when_a_model_answers_whose_price_is_unknown(search):
    with pytest.raises(ConfigurationError, match=r"the price of a model that answered is unknown"):
        search(budget=1.0, prices=lambda model, usage: None if model == "large" else 0.0)


def test_cost_is_unknown_and_not_nothing_when_there_are_no_prices(search):
    result, _ = search(num_samples=2)

    assert result.spent.money is None
    assert result.to_frame()["cost"].isna().all()
    assert (result.to_frame()["tokens"] == 110).all()


# -- Both faces, and agents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
async def test_instances_are_asked_together_when_there_are_workers(workers):
    under_way, most = 0, 0

    async def answer(request):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.002)
        under_way -= 1
        return "yes"

    space = {"model": {"m": ScriptedModel(answer)}, "prompt": "{question}", "temperature": [0, 1]}
    await a_tune(QUESTIONS[:9], space=space, eval_func=lambda responses, **_: 1, workers=workers, store=None)

    assert most == workers


async def test_both_faces_give_the_same_trials(search):
    models = Synthetic()
    settings = {
        "space": models.space,
        "eval_func": is_right,
        "metric": "success",
        "start": [DEFAULT],
        "num_samples": 12,
    }

    awaited = await a_tune(QUESTIONS, **settings, store=None)
    plain = tune(QUESTIONS, **settings, store=None)

    assert awaited.trials == plain.trials


def test_agents_are_tuned_when_a_function_holds_their_chat(tmp_path, capsys):
    chats = []

    def chat(config, instance):
        def answer(request):
            return instance["answer"] if "carefully" in request.messages[0]["content"] else "no idea"

        solver = AssistantAgent("solver", system_message=config["role"], llm_config={"model": ScriptedModel(answer)})
        asker = UserProxyAgent("asker", human_input_mode="NEVER", max_consecutive_auto_reply=config["rounds"])
        chats.append(config["rounds"])
        return asker.initiate_chat(solver, message=instance["question"])

    space = {"role": ["Answer.", "Answer carefully."], "rounds": range(3)}
    settings = {"space": space, "eval_func": is_right, "metric": "success", "run": chat, "num_samples": 6}
    result = tune(QUESTIONS[:8], **settings, store=tmp_path / "store")
    held = len(chats)
    again = tune(QUESTIONS[:8], **settings, store=tmp_path / "store")

    assert result.best.labels == {"role": "Answer carefully.", "rounds": 0}
    assert result.best.score == 1.0
    assert result.best.spent.model_calls == 8
    assert result.spent.turns > 0
    assert (again, len(chats)) == (result, held)
    assert capsys.readouterr().out == ""


def test_models_are_asked_over_the_wire_when_the_space_names_them(tmp_path):
    with FakeOpenAIServer() as server:
        server.enqueue(*["yes"] * 12)
        config = {"base_url": server.base_url, "api_key": "sk-canary-0123456789abcdef"}
        result = tune(
            QUESTIONS[:3],
            space={"model": ["a", "b"], "temperature": [0.0, 1.0], "max_tokens": 7, "prompt": "Q: {question}"},
            eval_func=lambda responses, **_: len(responses[0]) > 0,
            llm_config=config,
            prune=False,
            store=tmp_path / "store",
        )
        sent = [(one["model"], one["temperature"], one["max_tokens"]) for one in (one.body for one in server.requests)]

    assert sorted(set(sent)) == [(model, heat, 7) for model in "ab" for heat in (0.0, 1.0)]
    assert len(sent) == 12
    assert "canary" not in repr(result) + str(result.to_frame().to_dict())
    assert b"canary" not in b"".join(path.read_bytes() for path in tmp_path.glob("store*"))


def test_choice_counts_when_a_config_list_says_otherwise(tmp_path):
    with FakeOpenAIServer() as server:
        server.respond_with(lambda _: "yes")
        entry = {"model": "a", "base_url": server.base_url, "api_key": "1", "temperature": 0.1}
        space = {"temperature": [0.5, 0.9], "prompt": "{question}"}
        shared = {"llm_config": {"temperature": 0.2}, "config_list": [entry, {**entry, "model": "b"}]}
        tune(QUESTIONS[:2], space=space, eval_func=lambda responses, **_: 1, store=None, **shared)
        found = {(one.body["model"], one.body["temperature"]) for one in server.requests}

    assert found == {("a", 0.5), ("a", 0.9)}


def test_entry_of_the_chosen_model_is_asked_when_a_config_list_has_one():
    with FakeOpenAIServer() as one, FakeOpenAIServer() as other:
        for server in (one, other):
            server.respond_with(lambda _: "yes")
        entries = [{"model": name, "base_url": at.base_url, "api_key": "1"} for name, at in (("a", one), ("b", other))]
        space = {"model": ["a", "b", "c"], "prompt": "{question}"}
        settings = {"eval_func": lambda responses, **_: 1, "store": None, "config_list": entries}
        tune(QUESTIONS[:1], space=space, **settings)
        asked = [sorted(request.body["model"] for request in server.requests) for server in (one, other)]

    assert asked == [["a", "c"], ["b"]]


def test_either_setting_is_sent_when_the_space_has_the_classic_name_for_both():
    asked = []

    def answer(request):
        asked.append(dict(request.options))
        return "yes"

    space = {"temperature_or_top_p": [{"temperature": 0.5}, {"top_p": 0.9}], "prompt": "{question}"}
    settings = {"llm_config": ScriptedModel(answer), "eval_func": lambda responses, **_: 1, "store": None}
    result = tune(QUESTIONS[:1], space=space, **settings)

    assert sorted(map(repr, asked)) == ["{'temperature': 0.5}", "{'top_p': 0.9}"]
    assert "temperature_or_top_p" not in result.best_config


@pytest.mark.parametrize(
    ("change", "is_asked"),
    [
        ({"extra_body": {"thinking": True}}, True),
        ({"system_role": "developer"}, True),
        ({"filter_func": lambda context, response: True}, True),
        ({"seed": 7}, True),
        ({"api_key": "another"}, False),
        ({"timeout": 5.0, "max_retries": 1}, False),
    ],
)
def test_answers_are_taken_from_the_store_when_nothing_has_changed_that_bears_on_them(tmp_path, change, is_asked):
    with FakeOpenAIServer() as server:
        server.respond_with(lambda _: "yes")
        config = {"model": "a", "base_url": server.base_url, "api_key": "1"}
        settings = {
            "eval_func": lambda responses, **_: 1,
            "store": tmp_path / "store",
            "config": {"prompt": "{question}"},
        }
        evaluate(QUESTIONS[:1], llm_config=config, **settings)
        evaluate(QUESTIONS[:1], llm_config=config | change, **settings)

        assert len(server.requests) == 1 + is_asked


def test_corrected_answer_is_scored_without_asking_when_it_is_not_in_the_prompt(tmp_path):
    model = ScriptedModel(["yes"])
    space = {"model": {"m": model}, "prompt": "{question}", "n": [1, None]}
    right = [
        tune([{"question": "?", "answer": answer}], space=space, eval_func=is_right, metric="success", num_samples=1,
             store=tmp_path / "store").best.score
        for answer in ("no", "yes")
    ]  # fmt: skip

    assert (right, model.calls) == ([0.0, 1.0], 1)


def test_all_answers_are_scored_when_several_are_asked_for():
    def answer(request):
        others = tuple(ModelReply(f"guess {number}") for number in range(1, request.options["n"]))
        return ModelReply("guess 0", alternatives=others)

    space = {"model": ScriptedModel(answer), "prompt": "{question}", "n": [1, 3]}
    result = tune(QUESTIONS[:4], space=space, eval_func=lambda responses, **_: len(responses) / 3, store=None)

    assert result.best.labels == {"n": 3}
    assert result.best.score == 1.0


# -- What goes wrong ---------------------------------------------------------------------------------------------


def test_search_goes_on_when_a_model_refuses_one_config(search):
    def answer(request):
        if request.options["temperature"] > 1:
            raise ModelRejectedError("Cannot use this temperature.", status=400)
        return "yes"

    space = {"model": ScriptedModel(answer), "prompt": "{question}", "temperature": [0.5, 1.5]}
    result, _ = search(space=space, start=(), eval_func=lambda responses, **_: 1, metric=None)

    assert result.best.labels == {"temperature": 0.5}
    failed = next(one for one in result.trials if one.state == "failed")
    assert "ModelRejectedError: Cannot use this temperature." in failed.detail


def test_error_is_raised_when_all_configs_fail(search):
    model = ScriptedModel(lambda _: ModelRejectedError("No such model.", status=404))

    with pytest.raises(ModelRejectedError, match="No such model"):
        search(space={"model": model, "prompt": "{question}", "n": [1, 2]}, start=())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": []}, r"Cannot score anything: the data is empty\."),
        ({"data": ["text"]}, r"Cannot use instance 0: it is a str\."),
        ({"data": "text"}, r"Cannot use data that is a str\."),
        ({"metric": "sucess"}, r"Cannot use the metric 'sucess': eval_func gives 'success', 'length'\. Did you mean 'success'\?"),
        ({"metric": None}, r"Cannot choose between the scores 'success', 'length'\."),
        ({"metric": "length"}, r"Cannot prune by 'length': instance \d+ scored \d, which is outside of 0 to 1\."),
        ({"space": {"prompt": "{question}"}}, r"Cannot tune: the space has no setting with choices\."),
        ({"space": {"prompt": "{question}", "n": []}}, r"Cannot tune 'n': it has no choices\."),
        ({"space": {"prompt": "{question}", "n": [1, 1]}}, r"Cannot tune 'n': 1 stands twice"),
        ({"space": {"prompt": "{question}", "model": [ScriptedModel()]*2}}, r"Cannot tune 'model': a choice is a ScriptedModel"),
        ({"space": {"n": [1, 2]}, "start": ()}, r"Cannot ask a model: there is neither a prompt nor messages\."),
        ({"start": [{"model": "large"}]}, r"Cannot start from .*'temperature', 'prompt' is missing\."),
        ({"start": [PLANTED | {"temperature": 7}]}, r"Cannot start from temperature=7"),
        ({"mode": "most"}, r"Cannot tune with mode='most'"),
        ({"workers": 0}, r"Cannot work with workers=0"),
        ({"num_samples": 0}, r"Cannot try num_samples=0"),
        ({"budget": -1.0, "prices": price_of}, r"Cannot use a budget of money=-1\.0"),
        ({"eval_func": lambda responses, **_: "good"}, r"Cannot score instance \d+: eval_func gave score='good'\."),
        ({"eval_func": lambda responses, **_: float("nan")}, r"Cannot score instance \d+: eval_func gave score=nan\."),
    ],
)  # fmt: skip
def test_error_says_what_to_do_when_something_is_wrong(search, changes, message):
    with pytest.raises(ConfigurationError, match=message):
        search(**changes)


def test_error_names_the_instance_when_eval_func_fails(search):
    def fails(responses, question, **_):
        if question == "question 7":
            raise ZeroDivisionError("division by zero")
        return 1.0

    with pytest.raises(
        ConfigurationError, match=r"Cannot score instance 7: eval_func raised ZeroDivisionError"
    ) as raised:
        search(eval_func=fails, metric=None)

    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_error_that_says_what_to_do_is_left_as_it_is_when_eval_func_raises_it(search):
    def fails(responses, **_):
        raise ModelRejectedError("No such judge.", status=404)

    with pytest.raises(ModelRejectedError, match="No such judge") as raised:
        search(eval_func=fails, metric=None)

    assert re.fullmatch(r"eval_func raised it for instance \d+\.", raised.value.__notes__[0])


def test_error_names_the_fields_when_a_prompt_has_another(search):
    with pytest.raises(ConfigurationError, match=r"Cannot fill in the prompt .*an instance has question, answer\."):
        search(space=Synthetic().space | {"prompt": ["{qestion}", "{question}"]}, start=())


def test_error_names_the_extra_when_optuna_is_missing(search, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'jupyter-agents\[tune\]'"):
        search()


# -- One config --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agg", "expected"),
    [
        ("mean", {"right": 0.25, "size": 2.0}),
        ("avg", {"right": 0.25, "size": 2.0}),
        ("median", {"right": 0.0, "size": 1.0}),
        (max, {"right": 1.0, "size": 5.0}),
        ({"size": "median"}, {"size": 1.0}),
        ({"size": sum, "right": "mean"}, {"size": 8.0, "right": 0.25}),
    ],
)
def test_scores_of_one_config_are_aggregated_as_asked(agg, expected):
    model = ScriptedModel(["aaaaa", "b", "c", "d"])
    config = {"model": model, "prompt": "{question}"}
    scores = lambda responses, **_: {"right": len(responses[0]) > 1, "size": len(responses[0])}  # noqa: E731

    found = evaluate(QUESTIONS[:4], config, scores, agg, store=None)

    assert found.metrics == expected
    assert len(found.to_frame()) == 4


@pytest.mark.parametrize("agg", ["mode", {"sise": "mean"}])
def test_aggregate_is_refused_when_it_is_unknown(agg):
    config = {"model": ScriptedModel(lambda _: "a"), "prompt": "{question}"}

    with pytest.raises(ConfigurationError, match=r"Cannot aggregate by 'mode'|Cannot use the metric 'sise'"):
        evaluate(QUESTIONS[:2], config, lambda responses, **_: {"size": 1, "right": 1}, agg, store=None)


# -- Recordings, prices of configs, caches -------------------------------------------------------------------------

CAPITALS = [{"question": one} for one in ("France?", "Spain?", "Italy?")]


def capitals(server, **changes):
    config = server.config | {"max_retries": 0} | changes.pop("config", {})
    space = {"prompt": "{question}", "temperature": [0, 1]}
    settings = {"space": space, "llm_config": config, "eval_func": lambda responses, **_: len(responses[0]) / 100}
    return settings | {"store": None, "prune": False} | changes


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_search_is_replayed_when_it_was_recorded(tmp_path, own_trust_store, is_async):
    path = tmp_path / "search.jsonl"
    results = []
    with FakeOpenAIServer() as server:
        server.enqueue(*(ModelReply(f"{number} is it.", usage=Usage(10, 5)) for number in range(6)))
        for mode in ("record", "all"):
            with use_recording(path, mode):
                settings = capitals(server, config={"price": [1, 1]})
                results.append(asyncio.run(a_tune(CAPITALS, **settings)) if is_async else tune(CAPITALS, **settings))
        assert len(server.requests) == 6

    live, replayed = results
    assert (
        replayed.to_frame()
        .drop(columns="cost", errors="ignore")
        .equals(live.to_frame().drop(columns="cost", errors="ignore"))
    )
    assert replayed.best_config == live.best_config


def test_money_is_counted_by_the_price_of_the_config():
    with FakeOpenAIServer() as server:
        server.enqueue(*[ModelReply("Paris", usage=Usage(1000, 500))] * 6)
        result = tune(CAPITALS, **capitals(server, config={"price": [0.01, 0.02]}, budget=5.0))

    assert result.spent.money == pytest.approx(6 * 0.02)


def test_own_prices_go_before_that_of_the_config():
    with FakeOpenAIServer() as server:
        server.enqueue(*[ModelReply("Paris", usage=Usage(1000, 500))] * 6)
        result = tune(CAPITALS, **capitals(server, config={"price": [9, 9]}, prices={"fake-model": (0.01, 0.02)}))

    assert result.spent.money == pytest.approx(6 * 0.02)


def test_calls_that_a_cache_answers_take_nothing(tmp_path):
    with FakeOpenAIServer() as server:
        server.enqueue(*[ModelReply("Paris", usage=Usage(1000, 500))] * 6)
        settings = capitals(server, config={"price": [0.01, 0.02], "cache": str(tmp_path / "kept.sqlite")}, budget=5.0)
        first, second = tune(CAPITALS, **settings), tune(CAPITALS, **settings)

    assert (first.spent.money, second.spent.money) == (pytest.approx(0.12), 0)
    assert second.spent.tokens == 0
