"""A planner that is asked through a function: the answer comes from a chat of two other agents."""

from jupyter_agents import AssistantAgent, UserProxyAgent, config_list_from_json

config_list = config_list_from_json("OAI_CONFIG_LIST")

planner = AssistantAgent(
    name="planner",
    llm_config={"config_list": config_list},
    system_message="You suggest steps for others, who run code. Look at what has come of each step, and say what is next.",
)
planner_user = UserProxyAgent(
    name="planner_user",
    max_consecutive_auto_reply=0,
    human_input_mode="NEVER",
)


def ask_planner(message):
    planner_user.initiate_chat(planner, message=message)
    return planner_user.last_message()["content"]


assistant = AssistantAgent(
    name="assistant",
    llm_config={
        "temperature": 0,
        "request_timeout": 600,
        "seed": 42,
        "config_list": config_list,
        "functions": [
            {
                "name": "ask_planner",
                "description": "Ask for a plan, or for what to do next after a result.",
                "parameters": {
                    "type": "object",
                    "properties": {"message": {"type": "string", "description": "The question, with all it needs."}},
                    "required": ["message"],
                },
            },
        ],
    },
)
user_proxy = UserProxyAgent(
    name="user_proxy",
    human_input_mode="TERMINATE",
    max_consecutive_auto_reply=10,
    code_execution_config={"work_dir": "planning"},
    function_map={"ask_planner": ask_planner},
)

result = user_proxy.initiate_chat(assistant, message="Suggest a fix to one of the easy issues in issues.json.")
