import asyncio
from unittest.mock import MagicMock

import pytest

from jupyter_agents import AssistantAgent, ResponsiveAgent, UserProxyAgent
from jupyter_agents.errors import ConfigurationError, InvalidMessageError
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import assistant, async_face, both_faces, quiet_session, sync_face, talker, texts, user, wire_of

HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def saying(text, *, final=True):
    return lambda recipient, messages, sender, config: (final, text)


def noting(name, order, *, final=False):
    def reply(recipient, messages, sender, config):
        order.append(name)
        return final, name

    return reply


# -- Order -------------------------------------------------------------------------------------------------------


@both_faces
def test_function_registered_last_is_asked_first(face):
    order, agent = [], talker("agent")
    for name in ("first", "second", "third"):
        agent.register_auto_reply([ResponsiveAgent, None], noting(name, order))

    face(agent, "generate_reply", HI)

    assert order == ["third", "second", "first"]


def test_next_function_is_not_asked_when_a_reply_is_final():
    order, agent = [], talker("agent")
    agent.register_auto_reply([None], noting("asked in vain", order, final=True))
    agent.register_auto_reply([None], noting("final", order, final=True))

    reply = agent.generate_reply(HI)

    assert (reply, order) == ("final", ["final"])


def test_reply_that_is_not_final_is_thrown_away():
    agent = talker("agent", default_auto_reply="default")
    agent.register_auto_reply([None], saying("unsure", final=False))

    assert agent.generate_reply(HI) == "default"


def test_position_one_is_right_after_the_first():
    order, agent = [], talker("agent")
    agent.register_auto_reply([None], noting("registered", order))

    agent.register_auto_reply([None], noting("second", order), position=1)
    agent.generate_reply(HI)

    assert order == ["registered", "second"]


def test_function_at_position_one_is_asked_after_the_check_for_termination():
    order, agent = [], talker("agent")
    agent.register_auto_reply([None], noting("asked", order), position=1)

    reply = agent.generate_reply([{"role": "user", "content": "TERMINATE"}])

    assert (reply, order) == (None, [])


def test_function_at_position_zero_is_asked_before_the_check_for_termination():
    agent = talker("agent")
    agent.register_auto_reply([None], saying("I go on"))

    assert agent.generate_reply([{"role": "user", "content": "TERMINATE"}]) == "I go on"


def test_register_reply_is_another_name_of_register_auto_reply():
    agent = talker("agent")

    agent.register_reply([None], saying("yes"))

    assert agent.generate_reply(HI) == "yes"


@both_faces
@pytest.mark.parametrize("old", ["generate_oai_reply", "a_generate_oai_reply"])
def test_function_takes_the_place_of_another_when_it_replaces_it(face, old):
    order, agent = [], assistant("model")
    agent.register_reply([None], noting("first", order))

    agent.replace_reply_func(getattr(ResponsiveAgent, old), noting("instead of the model", order, final=True))

    assert face(agent, "generate_reply", HI) == "instead of the model"
    assert order == ["first", "instead of the model"]


def test_trigger_and_config_stay_when_a_function_is_replaced():
    seen, agent = [], talker("agent", default_auto_reply="default")

    def old(recipient, messages, sender, config):
        config["old"] = True
        return False, None

    def new(recipient, *, messages, sender, config):
        seen.append(dict(config))
        return True, "new"

    agent.register_reply("Alice", old, config={"set": "here"})
    agent.generate_reply(HI, talker("Alice"))
    agent.replace_reply_func(old, new)

    assert agent.generate_reply(HI, talker("Alice")) == "new"
    assert agent.generate_reply(HI, talker("Bob")) == "default"
    agent.reset()
    agent.generate_reply(HI, talker("Alice"))
    assert seen == [{"set": "here", "old": True}, {"set": "here"}]


