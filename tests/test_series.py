"""What the results of several chats are together: a list or a dictionary, with figures, frames and sums."""

import asyncio
import copy
import pickle

import pytest
from IPython.lib.pretty import pretty

from jupyter_agents.agents.chat_queue import a_initiate_chats, initiate_chats
from jupyter_agents.display.bundle import METADATA_KEY
from jupyter_agents.display.result import result_bundle
from jupyter_agents.errors import ModelUnavailableError
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.series import ChatResults, ChatResultsById
from jupyter_agents.session import use_session
from jupyter_agents.surroundings import make_session
from tests.fakes import assistant, both_faces, quiet_session, user

EMPTY = [ChatResults(), ChatResultsById()]


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session(render=result_bundle)) as quiet:
        yield quiet


def counted(text, tokens=10):
    return ModelReply(f"{text} TERMINATE", usage=Usage(tokens, 1), model="m")


def entries(*names, sender=None, **options):
    me = sender or user()
    agents = {name: assistant(counted(f"I am {name}."), name=name) for name in names}
    return [{"sender": me, "recipient": agents[name], "message": "Go"} | options for name in names]


def by_id(*names):
    return [entry | {"chat_id": name} for name, entry in zip(names, entries(*names), strict=True)]


# -- What they are -----------------------------------------------------------------------------------------------


def test_results_in_sequence_are_a_list():
    results = initiate_chats(entries("a", "b"))

    assert isinstance(results, ChatResults)
    assert isinstance(results, list)
    assert [one.summary for one in results] == ["I am a.", "I am b."]
    assert results[-1] is results.chats()[1]
    assert results == [results[0], results[1]]


@pytest.mark.parametrize("hold", [initiate_chats, lambda queue: asyncio.run(a_initiate_chats(queue))])
def test_results_by_id_are_a_dictionary(hold):
    results = hold(by_id("a", "b"))

    assert isinstance(results, ChatResultsById)
    assert isinstance(results, dict)
    assert {key: one.summary for key, one in results.items()} == {"a": "I am a.", "b": "I am b."}


@both_faces
def test_results_of_an_agent_are_the_same_ones(face):
    me = user()

    results = face(me, "initiate_chats", entries("a", sender=me))

    assert me.get_chat_results() is results
    assert isinstance(results, ChatResults)


def test_agent_that_has_begun_no_chats_has_no_results():
    assert user().get_chat_results() == ChatResults()


def test_results_of_a_series_that_failed_are_of_the_same_kind():
    queue = [*entries("a"), entries("b")[0] | {"recipient": assistant(ModelUnavailableError("down"))}]

    with pytest.raises(ModelUnavailableError) as caught:
        initiate_chats(queue)

    assert isinstance(caught.value.results, ChatResults)
    assert caught.value.results.usage == Usage(10, 1)


# -- What they come to -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", [entries, by_id], ids=["list", "ids"])
def test_all_chats_are_summed_up(queue):
    results = initiate_chats(queue("a", "b"))

    costs = results.cost["usage_including_cached_inference"]
    assert results.usage == Usage(20, 2)
    assert costs["m"]["total_tokens"] == 22
    assert results.model_calls == 2
    assert [(name, one.messages) for name, one in results.by_speaker.items()] == [("user", 2), ("a", 1), ("b", 1)]


def test_chats_within_the_chats_count_too():
    outer = assistant(name="outer")
    outer.register_nested_chats([{"recipient": assistant(counted("In."), name="inner")}], lambda sender: True)

    results = initiate_chats([{"sender": user(), "recipient": outer, "message": "Go", "max_turns": 1}])

    assert results.usage == Usage(10, 1)
    assert "inner" in results.by_speaker
    assert len(results.to_frame(nested=True)) > len(results.to_frame())


@pytest.mark.parametrize("results", EMPTY, ids=["list", "ids"])
def test_nothing_is_summed_up_when_there_were_no_chats(results):
    frame = results.to_frame()

    assert results.usage == Usage()
    assert results.model_calls == 0
    assert results.cost["usage_including_cached_inference"] == {"total_cost": 0}
    assert (len(frame), frame.columns[0]) == (0, "result")


@pytest.mark.parametrize(("queue", "keys"), [(entries, [0, 0, 1, 1]), (by_id, ["a", "a", "b", "b"])])
def test_frame_has_the_messages_of_all_chats_with_where_each_is(queue, keys):
    results = initiate_chats(queue("a", "b"))

    frame = results.to_frame()

    assert list(frame["result"]) == keys
    assert list(frame["sender"]) == ["user", "a", "user", "b"]
    assert list(frame.index) == [0, 1, 2, 3]
    assert frame.drop(columns="result").dtypes.equals(next(iter(results.chats())).to_frame().dtypes)


def test_frame_holds_a_key_of_any_kind():
    queue = [entry | {"chat_id": (1, name)} for name, entry in zip("ab", entries("a", "b"), strict=True)]

    frame = initiate_chats(queue).to_frame()

    assert list(frame["result"]) == [(1, "a"), (1, "a"), (1, "b"), (1, "b")]


