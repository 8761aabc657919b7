"""What the agent builder's kernel side and its page say to each other.

`labextension/src/view/builderProtocol.ts` is the other side; a test holds the two together. The page is the source
of what is typed; problems, code and objects come from the kernel. Nothing here is a synced trait: traits are saved in
notebooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypedDict

from jupyter_agents.messages import scrub

BUILDER_PROTOCOL = 2
"""Both sides say it; where they differ, the page was made by another version of the package."""

_MOST_TOOLS = 1_000
_MOST_MEMBERS = 200


@dataclass(frozen=True)
class Draft:
    """An agent as it is typed. `None` (and `""` in a field that takes a number) leaves it to the kind of agent.

    `basis` names what the kernel keeps of the agent that was loaded: what has no field, and what must not travel.
    `tools` are expressions of functions by the name under which a model calls them.
    """

    id: str
    basis: str = ""
    kind: str = ""
    name: str = ""
    variable: str = ""
    description: str = ""
    system_message: str | None = None
    model: str | None = None  # "default", "none", "named" or "kept"
    model_name: str = ""
    kept_model: str = ""  # in words, without keys
    human_input_mode: str | None = None
    code: str | None = None  # "off", "ask", "auto" or "deny"
    work_dir: str = ""
    timeout: str = ""
    max_replies: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Any) -> Draft:
        """The draft in a message. Whatever is missing or of another type has its empty value."""
        given = data if isinstance(data, Mapping) else {}
        texts: dict[str, Any] = {
            one.name: scrub(given[one.name]) for one in fields(cls) if isinstance(given.get(one.name), str)
        }
        tools = given.get("tools")
        pairs = list(tools.items())[:_MOST_TOOLS] if isinstance(tools, Mapping) else []
        named = {scrub(name): scrub(what) for name, what in pairs if isinstance(name, str) and isinstance(what, str)}
        return cls(**{"id": "", **texts, "tools": named})

    def to_json(self) -> dict[str, Any]:
        """The draft for a message."""
        return asdict(self)


@dataclass(frozen=True)
class GroupDraft:
    """A group as it is typed, and its manager, whose name and variable these are.

    A member is `draft:ID`, an agent or group of this form, or `variable:NAME`, an agent of the namespace. `graph` says who
    may (or may not) speak after a member, as `transitions` has it; `model` is the manager's.
    """

    id: str
    name: str = ""
    variable: str = ""
    members: Sequence[str] = ()
    method: str = "auto"  # or "round_robin", "random", "manual"
    max_round: str = ""
    admin: str = ""
    transitions: str = ""  # anybody after anybody; or "no_repeat", "allowed", "disallowed"
    graph: Mapping[str, Sequence[str]] = field(default_factory=dict)
    introductions: bool = False
    model: str | None = None  # "default", "none" or "named"
    model_name: str = ""

    @classmethod
    def from_json(cls, data: Any) -> GroupDraft:
        """The draft in a message. Whatever is missing or of another type has its empty value."""
        given = data if isinstance(data, Mapping) else {}
        texts: dict[str, Any] = {
            one.name: scrub(given[one.name]) for one in fields(cls) if isinstance(given.get(one.name), str)
        }
        graph = given.get("graph")
        rows = list(graph.items())[:_MOST_MEMBERS] if isinstance(graph, Mapping) else []
        return cls(
            **{
                "id": "",
                **texts,
                "members": _texts(given.get("members")),
                "graph": {scrub(one): _texts(others) for one, others in rows if isinstance(one, str)},
                "introductions": given.get("introductions") is True,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """The draft for a message."""
        return asdict(self)


def _texts(data: Any) -> list[str]:
    given = data if isinstance(data, list) else []
    return [scrub(one) for one in given[:_MOST_MEMBERS] if isinstance(one, str)]


class Problem(TypedDict):
    """Something to say about a field of a draft (`""`: the whole of it). A note does not keep it from being created."""

    draft: str
    field: str
    text: str
    is_note: bool


class KindFacts(TypedDict):
    """A kind of agent, and what its fields hold as long as nobody says otherwise."""

    id: str
    class_name: str
    system_message: str
    model: str
    human_input_mode: str
    code: str
    max_replies: int


class AgentFacts(TypedDict):
    """An agent of the namespace. `why` says why it cannot be loaded, if it cannot."""

    variable: str
    name: str
    class_name: str
    why: str


class FunctionFacts(TypedDict):
    """A function or tool of the namespace, and how a model calls it. `untyped` are its parameters without a type hint."""

    name: str
    called: str
    signature: str
    doc: str
    untyped: list[str]
    is_own: bool


class ModelFacts(TypedDict):
    """The name of a model, and from where it is known."""

    name: str
    source: Literal["configured", "environment", "agent", "local"]


class Place(TypedDict):
    """What the namespace and the settings hold. `default_model` is what agents without one are answered by."""

    agents: list[AgentFacts]
    functions: list[FunctionFacts]
    models: list[ModelFacts]
    default_model: str


class GroupFacts(TypedDict):
    """A group that is valid: who is in it, who may speak after whom (pairs of names), and whom it asks in their seats."""

    names: list[str]
    edges: list[list[str]]
    words: str
    seats: list[str]


class Replaced(TypedDict):
    """An agent that would be replaced, or a group, which has no name. `talks` is with how many others it remembers a talk."""

    variable: str
    name: str
    class_name: str
    talks: int


# -- From the kernel -------------------------------------------------------------------------------------------


class Form(TypedDict):
    """The answer to `hello`: all that a page needs."""

    t: Literal["form"]
    to: str
    version: int
    kinds: list[KindFacts]
    place: Place
    drafts: list[dict[str, Any]]
    groups: list[dict[str, Any]]


class PlaceChanged(TypedDict):
    """The namespace holds something else, for everybody."""

    t: Literal["place"]
    place: Place


class Checked(TypedDict):
    """The answer to `check`. `variables` are those that drafts will have; `left_out` those that the code lacks."""

    t: Literal["checked"]
    to: str
    ask: int
    problems: list[Problem]
    variables: dict[str, str]
    code: str
    left_out: list[str]
    groups: dict[str, GroupFacts]


class Asks(TypedDict):
    """The answer to `create` where an agent would be replaced."""

    t: Literal["asks"]
    to: str
    ask: int
    replaced: list[Replaced]


class Created(TypedDict):
    """The answer to `create`: the variables that hold what is new; none where there are problems.

    `outdated` are those of groups in which agents are that have been replaced.
    """

    t: Literal["created"]
    to: str
    ask: int
    variables: list[str]
    outdated: list[str]


class Loaded(TypedDict):
    """The answer to `load`: a draft, or why there is none."""

    t: Literal["loaded"]
    to: str
    ask: int
    draft: dict[str, Any] | None
    why: str


class Found(TypedDict):
    """The answer to `find_models`: what a server on this machine offers; `server` is empty where there is none."""

    t: Literal["found"]
    to: str
    ask: int
    server: str
    names: list[str]


class Failed(TypedDict):
    """The answer to a request that could not be understood or carried out."""

    t: Literal["failed"]
    to: str
    ask: int
    why: str


FromKernel = Form | PlaceChanged | Checked | Asks | Created | Loaded | Found | Failed


# -- From the page ---------------------------------------------------------------------------------------------


class Hello(TypedDict):
    """A view is there."""

    t: Literal["hello"]
    view: str
    version: int


class Bye(TypedDict):
    """A view is gone."""

    t: Literal["bye"]
    view: str


class Check(TypedDict):
    """This is what is typed now."""

    t: Literal["check"]
    view: str
    ask: int
    drafts: list[dict[str, Any]]
    groups: list[dict[str, Any]]


class Create(TypedDict):
    """Make the agent or group of one draft (`which`), or all. `replace` are the variables of what may be replaced."""

    t: Literal["create"]
    view: str
    ask: int
    drafts: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    which: str | None
    replace: list[str]


class Load(TypedDict):
    """Give back an agent of the namespace as a draft."""

    t: Literal["load"]
    view: str
    ask: int
    variable: str


class FindModels(TypedDict):
    """Look for a model server on this machine."""

    t: Literal["find_models"]
    view: str
    ask: int


ToKernel = Hello | Bye | Check | Create | Load | FindModels