def test_first_replacement_stays_when_the_other_face_of_a_function_is_replaced_after_it():
    agent = assistant("model")

    agent.replace_reply_func(ResponsiveAgent.generate_oai_reply, saying("first"))
    agent.replace_reply_func(ResponsiveAgent.a_generate_oai_reply, saying("second"))

    assert agent.generate_reply(HI) == "first"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (saying("unknown"), saying("new"), "it is not registered"),
        (ResponsiveAgent.generate_oai_reply, "new", "it cannot be called"),
    ],
)
def test_function_that_cannot_be_replaced_is_refused(old, new, words):
    agent = assistant("model")

    with pytest.raises(ConfigurationError, match=words):
        agent.replace_reply_func(old, new)

    assert agent.generate_reply(HI) == "model"


@pytest.mark.parametrize(("face", "expected"), [(sync_face, "plain"), (async_face, "async")], ids=["sync", "async"])
def test_async_function_is_passed_over_by_the_sync_face_when_it_is_to_be_ignored_there(face, expected):
    async def awaited(recipient, messages, sender, config):
        return True, "async"

    agent = talker("agent")
    agent.register_reply([None], saying("plain"))
    agent.register_reply([None], awaited, ignore_async_in_sync_chat=True)

    assert face(agent, "generate_reply", HI) == expected


def test_others_are_gone_when_a_function_takes_the_place_of_all():
    agent = assistant("model", default_auto_reply="default")
    agent.register_reply([None], saying("other"))

    agent.register_reply("Alice", saying("only"), remove_other_reply_funcs=True)

    assert agent.generate_reply(HI, talker("Alice")) == "only"
    assert agent.generate_reply(HI) == "default"


def test_others_stay_when_the_function_that_is_to_take_their_place_is_refused():
    agent = assistant("model")

    with pytest.raises(ValueError, match="Cannot register a reply for trigger 1"):
        agent.register_reply(1, saying("only"), remove_other_reply_funcs=True)

    assert agent.generate_reply(HI) == "model"


def test_built_in_functions_are_asked_in_the_classic_order():
    agent = ResponsiveAgent("agent", llm_config=ScriptedModel(["model"]), human_input_mode="NEVER")
    both = {"role": "assistant", "content": "```python\n1\n```", "function_call": {"name": "f", "arguments": "{}"}}

    called = agent.generate_reply([both])
    ended = agent.generate_reply([both | {"content": "```python\n1\n```\n\nTERMINATE"}])

    assert called["role"] == "function"
    assert ended is None


@pytest.mark.parametrize(
    ("default", "expected"), [("", ""), ("Go on.", "Go on."), (None, None), ({"content": "d"}, "d")]
)
def test_default_reply_is_given_when_nobody_has_one(default, expected):
    agent = talker("agent", default_auto_reply=default)

    assert agent.generate_reply(HI) == expected


# -- Triggers ----------------------------------------------------------------------------------------------------

SENDER = UserProxyAgent("Player white", human_input_mode="NEVER")
OTHER = UserProxyAgent("Player black", human_input_mode="NEVER")


@pytest.mark.parametrize(
    ("trigger", "is_asked"),
    [
        (UserProxyAgent, True),
        (ResponsiveAgent, True),
        (AssistantAgent, False),
        ("Player white", True),
        ("Player black", False),
        (SENDER, True),
        (OTHER, False),
        (lambda sender: sender.name.endswith("white"), True),
        (lambda sender: 0, False),
        ([AssistantAgent, "Player white"], True),
        ((AssistantAgent, OTHER), False),
        ([None], False),
        ([], False),
        ([[SENDER]], True),
    ],
)
def test_function_is_asked_when_the_trigger_means_the_sender(trigger, is_asked):
    agent = talker("agent")
    agent.register_auto_reply(trigger, saying("asked"))

    reply = agent.generate_reply(HI, sender=SENDER)

    assert (reply == "asked") is is_asked


@pytest.mark.parametrize(
    ("trigger", "is_asked"),
    [
        ([None], True),
        ([ResponsiveAgent, None], True),
        (ResponsiveAgent, False),
        ("Player white", False),
        (SENDER, False),
        ([SENDER], False),
    ],
)
def test_function_is_asked_without_a_sender_when_the_trigger_holds_none(trigger, is_asked):
    agent = talker("agent")
    agent.register_auto_reply(trigger, saying("asked"))

    reply = agent.generate_reply(HI)

    assert (reply == "asked") is is_asked


