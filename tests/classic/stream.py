"""News that arrive while two agents talk: an async reply function looks for them, and a task feeds them."""

import asyncio

from jupyter_agents import AssistantAgent, UserProxyAgent, config_list_from_json

NEWS = ("Copper is up.", "A mine in Chile is shut.", "The strike in Chile is over.", "Copper is down.")


async def feed(stream, interval):
    for line in NEWS:
        await asyncio.sleep(interval)
        if stream.done():
            stream.result().append(line)
        else:
            stream.set_result([line])


async def add_news(recipient, messages, sender, config):
    await asyncio.sleep(0.01)
    stream = config["news_stream"]
    if not stream.done() or not stream.result():
        return False, None
    lines = "\n".join(stream.result())
    stream.result().clear()
    return True, f"There are news. Mend your suggestion if need be.\n{lines}"


async def main():
    stream = asyncio.Future()
    task = asyncio.create_task(feed(stream, 0.05))
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
    user_proxy.register_auto_reply(AssistantAgent, add_news, 1, config={"news_stream": stream})

    first = await user_proxy.a_initiate_chat(assistant, message="Shall I buy copper? Suggest something, briefly.")
    while not task.done() or stream.result():
        reply = await user_proxy.a_generate_reply(sender=assistant)
        if reply is not None:
            await user_proxy.a_send(reply, assistant)
    return first, user_proxy, assistant


first, user_proxy, assistant = asyncio.run(main())
