"""Automatic feedback from running code: a first program fails, the next one does not, and a second task follows."""

from jupyter_agents import AssistantAgent, UserProxyAgent, config_list_from_json

config_list = config_list_from_json("OAI_CONFIG_LIST", filter_dict={"model": ["gpt-4", "gpt-4-32k"]})

assistant = AssistantAgent(
    name="assistant",
    llm_config={"seed": 42, "config_list": config_list, "temperature": 0},
)
user_proxy = UserProxyAgent(
    name="user_proxy",
    human_input_mode="NEVER",
    max_consecutive_auto_reply=10,
    is_termination_msg=lambda x: x.get("content", "").rstrip().endswith("TERMINATE"),
    code_execution_config={"work_dir": "coding", "use_docker": False},
)

first = user_proxy.initiate_chat(
    assistant,
    message="The file prices.csv has the prices of two shares this year. Compare their gains.",
)
followup = user_proxy.send(
    recipient=assistant,
    message="Now draw both gains as bars, and save them in gains.svg.",
)
