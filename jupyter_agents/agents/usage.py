"""What the model calls of agents took, in the classic form. Each counts from when it was made, over all its chats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.meant import short
from jupyter_agents.usage_summary import Mode, UsageSummary


class CountsUsage:
    """An agent whose model calls are counted, those that it makes aside included."""

    name: str
    usage_summary: UsageSummary

    def get_actual_usage(self) -> dict[str, Any] | None:
        """Tokens and US dollars by model, of the calls that a server has answered; `None` where there were none."""
        return self.usage_summary.actual

    def get_total_usage(self) -> dict[str, Any] | None:
        """The same of all calls, also of those that a recording or a cache has answered."""
        return self.usage_summary.total

    def print_usage_summary(self, mode: Mode = "both") -> None:
        """Write the usage to where `print` writes: `"total"`, `"actual"` or both."""
        self.usage_summary.write(mode, f" of {self.name}")


def gather_usage_summary(agents: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """What the model calls of several agents took, in the classic form: with and without kept replies."""
    found = list(agents)
    for one in found:
        if not isinstance(one, CountsUsage):
            raise ConfigurationError(f"Cannot gather the usage of {short(one)}: it is no agent. Give a list of agents.")
    whole = UsageSummary.together(one.usage_summary for one in {id(one): one for one in found}.values())
    return {
        "usage_including_cached_inference": whole.total or {"total_cost": 0},
        "usage_excluding_cached_inference": whole.actual or {"total_cost": 0},
    }
