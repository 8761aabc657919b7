import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from jupyter_agents import Budget, UserProxyAgent
from jupyter_agents.drive import ChatCancelled
from jupyter_agents.errors import ModelUnavailableError
from jupyter_agents.events import HumanAsked, MessageSent, ModelAsked, ToolFinished
from jupyter_agents.executors.base import ExecutionResult
from jupyter_agents.human.base import Answer
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from tests.fakes import FakeExecutor, assistant, async_face, failure, quiet_session, sync_face, talker, user

# -- What chats are made of --------------------------------------------------------------------------------------


def legacy(name, arguments="{}"):
    return {"content": None, "function_call": {"name": name, "arguments": arguments}}


def tools(*names):
    return {
        "content": "calling",
        "tool_calls": [
            {"id": f"id {at}", "function": {"name": name, "arguments": "{}"}} for at, name in enumerate(names)
        ],
    }


REPLIES = {
    "talk": "What do you mean?",
    "other talk": ModelReply("Hm.", usage=Usage(7, 3)),
    "nothing": "",
    "end": "That is all.\n\nTERMINATE",
    "code": "```python\n1\n```\nand\n```sh\nls\n```",
    "no code": "```json\n{}\n```",
    "broken code": "```python\nx =\n```",
    "cut code": ModelReply("```python\nprint(", "length"),
    "cut talk": ModelReply("It was a dark and", "length"),
    "filtered": ModelReply("I will", "content_filter"),
    "legacy call": legacy("plain"),
    "calls": tools("plain", "slow", "missing", "plain"),
    "failing calls": tools("failing", "slow failing"),
    "nested": tools("nested"),
    "slow nested": tools("slow_nested"),
    "bad call": legacy("plain", "{"),
    "error": ModelUnavailableError("the server is down"),
    "interrupt": KeyboardInterrupt(),
}
ANSWERS = ["", "exit", "go on", "run", Answer("2", "edit"), Answer("no", "reject"), Answer("", "stop")]
RESULTS = ["out", failure("bad"), ExecutionResult.refused("not that"), KeyboardInterrupt()]


def plain_override(name, add):
    def override(self, *args, **kwargs):
        return add(getattr(super(self.overriding, self), name)(*args, **kwargs))

    return override


def async_override(name, add):
    async def override(self, *args, **kwargs):
        return add(await getattr(super(self.overriding, self), f"a_{name}")(*args, **kwargs))

    return override


def add_text(value):
    return f"{value}!" if isinstance(value, str) and value not in ("", "exit") else value


ADDITIONS = {
    "get_human_input": add_text,
    "generate_reply": add_text,
    "generate_init_message": add_text,
    "run_code": lambda found: (found[0], f"{found[1]}!", None),
    "execute_code_blocks": lambda found: (found[0], f"{found[1]}!"),
    "execute_function": lambda found: (found[0], {**found[1], "content": f"{found[1]['content']}!"}),
}


@dataclass(frozen=True)
class Setup:
    """A chat, as plain data from which it can be made twice."""

    mode: str
    limit: int
    policy: str
    default: str | None
    replies: list[str]
    expert: list[str]
    answers: list[Any]
    results: list[Any]
    overrides: dict[str, str]
    reply_function: str | None
    last_n: Any
    options: dict[str, Any] = field(default_factory=dict)
    max_repairs: int = 10
    follow_up: bool = False


