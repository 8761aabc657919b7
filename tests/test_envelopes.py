"""Later requests go in the envelope of the first: the same address and headers, without the SDK."""

import pytest

from jupyter_agents.errors import ModelError, ModelRejectedError
from jupyter_agents.models import opening, transport
from jupyter_agents.models.config import model_from_config
from jupyter_agents.models.envelopes import Envelope
from jupyter_agents.testing import ServerReply
from tests.model_calls import HELLO

KEY = "sk-canary-0123456789"


@pytest.fixture
def posts(monkeypatch):
    """How often the SDK was asked to send something."""
    import openai

    made = []
    for kind in (openai.OpenAI, openai.AsyncOpenAI):
        post = kind.post

        def counted(self, *args, _post=post, **kwargs):
            made.append(args)
            return _post(self, *args, **kwargs)

        monkeypatch.setattr(kind, "post", counted)
    transport.forget_clients()
    return made


def headers_of(request):
    mine = ("content-length", "x-stainless-read-timeout")  # of each by itself
    return {name: value for name, value in request.headers.items() if name not in mine}


def config_of(server, **more):
    carried = {"default_headers": {"X-Team": "blue"}, "extra_query": {"code": "7"}, "organization": "org-1"}
    return server.config | {"api_key": KEY, "max_retries": 0} | carried | more


def test_later_requests_have_the_address_and_the_headers_of_the_first(server, posts):
    model = model_from_config(config_of(server))
    server.enqueue("One", "Two, which is longer")

    said = [opening_reply(model).content for _ in range(2)]

    first, second = server.requests
    assert (said, len(posts)) == (["One", "Two, which is longer"], 1)
    assert (second.path, headers_of(second)) == (first.path, headers_of(first))
    assert second.headers["authorization"] == f"Bearer {KEY}"
    assert (second.headers["x-team"], second.headers["openai-organization"]) == ("blue", "org-1")
    assert "code=7" in second.path


def opening_reply(model, request=HELLO):
    from tests.model_calls import sync_face

    return sync_face(model, request)


def test_async_requests_share_an_envelope_on_their_loop(server, posts):
    import asyncio

    from jupyter_agents.drive import Run, a_drive

    model = model_from_config(config_of(server))
    server.enqueue("One", "Two", "Three")

    async def ask_thrice():
        return [(await a_drive(model.complete(HELLO), Run())).content for _ in range(3)]

    assert asyncio.run(ask_thrice()) == ["One", "Two", "Three"]
    assert len(posts) == 1


def test_key_that_changes_is_never_kept(server, posts):
    tokens = iter(["first", "second"])
    config = {
        "model": "m",
        "api_type": "azure",
        "api_version": "1",
        "base_url": f"{server.base_url}/openai/deployments/m",
    }
    model = model_from_config(config | {"azure_ad_token_provider": lambda: next(tokens)})
    server.enqueue("One", "Two")

    for _ in range(2):
        opening_reply(model)

    assert len(posts) == 2
    assert [one.headers["authorization"] for one in server.requests] == ["Bearer first", "Bearer second"]


def test_another_key_has_an_envelope_of_its_own(server, posts, monkeypatch):
    model = model_from_config({"model": "m", "base_url": server.base_url, "api_key_variable": "MY_KEY"})
    server.enqueue("One", "Two")

    for key in ("sk-first-0123456789", "sk-second-0123456789"):
        monkeypatch.setenv("MY_KEY", key)
        opening_reply(model)

    assert [one.headers["authorization"] for one in server.requests] == [
        "Bearer sk-first-0123456789",
        "Bearer sk-second-0123456789",
    ]


def test_no_envelope_is_kept_of_a_request_that_was_refused(server, posts):
    model = model_from_config(config_of(server))
    server.enqueue(ServerReply.error(401, "no"), "One")

    with pytest.raises(ModelError):
        opening_reply(model)

    assert (opening_reply(model).content, len(posts)) == ("One", 2)


def test_later_request_that_is_refused_says_why(server, posts):
    model = model_from_config(config_of(server))
    server.enqueue("One", ServerReply.error(400, "temperature is too high"), "Two")
    opening_reply(model)

    with pytest.raises(ModelRejectedError, match="temperature is too high"):
        opening_reply(model)

    assert (opening_reply(model).content, len(posts)) == ("Two", 1)


def test_cookies_are_not_kept_in_an_envelope(server, posts):
    hello = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
    cookie = {"content-type": "application/json", "set-cookie": "crumb=1; Path=/"}
    server.enqueue(ServerReply(body=hello, headers=cookie), "Two", "Three")
    opening_reply(model_from_config(config_of(server)))
    other = model_from_config(config_of(server, organization="org-2"))
    for _ in range(2):
        opening_reply(other)

    assert ["cookie" in one.headers for one in server.requests] == [False, True, False]


def test_envelope_shows_no_key(server, posts):
    model = model_from_config(config_of(server))
    server.enqueue("One")
    opening_reply(model)

    kept = [one for one in transport._of_process.values() if isinstance(one, dict)]

    assert any(isinstance(one, Envelope) for found in kept for one in found.values())
    assert KEY not in repr(kept)
    assert "code=7" not in repr(kept)
    assert opening.Envelope is Envelope
