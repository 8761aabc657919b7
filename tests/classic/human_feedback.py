"""A person is asked at every turn: a wish, Enter to run the code, and Enter at the end."""

import json

from jupyter_agents import AssistantAgent, UserProxyAgent, config_list_from_json

assistant = AssistantAgent(
    name="assistant",
    llm_config={"seed": 41, "config_list": config_list_from_json("OAI_CONFIG_LIST"), "request_timeout": 600},
)
user_proxy = UserProxyAgent(
    name="user_proxy",
    human_input_mode="ALWAYS",
    is_termination_msg=lambda x: x.get("content", "").rstrip().endswith("TERMINATE"),
)

PROBLEM = """Find a + b + c, where x + y is not -1 and
a x + b y + c = x + 7,
a + b x + c y = 2 x + 6 y,
a y + b + c x = 4 x + y."""

result = user_proxy.initiate_chat(assistant, message=PROBLEM)

with open("conversation.json", "w") as file:
    json.dump(user_proxy.chat_messages[assistant], file, indent=2)