@pytest.mark.parametrize("trigger", [None, 1, 2.5, [1], ["name", 2]])
def test_trigger_that_is_none_is_refused_at_registration(trigger):
    agent = talker("agent")

    with pytest.raises(ValueError, match="Cannot register a reply for trigger"):
        agent.register_auto_reply(trigger, saying("x"))

    assert agent.generate_reply(HI) == ""


# -- How a function is called ------------------------------------------------------------------------------------


@both_faces
def test_function_gets_recipient_messages_sender_and_config(face):
    got = []

    def reply(recipient, messages=None, sender=None, config=None):
        got.append((recipient, messages, sender, config))
        return True, "yes"

    me, agent = user(), talker("agent")
    agent.register_auto_reply(UserProxyAgent, reply, config={"key": 1})

    face(me, "initiate_chat", agent, message="Hi", max_turns=1)

    assert got == [(agent, [{"content": "Hi", "role": "user"}], me, {"key": 1})]


def reordered(recipient, sender=None, config=None, messages=None):
    return True, messages[-1]["content"]


def by_name_only(recipient, *, messages, sender, config):
    return True, messages[-1]["content"]


def with_keywords(recipient, **given):
    return True, given["messages"][-1]["content"]


def named_otherwise(r, m, s, c):
    return True, m[-1]["content"]


class CallableReply:
    def __call__(self, recipient, messages, sender, config):
        return True, messages[-1]["content"]


@pytest.mark.parametrize("function", [reordered, by_name_only, with_keywords, named_otherwise, CallableReply()])
def test_function_is_called_as_its_signature_wants_it(function):
    agent = talker("agent")
    agent.register_auto_reply([None], function)

    assert agent.generate_reply(HI) == "Hi"


def test_method_of_a_subclass_is_a_reply_function_when_it_is_registered_unbound():
    class Board(ResponsiveAgent):
        def answer(self, messages=None, sender=None, config=None):
            return True, f"{self.name} read {messages[-1]['content']}"

    board = Board("board", llm_config=False)
    board.register_auto_reply([ResponsiveAgent, None], Board.answer)

    assert board.generate_reply(HI) == "board read Hi"


@both_faces
def test_mock_is_a_reply_function(face):
    agent = talker("agent")
    agent.register_auto_reply([None], MagicMock(return_value=(True, "mocked")))

    assert face(agent, "generate_reply", HI) == "mocked"


@both_faces
@pytest.mark.parametrize("answer", ["yes", None, (True,), (True, "a", "b"), True])
def test_answer_that_is_no_pair_is_an_error_that_names_the_function(face, answer):
    def my_reply(recipient, messages, sender, config):
        return answer

    agent = talker("agent")
    agent.register_auto_reply([None], my_reply)

    with pytest.raises(ConfigurationError, match=r"'my_reply'.*Return a pair \(final, reply\)"):
        face(agent, "generate_reply", HI)


def test_reply_that_is_no_message_is_an_error():
    agent = talker("agent")
    agent.register_auto_reply([None], saying(42))

    with pytest.raises(InvalidMessageError, match="Cannot send 42"):
        agent.generate_reply(HI)


@both_faces
def test_chat_ends_without_a_reply_when_a_function_says_final_and_none(face):
    agent = talker("agent")
    agent.register_auto_reply(ResponsiveAgent, saying(None))

    result = face(user(), "initiate_chat", agent, message="Hi")

    assert (result.ended_by, texts(result.messages)) == (EndedBy.NO_REPLY, ["Hi"])


# -- Asynchronous functions --------------------------------------------------------------------------------------


async def slow_reply(recipient, messages, sender, config):
    await asyncio.sleep(0)
    return True, "slowly"


@both_faces
def test_async_function_is_awaited_by_both_faces(face):
    agent = talker("agent")
    agent.register_auto_reply([ResponsiveAgent, None], slow_reply)

    result = face(user(), "initiate_chat", agent, message="Hi", max_turns=1)

    assert texts(result.messages) == ["Hi", "slowly"]
    assert face(agent, "generate_reply", HI) == "slowly"


