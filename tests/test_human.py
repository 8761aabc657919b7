"""People: scripted ones, and one at the keyboard."""

import builtins
import io
import itertools
import signal
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.drive import a_drive, drive
from jupyter_agents.errors import ConfigurationError, NoHumanError, ScriptEndedError
from jupyter_agents.human.base import Answer, HumanInput, Prompt
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.human.stdin import StdinHuman, approval_question, can_ask, read_approval

TEXT = Prompt("What now? ", agent="user")
APPROVAL = Prompt("Run this code?", "approval", "user", block=CodeBlock("python", "x = 1\nx\n"))


# -- Scripted ----------------------------------------------------------------------------------------------------


def test_scripted_person_gives_its_answers_in_order():
    human = ScriptedHuman(
        ["one", Answer("two"), lambda prompt: f"three for {prompt.agent}", lambda prompt: Answer("four")]
    )

    answers = [drive(human.ask(TEXT)).text for _ in range(4)]

    assert answers == ["one", "two", "three for user", "four"]
    assert human.prompts == [TEXT] * 4


def test_scripted_person_says_so_when_the_script_has_ended():
    human = ScriptedHuman(["one"])
    drive(human.ask(TEXT))

    with pytest.raises(ScriptEndedError, match=r"Cannot answer 'What now\? ': the script of 'user' has 1 answers"):
        drive(human.ask(TEXT))


def test_script_may_be_endless_when_it_is_a_generator():
    human = ScriptedHuman(f"answer {number}" for number in range(10**9))

    assert [drive(human.ask(TEXT)).text for _ in range(2)] == ["answer 0", "answer 1"]


@pytest.mark.parametrize("answers", ["run", Answer("run")])
def test_script_is_refused_when_it_is_one_answer(answers):
    with pytest.raises(ConfigurationError, match="must be a list of answers"):
        ScriptedHuman(answers)


@pytest.mark.parametrize("answer", [5, lambda prompt: None])
def test_answer_is_refused_when_it_is_no_text(answer):
    human = ScriptedHuman([answer if callable(answer) else lambda prompt: answer])

    with pytest.raises(ConfigurationError, match="an answer is a text or an Answer"):
        drive(human.ask(TEXT))


@pytest.mark.parametrize("human", [ScriptedHuman([]), StdinHuman()])
def test_people_have_the_form_of_the_boundary(human):
    assert isinstance(human, HumanInput)


# -- What words mean to an approval ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("run", Answer("", "run")),
        (" R ", Answer("", "run")),
        ("yes", Answer("", "run")),
        ("y", Answer("", "run")),
        ("stop", Answer("", "stop")),
        ("exit", Answer("", "stop")),
        ("edit\nx = 2\nx", Answer("x = 2\nx", "edit")),
        ("", Answer("", "reject")),
        ("\n", Answer("", "reject")),
        ("reject", Answer("", "reject")),
        ("reject too slow", Answer("too slow", "reject")),
        ("no: use numpy", Answer("use numpy", "reject")),
        ("n", Answer("", "reject")),
        ("not now", Answer("not now", "reject")),
        ("run it twice", Answer("run it twice", "reject")),
        ("yes but only once", Answer("yes but only once", "reject")),
        ("edit the path", Answer("edit the path", "reject")),
        ("run\nx", Answer("run\nx", "reject")),
    ],
)
def test_only_the_very_words_run_code(words, answer):
    assert read_approval(words) == answer
    assert drive(ScriptedHuman([words]).ask(APPROVAL)) == answer


def test_scripted_edit_is_refused_when_it_has_no_code():
    with pytest.raises(ConfigurationError, match="the code is missing"):
        drive(ScriptedHuman(["edit"]).ask(APPROVAL))


# -- The keyboard ------------------------------------------------------------------------------------------------


@pytest.fixture
def keyboard(monkeypatch):
    """Somebody at a terminal who types these lines; gives back what they were asked."""
    asked = []

    def type_lines(*lines):
        waiting = iter(lines)

        def read(prompt=""):
            asked.append(prompt)
            line = next(waiting)
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr(builtins, "input", read)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
        return asked

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    return type_lines


@pytest.mark.parametrize("words", ["go on", "", "exit", "  spaces  "])
def test_words_come_back_as_typed_when_they_are_asked_for(keyboard, words):
    asked = keyboard(words)

    assert drive(StdinHuman().ask(TEXT)) == Answer(words)
    assert asked == ["Replying as user. What now? "]


