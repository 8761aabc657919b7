"""Everything that can go wrong, as one tree of exceptions.

    JupyterAgentsError
    ├── ConfigurationError          an option, a setting or an argument is wrong
    │   ├── ModelNotConfiguredError no model is configured or found
    │   ├── UnknownAgentError       a name that no agent in the namespace has
    │   └── UnknownArgumentError    a keyword that a constructor does not take (also a TypeError)
    ├── InvalidMessageError         a message with nothing in it (also a ValueError)
    ├── NoHumanError                a prompt is due and nobody can answer it
    ├── ScriptEndedError            a scripted model or person has nothing more to say
    ├── RecordingError              a recording cannot be read, or does not hold what is asked of it
    ├── ExecutorError               code could not be run at all (code that fails is a result, not an error)
    └── ModelError                  a model did not answer usefully
        ├── ModelUnavailableError   connection, time-out or server fault; worth another try
        │   ├── ModelTimeoutError   the deadline of the call, or the idle time-out, passed
        │   └── RateLimitedError    the server asks to wait (`retry_after`, seconds, where it said so)
        ├── ModelRejectedError      the server refuses the request (`status`): key, quota, unknown model, bad request
        │   └── ContextLengthError  the conversation is longer than the model can read
        ├── MalformedReplyError     the server's words make no sense as a reply
        └── ReplyInterruptedError   the reply ended before its finish reason (`partial` holds what came)

    KeyboardInterrupt
    └── ChatInterrupted             a person interrupted a chat (`result` holds what was said)

    UserWarning
    └── NotKeptWarning              something is loaded without what its file could not hold

What a model can mend (bad tool arguments, failing code) is a reply to the model and never an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_agents.conversation import ChatResult


INTERRUPTED = "Chat interrupted. What was said so far is kept, and the chat can be continued."
"""What a notebook shows instead of a traceback."""


class JupyterAgentsError(Exception):
    """Base of all errors raised by this package.

    `result` holds the chat as far as it got, when the error ended one.
    """

    result: ChatResult | None = None


class ChatInterrupted(KeyboardInterrupt):
    """A person interrupted a chat, which ended in order. `result` holds what was said, and the chat can go on later."""

    def __init__(self, result: ChatResult) -> None:
        super().__init__("chat interrupted")
        self.result = result

    def _render_traceback_(self) -> list[str]:
        """One quiet line instead of a traceback, in IPython."""
        return [INTERRUPTED]


class NotKeptWarning(UserWarning):
    """An agent or a chat is loaded without something that its file could not hold, and that was not given again."""


class ConfigurationError(JupyterAgentsError):
    """An option, a setting or an argument is wrong."""


class ModelNotConfiguredError(ConfigurationError):
    """A model is needed and none is configured or found."""


class UnknownAgentError(ConfigurationError):
    """No agent in the namespace has this name."""


class UnknownArgumentError(ConfigurationError, TypeError):
    """A constructor does not take this keyword."""


class InvalidMessageError(JupyterAgentsError, ValueError):
    """A message holds neither content nor a call."""


class NoHumanError(JupyterAgentsError):
    """A prompt is due and nobody can answer it."""


class ScriptEndedError(JupyterAgentsError):
    """A scripted model or person was asked more often than the script has answers."""


class RecordingError(JupyterAgentsError):
    """A recording cannot be read, or does not hold what is asked of it."""


class ExecutorError(JupyterAgentsError):
    """Code could not be run at all."""


class ModelError(JupyterAgentsError):
    """A model did not answer usefully. `partial` is a `ModelReply` with what had come when the reply broke off."""

    partial: Any = None


class ModelUnavailableError(ModelError):
    """The model cannot be reached or the server failed; another try, or another config, may work."""


class ModelTimeoutError(ModelUnavailableError):
    """The deadline of the call, or the idle time-out, passed."""


class RateLimitedError(ModelUnavailableError):
    """The server asks to wait. `retry_after` is in seconds, or `None` where the server did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelRejectedError(ModelError):
    """The server refuses the request. `status` is the HTTP status."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ContextLengthError(ModelRejectedError):
    """The conversation is longer than the model can read."""


class MalformedReplyError(ModelError):
    """The server's words make no sense as a reply."""


class ReplyInterruptedError(ModelError):
    """The reply ended before its finish reason."""

    def __init__(self, message: str, *, partial: Any = None) -> None:
        super().__init__(message)
        self.partial = partial