async def test_async_function_is_awaited_when_a_synchronous_call_is_made_in_a_running_loop():
    agent = talker("agent")
    agent.register_auto_reply([None], slow_reply)

    assert agent.generate_reply(HI) == "slowly"


async def test_async_function_may_wait_for_the_running_loop_when_the_async_face_is_used():
    future = asyncio.get_running_loop().create_future()

    async def wait(recipient, messages, sender, config):
        return True, await config["news"]

    agent = talker("agent")
    agent.register_auto_reply([None], wait, config={"news": future})
    reply = asyncio.create_task(agent.a_generate_reply(HI))
    await asyncio.sleep(0)
    future.set_result("news")

    assert await reply == "news"


async def test_async_function_that_needs_the_running_loop_says_await_when_the_call_is_synchronous():
    future = asyncio.get_running_loop().create_future()

    async def wait(recipient, messages, sender, config):
        return True, await future

    agent = talker("agent")
    agent.register_auto_reply([None], wait)

    with pytest.raises(ConfigurationError, match="`await`"):
        agent.generate_reply(HI)


async def test_data_that_arrives_meanwhile_is_read_by_an_async_function_between_model_and_check():
    # the classic notebook on streaming data: an async reply function at position 1, whose default reply is none
    news = asyncio.get_running_loop().create_future()

    async def add_news(recipient, messages, sender, config):
        await asyncio.sleep(0)
        data = config["news_stream"]
        if data is None or not data.done():
            return False, None
        config["news_stream"] = None
        return True, f"Just in: {data.result()}"

    agent = assistant("Tell me more.", "Buy.")
    me = user(default_auto_reply=None)
    me.register_auto_reply(AssistantAgent, add_news, 1, config={"news_stream": news})
    first = await me.a_initiate_chat(agent, message="What should I do?")
    news.set_result("prices fall")
    reply = await me.a_generate_reply(sender=agent)
    await me.a_send(reply, agent)

    assert first.ended_by is EndedBy.NO_REPLY
    assert texts(me.chat_messages[agent]) == ["What should I do?", "Tell me more.", "Just in: prices fall", "Buy."]


# -- Configuration -----------------------------------------------------------------------------------------------


def counting(recipient, messages, sender, config):
    config["asked"] += 1
    return True, f"asked {config['asked']} times"


def test_config_is_kept_between_replies_and_the_callers_stays_as_it_was():
    config, agent = {"asked": 0}, talker("agent")
    agent.register_auto_reply([None], counting, config=config)

    replies = [agent.generate_reply(HI) for _ in range(2)]

    assert replies == ["asked 1 times", "asked 2 times"]
    assert config == {"asked": 0}


def test_config_is_as_at_first_when_the_agent_is_reset():
    agent = talker("agent")
    agent.register_auto_reply([None], counting, config={"asked": 0})
    agent.generate_reply(HI)

    agent.reset()
    replies = [agent.generate_reply(HI) for _ in range(2)]

    assert replies == ["asked 1 times", "asked 2 times"]


def test_config_is_reset_by_its_own_function_when_there_is_one():
    agent = talker("agent")
    agent.register_auto_reply(
        [None], counting, config={"asked": 0}, reset_config=lambda config: config.update(asked=100)
    )
    agent.generate_reply(HI)

    agent.reset()

    assert agent.generate_reply(HI) == "asked 101 times"


@pytest.mark.parametrize("config", [object(), talker("board"), iter([])], ids=["object", "agent", "iterator"])
def test_object_is_handed_on_as_it_is_when_it_is_the_config(config):
    got, agent = [], talker("agent")

    def reply(recipient, messages, sender, config):
        got.append(config)
        return True, "yes"

    agent.register_auto_reply([None], reply, config=config)
    agent.generate_reply(HI)
    agent.reset()
    agent.generate_reply(HI)

    assert got[0] is got[1] is config


# -- Asking the other functions ----------------------------------------------------------------------------------


