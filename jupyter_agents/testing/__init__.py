"""What tests and offline notebooks need in the place of models, people and code: public, and used by our own tests."""

from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.testing.executor import RecordingExecutor
from jupyter_agents.testing.server import FakeOpenAIServer, ServerReply, ServerRequest

__all__ = ["FakeOpenAIServer", "RecordingExecutor", "ScriptedHuman", "ScriptedModel", "ServerReply", "ServerRequest"]
