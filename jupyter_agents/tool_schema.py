"""From a function's signature to the JSON Schema that a model reads, and from its arguments to Python values.

Both are made by one pydantic model of the parameters, so that what is asked for is what is accepted.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Annotated, Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.tool_mistakes import mistakes
from jupyter_agents.tool_signature import REQUIRED, Parameter, Signature

if typing.TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.json_schema import GenerateJsonSchema

_VALUES = frozenset({"default", "const", "enum", "examples"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})

Validate = Callable[[Mapping[str, Any]], dict[str, Any]]


class BadArguments(ValueError):
    """A model's arguments are not a JSON object, or not those of the function. The text is meant for the model."""


def schema_of(signature: Signature) -> tuple[dict[str, Any], Validate]:
    """The JSON Schema of a function's arguments, and what makes Python values of JSON, or raises `BadArguments`.

    Raises `ConfigurationError`, which names the parameter, for a type that no JSON can stand for.
    """
    try:
        model = _model_of(signature)
        parameters = _schema(model)
    except Exception as error:
        raise _refusal(signature, error) from error
    return parameters, _validator(signature, model, parameters)


# -- The schema --------------------------------------------------------------------------------------------------


def _model_of(signature: Signature) -> type[BaseModel]:
    """A model of the parameters. They are aliases in it: a model cannot have fields named `json` or `_x`."""
    from pydantic import BaseModel, ConfigDict, create_model

    if signature.others is REQUIRED:
        config = ConfigDict(extra="forbid")
        return create_model("Arguments", __config__=config, **_fields(signature.parameters))
    content = {
        "__annotations__": {"__pydantic_extra__": dict[str, _modern(signature.others)]},  # type: ignore[misc]
        "__module__": __name__,
        "model_config": ConfigDict(extra="allow"),
    }
    return create_model("Arguments", __base__=type("Base", (BaseModel,), content), **_fields(signature.parameters))


def _fields(parameters: Iterable[Parameter]) -> dict[str, Any]:
    from pydantic import Field
    from pydantic.fields import FieldInfo

    found: dict[str, Any] = {}
    for number, one in enumerate(parameters):
        annotation, default = _modern(one.annotation), one.default
        if isinstance(default, FieldInfo):
            annotation, default = Annotated[annotation, default], default.get_default(call_default_factory=True)
        words: dict[str, Any] = {"description": one.description} if one.description else {}
        is_required = default is REQUIRED or repr(default) == "PydanticUndefined"
        found[f"p{number}"] = (annotation, Field(... if is_required else default, alias=one.name, **words))
    return found


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    found: dict[str, Any] = _without_titles(model.model_json_schema(schema_generator=_quiet_generator()))
    found.setdefault("properties", {})
    return found


@cache
def _quiet_generator() -> type[GenerateJsonSchema]:
    """A generator that leaves out, without a warning, a default that has no JSON form."""
    from pydantic.json_schema import GenerateJsonSchema

    return type(
        "Quiet", (GenerateJsonSchema,), {"ignored_warning_kinds": {"non-serializable-default", "skipped-choice"}}
    )


def _without_titles(schema: Any) -> Any:
    """A schema without the titles that only repeat names; values in it stay what they are."""
    if isinstance(schema, list):
        return [_without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            found[key] = {name: _without_titles(one) for name, one in value.items()}
        elif key != "title":
            found[key] = value if key in _VALUES else _without_titles(value)
    return found


def _refusal(signature: Signature, error: Exception) -> ConfigurationError:
    for one in signature.parameters:
        try:
            _schema(_model_of(Signature(signature.label, "", (one,))))
        except Exception as cause:  # noqa: BLE001 - whatever pydantic or a user's type raises
            kind = getattr(one.annotation, "__name__", None) or repr(one.annotation)
            return ConfigurationError(
                f"Cannot make a tool of {signature.label!r}: its parameter {one.name!r} is of type {kind}, "
                f"which no JSON can stand for ({_first_line(cause)}). "
                "Take texts, numbers, lists, dictionaries, enums, dataclasses or pydantic models."
            )
    return ConfigurationError(
        f"Cannot make a tool of {signature.label!r}: no JSON Schema can be made of what it takes ({_first_line(error)}). "
        "Give its parameters simpler types."
    )


def _first_line(error: Exception) -> str:
    text = (str(error) or type(error).__name__).splitlines()[0]
    return text.partition(". ")[0].rstrip(".")


# -- TypedDict, which pydantic takes from typing_extensions only, on older Pythons ---------------------------------


def _modern(annotation: Any) -> Any:
    """The annotation with every `typing.TypedDict` in it as one of `typing_extensions`."""
    import typing_extensions

    if typing.is_typeddict(annotation):
        return _modern_typed_dict(annotation)
    args = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if not args or origin in (typing.Literal, typing_extensions.Literal):
        return annotation
    if origin is Annotated:
        return Annotated[_modern(args[0]), *annotation.__metadata__]
    changed = tuple(_modern(one) for one in args)
    if all(new is old for new, old in zip(changed, args, strict=True)):
        return annotation
    if hasattr(annotation, "copy_with"):
        return annotation.copy_with(changed)
    return typing.Union[changed] if origin is types.UnionType else origin[changed]  # noqa: UP007 - a tuple


@cache
def _modern_typed_dict(given: Any) -> Any:
    import typing_extensions

    keys = {}
    for name, kind in typing_extensions.get_type_hints(given, include_extras=True).items():
        wrap = typing_extensions.Required if name in given.__required_keys__ else typing_extensions.NotRequired
        keys[name] = wrap[_modern(_unwrapped(kind))]
    made: Any = typing_extensions.TypedDict(given.__name__, keys)  # type: ignore[misc]
    made.__doc__ = given.__doc__
    return made


def _unwrapped(kind: Any) -> Any:
    """A type without the `Required` or `NotRequired` around it."""
    import typing_extensions

    if typing.get_origin(kind) in (typing_extensions.Required, typing_extensions.NotRequired):
        return typing.get_args(kind)[0]
    return kind


# -- Arguments ---------------------------------------------------------------------------------------------------


def _validator(signature: Signature, model: type[BaseModel], parameters: Mapping[str, Any]) -> Validate:
    from pydantic import ValidationError
    from pydantic.fields import FieldInfo

    names = {f"p{number}": one.name for number, one in enumerate(signature.parameters)}
    always = {
        field for field, one in zip(names, signature.parameters, strict=True) if isinstance(one.default, FieldInfo)
    }

    def validate(arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            found = model.model_validate(dict(arguments))
        except ValidationError as error:
            raise BadArguments(mistakes(error, parameters)) from error
        given = found.model_fields_set | always  # a default that was not given is the function's own
        return {name: getattr(found, field) for field, name in names.items() if field in given} | (
            found.model_extra or {}
        )

    return validate
