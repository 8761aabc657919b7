"""Variables that a person may attach to a message: which are offered, in which order."""

import json
from types import SimpleNamespace

from jupyter_agents import AssistantAgent, undo
from jupyter_agents.display.variables import names_like


def own(name):
    def function():
        pass

    function.__module__ = "__main__"
    return function


def offered(prefix="", **namespace):
    return [name for name, _ in names_like(prefix, namespace)]


def test_data_come_first_and_then_what_the_notebook_defines():
    assert offered(compute=own("compute"), zebra=[1], Apple=SimpleNamespace()) == ["Apple", "zebra", "compute"]


def test_what_was_imported_is_not_offered():
    assert offered(json=json, dumps=json.dumps, AssistantAgent=AssistantAgent, undo=undo, len=len, data=1) == ["data"]


def test_names_of_ipython_and_hidden_names_are_not_offered():
    assert offered(_private=1, In=[], Out={}, get_ipython=1, exit=1, seen=1) == ["seen"]


def test_case_does_not_matter():
    assert offered("c", CO2=[1], co2=[2], data=1) == ["CO2", "co2"]
