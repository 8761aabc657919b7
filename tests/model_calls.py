"""Calls of a model at a scripted server, in both worlds alike."""

import asyncio

from jupyter_agents.drive import Run, a_drive, drive
from jupyter_agents.models import opening
from jupyter_agents.models.base import ModelRequest
from jupyter_agents.models.envelopes import Envelope
from jupyter_agents.models.openai import OpenAIModel

KEY = "sk-canary-0123456789"
HELLO = ModelRequest([{"role": "user", "content": "Hi"}])
CODE = "Here:\n```python\nprint(1)\n```\n"


def sync_face(model, request=HELLO, notices=None):
    """The reply, driven in this thread."""
    return drive(model.complete(request), Run(listeners=(notices.append,) if notices is not None else ()))


def async_face(model, request=HELLO, notices=None):
    """The reply, driven on a loop of its own."""

    async def ask():
        run = Run(listeners=(notices.append,) if notices is not None else ())
        return await a_drive(model.complete(request), run)

    return asyncio.run(ask())


def model_of(server, **settings):
    """A model at a server, without retries."""
    return OpenAIModel("m", base_url=server.base_url, **{"api_key": KEY, "max_retries": 0, **settings})


def envelope_of_the_sdk(opened, _known):
    """The envelope that the SDK makes for a request, before any was sent."""
    from openai._models import FinalRequestOptions

    if opened.endpoint.token_provider is not None:
        return None
    client = opening._client(opened.endpoint)
    options = FinalRequestOptions.construct(method="post", url=opened.path, content=b"x")
    return Envelope.of(client._build_request(options))
