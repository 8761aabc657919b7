"""What a search shows of itself: the same in every run, harmless, and in words too."""

from xml.etree import ElementTree as ET

import pytest

from jupyter_agents.display.tuning import scatter, tuning_bundle
from jupyter_agents.tuning.costs import Spent
from jupyter_agents.tuning.result import Trial, TuneResult

ATTACK = "</text></svg><script>alert(1)</script>|`*\u202e"


def trial(number, score, money=None, state="complete", label="a"):
    return Trial(
        number, {"prompt": label}, {"prompt": label}, state, score, 10, Spent(10, 0, 1000 * (number + 1), money)
    )


def result(*trials, now=Spent(5, 0, 50, 0.1)):  # noqa: B008 - it is never changed
    return TuneResult(trials, "success", "max", Spent(100, 0, 1000, 0.5), now, "20 trials")


MANY = result(*(trial(at, at % 7 / 7, 0.01 * at, "complete" if at % 2 else "pruned", f"p{at}") for at in range(40)))
CASES = {
    "nothing": result(),
    "one": result(trial(0, 0.5, 0.1)),
    "many": MANY,
    "unknown": result(trial(0, 0.5), trial(1, 0.7)),
    "failed": result(trial(0, None, None, "failed"), trial(1, 0.7)),
    "free": result(trial(0, 0.5, 0.0), trial(1, 0.5, 0.0)),
    "attack": result(trial(0, 0.5, 0.1, label=ATTACK), trial(1, 0.2, 0.2)),
}
every_case = pytest.mark.parametrize("shown", CASES.values(), ids=CASES)


@every_case
def test_figure_is_well_formed_and_says_itself_in_words(shown):
    figure = scatter(shown)
    root = ET.fromstring(figure.svg())

    drawn = [one for one in shown.trials if one.score is not None]
    circles = [one for one in root.iter() if one.tag.endswith("circle")]
    assert len(circles) >= (0 if not drawn else 1)
    assert len(figure.table.rows) == len(shown.trials)
    assert figure.description


@every_case
def test_nothing_foreign_becomes_a_tag(shown):
    bundle = tuning_bundle(shown)

    assert "<script" not in bundle["text/html"]
    assert "\u202e" not in "".join(bundle.values())


def test_best_trial_is_first_and_marked_when_it_is_shown():
    bundle = tuning_bundle(MANY)

    best = MANY.best
    assert best.score == max(one.score for one in MANY.trials if one.state == "complete")
    assert f"in trial {best.number}" in bundle["text/plain"]
    assert bundle["text/plain"].splitlines()[3].split()[0] == str(best.number)
    assert f">trial {best.number}</text>" in bundle["text/html"]


def test_page_is_the_same_when_all_was_stored():
    shown = [trial(0, 0.5, 0.1), trial(1, 0.7, 0.2)]

    assert tuning_bundle(result(*shown, now=Spent(20, 0, 5, 0.3))) == tuning_bundle(result(*shown))


def test_result_and_plot_show_themselves_when_they_end_a_cell():
    shown = MANY._repr_mimebundle_()
    shown = shown[0] if isinstance(shown, tuple) else shown

    assert shown["text/html"] == tuning_bundle(MANY)["text/html"]
    plot = MANY.plot()._repr_mimebundle_()
    assert "<svg" in (plot[0] if isinstance(plot, tuple) else plot)["text/html"]


def test_tokens_stand_for_cost_when_no_price_is_known():
    figure = scatter(CASES["unknown"])

    assert "tokens for an instance" in figure.table.headings
    assert (
        "$"
        not in tuning_bundle(TuneResult(CASES["unknown"].trials, "s", "max", Spent(1, 0, 1, None), Spent()))[
            "text/plain"
        ]
    )
