"""What a notebook shows of an error in a function of the user's: little, and all of it theirs."""

import re

import pytest

SETUP = """
from jupyter_agents import AssistantAgent, Chat, GroupChat, GroupChatManager, UserProxyAgent, When, a_initiate_chats
from jupyter_agents.testing import ScriptedModel
def make(name, *lines, **options):
    return AssistantAgent(name, llm_config=ScriptedModel(list(lines)), **options)
me = UserProxyAgent('me', human_input_mode='NEVER', code_execution_config=False)
def boom(*args, **options):
    here = 'of the function'
    raise KeyError('zz')
async def boom_later(*args, **options):
    raise KeyError('zz')
def hooked(hook):
    agent = make('a', 'w', 'w')
    agent.register_hook('process_last_received_message', hook)
    return agent
hk = hooked(boom)
def group():
    members = [make('x', 'x'), make('y', 'y')]
    return GroupChatManager(GroupChat(members, [], speaker_selection_method=boom), llm_config=False)
"""

CELLS = {
    "hook": "me.initiate_chat(hk, message='Hi')",
    "hook, awaited": "await me.a_initiate_chat(hk, message='Hi')",
    "async hook": "me.initiate_chat(hooked(boom_later), message='Hi')",
    "speaker selector": "me.initiate_chat(group(), message='Hi')",
    "condition": "me.initiate_chat(make('a', 'w'), message='Hi', termination=When(boom))",
    "message": "me.initiate_chat(make('a'), message=boom)",
    "series": "me.initiate_chats([{'recipient': hk, 'message': 'Hi'}])",
    "graph": "await a_initiate_chats([{'chat_id': 'x', 'sender': me, 'recipient': hk, 'message': 'Hi'}])",
    "background": "await Chat(me, hk, message='Hi').start()",
    "magic": "%%agentchat --from me --to hk\nHi",
    "ours": "me.initiate_chat(make('a'), mesage='Hi')",
}


@pytest.fixture(scope="module")
def prepared(kernel):
    kernel.execute("%load_ext jupyter_agents")
    assert kernel.execute(SETUP).reply["status"] == "ok"
    return kernel


@pytest.mark.parametrize("code", CELLS.values(), ids=CELLS)
def test_traceback_is_short_and_without_our_code(prepared, code):
    cell = prepared.execute(code)

    (error,) = cell.of("error")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"])).splitlines()
    assert len(lines) <= 25
    assert sum("jupyter_agents/" in line for line in lines) <= 1
    assert ("boom" in "".join(lines)) == (error["ename"] == "KeyError")


def test_page_and_traceback_name_the_function(prepared):
    cell = prepared.execute(CELLS["hook"])

    (error,) = cell.of("error")
    place = "the hook process_last_received_message (boom) of 'a'"
    assert f"It was raised in {place}, in the chat me → a after message 1." in "\n".join(error["traceback"])
    assert any(f"The chat failed. KeyError: 'zz' (in {place})." in one["text/plain"] for one in cell.data)


def test_debugger_lands_in_the_users_function(prepared):
    prepared.execute(CELLS["hook"])

    cell = prepared.execute(
        "import sys, traceback", "[one.f_code.co_name for one, _ in traceback.walk_tb(sys.last_traceback)][-1]"
    )

    assert cell.value("[one.f_code.co_name for one, _ in traceback.walk_tb(sys.last_traceback)][-1]") == "boom"


def test_results_of_a_series_show_themselves(prepared):
    code = "me.initiate_chats([{'recipient': make('a', 'Done. TERMINATE'), 'message': 'Hi', 'silent': True}])"

    cell = prepared.execute(code)

    shown = cell.of("execute_result")[0]["data"]
    assert shown["text/plain"].startswith("ChatResults: 1 chat · 2 messages · 1 model call")
    assert "me → a" in shown["text/html"]
