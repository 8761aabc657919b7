"""Functions that a model calls: Python and a shell in the notebook, and a method of an object."""

import sympy
from IPython import get_ipython

from jupyter_agents import AssistantAgent, UserProxyAgent, config_list_from_json

config_list = config_list_from_json("OAI_CONFIG_LIST")


def described(name, what, parameter):
    schema = {"type": "object", "properties": {parameter: {"type": "string"}}, "required": [parameter]}
    return {"name": name, "description": what, "parameters": schema}


def ends(message):
    return bool(message.get("content")) and message["content"].rstrip().endswith("TERMINATE")


# -- Python and a shell ------------------------------------------------------------------------------------------

chatbot = AssistantAgent(
    name="chatbot",
    system_message="For code, use only the functions that you are given. Answer TERMINATE when the task is done.",
    llm_config={
        "functions": [
            described("python", "Run a cell in IPython and give back its value.", "cell"),
            described("sh", "Run a shell script and give back its output.", "script"),
        ],
        "config_list": config_list,
        "request_timeout": 120,
    },
)
user_proxy = UserProxyAgent(
    name="user_proxy",
    is_termination_msg=ends,
    human_input_mode="NEVER",
    max_consecutive_auto_reply=10,
    code_execution_config={"work_dir": "coding"},
)


def exec_python(cell):
    result = get_ipython().run_cell(cell)
    return "\n".join(str(one) for one in (result.result, result.error_before_exec, result.error_in_exec) if one)


def exec_sh(script):
    return user_proxy.execute_code_blocks([("sh", script)])


user_proxy.register_function(function_map={"python": exec_python, "sh": exec_sh})
drawn = user_proxy.initiate_chat(chatbot, message="Draw two agents that talk with each other.")

# -- A method ----------------------------------------------------------------------------------------------------


class Algebra:
    def __init__(self):
        self.questions = []

    def solve(self, inequality):
        self.questions.append(inequality)
        return str(sympy.solve_univariate_inequality(sympy.sympify(inequality), sympy.Symbol("x"), relational=False))


algebra = Algebra()
mathematician = AssistantAgent(
    "mathematician",
    llm_config={
        "functions": [described("solve", "Solve an inequality in x.", "inequality")],
        "config_list": config_list,
    },
)
asker = UserProxyAgent(
    "asker",
    human_input_mode="NEVER",
    max_consecutive_auto_reply=2,
    is_termination_msg=ends,
    function_map={"solve": algebra.solve},
)
solved = asker.initiate_chat(mathematician, message="For which x is (2x + 10)(x + 3) < (3x + 9)(x + 8)?")
