"""A request as its model takes it: the role of instructions, the name of the token limit, and parts that can be sent.

Only what is certain is changed, and only where it could not work as it is:

* `o1-mini` and `o1-preview` take instructions from users only; every other model takes the role `system`, and those
  who want another say `system_role` in the config.
* OpenAI's reasoning models (the o series, `gpt-5` and later) take no `max_tokens`, but `max_completion_tokens`.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_agents.errors import ConfigurationError, InvalidMessageError

SYSTEM_ROLES = ("system", "developer", "user")

_WITHOUT_SYSTEM = re.compile(r"o1-(mini|preview)\b")
_REASONING = re.compile(r"o[1-9]\d?(-|$)|gpt-([5-9]|\d\d)")
_DETAILS = ("auto", "low", "high", "original")
_IMAGE = re.compile(r"data:image/[a-zA-Z0-9.+-]+;base64,")


def adapted_options(options: Mapping[str, Any], model: str, *, is_openai: bool) -> dict[str, Any]:
    """The options that are sent: those of `None` are left out, and the token limit has the name that the model knows.

    >>> adapted_options({"max_tokens": 9, "stop": None}, "o3-mini", is_openai=True)
    {'max_completion_tokens': 9}
    """
    found = {key: value for key, value in options.items() if value is not None}
    if found.get("audio") or "audio" in (found.get("modalities") or ()):
        raise ConfigurationError(
            "Cannot send the request: it asks for speech, and replies are text here. Take 'audio' out of the config."
        )
    if is_openai and "max_tokens" in found and _REASONING.match(model):
        limit = found.pop("max_tokens")
        found.setdefault("max_completion_tokens", limit)
    return found


def adapted_messages(messages: Sequence[Mapping[str, Any]], model: str, role: str | None) -> list[Mapping[str, Any]]:
    """The messages that are sent, checked: a list of the same, or with instructions in another role.

    >>> adapted_messages([{"role": "system", "content": "Be brief."}], "o3", "developer")
    [{'role': 'developer', 'content': 'Be brief.'}]
    """
    role = role or ("user" if _WITHOUT_SYSTEM.match(model) else "system")
    for message in messages:
        content = message.get("content")
        if content.__class__ is not str and isinstance(content, list | tuple):
            _check_parts(content)
    if role == "system":
        return messages if isinstance(messages, list) else list(messages)
    return [{**one, "role": role} if one.get("role") == "system" else one for one in messages]


def checked_role(role: Any) -> str | None:
    """The role for instructions, as a config says it."""
    if role is None or role in SYSTEM_ROLES:
        return role  # type: ignore[no-any-return]
    raise ConfigurationError(
        f"Cannot use system_role {str(role)[:40]!r}: 'system', 'developer' and 'user' are accepted. Correct it."
    )


def _check_parts(parts: Sequence[Any]) -> None:
    for number, part in enumerate(parts, 1):
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "image_url":
            if wrong := _wrong_with_image(part.get("image_url")):
                raise InvalidMessageError(
                    f"Cannot send image {number} of a message: {wrong}. Give its web address, or the image itself as "
                    "'data:image/png;base64,…'."
                )
        elif kind in ("input_audio", "audio"):
            raise InvalidMessageError(
                f"Cannot send part {number} of a message: it is sound, and models are asked with text and images here. "
                "Send what is said in it as text."
            )


def _wrong_with_image(image: Any) -> str | None:
    """What no server could read in the `image_url` of a part, or `None`."""
    if not isinstance(image, Mapping) or not isinstance(url := image.get("url"), str):
        return "its 'image_url' is not a dictionary with a 'url'"
    if (detail := image.get("detail")) is not None and detail not in _DETAILS:
        return f"its detail is {str(detail)[:40]!r}, where {', '.join(map(repr, _DETAILS))} are known"
    if url.startswith(("https://", "http://")):
        return None
    start = _IMAGE.match(url)
    if start is None:
        return f"its address begins with {url[:20]!r}"
    return _wrong_with_base64(url[start.end() :])


def _wrong_with_base64(data: str) -> str | None:
    try:
        return None if binascii.a2b_base64(data, strict_mode=True) else "there is nothing in it"
    except ValueError as error:
        return f"it is not valid base64 ({error})"
