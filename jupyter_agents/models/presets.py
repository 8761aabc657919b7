"""Servers that are known by name: where they are, which variable holds their key, and what they lack.

What is held here is what their makers' pages and users' reports said in 2026; it may have changed, and `"preset": False`
passes over it. Of anything else the server is the judge. A request is adapted where nothing is lost by it. What could
never work is an error before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from jupyter_agents.errors import ConfigurationError, ModelRejectedError
from jupyter_agents.nearest import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A server by its name. `source` is where its makers describe it.

    `refuses` and `ignores` are options that it answers with an error, or takes and does nothing with; `renames` are
    those that it calls otherwise. `names` says what becomes of the names of speakers; `formats` are the types of
    `response_format` that it takes (`None`: not restricted). `notes` are for people.
    """

    name: str
    title: str
    source: str
    base_url: str | None = None
    key_variable: str | None = None
    needs_key: bool = True
    is_azure: bool = False
    host: str | None = None
    refuses: frozenset[str] = frozenset()
    ignores: frozenset[str] = frozenset()
    renames: tuple[tuple[str, str], ...] = ()
    one_choice: bool = False
    names: Literal["read", "ignored", "refused"] = "read"
    formats: frozenset[str] | None = None
    notes: str = ""

    @property
    def lacks(self) -> str:
        """What it lacks, for a person.

        >>> PRESETS["groq"].lacks
        'logit_bias, logprobs, names of speakers (put before their words), several choices (n), top_logprobs'
        """
        found = [*self.refuses, *self.ignores]
        if self.one_choice:
            found.append("several choices (n)")
        if self.names != "read":
            found.append("names of speakers (put before their words)")
        if self.formats is not None:
            found.append(f"response_format other than {' and '.join(sorted(self.formats))}")
        return ", ".join(sorted(found))

    def adapted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A request as this server takes it. Raises `ModelRejectedError` where it never could; `body` is only read."""
        self._check(body)
        renames, left_out = dict(self.renames), self._left_out(body)
        found = {renames.get(key, key): value for key, value in body.items() if key not in left_out}
        if self.names != "read" and "messages" in found:
            found["messages"] = _without_names(found["messages"])
        return found

    def _left_out(self, body: Mapping[str, Any]) -> set[str]:
        """Options that say what holds anyway, which is an error where they are refused, or what is said by another name."""
        said_twice = {old for old, new in self.renames if new in body}
        return said_twice | {key for key in self.refuses if not body.get(key)}

    def _check(self, body: Mapping[str, Any]) -> None:
        for key in sorted(self.refuses | (self.ignores & _ASKED_BACK)):
            if body.get(key):
                raise self._lacking(key)
        if self.one_choice and (body.get("n") or 1) != 1:
            raise self._lacking("n", "gives one choice a request")
        form = body.get("response_format")
        kind = form.get("type") if isinstance(form, Mapping) else None
        if self.formats is not None and kind not in (None, *self.formats):
            raise self._lacking("response_format", f"takes {' and '.join(sorted(self.formats))} only, not {kind!r}")

    def _lacking(self, option: str, why: str = "") -> ModelRejectedError:
        return ModelRejectedError(
            f"Cannot ask {self.title} with the option {option!r}: it {why or 'does not have that'} ({self.source}). "
            "Leave it out, use another server, or set 'preset' to False in the config if this one has it."
        )


_ASKED_BACK = frozenset({"logprobs", "top_logprobs"})
"""Options that ask for something to come back: of no use to whoever asked where they are ignored."""


def _without_names(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The messages without names of speakers; where several speak, each name stands before the words.

    What the model said itself stays as it is, lest it begin to say its name. Names of functions are no speakers.
    """
    several = len({one.get("name") for one in messages if one.get("role") == "user" and one.get("name")}) > 1
    return [_without_name(one, several) for one in messages]


def _without_name(message: Mapping[str, Any], several: bool) -> Mapping[str, Any]:
    if "name" not in message or message.get("role") in ("function", "tool"):
        return message
    found = {key: value for key, value in message.items() if key != "name"}
    if several and message.get("role") == "user" and message["name"]:
        found["content"] = _said_by(message["name"], message.get("content"))
    return found


def _said_by(name: str, content: Any) -> Any:
    if isinstance(content, str):
        return f"{name}: {content}"
    return [{"type": "text", "text": f"{name}:"}, *content] if isinstance(content, list) else content


_IGNORED_BY_ANTHROPIC = frozenset(
    """audio frequency_penalty logit_bias logprobs metadata modalities prediction presence_penalty response_format seed
    service_tier store top_logprobs user""".split()
)