@pytest.mark.parametrize("make", [copy.copy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"])
@pytest.mark.parametrize("results", EMPTY, ids=["list", "ids"])
def test_copy_is_of_the_same_kind(make, results):
    assert type(make(results)) is type(results)


# -- What they show ----------------------------------------------------------------------------------------------


def test_repr_has_the_sums():
    assert repr(initiate_chats(entries("a", "b"))) == "<ChatResults: 2 chats, 4 messages, 2 model calls, 22 tokens>"
    assert repr(initiate_chats(by_id("a"))) == "<ChatResultsById: 1 chat, 2 messages, 1 model call, 11 tokens>"


def test_plain_text_is_one_line_for_each_where_they_are_part_of_something_else():
    results = initiate_chats(entries("a", "b"))

    assert pretty(results).startswith("ChatResults: 2 chats · ")
    assert pretty({"it": results}) == f"{{'it': {results!r}}}"


def test_chats_that_are_nested_in_those_of_a_series_are_shown_as_nested():
    [entry] = entries("a", max_turns=1)
    entry["recipient"].register_nested_chats(
        [{"recipient": assistant("w", name="inner"), "message": "Go", "max_turns": 1}], lambda sender: True
    )

    html = initiate_chats([entry])._repr_mimebundle_()["text/html"]

    assert "aria-label='user to a' style='margin:8px 0;" in html
    assert "aria-label='a to inner' style='margin:8px 0 8px 24px;" in html


def test_series_shows_facts_its_chats_their_transcripts_and_figures():
    bundle = initiate_chats(entries("a", "b"))._repr_mimebundle_()

    html, text = bundle["text/html"], bundle["text/plain"]
    assert text.startswith("ChatResults: 2 chats · 4 messages · 2 model calls · 22 tokens\n\nchat    between")
    assert "chat 2  user → b         2            1  termination message  I am b." in text
    assert "| chat 1 | user → a | 2 | 1 | termination message | I am a\\. |" in bundle["text/markdown"].replace(
        "a.", "a\\."
    )
    assert html.index("chat 1 · user → a · 2 messages · ended by termination message") < html.index("chat 2 · user → b")
    assert html.count('role="img"') == 3
    assert html.count("<details") == html.count("</details>")


def test_chats_are_called_by_their_ids():
    bundle = initiate_chats(by_id("plan", "do"))._repr_mimebundle_()

    assert "plan · user → plan · 2 messages" in bundle["text/html"]
    assert "\ndo " in bundle["text/plain"]


def test_messages_stand_in_the_transcript_of_their_chat_and_are_not_nested():
    html = initiate_chats(entries("a", "b"))._repr_mimebundle_()["text/html"]
    first, second = html.index("chat 1 · user"), html.index("chat 2 · user")

    assert first < html.index("I am a. TERMINATE") < second < html.index("I am b. TERMINATE")
    alone = initiate_chats(entries("a"))[0]
    assert "I am a. TERMINATE" in alone._repr_mimebundle_()["text/html"]


def test_foreign_words_are_no_html():
    queue = [entry | {"chat_id": "<b>x</b>"} for entry in entries("a")]
    queue[0]["recipient"] = assistant(counted("<script>alert(1)</script>"), name="a")

    html = initiate_chats(queue)._repr_mimebundle_()["text/html"]

    assert "<script>" not in html
    assert "<b>x</b>" not in html


def test_same_is_shown_in_every_run():
    shown = [asyncio.run(a_initiate_chats(by_id("a", "b", "c")))._repr_mimebundle_() for _ in range(2)]

    assert shown[0] == shown[1]


def test_many_chats_stay_small_in_the_file():
    long = "word " * 2000
    queue = [
        {"sender": user(), "recipient": assistant(counted(long), name=f"a{at}"), "message": "Go", "max_turns": 1}
        | {"finished_chat_indexes_to_exclude_from_carryover": list(range(60))}
        for at in range(60)
    ]

    html = initiate_chats(queue)._repr_mimebundle_()["text/html"]

    assert len(html) < 400_000


@pytest.mark.parametrize("results", EMPTY, ids=["list", "ids"])
def test_series_without_chats_says_so(results):
    bundle = results._repr_mimebundle_()

    assert bundle["text/plain"] == f"{type(results).__name__}: 0 chats · 0 messages · 0 model calls"


def test_metadata_has_what_differs_from_run_to_run():
    results = initiate_chats(entries("a"))
    with use_session(make_session()):
        _, metadata = results._repr_mimebundle_()

    assert metadata[METADATA_KEY]["speakers"]["a"]["usage"] == {"prompt_tokens": 10, "completion_tokens": 1}


def test_results_are_their_repr_when_nothing_draws():
    results = initiate_chats(entries("a"))
    with use_session(quiet_session()):
        assert results._repr_mimebundle_() == {"text/plain": repr(results)}
