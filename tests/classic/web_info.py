"""A question about the web, where a model stands for the user and the person is asked at the end only."""

import os

from jupyter_agents import AssistantAgent, UserProxyAgent, config_list_from_json

llm_config = {
    "request_timeout": 600,
    "seed": 42,
    "config_list": config_list_from_json("OAI_CONFIG_LIST"),
    "temperature": 0,
}

assistant = AssistantAgent(name="assistant", llm_config=llm_config)
user_proxy = UserProxyAgent(
    name="user_proxy",
    human_input_mode="TERMINATE",
    max_consecutive_auto_reply=10,
    is_termination_msg=lambda x: x.get("content", "").rstrip().endswith("TERMINATE"),
    code_execution_config={"work_dir": "web"},
    llm_config=llm_config,
    system_message="If the task is solved, answer TERMINATE. Otherwise answer CONTINUE, or say what is lacking.",
)

result = user_proxy.initiate_chat(
    assistant,
    message=f"Who should read this paper? {os.environ['PAPERS']}/abstract.html",
)