setups = st.builds(
    Setup,
    mode=st.sampled_from(["ALWAYS", "TERMINATE", "NEVER"]),
    limit=st.integers(0, 4),
    policy=st.sampled_from(["auto", "auto", "ask", "deny"]),
    default=st.sampled_from(["", "And?", None]),
    replies=st.lists(st.sampled_from(sorted(REPLIES)), min_size=1, max_size=7),
    expert=st.lists(st.sampled_from(["talk", "other talk", "nothing", "error", "interrupt"]), max_size=4),
    answers=st.lists(st.sampled_from(ANSWERS), max_size=8),
    results=st.lists(st.sampled_from(RESULTS), max_size=4),
    overrides=st.dictionaries(
        st.sampled_from(sorted(ADDITIONS)), st.sampled_from(["plain", "async", "both"]), max_size=3
    ),
    reply_function=st.sampled_from([None, None, "plain", "async", "excluding", "async excluding"]),
    last_n=st.sampled_from([1, 2, "auto"]),
    options=st.one_of(
        st.just({}),
        st.fixed_dictionaries({"max_turns": st.integers(1, 4)}),
        st.fixed_dictionaries(
            {
                "budget": st.one_of(
                    st.builds(Budget, turns=st.integers(0, 6)),
                    st.builds(Budget, model_calls=st.integers(0, 4)),
                    st.builds(Budget, tokens=st.integers(0, 60)),
                )
            }
        ),
    ),
    max_repairs=st.sampled_from([0, 1, 10]),
    follow_up=st.booleans(),
)


# -- Making one --------------------------------------------------------------------------------------------------


def make_user(setup, human, executor):
    methods = {}
    for name, kind in setup.overrides.items():
        if kind in ("plain", "both"):
            methods[name] = plain_override(name, ADDITIONS[name])
        if kind in ("async", "both"):
            methods[f"a_{name}"] = async_override(name, ADDITIONS[name])
    kind = type("Overriding", (UserProxyAgent,), methods)
    kind.overriding = kind
    return kind(
        "user",
        human_input_mode=setup.mode,
        max_consecutive_auto_reply=setup.limit,
        default_auto_reply=setup.default,
        human=human,
        code_execution_config={"executor": executor, "policy": setup.policy, "last_n_messages": setup.last_n},
    )


def make_functions(setup):
    expert, asker = assistant(*(REPLIES[one] for one in setup.expert), "7", "8", name="expert"), user("asker")

    def fail():
        raise LookupError("not there")

    async def slow():
        await asyncio.sleep(0)
        return "slowly"

    async def slow_failing():
        await asyncio.sleep(0)
        raise LookupError("not there")

    async def slow_nested():
        return (await asker.a_initiate_chat(expert, message="What?", max_turns=2)).summary

    return {
        "plain": lambda: "plainly",
        "slow": slow,
        "failing": fail,
        "slow failing": slow_failing,
        "nested": lambda: asker.initiate_chat(expert, message="What?", max_turns=2).summary,
        "slow_nested": slow_nested,
    }


def make_reply_function(kind):
    def plain(recipient, messages, sender, config):
        config["asked"] += 1
        return config["asked"] % 2 == 0, f"asked {config['asked']} times"

    async def slow(recipient, messages, sender, config):
        await asyncio.sleep(0)
        return plain(recipient, messages, sender, config)

    def excluding(recipient, messages, sender, config):
        return True, recipient.generate_reply(messages, sender, exclude=[excluding])

    async def slow_excluding(recipient, messages, sender, config):
        return True, await recipient.a_generate_reply(messages, sender, exclude=[slow_excluding])

    return {"plain": plain, "async": slow, "excluding": excluding, "async excluding": slow_excluding}[kind]


def hold(setup, face):
    """All that can be seen of a chat: its events, prompts, model requests and blocks of code, and how it ended.

    When its script is over, the model says that it is done; the person has nothing to add, and then leaves.
    """
    human, executor = ScriptedHuman([*setup.answers, "", "", *["exit"] * 9]), FakeExecutor(*setup.results)
    agent = assistant(*(REPLIES[one] for one in setup.replies), *[REPLIES["end"]] * 12)
    me = make_user(setup, human, executor)
    me.register_function(make_functions(setup))
    if setup.reply_function:
        me.register_auto_reply([talker("x").__class__], make_reply_function(setup.reply_function), 1, {"asked": 0})
    ends = []
    with use_session(quiet_session(max_repairs=setup.max_repairs)):
        for name, args, options in chats(setup, agent):
            ends.append(outcome(face, me, name, *args, **options))
    return {
        "ends": ends,
        "log": me.log_with(agent) and settled([without_times(one.to_json()) for one in me.log_with(agent)]),
        "mine": me.chat_messages[agent],
        "theirs": agent.chat_messages[me],
        "prompts": human.prompts,
        "requests": agent.model.requests,
        "codes": executor.codes,
        "counters": (me.auto_replies_to(agent), agent.auto_replies_to(me)),
    }


