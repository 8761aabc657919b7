# ruff: noqa: INP001 - a script
"""What results, figures, agents and the roster show of themselves, as HTML: JSON on the standard output."""

import json
import sys

from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.display.result import result_bundle
from jupyter_agents.magics.roster import Roster
from tests.chats import long_chat


def get_weather(city: str, days: int = 3) -> str:
    """The weather in a city for some days."""
    return f"{city}: {days} days of rain"


team = long_chat(24, ("user", "planner", "coder", "critic"))
assistant = AssistantAgent(
    "assistant",
    system_message="You look at the weather. Say so in one line.",
    llm_config={"model": "qwen2.5-7b", "base_url": "http://127.0.0.1:8000/v1", "api_key": "none"},
    function_map={"get_weather": get_weather},
)
user = UserProxyAgent("user_proxy", code_execution_config={"policy": "ask"})
shown = {
    "a short chat": long_chat(3),
    "a team": team,
    "timeline": team.timeline(),
    "exchanges": team.exchanges(),
    "tokens": team.tokens(),
    "an agent": assistant,
}
html = {name: result_bundle(one)["text/html"] for name, one in shown.items()}
html["roster"] = Roster({"assistant": assistant, "user": user})._repr_html_()
json.dump(html, sys.stdout)
