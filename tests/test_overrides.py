import asyncio
import functools
from unittest.mock import AsyncMock, MagicMock, patch

import pytest

from jupyter_agents import EndedBy, MaxMessages, ResponsiveAgent, UserProxyAgent
from jupyter_agents.agents.faces import faces, is_overridden
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from tests.fakes import FakeExecutor, assistant, async_face, both_faces, quiet_session, sync_face, texts, user

VALUES = {
    "get_human_input": lambda mark: f"said by {mark}",
    "run_code": lambda mark: (0, f"run by {mark}", None),
    "execute_code_blocks": lambda mark: (0, f"run by {mark}"),
    "execute_function": lambda mark: (True, {"name": "f", "role": "function", "content": f"called by {mark}"}),
    "generate_init_message": lambda mark: f"opened by {mark}",
    "generate_reply": lambda mark: f"replied by {mark}",
}
TRIGGERS = {
    "run_code": "```python\n1\n```",
    "execute_code_blocks": "```python\n1\n```",
    "execute_function": {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
}
hooks = pytest.mark.parametrize("hook", VALUES)


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def plain(hook, mark):
    """An override of the plain method."""

    def override(self, *args, **kwargs):
        return VALUES[hook](mark)

    return override


def awaited(hook, mark):
    """An override that is a coroutine function."""

    async def override(self, *args, **kwargs):
        await asyncio.sleep(0)
        return VALUES[hook](mark)

    return override


def derived(*parents, **methods):
    return type("Derived", parents or (UserProxyAgent,), methods)


def made(kind, hook):
    mode = "ALWAYS" if hook == "get_human_input" else "NEVER"
    return kind(
        "me", human_input_mode=mode, code_execution_config={"executor": FakeExecutor("run by nobody's override")}
    )


def said_with(face, agent, hook):
    """What the agent says in a chat in which the hook is due."""
    other = assistant(TRIGGERS.get(hook, "Hello."), "never")

    result = face(agent, "initiate_chat", other, message="go", max_turns=2)

    return str(result.messages[0 if hook == "generate_init_message" else 2]["content"]).rpartition("by ")[2]


# -- Where the override is, and of which kind --------------------------------------------------------------------


@both_faces
@hooks
def test_plain_override_is_obeyed(face, hook):
    agent = made(derived(**{hook: plain(hook, "override")}), hook)

    assert said_with(face, agent, hook) == "override"


@both_faces
@hooks
def test_async_override_is_obeyed(face, hook):
    agent = made(derived(**{f"a_{hook}": awaited(hook, "override")}), hook)

    assert said_with(face, agent, hook) == "override"


@both_faces
@hooks
def test_coroutine_function_under_the_plain_name_is_obeyed(face, hook):
    agent = made(derived(**{hook: awaited(hook, "override")}), hook)

    assert said_with(face, agent, hook) == "override"


@hooks
@pytest.mark.parametrize(("face", "expected"), [(sync_face, "plain"), (async_face, "async")], ids=["sync", "async"])
def test_each_face_takes_its_own_when_one_class_overrides_both(face, expected, hook):
    kind = derived(**{hook: plain(hook, "plain"), f"a_{hook}": awaited(hook, "async")})

    assert said_with(face, made(kind, hook), hook) == expected


@both_faces
@hooks
def test_most_derived_override_is_obeyed_when_it_is_async_and_the_other_plain(face, hook):
    parent = derived(**{hook: plain(hook, "parent")})
    child = derived(parent, **{f"a_{hook}": awaited(hook, "child")})

    assert said_with(face, made(child, hook), hook) == "child"


@both_faces
@hooks
def test_most_derived_override_is_obeyed_when_it_is_plain_and_the_other_async(face, hook):
    parent = derived(**{f"a_{hook}": awaited(hook, "parent")})
    child = derived(parent, **{hook: plain(hook, "child")})

    assert said_with(face, made(child, hook), hook) == "child"


@both_faces
@hooks
def test_inherited_override_is_obeyed(face, hook):
    child = derived(derived(**{hook: plain(hook, "grandparent")}))

    assert said_with(face, made(child, hook), hook) == "grandparent"


@both_faces
@hooks
def test_override_of_a_mixin_is_obeyed(face, hook):
    mixin = type("Mixin", (), {hook: plain(hook, "mixin")})

    assert said_with(face, made(derived(mixin, UserProxyAgent), hook), hook) == "mixin"


@both_faces
@hooks
@pytest.mark.parametrize("kind", [plain, awaited], ids=["plain", "async"])
def test_override_on_the_instance_is_obeyed(face, hook, kind):
    agent = made(derived(**{hook: plain(hook, "class")}), hook)
    function = kind(hook, "instance")
    setattr(agent, hook if kind is plain else f"a_{hook}", lambda *args, **kwargs: function(None, *args, **kwargs))

    assert said_with(face, agent, hook) == "instance"


@both_faces
@hooks
@pytest.mark.parametrize("kind", [MagicMock, AsyncMock])
def test_mock_on_the_instance_is_obeyed(face, hook, kind):
    agent = made(UserProxyAgent, hook)
    setattr(agent, hook, kind(return_value=VALUES[hook]("mock")))

    assert said_with(face, agent, hook) == "mock"
    assert getattr(agent, hook).called


@both_faces
@hooks
def test_mock_on_the_class_is_obeyed(face, hook):
    with patch.object(ResponsiveAgent, hook, return_value=VALUES[hook]("mock")):
        assert said_with(face, made(UserProxyAgent, hook), hook) == "mock"


@both_faces
@hooks
def test_mock_of_the_async_face_on_the_class_is_obeyed(face, hook):
    with patch.object(ResponsiveAgent, f"a_{hook}", AsyncMock(return_value=VALUES[hook]("mock"))):
        assert said_with(face, made(UserProxyAgent, hook), hook) == "mock"


@both_faces
@hooks
@pytest.mark.parametrize("wrap", [staticmethod, functools.partial], ids=["static", "partial"])
def test_override_that_is_no_method_is_obeyed(face, hook, wrap):
    def override(*args, **kwargs):
        return VALUES[hook]("override")

    assert said_with(face, made(derived(**{hook: wrap(override)}), hook), hook) == "override"


@both_faces
def test_agent_hands_its_code_to_another_when_the_method_is_borrowed(face):
    runner = made(UserProxyAgent, "run_code")
    agent = user(code_execution_config={"executor": FakeExecutor("run by itself")})
    agent.run_code = runner.run_code

    assert said_with(face, agent, "run_code") == "nobody's override"


# -- super() -----------------------------------------------------------------------------------------------------


class Plain(UserProxyAgent):
    """As the classic notebooks do it: takes what the base class gives, and adds to it."""

    def generate_init_message(self, *args, **kwargs):
        return super().generate_init_message(*args, **kwargs) + " +init"

    def get_human_input(self, prompt):
        return super().get_human_input(prompt) + " +human"

    def run_code(self, code, **kwargs):
        exit_code, output, image = super().run_code(code, **kwargs)
        return exit_code, output + " +code", image

    def execute_code_blocks(self, code_blocks):
        exit_code, logs = super().execute_code_blocks(code_blocks)
        return exit_code, logs + " +blocks"

    def execute_function(self, func_call):
        ok, message = super().execute_function(func_call)
        return ok, message | {"content": message["content"] + " +function"}

    def generate_reply(self, messages=None, sender=None, exclude=None):
        reply = super().generate_reply(messages, sender, exclude)
        return reply + " +reply" if isinstance(reply, str) else reply


class Awaited(UserProxyAgent):
    async def a_generate_init_message(self, *args, **kwargs):
        return await super().a_generate_init_message(*args, **kwargs) + " +init"

    async def a_get_human_input(self, prompt):
        return await super().a_get_human_input(prompt) + " +human"

    async def a_run_code(self, code, **kwargs):
        exit_code, output, image = await super().a_run_code(code, **kwargs)
        return exit_code, output + " +code", image

    async def a_execute_code_blocks(self, code_blocks):
        exit_code, logs = await super().a_execute_code_blocks(code_blocks)
        return exit_code, logs + " +blocks"

    async def a_execute_function(self, func_call):
        ok, message = await super().a_execute_function(func_call)
        return ok, message | {"content": message["content"] + " +function"}

    async def a_generate_reply(self, messages=None, sender=None, exclude=None):
        reply = await super().a_generate_reply(messages, sender, exclude)
        return reply + " +reply" if isinstance(reply, str) else reply


@both_faces
@pytest.mark.parametrize("kind", [Plain, Awaited])
def test_override_may_ask_the_base_class(face, kind):
    executor, human = FakeExecutor("42"), ScriptedHuman(["", "Thanks", "exit"])
    other = assistant(
        {"content": None, "function_call": {"name": "f", "arguments": '{"x": 1}'}},
        "```python\n42\n```",
        "Anything else?",
    )
    agent = kind(
        "me",
        human_input_mode="TERMINATE",
        max_consecutive_auto_reply=2,
        function_map={"f": lambda x: f"f({x})"},
        code_execution_config={"executor": executor},
        human=human,
    )

    result = face(agent, "initiate_chat", other, message="go", termination=MaxMessages(7))

    mine = texts(result.messages[::2])
    assert mine[0] == "go +init"
    assert mine[1] == "f(1) +function"
    assert mine[2] == "exitcode: 0 (execution succeeded)\nCode output: \n42 +code +blocks +reply"
    assert mine[3] == " +human +reply"
    assert (executor.codes, len(human.prompts)) == (["42\n"], 1)


@both_faces
@pytest.mark.parametrize("kind", [Plain, Awaited])
def test_events_and_counters_are_those_of_the_chat_when_the_base_class_is_asked(face, kind):
    agent = kind("me", human_input_mode="NEVER", code_execution_config=False, max_consecutive_auto_reply=2)

    result = face(agent, "initiate_chat", assistant("1", "2", "3"), message="go")

    assert (result.ended_by, result.model_calls) == (EndedBy.AUTO_REPLY_LIMIT, 3)


@both_faces
@pytest.mark.parametrize(
    ("last", "mode", "ended_by"),
    [("TERMINATE", "NEVER", EndedBy.TERMINATION), ("hello", "ALWAYS", EndedBy.HUMAN)],
)
def test_reason_of_the_end_is_kept_when_an_override_passes_the_reply_on(face, last, mode, ended_by):
    agent = Plain("me", human_input_mode=mode, code_execution_config=False, human=ScriptedHuman(["exit"]))
    agent.get_human_input = lambda prompt: "exit"

    result = face(agent, "initiate_chat", assistant(last), message="go")

    assert result.ended_by is ended_by


@both_faces
def test_chat_ends_after_a_filtered_reply_when_an_override_passes_it_on(face):
    class Passing(Plain):
        def generate_reply(self, messages=None, sender=None, exclude=None):
            return UserProxyAgent.generate_reply(self, messages, sender, exclude)

    agent = Passing("me", code_execution_config=False, human_input_mode="NEVER", llm_config=assistant(
        ModelReply("cut", "content_filter")).model)  # fmt: skip

    result = face(user(), "initiate_chat", agent, message="go")

    assert (len(result), result.ended_by) == (2, EndedBy.FILTERED)


@both_faces
def test_reason_is_no_reply_when_an_override_ends_the_chat_itself(face):
    agent = made(derived(generate_reply=lambda self, **given: None), "generate_reply")

    result = face(agent, "initiate_chat", assistant("Hello."), message="go")

    assert result.ended_by is EndedBy.NO_REPLY


# -- What overrides are given ------------------------------------------------------------------------------------


def recorder(hook, calls):
    def override(self, *args, **kwargs):
        calls.append((args, kwargs))
        return VALUES[hook]("recorder")

    return override


@both_faces
@pytest.mark.parametrize(
    ("hook", "args", "kwargs"),
    [
        ("run_code", ("1\n",), {"lang": "python"}),
        ("execute_code_blocks", ([("python", "1\n")],), {}),
        ("execute_function", ({"name": "f", "arguments": "{}"},), {}),
        ("generate_init_message", (), {"message": "go"}),
    ],
)
def test_override_is_given_the_classic_arguments(face, hook, args, kwargs):
    calls = []

    said_with(face, made(derived(**{hook: recorder(hook, calls)}), hook), hook)

    assert calls[0] == (args, kwargs)


@both_faces
def test_override_of_the_prompt_is_given_the_classic_text(face):
    calls = []

    said_with(
        face, made(derived(get_human_input=recorder("get_human_input", calls)), "get_human_input"), "get_human_input"
    )

    assert calls == [
        (
            (
                (
                    "Provide feedback to assistant. Press enter to skip and use auto-reply, "
                    "or type 'exit' to end the conversation: "
                ),
            ),
            {},
        )
    ]


@both_faces
def test_override_of_the_opening_is_given_all_other_keywords(face):
    class Solver(UserProxyAgent):
        def generate_init_message(self, problem, hint="none"):
            return f"Solve {problem} (hint: {hint})"

    solver = Solver("solver", human_input_mode="NEVER", code_execution_config=False)
    result = face(solver, "initiate_chat", assistant("7"), problem="3 + 4", max_turns=1)

    assert result.messages[0]["content"] == "Solve 3 + 4 (hint: none)"


@both_faces
def test_opening_of_a_subclass_that_is_made_of_one_coroutine_is_obeyed(face):
    class Polite(UserProxyAgent):
        async def _generate_init_message(self, **context):
            return f"Please: {await super()._generate_init_message(**context)}"

        generate_init_message, a_generate_init_message = faces(_generate_init_message)

    me = Polite("me", human_input_mode="NEVER", code_execution_config=False)
    result = face(me, "initiate_chat", assistant("7"), message="3 + 4", max_turns=1)

    assert result.messages[0]["content"] == "Please: 3 + 4"
    assert is_overridden(me, "generate_init_message")


def test_hook_is_overridden_when_its_definition_is_not_the_first_one():
    class Alias(UserProxyAgent):
        get_human_input = ResponsiveAgent.get_human_input
        run_code = print

    agent = Alias("me", human_input_mode="NEVER")

    assert [name for name in VALUES if is_overridden(agent, name)] == ["run_code"]
    agent.a_get_human_input = print
    assert is_overridden(agent, "get_human_input")


@both_faces
def test_classic_notebook_agent_runs_code_its_own_way(face):
    # the class of the classic notebook on code that runs in IPython
    class IPythonUserProxyAgent(UserProxyAgent):
        def __init__(self, name, **kwargs):
            super().__init__(name, **kwargs)
            self.ran = []

        def generate_init_message(self, *args, **kwargs):
            return super().generate_init_message(*args, **kwargs) + "\nCode will be executed in IPython."

        def run_code(self, code, **kwargs):
            self.ran.append((code, kwargs))
            return 0, "from IPython", None

    me = IPythonUserProxyAgent("me", human_input_mode="NEVER", code_execution_config={"work_dir": "coding"})
    agent = assistant("```python\n1 + 1\n```", "TERMINATE")

    result = face(me, "initiate_chat", agent, message="Add")

    assert result.messages[0]["content"] == "Add\nCode will be executed in IPython."
    assert result.messages[2]["content"] == "exitcode: 0 (execution succeeded)\nCode output: \nfrom IPython"
    assert me.ran == [("1 + 1\n", {"lang": "python"})]


@both_faces
def test_override_is_not_handed_languages_that_it_may_take_for_python(face):
    calls = []
    kind = derived(run_code=recorder("run_code", calls))
    me = kind("me", human_input_mode="NEVER")

    result = face(me, "execute_code_blocks", [("rust", "fn main() {}"), ("python", "1")])

    assert result == (1, "\nunknown language rust")
    assert calls == []


@both_faces
def test_override_may_leave_out_the_image(face):
    agent = made(derived(run_code=lambda self, code, **given: (3, "no image")), "run_code")

    assert face(agent, "execute_code_blocks", [("python", "1")]) == (3, "\nno image")


@both_faces
def test_error_of_an_override_ends_the_chat(face):
    def fail(self, prompt):
        raise LookupError("no keyboard")

    agent = made(derived(get_human_input=fail), "get_human_input")

    with pytest.raises(LookupError, match="no keyboard") as caught:
        face(agent, "initiate_chat", assistant("Hello."), message="go")

    assert len(caught.value.result) == 2
