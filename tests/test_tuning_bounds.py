"""The bound by which trials are pruned holds as often as it says, and the parts of the data grow to the whole."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_agents.tuning.bounds import parts, radius

POPULATIONS = {
    "coins": lambda dice: [float(dice.random() < 0.5) for _ in range(60)],
    "few": lambda dice: [float(number < 6) for number in range(60)],
    "even": lambda dice: [dice.random() for _ in range(60)],
}
RISK = 0.2


@pytest.mark.parametrize("seen", [4, 8, 16, 32, 48, 59])
@pytest.mark.parametrize("make", POPULATIONS.values(), ids=POPULATIONS)
def test_mean_leaves_the_bound_no_more_often_than_its_risk_says(make, seen):
    dice = random.Random(1)
    values = make(dice)
    mean = sum(values) / len(values)
    reach = radius(seen, len(values), RISK)

    means = [sum(dice.sample(values, seen)) / seen for _ in range(2000)]

    assert sum(mean - one > reach for one in means) <= RISK * len(means)
    assert sum(one - mean > reach for one in means) <= RISK * len(means)


@settings(max_examples=60, deadline=None)
@given(of=st.integers(2, 5000), risk=st.floats(0.001, 0.9), data=st.data())
def test_bound_narrows_when_more_is_seen(of, risk, data):
    seen = data.draw(st.integers(1, of - 1))

    assert radius(seen, of, risk) > radius(min(2 * seen, of), of, risk) >= 0
    assert radius(of, of, risk) == 0
    assert radius(seen, of, risk, 3.0) == pytest.approx(3 * radius(seen, of, risk))


@given(seen=st.integers(1, 1000))
def test_bound_is_never_wider_than_that_of_independent_draws(seen):
    import math

    assert radius(seen, 10**9, 0.1) == pytest.approx(math.sqrt(math.log(10) / (2 * seen)), rel=1e-3)
    assert radius(seen, 2 * seen, 0.1) <= radius(seen, 10**9, 0.1)


@given(of=st.integers(1, 10_000), first=st.integers(1, 50))
def test_parts_grow_to_the_whole(of, first):
    found = parts(of, first)

    assert found[-1] == of
    assert all(one < other <= 2 * one for one, other in itertools.pairwise(found))
    assert found[0] == min(first, of)


@pytest.mark.parametrize("wrong", [(0, 5, 0.1), (6, 5, 0.1), (2, 5, 0.0), (2, 5, 1.0)])
def test_bound_is_refused_when_there_is_no_sample(wrong):
    with pytest.raises(ValueError, match="Cannot bound a mean"):
        radius(*wrong)