@both_faces
def test_function_asks_the_others_when_it_excludes_itself(face):
    def polite(recipient, messages, sender, config):
        inner = recipient.generate_reply(messages, sender, exclude=[polite])
        return True, f"{inner}, please"

    agent = assistant("Go on")
    agent.register_auto_reply(ResponsiveAgent, polite)

    result = face(user(), "initiate_chat", agent, message="Hi", max_turns=1)

    assert result.messages[-1]["content"] == "Go on, please"
    assert result.model_calls == 1


def test_async_function_asks_the_others_when_it_excludes_itself():
    async def polite(recipient, messages, sender, config):
        inner = await recipient.a_generate_reply(messages, sender, exclude=[polite])
        return True, f"{inner}, please"

    agent = assistant("Go on")
    agent.register_auto_reply(ResponsiveAgent, polite)

    result = user().initiate_chat(agent, message="Hi", max_turns=1)

    assert result.messages[-1]["content"] == "Go on, please"


@pytest.mark.parametrize("excluded", [ResponsiveAgent.generate_oai_reply, ResponsiveAgent.a_generate_oai_reply])
def test_model_is_not_asked_when_either_face_of_its_function_is_excluded(excluded):
    agent = assistant("never said", default_auto_reply="default")

    assert agent.generate_reply(HI, exclude=[excluded]) == "default"
    assert agent.model.calls == 0


def test_excluded_function_need_not_be_hashable():
    class Unhashable(CallableReply):
        __hash__ = None

    agent, function = talker("agent"), Unhashable()
    agent.register_auto_reply([None], function)

    assert agent.generate_reply(HI) == "Hi"
    assert agent.generate_reply(HI, exclude=[function]) == ""


class Board(AssistantAgent):
    """As in the classic chess notebook: it takes the moves of the players, and refuses illegal ones."""

    def __init__(self, *translations):
        super().__init__("BoardAgent", llm_config=ScriptedModel(translations), max_consecutive_auto_reply=10)
        self.register_reply(ResponsiveAgent, Board._generate_board_reply)
        self.moves = []
        self.correct = []

    def _generate_board_reply(self, messages=None, sender=None, config=None):
        message = messages[-1]
        move = self.generate_reply([*self.correct, message], sender, exclude=[Board._generate_board_reply])
        if move in self.moves:
            return True, f"Error: {move} was played already"
        self.moves.append(move)
        self.correct.extend([message, self._message_to_dict(move)])
        self.correct[-1]["role"] = "assistant"
        return True, move


class Player(AssistantAgent):
    def __init__(self, color, board, *sayings):
        super().__init__(f"Player {color}", llm_config=ScriptedModel(sayings), max_consecutive_auto_reply=2)
        self.register_reply(Board, Player._generate_reply_for_board, config=board.moves)
        self.register_reply(Player, Player._generate_reply_for_player, config=board)
        self.update_max_consecutive_auto_reply(board.max_consecutive_auto_reply(), board)

    def _generate_reply_for_board(self, messages=None, sender=None, config=None):
        if not messages[-1]["content"].startswith("Error"):
            return True, None
        messages[-1]["role"] = "system"
        return True, self.generate_reply(messages, sender, exclude=[Player._generate_reply_for_board])

    def _generate_reply_for_player(self, messages=None, sender=None, config=None):
        message = self.generate_reply(messages, sender, exclude=[Player._generate_reply_for_player])
        if message is None:
            return True, None
        self.initiate_chat(config, clear_history=False, message=message, silent=True)
        if self._oai_messages[config][-1]["role"] == "assistant":
            return True, None
        return True, self._oai_messages[config][-2]


