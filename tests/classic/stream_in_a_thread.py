"""The same as `stream.py` in plain functions: a thread feeds the news, and the reply function is async all the same."""

import asyncio
import threading
import time

from jupyter_agents import AssistantAgent, UserProxyAgent, config_list_from_json

NEWS = ("Copper is up.", "A mine in Chile is shut.", "The strike in Chile is over.", "Copper is down.")
arrived = []


def feed(interval):
    for line in NEWS:
        time.sleep(interval)
        arrived.append(line)


class Stream:
    """What has arrived since it was last read."""

    def __init__(self):
        self.read = 0

    def next_lines(self):
        lines = arrived[self.read :]
        self.read += len(lines)
        return lines


async def add_news(recipient, messages, sender, config):
    await asyncio.sleep(0.01)
    lines = "\n".join(config.next_lines())
    return (True, f"There are news. Mend your suggestion if need be.\n{lines}") if lines else (False, None)


stream = Stream()
thread = threading.Thread(target=feed, args=(0.05,))
thread.start()
assistant = AssistantAgent(
    name="assistant",
    llm_config={"request_timeout": 600, "config_list": config_list_from_json("OAI_CONFIG_LIST"), "temperature": 0},
    system_message="You are a financial expert.",
)
user_proxy = UserProxyAgent(
    name="user_proxy",
    human_input_mode="NEVER",
    max_consecutive_auto_reply=5,
    code_execution_config=False,
    default_auto_reply=None,
)
user_proxy.register_auto_reply(AssistantAgent, add_news, 1, config=stream)

first = user_proxy.initiate_chat(assistant, message="Shall I buy copper? Suggest something, briefly.")
while thread.is_alive() or stream.read < len(arrived):
    reply = user_proxy.generate_reply(sender=assistant)
    if reply is not None:
        user_proxy.send(reply, assistant)