async def test_words_come_back_when_a_loop_runs(keyboard):
    keyboard("go on")

    assert await a_drive(StdinHuman().ask(TEXT)) == Answer("go on")


def test_code_runs_when_the_person_says_so(keyboard):
    keyboard("r")

    assert drive(StdinHuman().ask(APPROVAL)) == Answer(action="run")


def test_code_is_rejected_when_enter_is_all_that_is_pressed(keyboard):
    keyboard("")

    assert drive(StdinHuman().ask(APPROVAL)) == Answer(action="reject")


def test_edited_code_is_what_was_typed_up_to_the_full_stop(keyboard):
    keyboard("e", "if x:", "", "    y = 1", ".")

    assert drive(StdinHuman().ask(APPROVAL)) == Answer("if x:\n\n    y = 1\n", "edit")


def test_code_is_rejected_when_it_is_edited_to_nothing(keyboard):
    keyboard("edit", " ", ".")

    assert drive(StdinHuman().ask(APPROVAL)) == Answer("", "reject")


def test_question_shows_the_exact_code():
    code = "x = 1\n\u202egro.live\u200b\x1b[2J\n" + "\n" * 4998 + "r = run it\n"

    question = approval_question(Prompt("Run this code?", "approval", block=CodeBlock("python", code)))

    lines = question.split("\n")
    assert lines[0] == "Run this code? (python, 5,001 lines)"
    assert lines[1:5] == [
        "  | x = 1",
        "  | ⟨U+202E⟩gro.live⟨U+200B⟩⟨U+001B⟩[2J",
        "  … 4,998 blank lines …",
        "  | r = run it",
    ]
    assert lines[5].startswith("r = run it, e = edit it, s = stop the chat")


def test_keyboard_is_told_as_whom_and_to_whom_it_answers(keyboard):
    prompts = keyboard("hi", "1")

    drive(StdinHuman().ask(Prompt("Feedback to Bob: ", agent="Anna")))
    drive(StdinHuman().ask(Prompt("Who?", "choice", "Ben", choices=("x", "y"))))
    code = approval_question(Prompt("Run it?", "approval", "Ben", "Wri\x1bter", CodeBlock("python", "1")))

    assert prompts[0] == "Replying as Anna. Feedback to Bob: "
    assert prompts[1].startswith("Replying as Ben. Who?\n")
    assert code.startswith("Replying as Ben. Wri⟨U+001B⟩ter wrote this. Run it? (python, 1 line)")


def test_interrupt_passes_when_it_comes_at_the_prompt(keyboard):
    keyboard(KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        drive(StdinHuman().ask(TEXT))


def test_interrupt_raises_during_the_prompt_and_the_handler_is_as_before(keyboard, monkeypatch):
    keyboard("")
    handlers = []
    monkeypatch.setattr(builtins, "input", lambda prompt: handlers.append(signal.getsignal(signal.SIGINT)) or "")

    def swallows(*_):
        return None

    before = signal.signal(signal.SIGINT, swallows)
    try:
        drive(StdinHuman().ask(TEXT))

        assert signal.getsignal(signal.SIGINT) is swallows
    finally:
        signal.signal(signal.SIGINT, before)
    assert handlers == [signal.default_int_handler]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(EOFError(), "the input has ended"), (NotImplementedError("no stdin"), r"refuses \(no stdin\)")],
)
@pytest.mark.parametrize("prompt", [TEXT, APPROVAL])
def test_error_says_what_to_do_when_the_input_fails(keyboard, error, reason, prompt):
    keyboard(error)

    with pytest.raises(NoHumanError, match=rf"Cannot ask for human input: .*{reason}.*Use human_input_mode='NEVER'"):
        drive(StdinHuman().ask(prompt))


# -- Whether anybody is there ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stdin", "expected"),
    [
        (None, False),
        (io.StringIO("piped"), False),
        (SimpleNamespace(isatty=lambda: True), True),
    ],
)
def test_somebody_is_there_when_stdin_is_a_terminal(keyboard, monkeypatch, stdin, expected):
    monkeypatch.setattr(sys, "stdin", stdin)

    assert can_ask() is StdinHuman().can_ask() is expected


