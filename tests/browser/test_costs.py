"""What calls cost, and where their replies come from, in a real JupyterLab: live, at the end, and in the saved notebook."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Notebook

SERVER = """
from jupyter_agents import Budget, Cache
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.testing import FakeOpenAIServer
server = FakeOpenAIServer().start()
server.enqueue(*[ModelReply(text, usage=Usage(1000, 500)) for text in ("Snow.", "Rain.", "Hail.")])
helper = AssistantAgent("helper", llm_config=server.config | {"price": [0.01, 0.02]})
user = person()
"""
CHAT = "result = await user.a_initiate_chat(helper, message='And?', max_turns=1, cache='kept.sqlite')"
BUDGET = "await user.a_initiate_chat(helper, message='More?', max_turns=5, budget=Budget(money=0.03))"
CONFIG = "%config JupyterAgents.budget = 'turns=20,money=0.5'\n%agentconfig"


def test_price_and_cache_are_on_the_page_and_in_the_file(notebook: Notebook) -> None:
    _, first, second, shown, ended, settings = [
        notebook.add_and_run(source) for source in (SERVER, CHAT, CHAT, "result", BUDGET, CONFIG)
    ]

    replies = [notebook.cell(at).locator(".jp-agents-Message").nth(1) for at in (first, second)]
    for reply in replies:
        expect(reply.locator(".jp-agents-Message-figures")).to_contain_text("$0.02")
    expect(replies[0].locator(".jp-agents-Badge-cached")).to_have_count(0)
    expect(replies[1].locator(".jp-agents-Badge-cached")).to_have_text("cached")
    expect(notebook.cell(shown)).to_contain_text("1,500 tokens · $0.02")
    expect(notebook.cell(ended)).to_contain_text("the budget of $0.03 is spent")
    expect(notebook.cell(settings)).to_contain_text("Budget(turns=20, money=0.5)")
    for name, at in (("costs", second), ("costs-result", shown), ("costs-budget", ended), ("costs-settings", settings)):
        notebook.cell(at).scroll_into_view_if_needed()
        notebook.screenshot(name)

    notebook.save()
    notebook.reload()

    expect(notebook.cell(second).locator(".jp-agents-Badge-cached")).to_have_text("cached")
    expect(notebook.cell(first).locator(".jp-agents-Message-figures").last).to_contain_text("$0.02")
