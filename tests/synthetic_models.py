"""Models of which it is known how often each of their settings is right, so that the best config is known, too."""

import random
from collections.abc import Mapping
from typing import Any

from jupyter_agents.messages import Usage
from jupyter_agents.models import ModelReply, ScriptedModel

QUESTIONS = [{"question": f"question {number}", "answer": str(number)} for number in range(64)]
SKILL = {"small": 0.35, "medium": 0.55, "large": 0.75}
PRICES = {"small": 1e-6, "medium": 4e-6, "large": 10e-6}
HELP = {"bare": -0.1, "polite": 0.0, "steps": 0.2}
TEMPERATURES = [0.0, 0.3, 0.6, 0.9, 1.2]
PLANTED = {"model": "large", "temperature": 0.3, "prompt": "steps"}
DEFAULT = {"model": "medium", "temperature": 0.9, "prompt": "bare"}


def chance(model: str, temperature: float, prompt: str) -> float:
    """How often this config is right."""
    return min(max(SKILL[model] + HELP[prompt] - 0.5 * abs(temperature - 0.3), 0.0), 0.97)


class Synthetic:
    """Models by name, and all that they were asked."""

    def __init__(self, seed: int = 0) -> None:
        self.asked: list[tuple[str, Any, str]] = []
        self.models = {name: ScriptedModel(self._answer(name, seed), record=False) for name in SKILL}
        self.space = {
            "model": self.models,
            "temperature": TEMPERATURES,
            "prompt": {name: f"{name}: {{question}}" for name in HELP},
        }

    def _answer(self, name: str, seed: int) -> Any:
        def answer(request: Any) -> ModelReply:
            prompt, _, question = request.messages[-1]["content"].partition(": ")
            temperature = request.options["temperature"]
            self.asked.append((name, temperature, question))
            luck = random.Random(f"{seed} {name} {temperature} {prompt} {question}").random()
            is_right = luck < chance(name, temperature, prompt)
            said = question.removeprefix("question ") if is_right else "no idea"
            return ModelReply(said, usage=Usage(100, 10), model=name)

        return answer

    def true_score(self, labels: Mapping[str, Any], seed: int = 0) -> float:
        """The score of a config over all questions, without asking a model."""
        model, temperature, prompt = (labels[name] for name in ("model", "temperature", "prompt"))
        hits = 0
        for one in QUESTIONS:
            luck = random.Random(f"{seed} {model} {temperature} {prompt} {one['question']}").random()
            hits += luck < chance(model, temperature, prompt)
        return hits / len(QUESTIONS)


def is_right(responses: list[str], answer: str, **_: Any) -> dict[str, float]:
    """The classic form of a score."""
    return {"success": responses[0] == answer, "length": len(responses[0])}


def price_of(model: str | None, usage: Usage) -> float | None:
    """What a synthetic model costs."""
    return None if model not in PRICES else PRICES[model] * (usage.total_tokens or 0)