def chats(setup, agent):
    yield "initiate_chat", (agent,), {"message": "go", **setup.options}
    if setup.follow_up:
        yield "send", ("And now?", agent), {}


def outcome(face, me, name, *args, **options):
    try:
        result = face(me, name, *args, **options)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, the faces must agree on it
        result, failed = getattr(error, "result", None), f"{type(error).__name__}: {error}"
    except ChatCancelled as error:  # what an interrupt is called where it may not leave a task
        result, failed = error.result, f"ChatInterrupted: {error}"
    else:
        failed = None
    facts = result and (result.ended_by, result.detail, result.messages, result.usage, result.human_input)
    return failed, facts


def without_times(entry):
    found = {key: value for key, value in entry.items() if key != "seconds"}
    if entry["kind"] == ToolFinished.kind:  # an interrupt within a tool comes as a cancellation where that is awaited
        found["content"] = entry["content"].replace("interrupted by the user;", "interrupted;")
    return found


def settled(entries):
    """Events in an order that does not depend on how calls of one message took turns: by chat, calls by their ids."""
    calls = [one for one in entries if one["kind"].startswith("tool_")]
    numbered = {id(one): at for at, one in enumerate(entries)}
    firsts = {}
    for one in entries:  # a chat that a call holds is told from another one by how it began
        firsts.setdefault(one["chat"], json.dumps(one | {"seq": 0, "chat": 0}, default=str, sort_keys=True))
    others = [one for one in entries if one not in calls]
    others.sort(key=lambda one: (firsts[one["chat"]], numbered[id(one)]))
    calls.sort(
        key=lambda one: (firsts[one["chat"]], str(one["call_id"]), one["kind"] != "tool_started", numbered[id(one)])
    )
    return [{key: value for key, value in one.items() if key not in ("seq", "chat")} for one in [*others, *calls]]


INTERRUPTED_IN_A_TOOL = Setup(
    mode="ALWAYS", limit=1, policy="auto", default="", replies=["slow nested"], expert=["interrupt"], answers=[], results=[],
    overrides={}, reply_function=None, last_n=1, options={}, max_repairs=0, follow_up=False,
)  # fmt: skip


# -- The property ------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(setup=setups)
@example(setup=INTERRUPTED_IN_A_TOOL)
def test_both_faces_hold_the_same_chat(setup):
    plain, awaited = hold(setup, sync_face), hold(setup, async_face)

    event(f"ended: {[facts[0].name if facts else failed for failed, facts in plain['ends']][-1]}")
    event(f"error: {(plain['ends'][-1][0] or 'none').partition(':')[0]}")
    assert plain == awaited


@settings(max_examples=100)
@given(setup=setups)
def test_each_message_prompt_and_model_call_is_counted_once(setup):
    seen = hold(setup, sync_face)

    kinds = [entry["kind"] for entry in seen["log"] or []]
    own_calls = [
        entry for entry in seen["log"] or [] if entry["kind"] == ModelAsked.kind and entry["agent"] == "assistant"
    ]
    said = [
        one for one in seen["log"] or [] if one["kind"] == MessageSent.kind and one["sender"] in ("user", "assistant")
    ]
    assert kinds.count(HumanAsked.kind) == len(seen["prompts"])
    assert len(own_calls) == len(seen["requests"])
    assert len(said) == len(seen["mine"]) == len(seen["theirs"])
    assert kinds.count("chat_started") == kinds.count("chat_ended")


@settings(max_examples=100)
@given(setup=setups)
def test_agents_remember_the_same_talk_with_opposite_roles(setup):
    seen = hold(setup, async_face)

    assert [one["content"] for one in seen["mine"]] == [one["content"] for one in seen["theirs"]]
    for mine, theirs in zip(seen["mine"], seen["theirs"], strict=True):
        roles = {mine["role"], theirs["role"]}
        assert roles in ({"assistant", "user"}, {"function"}, {"tool"}, {"assistant"})
        assert (roles == {"assistant"}) is ("tool_calls" in mine or "function_call" in mine)
