"""Search for the config that answers best for its price: models, prompts, temperatures, or whole agents."""

from jupyter_agents.tuning.evaluation import Evaluation, a_evaluate, evaluate
from jupyter_agents.tuning.result import Trial, TuneFigure, TuneResult
from jupyter_agents.tuning.search import a_tune, tune
from jupyter_agents.tuning.space import Range

__all__ = ["Evaluation", "Range", "Trial", "TuneFigure", "TuneResult", "a_evaluate", "a_tune", "evaluate", "tune"]