@both_faces
def test_players_ask_the_board_about_each_move_as_in_the_classic_chess_notebook(face):
    board = Board("e2e4", "e2e4", "e7e5", "g1f3", "b8c6")
    white = Player("white", board, "I open with e2e4!", "And g1f3.")
    black = Player("black", board, "I copy you.", "Sorry: e7e5.", "Now b8c6.")

    result = face(black, "initiate_chat", white, message="Your turn.")

    assert texts(result.messages) == ["Your turn.", "I open with e2e4!", "Sorry: e7e5.", "And g1f3.", "Now b8c6."]
    assert result.ended_by is EndedBy.NO_REPLY
    assert board.moves == ["e2e4", "e7e5", "g1f3", "b8c6"]
    assert result.model_calls == 10
    assert texts(black.chat_messages[board]) == [
        *("I copy you.", "Error: e2e4 was played already"),
        *("Sorry: e7e5.", "e7e5"),
        *("Now b8c6.", "b8c6"),
    ]
    assert [one["role"] for one in black.model.requests[1].messages] == ["system", "assistant", "system"]


# -- Clearing and changing in the middle of a chat ---------------------------------------------------------------


@both_faces
def test_chat_goes_on_with_what_follows_when_a_function_clears_the_histories(face):
    # as the classic retrieval agents do when they begin again with other documents
    def begin_again(recipient, messages, sender, config):
        if "UPDATE CONTEXT" not in messages[-1]["content"]:
            return False, None
        recipient.clear_history(sender)
        sender.clear_history(recipient)
        return True, "More documents."

    agent, me = assistant("UPDATE CONTEXT", "Now I know.\n\nTERMINATE"), user()
    me.register_auto_reply(AssistantAgent, begin_again, position=1)

    result = face(me, "initiate_chat", agent, message="A question")

    assert result.ended_by is EndedBy.TERMINATION
    assert texts(result.messages)[:2] == ["A question", "UPDATE CONTEXT"]
    assert texts(agent.chat_messages[me]) == texts(me.chat_messages[agent])
    assert texts(me.chat_messages[agent]) == ["More documents.", "Now I know.\n\nTERMINATE"]
    assert texts(wire_of(agent)) == ["More documents."]


def test_function_that_registers_another_does_not_disturb_the_reply_under_way():
    def first(recipient, messages, sender, config):
        recipient.register_auto_reply([None], saying("from the new one"))
        return False, None

    agent = talker("agent", default_auto_reply="default")
    agent.register_auto_reply([None], first)

    assert [agent.generate_reply(HI), agent.generate_reply(HI)] == ["default", "from the new one"]


# -- The built-in functions in their classic form ----------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(
    ("name", "message", "expected"),
    [
        ("check_termination_and_human_reply", {"content": "TERMINATE"}, (True, None)),
        ("check_termination_and_human_reply", {"content": "hello"}, (False, None)),
        ("generate_function_call_reply", {"content": "hello"}, (False, None)),
        (
            "generate_function_call_reply",
            {"content": None, "function_call": {"name": "f", "arguments": '{"x": 1}'}},
            (True, {"content": "1", "role": "function", "name": "f"}),
        ),
        (
            "generate_tool_calls_reply",
            {"content": None, "tool_calls": [{"id": "7", "function": {"name": "f", "arguments": '{"x": 1}'}}]},
            (True, {"content": "1", "role": "tool", "tool_responses": [{"role": "tool", "tool_call_id": "7", "content": "1"}]}),
        ),
        ("generate_code_execution_reply", {"content": "```python\n1\n```"}, (False, None)),
        ("generate_oai_reply", {"content": "hello"}, (True, "from the model")),
    ],
)  # fmt: skip
def test_built_in_function_gives_final_and_reply_when_it_is_called_by_hand(face, name, message, expected):
    agent = assistant("from the model", function_map={"f": lambda x: x})

    assert face(agent, name, [message | {"role": "user"}]) == expected


@pytest.mark.parametrize(
    "name", ["check_termination_and_human_reply", "generate_oai_reply", "generate_tool_calls_reply"]
)
def test_built_in_function_has_nothing_to_say_when_there_is_no_message(name):
    assert getattr(assistant(), name)(sender=user()) == (False, None)


def test_built_in_function_can_be_registered_once_more():
    agent = assistant("from the model")

    agent.register_auto_reply([None], ResponsiveAgent.generate_oai_reply)

    assert agent.generate_reply([{"role": "user", "content": "TERMINATE"}]) == "from the model"
