"""Several models as one: filters, time limits, replies that break off, and clients of one's own."""

import time

import pytest

from jupyter_agents import AssistantAgent
from jupyter_agents.drive import Run, drive
from jupyter_agents.effects import Complete
from jupyter_agents.errors import (
    ConfigurationError,
    MalformedReplyError,
    ModelError,
    ModelRejectedError,
    ModelTimeoutError,
    ModelUnavailableError,
    RateLimitedError,
    ReplyInterruptedError,
)
from jupyter_agents.events import Delta, ReplyDropped, Retracted, Waiting
from jupyter_agents.messages import ToolCall, Usage
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.client import register_client
from jupyter_agents.models.config import model_from_config
from jupyter_agents.models.fallback import FallbackModel
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.testing import ServerReply
from tests.fakes import quiet_session, user
from tests.model_calls import HELLO, KEY, model_of

pytestmark = pytest.mark.timeout(20)

BEGUN = b'data: {"choices": [{"delta": {"content": "half a "}}]}\n\n'


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Retries wait for no time at all."""
    monkeypatch.setattr("jupyter_agents.models.opening._FIRST_WAIT", 0.0)


def at(server, *names, **shared):
    """The models of a config list at one server."""
    configs = [{"model": name, "base_url": server.base_url, "api_key": KEY} for name in names]
    return model_from_config({"config_list": configs, **shared})


# -- What is retried, what falls back, what is raised -------------------------------------------------------------

CUT = ServerReply.raw(BEGUN, ending="eof")
ERRORS = [  # what the server does, the error, requests of one model with two retries, whether the next model answers
    ("500", ServerReply.error(500), ModelUnavailableError, 3, True),
    ("408", ServerReply.error(408), ModelUnavailableError, 3, True),
    ("429", ServerReply.error(429, retry_after="0.01"), RateLimitedError, 3, True),
    ("429_long", ServerReply.error(429, retry_after="121"), RateLimitedError, 1, True),
    ("insufficient_quota", ServerReply.error(429, code="insufficient_quota"), ModelRejectedError, 1, True),
    ("401", ServerReply.error(401), ModelRejectedError, 1, True),
    ("404", ServerReply.error(404), ModelRejectedError, 1, True),
    ("400", ServerReply.error(400), ModelRejectedError, 1, False),
    ("422", ServerReply.error(422), ModelRejectedError, 1, False),
    ("no_json", ServerReply.raw(b"data: {oops\n\n"), MalformedReplyError, 2, True),
    ("no_json_later", ServerReply.raw(BEGUN, b"data: {oops\n\n"), MalformedReplyError, 2, True),
    ("html", ServerReply.html(), MalformedReplyError, 1, True),
    ("cut", CUT, ReplyInterruptedError, 1, False),
    ("cut_at_once", ServerReply.raw(), ReplyInterruptedError, 1, True),
]
IDS = [name for name, *_ in ERRORS]


@pytest.mark.parametrize(("reply", "error", "calls"), [row[1:4] for row in ERRORS], ids=IDS)
def test_model_is_asked_so_often_when_it_fails_with(server, ask, reply, error, calls):
    server.respond_with(lambda request: reply)

    with pytest.raises(ModelError) as caught:
        ask(model_of(server, max_retries=2))

    assert type(caught.value) is error
    assert len(server.requests) == calls


@pytest.mark.parametrize(("reply", "goes_on"), [(row[1], row[4]) for row in ERRORS], ids=IDS)
def test_next_config_is_asked_or_not_when_the_first_fails_with(server, ask, reply, goes_on):
    server.enqueue(reply, "second")
    model = at(server, "a", "b")

    if goes_on:
        assert ask(model).content == "second"
    else:
        with pytest.raises(ModelError):
            ask(model)

    assert [request.body["model"] for request in server.requests] == (["a", "b"] if goes_on else ["a"])


def test_next_config_is_asked_when_the_server_lacks_an_option(server, ask):
    server.enqueue("second")
    groq = {"model": "a", "preset": "groq", "api_key": KEY}
    model = model_from_config({"config_list": [groq, {**server.config, "model": "b"}], "logprobs": True})

    assert ask(model).content == "second"
    assert server.requests[0].body["logprobs"] is True


def test_error_says_how_long_to_wait_when_the_server_asks_for_too_long(server, ask):
    server.enqueue(ServerReply.error(429, retry_after="121"))

    with pytest.raises(RateLimitedError, match="121 s"):
        ask(model_of(server))


# -- Replies that break off ---------------------------------------------------------------------------------------


def test_text_is_not_doubled_when_a_broken_reply_is_retried(server, ask):
    server.enqueue(CUT, "whole")
    notices = []

    reply = ask(model_of(server, max_retries=1, on_break="retry"), notices=notices)

    kinds = [type(one) for one in notices]
    at_retraction = kinds.index(Retracted)
    shown = "".join(one.text for one in notices[at_retraction:] if isinstance(one, Delta))
    assert reply.content == shown == "whole"
    assert notices[at_retraction].text == "half a "


@pytest.mark.parametrize("broken", [ServerReply.raw(BEGUN, ending="reset"), ServerReply.raw(BEGUN, ending="stall")])
def test_broken_reply_is_retried_only_as_often_as_allowed(server, ask, broken):
    server.respond_with(lambda request: broken)

    with pytest.raises((ReplyInterruptedError, ModelTimeoutError)):
        ask(model_of(server, max_retries=2, on_break="retry", idle_timeout=0.05))

    assert len(server.requests) == 3


def test_malformed_reply_is_retried_once_even_when_breaks_are_retried(server, ask):
    server.respond_with(lambda request: ServerReply.raw(b"data: {oops\n\n"))

    with pytest.raises(MalformedReplyError):
        ask(model_of(server, max_retries=5, on_break="retry"))

    assert len(server.requests) == 2


def test_next_model_goes_on_anew_when_the_first_broke_off_and_may_retry(server, ask):
    server.enqueue(CUT, "whole")
    notices = []

    assert ask(at(server, "a", "b", on_break="retry"), notices=notices).content == "whole"
    assert sum(isinstance(one, Retracted) for one in notices) == 1


def test_log_keeps_the_part_and_tools_run_once_when_a_reply_with_a_call_is_retried(server):
    called = []
    cut = ServerReply(text="I call", tool_calls=[ToolCall("note", '{"what": "x"}', "c1")], cut=900, ending="eof")
    server.enqueue(cut, ServerReply(text="I call", tool_calls=[ToolCall("note", '{"what": "x"}', "c1")]), "TERMINATE")
    agent = AssistantAgent("a", llm_config=server.config | {"on_break": "retry", "max_retries": 1})
    agent.tool(lambda what: called.append(what), name="note", description="Notes.")

    with use_session(quiet_session()):
        result = user().initiate_chat(agent, message="go", max_turns=3)

    dropped = result.log.select(ReplyDropped)
    assert [one.partial for one in dropped] == ["I call"]
    assert called == ["x"]
    assert [one["content"] for one in result.chat_history].count("I call") == 1


@pytest.mark.parametrize("what", ["never", 1, None])
def test_policy_is_refused_when_it_is_unknown(what):
    with pytest.raises(ConfigurationError, match="on_break"):
        model_from_config({"model": "m", "on_break": what or ""})


# -- Filters ------------------------------------------------------------------------------------------------------


def is_good(context, response):
    return response.choices[0].message.content == context["wanted"]


def filtered(*replies, filter_func=is_good, **options):
    return FallbackModel([ScriptedModel([reply]) for reply in replies], filter_func=filter_func, **options)


WANTED = ModelRequest(HELLO.messages, {}, {"wanted": "good"})


def test_next_model_is_asked_and_the_text_taken_back_when_the_filter_refuses(ask):
    notices = []

    reply = ask(filtered("bad", "good"), WANTED, notices)

    assert reply.content == "good"
    [taken] = [one for one in notices if isinstance(one, Retracted)]
    assert taken.text == "bad"
    assert Waiting(0.0, "the next model is asked: a filter refused the reply of ScriptedModel") in notices


def test_last_reply_is_given_when_the_filter_refuses_all(ask):
    model = filtered("bad", "worse")

    assert ask(model, WANTED).content == "worse"


@pytest.mark.parametrize(("reply", "passed", "config_id"), [("good", True, 1), ("worse", False, 1)])
def test_answer_says_who_gave_it_and_whether_it_passed(reply, passed, config_id):
    answer = drive(filtered("bad", reply).answer(WANTED))

    assert (answer.pass_filter, answer.config_id) == (passed, config_id)
    assert [one.reply.content for one in answer.refused] == ["bad"]


async def _async(context, response):
    return is_good(context, response)


@pytest.mark.parametrize(
    "function",
    [
        lambda context, config, response: is_good(context, response),
        lambda context, base_config, response: is_good(context, response),
        lambda c, r: is_good(c, r),
        lambda **given: is_good(given["context"], given["response"]),
        lambda context, response: response["choices"][0]["message"]["content"] == "good",
        _async,
    ],
    ids=["config", "base_config", "positional", "keywords", "brackets", "async"],
)
def test_filter_is_called_as_its_signature_wants_it(ask, function):
    assert ask(filtered("bad", "good", filter_func=function), WANTED).content == "good"


def test_error_of_a_filter_comes_out_and_no_other_model_is_asked(ask):
    second = ScriptedModel(["good"])
    model = FallbackModel([ScriptedModel(["bad"]), second], filter_func=lambda context, response: context["typo"])

    with pytest.raises(KeyError):
        ask(model, WANTED)

    assert second.calls == 0


def test_filter_is_read_and_not_sent_when_it_is_in_a_config(server, ask):
    server.enqueue("bad", "good")
    model = at(server, "a", "b", filter_func=is_good, total_timeout=5, api_rate_limit=1000)

    assert ask(model, WANTED).content == "good"
    for request in server.requests:
        assert not {"filter_func", "total_timeout", "api_rate_limit", "on_break"} & request.body.keys()


def test_filter_of_one_config_is_for_it_alone_when_each_has_its_own(ask):
    configs = [
        {"model": ScriptedModel(["a"]), "filter_func": lambda context, response: False},
        {"model": ScriptedModel(["b"])},
    ]

    assert ask(model_from_config({"config_list": configs})).content == "b"


def test_refused_reply_is_paid_for_when_an_agent_has_a_filter():
    refused = ModelReply("bad", usage=Usage(10, 5), model="m")
    configs = [{"model": ScriptedModel([refused])}, {"model": ScriptedModel([ModelReply("good", usage=Usage(1, 1))])}]
    config = {
        "config_list": configs,
        "filter_func": lambda context, response: response.choices[0].message.content != "bad",
    }

    with use_session(quiet_session()):
        result = user().initiate_chat(AssistantAgent("a", llm_config=config), message="go", max_turns=1)

    assert result.chat_history[-1]["content"] == "good"
    assert [one.partial for one in result.log.select(ReplyDropped)] == ["bad"]


def test_budget_counts_what_a_filter_has_refused():
    run = Run()
    refused = ModelReply("bad", usage=Usage(10, 5), model="m")
    model = FallbackModel(
        [ScriptedModel([refused]), ScriptedModel([ModelReply("good", usage=Usage(1, 1))])],
        filter_func=lambda context, response: response.usage.total_tokens == 2,
    )

    async def complete():
        return await Complete("a", model, HELLO)

    drive(complete(), run)

    assert run.ledger.tokens == 17


@pytest.mark.parametrize("config", [{"filter_func": 3}, {"total_timeout": 0}, {"total_timeout": "soon"}])
def test_setting_is_refused_when_it_is_wrong(config):
    with pytest.raises(ConfigurationError, match="filter_func|total_timeout"):
        model_from_config({"model": "m", **config})


# -- The limit of all together ------------------------------------------------------------------------------------


def test_limit_holds_over_all_models_when_each_is_slow(server, ask):
    server.respond_with(lambda request: ServerReply.nothing("stall"))
    started = time.monotonic()

    with pytest.raises(ModelTimeoutError, match=r"total_timeout of 0\.3 s is over"):
        ask(at(server, *"abcdef", total_timeout=0.3, timeout=0.2, max_retries=0))

    assert time.monotonic() - started < 1
    assert len(server.requests) == 2


def test_limit_holds_over_retries_when_there_is_one_model(server, ask):
    server.respond_with(lambda request: ServerReply.error(500, retry_after="0.1"))
    started = time.monotonic()

    with pytest.raises(ModelUnavailableError):
        ask(at(server, "a", total_timeout=0.35, max_retries=50))

    assert time.monotonic() - started < 1


# -- Clients of one's own -----------------------------------------------------------------------------------------


class OwnClient:
    """A client as the classic wants it."""

    def __init__(self, config, **arguments):
        self.config, self.arguments, self.asked = config, arguments, []

    def create(self, params):
        self.asked.append(params)
        if self.arguments.get("fails"):
            raise ConnectionError("down")
        return {"text": f"{params['messages'][-1]['content']} by {params['model']}"}

    def message_retrieval(self, response):
        return [response["text"]]

    def cost(self, response):
        return 0

    @staticmethod
    def get_usage(response):
        return {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cost": 0, "model": "own"}


OWN = {"model": "own", "model_client_cls": "OwnClient", "temperature": 0.5}


def test_agent_speaks_through_its_own_client_when_it_is_registered():
    agent = AssistantAgent("a", llm_config=OWN)
    agent.register_model_client(model_client_cls=OwnClient, greeting="x")

    with use_session(quiet_session()):
        result = user().initiate_chat(agent, message="Hi", max_turns=1)

    assert result.chat_history[-1]["content"] == "Hi by own"
    client = agent.model._client
    assert client.arguments == {"greeting": "x"}
    assert client.config["model"] == "own"
    assert client.asked[0]["temperature"] == 0.5
    assert "model_client_cls" not in client.asked[0]


def test_error_says_what_to_call_when_the_client_is_not_registered(ask):
    with pytest.raises(ConfigurationError, match=r"Call register_model_client\(OwnClient\)"):
        ask(model_from_config(OWN))


def test_next_config_is_asked_when_an_own_client_has_no_connection(ask):
    model = model_from_config({"config_list": [OWN, {"model": ScriptedModel(["second"])}]})
    register_client(model, OwnClient, fails=True)

    assert ask(model).content == "second"


def test_usage_of_an_own_client_is_that_which_it_says(ask):
    model = model_from_config(OWN | {"model_client_cls": OwnClient})

    assert ask(model).usage == Usage(3, 4)


def test_client_is_refused_when_no_config_names_it_or_all_have_it():
    agent = AssistantAgent("a", llm_config=OWN)
    agent.register_model_client(OwnClient)

    with pytest.raises(ConfigurationError, match="once more"):
        agent.register_model_client(OwnClient)
    with pytest.raises(ConfigurationError, match="no config has"):
        agent.register_model_client(int)


def test_client_is_refused_when_it_lacks_a_method():
    with pytest.raises(ConfigurationError, match=r"no method message_retrieval\(\)"):
        model_from_config(
            {
                "model": "m",
                "model_client_cls": type("Half", (), {"__init__": lambda self, config: None, "create": print}),
            }
        )


def test_filter_holds_for_the_model_of_the_session_when_a_config_names_none():
    agent = AssistantAgent("a", llm_config={"filter_func": lambda context, response: False})

    with use_session(quiet_session(find_model=lambda: ScriptedModel(["said"]))):
        result = user().initiate_chat(agent, message="Hi", max_turns=1)

    assert isinstance(agent.model, FallbackModel)
    assert result.chat_history[-1]["content"] == "said"


def test_model_is_asked_again_when_it_is_listed_twice(ask):
    model = ScriptedModel([ModelUnavailableError("down"), "up"])

    assert ask(FallbackModel([model, model])).content == "up"
