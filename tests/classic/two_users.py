"""Two people: a student who asks an assistant, and an expert whom that assistant may ask."""

from jupyter_agents import AssistantAgent, UserProxyAgent, config_list_from_json

config_list = config_list_from_json("OAI_CONFIG_LIST")


def ask_expert(message):
    assistant_for_expert = AssistantAgent(
        name="assistant_for_expert",
        llm_config={"temperature": 0, "config_list": config_list},
    )
    expert = UserProxyAgent(
        name="expert",
        human_input_mode="ALWAYS",
        code_execution_config={"work_dir": "expert"},
    )
    expert.initiate_chat(assistant_for_expert, message=message)
    expert.stop_reply_at_receive(assistant_for_expert)
    # the last message of the chat may leave out how the solution was found
    expert.send("summarize the solution and explain the answer in an easy-to-understand way", assistant_for_expert)
    return expert.last_message()["content"]


assistant_for_student = AssistantAgent(
    name="assistant_for_student",
    system_message="You are a helpful assistant. Answer TERMINATE when the task is done.",
    llm_config={
        "request_timeout": 600,
        "seed": 42,
        "config_list": config_list,
        "temperature": 0,
        "functions": [
            {
                "name": "ask_expert",
                "description": "Ask an expert when you cannot solve the problem yourself.",
                "parameters": {
                    "type": "object",
                    "properties": {"message": {"type": "string", "description": "The question, and what was tried."}},
                    "required": ["message"],
                },
            }
        ],
    },
)
student = UserProxyAgent(
    name="student",
    human_input_mode="TERMINATE",
    max_consecutive_auto_reply=10,
    code_execution_config={"work_dir": "student"},
    function_map={"ask_expert": ask_expert},
)

result = student.initiate_chat(
    assistant_for_student,
    message="Find a + b + c, given that x + y is not -1, ax + by + c = x + 7, a + bx + cy = 2x + 6y, ay + b + cx = 4x + y.",
)