def test_nobody_is_there_when_stdin_is_closed(keyboard, monkeypatch):
    stdin = io.StringIO()
    stdin.close()
    monkeypatch.setattr(sys, "stdin", stdin)

    assert not can_ask()


class FakeKernel:
    """As much of ipykernel as prompts look at: the request of this context, and the frame of a cell that runs."""

    def __init__(self, *, allows_prompts):
        self._allow_stdin = allows_prompts
        self.parent = {"header": {"msg_id": "1"}}

    def get_parent(self, channel):
        assert channel == "shell"
        return self.parent

    def execute_request(self, parent):
        return can_ask()


@pytest.fixture
def make_kernel(keyboard, monkeypatch):
    """Make this process a kernel, in which somebody would type these lines."""

    def make_kernel(*lines, allows_prompts=True):
        asked = keyboard(*lines)
        kernel = FakeKernel(allows_prompts=allows_prompts)
        shell = SimpleNamespace(kernel=kernel)
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        return kernel, asked

    return make_kernel


@pytest.mark.parametrize("allowed", [True, False])
def test_front_end_says_whether_somebody_is_there_when_this_is_a_kernel(make_kernel, allowed):
    kernel, _ = make_kernel(allows_prompts=allowed)

    assert kernel.execute_request(kernel.parent) is allowed


@pytest.mark.parametrize("running", [{"header": {"msg_id": "2"}}, {}])
def test_nobody_is_there_when_another_cell_runs_than_the_one_that_asks(make_kernel, running):
    kernel, _ = make_kernel()

    assert not kernel.execute_request(running)


def test_prompt_fails_at_once_when_its_cell_has_ended(make_kernel):
    _, asked = make_kernel("never read")

    with pytest.raises(NoHumanError, match="the cell that began this has ended.*Use human_input_mode='NEVER'"):
        drive(StdinHuman().ask(TEXT))
    assert asked == []


def test_prompt_fails_at_once_when_nobody_is_there(keyboard, monkeypatch):
    asked = keyboard("never read")
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(NoHumanError, match="this session cannot answer prompts"):
        drive(StdinHuman().ask(TEXT))
    assert asked == []


# -- Choices -----------------------------------------------------------------------------------------------------


CHOICE = Prompt("Who speaks next?", "choice", "admin", choices=("ann", "bob", "3"))


@pytest.mark.parametrize(
    ("typed", "chosen"), [(["2"], "bob"), (["bob"], "bob"), (["", "eve", "9", " 1 "], "ann"), (["3"], "3")]
)
def test_choice_is_made_by_number_or_text_and_asked_again_otherwise(keyboard, typed, chosen):
    asked = keyboard(*typed)

    answer = drive(StdinHuman().ask(CHOICE))

    assert answer == Answer(chosen)
    assert asked == ["Replying as admin. Who speaks next?\n  1. ann\n  2. bob\n  3. 3\nWhich one? "] * len(typed)


def test_scripted_choice_must_be_one_of_those_offered():
    with pytest.raises(ConfigurationError, match="it is not among ann, bob, 3"):
        drive(ScriptedHuman(["eve"]).ask(CHOICE))

    assert drive(ScriptedHuman(["ann"]).ask(CHOICE)) == Answer("ann")


@pytest.mark.parametrize(
    ("script", "chosen"), [(["2"], "bob"), (["Bob"], "bob"), (["eve", "9", "1"], "ann"), (["3"], "3")]
)
def test_scripted_choice_is_made_by_number_or_text_and_asked_again_otherwise(script, chosen):
    human = ScriptedHuman([*script, "next"])

    assert drive(human.ask(CHOICE)) == Answer(chosen)
    assert drive(human.ask(TEXT)) == Answer("next")


def test_endless_script_without_a_choice_is_an_error():
    with pytest.raises(ConfigurationError, match="it is not among ann, bob, 3"):
        drive(ScriptedHuman(itertools.repeat("eve")).ask(CHOICE))


def test_nothing_is_what_counts_otherwise_when_the_question_says_so(keyboard):
    asked = keyboard("")
    question = replace(CHOICE, empty="auto", otherwise="bob")

    assert drive(StdinHuman().ask(question)) == drive(ScriptedHuman([""]).ask(question)) == Answer("bob")
    assert asked[0].endswith("Which one? (Enter alone: bob) ")
