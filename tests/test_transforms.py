"""Message transforms: what of a long talk a model reads. Calls and results stay together, the talk itself as it is."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents import GroupChat, GroupChatManager
from jupyter_agents.agents.compaction import Compaction
from jupyter_agents.agents.history import Talk
from jupyter_agents.agents.message_units import mended
from jupyter_agents.agents.token_counts import Tokens, estimate
from jupyter_agents.agents.transforms import MessageHistoryLimiter, MessageTokenLimiter, TransformMessages
from jupyter_agents.errors import ConfigurationError, ModelUnavailableError
from jupyter_agents.events import ModelAsked, Noted
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from tests.fakes import assistant, both_faces, quiet_session, texts, user, wire_of

# -- Histories ---------------------------------------------------------------------------------------------------


def said(text, role="user", **more):
    return {"content": text, "role": role, **more}


def calling(*ids, text="", name="add"):
    calls = [{"id": one, "type": "function", "function": {"name": name, "arguments": "{}"}} for one in ids]
    return {"content": text, "role": "assistant", "tool_calls": calls}


def results(*ids, text="3"):
    responses = [{"tool_call_id": one, "role": "tool", "content": text} for one in ids]
    return {"content": text, "role": "tool", "tool_responses": responses}


def result(one, text="3"):
    return {"content": text, "role": "tool", "tool_call_id": one}


WORDS = st.text("ab c\né漢", max_size=60)
IDS = st.sampled_from(["1", "2", "3"])
SPEECH = st.builds(said, WORDS, st.sampled_from(["user", "assistant"]))
LEGACY = st.tuples(
    st.builds(
        lambda text: {"content": text, "role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}, WORDS
    ),
    st.builds(lambda text: said(text, "function", name="f"), WORDS),
).map(list)


@st.composite
def exchanges(draw):
    """A call of several tools, with all its results, in one message or one by one."""
    ids = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    text = draw(WORDS)
    if draw(st.booleans()):
        return [calling(*ids), results(*ids, text=text)]
    return [calling(*ids), *(result(one, text) for one in draw(st.permutations(ids)))]


HISTORIES = st.lists(st.one_of(SPEECH.map(lambda one: [one]), exchanges(), LEGACY), min_size=1, max_size=12).map(
    lambda parts: [message for part in parts for message in part]
)
ODD = st.lists(
    st.one_of(SPEECH, st.builds(calling, IDS), st.builds(result, IDS, WORDS), st.builds(results, IDS, IDS)),
    min_size=1,
    max_size=12,
)
LIMITERS = st.one_of(
    st.builds(MessageHistoryLimiter, st.integers(1, 8), st.booleans()),
    st.builds(
        MessageTokenLimiter,
        st.none() | st.integers(1, 12),
        st.none() | st.integers(1, 60),
        st.none() | st.integers(0, 30),
        keep_first_message=st.booleans(),
    ),
)


def places(kept, messages):
    """Where kept messages were: by what is never shortened."""
    known = [(one["role"], repr(one.get("tool_calls"))) for one in messages]
    at, found = -1, []
    for one in kept:
        at = known.index((one["role"], repr(one.get("tool_calls"))), at + 1)
        found.append(at)
    return found


def is_whole(wire):
    """Whether each call in a request is followed by its results, and each result follows its call."""
    waiting = []
    for one in wire:
        if one["role"] == "tool":
            if one["tool_call_id"] not in waiting:
                return False
            waiting.remove(one["tool_call_id"])
            continue
        if waiting:
            return False
        waiting = [call["id"] for call in one.get("tool_calls") or ()]
    return True


@given(HISTORIES, st.lists(LIMITERS, min_size=1, max_size=2))
def test_each_result_has_its_call_and_each_call_its_results_whatever_the_limit(messages, limiters):
    before = copy.deepcopy(messages)

    kept = TransformMessages(limiters)(messages)

    assert messages == before
    assert places(kept, messages) == sorted(places(kept, messages))
    assert kept[-1]["role"] == messages[-1]["role"]
    calls = {one["id"] for message in kept for one in message.get("tool_calls") or ()}
    answered = {one["tool_call_id"] for one in Talk.from_dicts(kept).wire if one["role"] == "tool"}
    assert answered == calls
    assert is_whole(Talk.from_dicts(kept).wire)


@given(HISTORIES, st.integers(1, 8))
def test_legacy_result_is_never_without_its_call(messages, limit):
    kept = TransformMessages([MessageHistoryLimiter(limit)])(messages)

    for at, one in enumerate(kept):
        if one["role"] == "function":
            assert kept[at - 1].get("function_call")


@given(HISTORIES, st.integers(1, 8), st.booleans())
def test_no_more_messages_are_kept_than_the_limit_but_for_one_whole_call(messages, limit, keep_first):
    kept = TransformMessages([MessageHistoryLimiter(limit, keep_first_message=keep_first)])(messages)

    assert kept[-1] == messages[-1]
    assert len(kept) <= max(limit, 4 + 4 * keep_first)
    if keep_first:
        assert kept[0] == messages[0]


@given(HISTORIES, st.integers(1, 60))
def test_no_more_tokens_are_kept_than_the_limit_but_for_the_call_itself(messages, limit):
    kept = TransformMessages([MessageTokenLimiter(max_tokens=limit)])(messages)

    arguments = sum(estimate("add") + estimate("{}") for one in kept for _ in one.get("tool_calls") or ())
    arguments += sum(estimate("f") + estimate("{}") for one in kept if one.get("function_call"))
    assert sum(map(Tokens().of, kept)) <= max(limit, arguments)


@given(ODD)
def test_broken_history_is_mended_when_a_transform_of_somebody_else_has_cut_it(messages):
    assert is_whole(Talk.from_dicts(mended(messages)).wire)


# -- The limiters -------------------------------------------------------------------------------------------------


def numbered(count):
    return [said(str(one), "assistant" if one % 2 else "user") for one in range(count)]


@pytest.mark.parametrize(
    ("limiter", "kept"),
    [
        (MessageHistoryLimiter(3), "789"),
        (MessageHistoryLimiter(3, keep_first_message=True), "089"),
        (MessageHistoryLimiter(20), "0123456789"),
        (MessageHistoryLimiter(), "0123456789"),
        (MessageTokenLimiter(max_tokens=2), "89"),
        (MessageTokenLimiter(max_tokens=3, keep_first_message=True), "089"),
        (MessageTokenLimiter(max_tokens=2, min_tokens=11), "0123456789"),
        (MessageTokenLimiter(max_tokens=2, min_tokens=10), "89"),
        (MessageTokenLimiter(max_tokens=4, count=lambda text: 2), "89"),
    ],
)
def test_last_messages_are_kept(limiter, kept):
    assert "".join(texts(TransformMessages([limiter])(numbered(10)))) == kept


def test_instructions_in_the_talk_are_kept_and_not_counted():
    messages = [said("Be brief.", "system"), *numbered(5)]

    assert texts(TransformMessages([MessageHistoryLimiter(1)])(messages)) == ["Be brief.", "4"]


def test_messages_of_some_are_left_out():
    messages = [said("a", name="poet"), said("b", name="critic"), said("c", name="poet")]

    assert texts(MessageHistoryLimiter(exclude_names=["critic"]).apply_transform(messages)) == ["a", "c"]


def test_long_text_is_shortened_in_its_middle_which_is_said():
    [kept] = MessageTokenLimiter(max_tokens_per_message=50).apply_transform([said("begin " + "x" * 5_000 + " end")])

    assert kept["content"].startswith("begin")
    assert kept["content"].endswith(" end")
    assert "characters are left out here" in kept["content"]
    assert estimate(kept["content"]) <= 50


def test_results_are_shortened_and_not_the_arguments_of_calls():
    call = calling("1")
    call["tool_calls"][0]["function"]["arguments"] = '{"text": "' + "y" * 400 + '"}'
    messages = [said("a" * 400), call, results("1", text="x" * 4_000)]

    kept = MessageTokenLimiter(max_tokens=150).apply_transform(messages)

    assert kept[0] == call
    assert 100 < len(kept[1]["tool_responses"][0]["content"]) < 300


@pytest.mark.parametrize(("exclude", "shortened"), [(True, ["poet"]), (False, ["critic"])])
def test_filter_says_whose_messages_are_shortened(exclude, shortened):
    limiter = MessageTokenLimiter(2, filter_dict={"name": ["critic"]}, exclude_filter=exclude)
    messages = [said("x" * 100, name="poet"), said("x" * 100, name="critic")]

    kept = limiter.apply_transform(messages)

    assert [one["name"] for one in kept if len(one["content"]) < 100] == shortened


def test_transforms_are_applied_one_after_the_other():
    found = TransformMessages([MessageHistoryLimiter(2), MessageHistoryLimiter(1)])(numbered(5))

    assert texts(found) == ["4"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MessageHistoryLimiter(0), "max_messages=0 in MessageHistoryLimiter"),
        (lambda: MessageTokenLimiter(max_tokens="9"), "max_tokens='9' in MessageTokenLimiter"),
        (lambda: TransformMessages([len]), "it has no apply_transform"),
        (lambda: Compaction(), "it is not said when"),
        (lambda: Compaction(max_messages=7), "max_messages=7 in Compaction: give a whole number of at least 8"),
    ],
)
def test_transform_is_refused_when_it_makes_no_sense(make, words):
    with pytest.raises(ConfigurationError, match=words):
        make()


# -- In a chat ---------------------------------------------------------------------------------------------------


@pytest.fixture
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def notes_of(result, level="info"):
    return [event.text for event in result.events if isinstance(event, Noted) and event.level == level]


@both_faces
def test_model_reads_a_part_and_everything_stays_in_the_talk(face, session):
    agent = assistant(*[f"Reply {one}." for one in range(4)])
    TransformMessages([MessageHistoryLimiter(2)]).add_to_agent(agent)
    me = user(default_auto_reply="Go on.")

    result = face(me, "initiate_chat", agent, message="Begin.", max_turns=4)

    assert texts(wire_of(agent)) == ["Reply 2.", "Go on."]
    assert agent.model.requests[-1].messages[0]["role"] == "system"
    assert len(agent.chat_messages[me]) == len(result) == 8
    [note] = notes_of(result)
    assert "reads a part of the conversation (2 of 3 messages: MessageHistoryLimiter)" in note


def test_request_is_the_same_when_nothing_is_cut(session):
    agent = assistant("Yes.")
    TransformMessages([MessageHistoryLimiter(5), MessageTokenLimiter(max_tokens=500)]).add_to_agent(agent)

    result = user().initiate_chat(agent, message="Hi", max_turns=1)

    assert wire_of(agent) == [{"content": "Hi", "role": "user"}]
    assert notes_of(result) == []


@both_faces
@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_transform_of_somebody_else_gets_copies_and_what_it_breaks_is_mended(face, session, is_async):
    class LastTwo:
        if is_async:

            async def apply_transform(self, messages):
                return self.cut(messages)
        else:

            def apply_transform(self, messages):
                return self.cut(messages)

        def cut(self, messages):
            messages[-1]["content"] += "!"
            return messages[-2:]

    agent = assistant({"tool_calls": [{"id": "1", "function": {"name": "add", "arguments": "{}"}}]}, "So.", "Yes.")
    TransformMessages([LastTwo()]).add_to_agent(agent)
    me = user(function_map={"add": lambda: 3}, default_auto_reply="Go on.")

    result = face(me, "initiate_chat", agent, message="Add.", max_turns=3)

    assert texts(wire_of(agent)) == ["So.", "Go on.!"]
    assert [one["role"] for one in wire_of(agent, 1)] == ["assistant", "tool"]
    assert texts(result.messages)[0] == "Add."


@pytest.mark.parametrize("found", [None, [], "text", [1]])
def test_transform_that_gives_no_messages_is_named(session, found):
    class Broken:
        def apply_transform(self, messages):
            return found

    agent = assistant("Yes.")
    TransformMessages([Broken()]).add_to_agent(agent)

    with pytest.raises(ConfigurationError, match="the transform Broken gave"):
        user().initiate_chat(agent, message="Hi")


def test_transforms_are_added_once(session):
    agent, transforms = assistant("Yes."), TransformMessages([])
    transforms.add_to_agent(agent)

    with pytest.raises(ConfigurationError, match="Add it once"):
        transforms.add_to_agent(agent)


def test_speakers_are_chosen_by_a_part_when_the_group_is_given_transforms(session):
    model = ScriptedModel(["poet"] * 3)
    agents = [assistant(*["Snow."] * 3, name="poet"), assistant(*["Good."] * 3, name="critic")]
    group = GroupChat(
        agents, max_round=4, select_speaker_transform_messages=TransformMessages([MessageHistoryLimiter(1)])
    )

    user().initiate_chat(GroupChatManager(group, llm_config=model), message="A haiku.")

    asked = [one["content"] for one in model.requests[-1].messages]
    assert "A haiku." not in asked
    assert "Snow." in asked


def test_work_grows_with_the_limit_and_not_with_the_talk():
    looked = []

    class Message(dict):
        def get(self, key, default=None):
            looked.append(key)
            return super().get(key, default)

    def looks(count):
        looked.clear()
        MessageTokenLimiter(max_tokens=20).apply_transform([Message(said("12345678")) for _ in range(count)])
        return len(looked)

    assert looks(10_000) == looks(100)


# -- Compaction --------------------------------------------------------------------------------------------------


def compacting(replies, **options):
    """An agent that says its replies, and sums up as `Summary N`."""
    left, made = iter(replies), []

    def answer(request):
        if "Sum up the conversation below" in str(request.messages[-1]["content"]):
            made.append(request.messages[-1]["content"])
            return f"Summary {len(made)}"
        return next(left)

    agent = assistant()
    agent = type(agent)("assistant", llm_config=ScriptedModel(answer))
    TransformMessages([Compaction(**options)]).add_to_agent(agent)
    return agent, made


@both_faces
def test_older_part_is_summed_up_by_the_model_when_the_talk_is_too_long(face, session):
    agent, made = compacting([f"Reply {one}." for one in range(4)], max_messages=5, keep_last=3)

    result = face(user(default_auto_reply="Go on."), "initiate_chat", agent, message="Begin.", max_turns=4)

    assert len(made) == 1
    assert "user: Begin." in made[0]
    assert "assistant: Reply 0." in made[0]
    summary, *rest = texts(wire_of(agent))
    assert "Summary 1" in summary
    assert rest == ["Go on.", "Reply 2.", "Go on."]
    assert len(result) == 8
    asides = [one.aside for one in result.events if isinstance(one, ModelAsked) and one.aside]
    assert asides == ["compacting the conversation"]


def test_summary_is_made_anew_only_when_the_talk_is_too_long_again(session):
    agent, made = compacting([f"Reply {one}." for one in range(30)], max_messages=10, keep_last=4)

    user(default_auto_reply="Go on.").initiate_chat(agent, message="Begin.", max_turns=30, termination=None)

    assert 5 <= len(made) <= 10
    assert "Summary 1" in made[1]
    assert "Reply 0." not in made[1]
    assert max(len(one.messages) for one in agent.model.requests) <= 11


def test_task_stays_in_its_words_when_the_first_message_is_kept(session):
    agent, _ = compacting([f"Reply {one}." for one in range(4)], max_messages=5, keep_last=3, keep_first_message=True)

    user(default_auto_reply="Go on.").initiate_chat(agent, message="The task.", max_turns=4)

    assert texts(wire_of(agent))[0] == "The task."
    assert "Summary 1" in texts(wire_of(agent))[1]


def test_talk_is_compacted_when_it_has_too_many_tokens(session):
    agent, made = compacting(["x" * 400] * 4, max_tokens=250, keep_last=2)

    user(default_auto_reply="Go on.").initiate_chat(agent, message="Begin.", max_turns=4)

    assert made
    assert all("Begin." not in texts(wire_of(agent, -1)) for _ in made)


@both_faces
def test_talk_is_sent_whole_when_the_summary_cannot_be_made(face, session):
    replies = iter(["One.", "Two.", "Three.", "Four."])

    def answer(request):
        if "Sum up the conversation below" in str(request.messages[-1]["content"]):
            raise ModelUnavailableError("Cannot reach the model: it is night.")
        return next(replies)

    agent = type(assistant())("assistant", llm_config=ScriptedModel(answer))
    TransformMessages([Compaction(max_messages=5, keep_last=3)]).add_to_agent(agent)

    result = face(user(default_auto_reply="Go on."), "initiate_chat", agent, message="Begin.", max_turns=4)

    assert len(wire_of(agent)) == 7
    assert "could not be compacted (ModelUnavailableError" in notes_of(result, "warning")[0]


def test_tools_and_forms_are_not_offered_when_a_model_sums_up(session):
    model = ScriptedModel(lambda request: "Words.")
    agent = type(assistant())(
        "assistant",
        llm_config={"model": model, "tools": [{"type": "function"}], "response_format": {"type": "json_object"}},
    )
    TransformMessages([Compaction(max_messages=3, keep_last=1)]).add_to_agent(agent)

    user(default_auto_reply="Go on.").initiate_chat(agent, message="Begin.", max_turns=3)

    [asked] = [one for one in model.requests if "Sum up" in str(one.messages[-1]["content"])]
    assert asked.options.get("tools") is None
    assert asked.options.get("response_format") is None


@given(HISTORIES, st.integers(4, 9))
def test_calls_stay_whole_when_a_talk_is_compacted(messages, limit):
    transforms = TransformMessages(
        [Compaction(max_messages=limit, keep_last=2, llm_config=ScriptedModel(lambda request: "Short."))]
    )

    with use_session(quiet_session()):
        kept = transforms(messages)

    assert is_whole(Talk.from_dicts(kept).wire)
    assert kept[-1] == messages[-1]
    assert ("Short." in kept[0]["content"]) == (len(kept) != len(messages) or kept != messages)
