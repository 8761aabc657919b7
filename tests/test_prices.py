"""What a call costs: own prices first, then the published ones; unknown is `None`, never 0."""

import socket
import sys

import pytest

from jupyter_agents.messages import Usage
from jupyter_agents.prices import price_of

MODEL = "gpt-4o"
CALL = Usage(1000, 100)


def test_own_price_is_of_a_thousand_tokens_when_the_model_is_listed():
    assert price_of("mine", CALL, prices={"mine": (0.5, 2.0)}) == pytest.approx(0.7)


def test_own_price_comes_first_when_another_is_published():
    assert price_of(MODEL, CALL, prices={MODEL: (1.0, 1.0)}) == pytest.approx(1.1)


def test_own_price_of_nothing_stays_nothing_when_another_is_published():
    assert price_of(MODEL, CALL, prices={MODEL: (0, 0)}) == 0


@pytest.mark.parametrize("prices", [{"other": (1, 1)}, lambda model, usage: None], ids=["listed", "function"])
def test_published_price_is_used_when_the_own_prices_do_not_know_the_model(prices):
    assert price_of(MODEL, CALL, prices=prices) == price_of(MODEL, CALL) > 0


def test_function_is_asked_with_model_and_usage_when_it_is_given():
    asked = []

    cost = price_of("mine", CALL, prices=lambda *given: asked.append(given) or 0.25)

    assert (cost, asked) == (0.25, [("mine", CALL)])


def test_cached_tokens_cost_less_when_their_price_is_published():
    whole, cached = price_of(MODEL, CALL), price_of(MODEL, Usage(1000, 100, cached_tokens=400))

    assert 0 < cached < whole
    assert price_of(MODEL, Usage(1000, 100, cached_tokens=800)) - whole == pytest.approx(2 * (cached - whole))


def test_cached_tokens_are_at_most_the_prompt_when_a_server_says_more():
    assert price_of(MODEL, Usage(10, 1, cached_tokens=99)) == price_of(MODEL, Usage(10, 1, cached_tokens=10))


def test_reasoning_is_not_paid_twice_when_it_is_a_part_of_the_completion():
    assert price_of(MODEL, Usage(1000, 100, reasoning_tokens=80)) == price_of(MODEL, CALL)


@pytest.mark.parametrize("usage", [None, Usage(), Usage(5), Usage(None, 5)])
@pytest.mark.parametrize("prices", [None, {MODEL: (1, 1)}], ids=["published", "own"])
def test_price_is_unknown_when_tokens_are_unknown(usage, prices):
    assert price_of(MODEL, usage, prices=prices) is None


@pytest.mark.parametrize("model", [None, "", "nobody-sells-this"])
def test_price_is_unknown_when_the_model_is(model):
    assert price_of(model, CALL) is None


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:11434", "localhost", "gateway.example.com", "api.openai.com.example.org", "api.openai.community"],
)
def test_price_is_unknown_when_the_host_sells_nothing_known(host):
    assert price_of(MODEL, CALL, endpoint_host=host) is None


def test_price_is_that_of_the_host_when_it_is_known():
    assert price_of(MODEL, CALL, endpoint_host="api.openai.com") == price_of(MODEL, CALL)
    assert price_of(MODEL, CALL, endpoint_host="api.openai.com:443") == price_of(MODEL, CALL)
    assert price_of("kimi-k2-0905-preview", CALL, endpoint_host="api.moonshot.ai") > 0
    assert price_of("gpt-4.1", CALL, endpoint_host="mine.openai.azure.com") > 0
    assert price_of(MODEL, CALL, endpoint_host="api.anthropic.com") is None


def test_price_is_unknown_when_the_extra_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_prices", None)

    assert price_of(MODEL, CALL) is None
    assert price_of(MODEL, CALL, prices={MODEL: (1, 1)}) == pytest.approx(1.1)


def test_nothing_is_asked_of_the_network_when_a_price_is_looked_up(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    for name in [one for one in sys.modules if one.partition(".")[0] == "genai_prices"]:
        monkeypatch.delitem(sys.modules, name)

    assert price_of(MODEL, CALL) > 0