_ALL = (
    Preset(
        name="openai",
        title="OpenAI",
        source="https://platform.openai.com/docs/api-reference/chat",
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        host="api.openai.com",
    ),
    Preset(
        name="azure",
        title="Azure OpenAI",
        source="https://learn.microsoft.com/azure/ai-services/openai/reference",
        key_variable="AZURE_OPENAI_API_KEY",
        is_azure=True,
        notes="base_url (or AZURE_OPENAI_ENDPOINT) is the address of your resource; the model is a deployment",
    ),
    Preset(
        name="ollama",
        title="Ollama",
        source="https://docs.ollama.com/api/openai-compatibility",
        base_url="http://127.0.0.1:11434/v1",
        needs_key=False,
        ignores=frozenset({"logit_bias", "user"}),
        one_choice=True,
        notes="tool_choice depends on the version; the context size is set in a Modelfile",
    ),
    Preset(
        name="vllm",
        title="vLLM",
        source="https://docs.vllm.ai/en/latest/features/tool_calling/",
        base_url="http://127.0.0.1:8000/v1",
        key_variable="VLLM_API_KEY",
        needs_key=False,
        notes="tools need a server started with --enable-auto-tool-choice and --tool-call-parser",
    ),
    Preset(
        name="llama.cpp",
        title="llama.cpp",
        source="https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        base_url="http://127.0.0.1:8080/v1",
        key_variable="LLAMA_API_KEY",
        needs_key=False,
        notes="tools need a server started with --jinja, which newer ones are, and a chat template that knows them: "
        "otherwise they are ignored without a word",
    ),
    Preset(
        name="lmstudio",
        title="LM Studio",
        source="https://lmstudio.ai/docs/developer/openai-compat/structured-output",
        base_url="http://127.0.0.1:1234/v1",
        needs_key=False,
        formats=frozenset({"text", "json_schema"}),
    ),
    Preset(
        name="anthropic",
        title="Anthropic",
        source="https://platform.claude.com/docs/en/api/openai-sdk",
        base_url="https://api.anthropic.com/v1",
        key_variable="ANTHROPIC_API_KEY",
        host="api.anthropic.com",
        ignores=_IGNORED_BY_ANTHROPIC,
        one_choice=True,
        names="ignored",
        notes="meant for trying Claude, its makers say; all system messages are moved to the beginning; 'strict' of tools is ignored",
    ),
    Preset(
        name="gemini",
        title="Gemini",
        source="https://ai.google.dev/gemini-api/docs/openai",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_variable="GEMINI_API_KEY",
        host="generativelanguage.googleapis.com",
        notes="some of its models refuse seed and the penalties",
    ),
    Preset(
        name="groq",
        title="Groq",
        source="https://console.groq.com/docs/openai",
        base_url="https://api.groq.com/openai/v1",
        key_variable="GROQ_API_KEY",
        host="api.groq.com",
        refuses=frozenset({"logit_bias", "logprobs", "top_logprobs"}),
        one_choice=True,
        names="refused",
    ),
    Preset(
        name="mistral",
        title="Mistral",
        source="https://docs.mistral.ai/api",
        base_url="https://api.mistral.ai/v1",
        key_variable="MISTRAL_API_KEY",
        host="api.mistral.ai",
        renames=(("seed", "random_seed"), ("max_completion_tokens", "max_tokens")),
        names="refused",
    ),
    Preset(
        name="deepseek",
        title="DeepSeek",
        source="https://api-docs.deepseek.com/api/create-chat-completion",
        base_url="https://api.deepseek.com",
        key_variable="DEEPSEEK_API_KEY",
        host="api.deepseek.com",
        formats=frozenset({"text", "json_object"}),
    ),
    Preset(
        name="openrouter",
        title="OpenRouter",
        source="https://openrouter.ai/docs/quickstart",
        base_url="https://openrouter.ai/api/v1",
        key_variable="OPENROUTER_API_KEY",
        host="openrouter.ai",
        notes="what is lacking depends on the model",
    ),
)
PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _ALL})
"""The servers that are known, by name."""

_OTHER_NAMES = {"google": "gemini", "llamacpp": "llama.cpp", "lm_studio": "lmstudio"}


def preset_named(name: str) -> Preset:
    """The preset of this name. Raises `ConfigurationError` when there is none."""
    plain = str(name).strip().lower()
    preset = PRESETS.get(_OTHER_NAMES.get(plain, plain))
    if preset is None:
        close = nearest(plain, PRESETS)  # the name itself is not shown: it may be a key that is in the wrong place
        meant = f"Did you mean {close!r}?" if close else "Name one of them, or give 'base_url' instead."
        raise ConfigurationError(f"Cannot use this preset: there are {', '.join(PRESETS)}. {meant}")
    return preset


def is_preset(name: Any) -> bool:
    """Whether there is a preset of this name."""
    return isinstance(name, str) and _OTHER_NAMES.get(name, name) in PRESETS


def with_preset(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config in which a known server that is named by `api_type` is named by `preset`, and Azure by both."""
    found = dict(config)
    kind = found.get("api_type")
    if is_preset(kind) and kind not in ("openai", "azure"):
        found["preset"] = found.pop("api_type") if "preset" not in found else found["preset"]
    if found.get("preset") and preset_named(found["preset"]).is_azure:
        found.setdefault("api_type", "azure")
    return found


@lru_cache(maxsize=256)
def preset_of(base_url: str) -> Preset | None:
    """The preset whose host an address has. A port on this machine is only a guess, and not taken for a fact."""
    try:
        host = urlsplit(base_url).hostname
    except ValueError:
        return None
    return next((preset for preset in _ALL if preset.host is not None and preset.host == host), None)
