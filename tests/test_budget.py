"""Budgets: nothing is begun that would exceed a limit, in a chat or in one that it is nested in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.budget import Budget, BudgetSpent, Ledger
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.messages import Usage

TURN, CALL = "turns", "model_calls"
RESERVE = {TURN: Ledger.reserve_turn, CALL: Ledger.reserve_model_call}


def reserve(ledger, what):
    """Whether there was something left."""
    try:
        RESERVE[what](ledger)
    except BudgetSpent:
        return False
    return True


# -- Limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1, 1.5, "3", [1], True])
@pytest.mark.parametrize("name", ["turns", "model_calls", "tokens"])
def test_budget_is_refused_when_a_limit_is_no_whole_number(name, value):
    with pytest.raises(ConfigurationError, match=f"Cannot use {name}=.* as a budget: give a whole number"):
        Budget(**{name: value})


@pytest.mark.parametrize(("what", "words"), [(TURN, "turns"), (CALL, "model calls")])
@pytest.mark.parametrize("limit", [0, 1, 3])
def test_nothing_more_is_reserved_when_the_limit_is_reached(what, words, limit):
    ledger = Ledger(Budget(**{what: limit}))
    for _ in range(limit):
        RESERVE[what](ledger)

    with pytest.raises(BudgetSpent, match=f"the budget of {limit} {words} is spent"):
        RESERVE[what](ledger)

    assert getattr(ledger, what) == limit


def test_there_is_no_limit_when_none_is_given():
    ledger = Ledger()
    for _ in range(1_000):
        ledger.reserve_turn()
        ledger.reserve_model_call()
        ledger.spend(Usage(1_000_000, 1_000_000))

    assert (ledger.turns, ledger.model_calls, ledger.tokens) == (1_000, 1_000, 2_000_000_000)


def test_limits_are_apart_from_each_other():
    ledger = Ledger(Budget(turns=0))

    ledger.reserve_model_call()

    assert (ledger.turns, ledger.model_calls) == (0, 1)


# -- Tokens ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usages", "calls"),
    [
        ([Usage(5, 4), Usage(1, 0), Usage(1, 1)], 2),
        ([Usage(5, 5), Usage(1, 1)], 1),
        ([Usage(50, 50), Usage(1, 1)], 1),
        ([None, Usage(), Usage(9), Usage(None, 1), Usage(1, 1)], 4),
    ],
)
def test_call_that_crosses_the_limit_of_tokens_is_the_last(usages, calls):
    ledger = Ledger(Budget(tokens=10))
    made = 0

    for usage in usages:
        if not reserve(ledger, CALL):
            break
        made += 1
        ledger.spend(usage)

    assert made == ledger.model_calls == calls


def test_refusal_names_the_tokens_when_they_are_spent():
    ledger = Ledger(Budget(tokens=10))
    ledger.spend(Usage(10))

    with pytest.raises(BudgetSpent, match="the budget of 10 tokens is spent"):
        ledger.reserve_model_call()


@pytest.mark.parametrize("usage", [None, Usage()])
def test_nothing_is_counted_when_usage_is_unknown(usage):
    ledger = Ledger()

    ledger.spend(usage)

    assert ledger.tokens == 0


# -- Chats in chats ----------------------------------------------------------------------------------------------


def test_outer_chat_pays_for_the_chats_nested_in_it():
    outer = Ledger()
    middle = Ledger(parent=outer)
    inner = Ledger(parent=middle)

    inner.reserve_turn()
    inner.reserve_model_call()
    inner.spend(Usage(3, 4))
    middle.reserve_turn()

    assert [(one.turns, one.model_calls, one.tokens) for one in (outer, middle, inner)] == [
        (2, 1, 7),
        (2, 1, 7),
        (1, 1, 7),
    ]


@pytest.mark.parametrize("what", [TURN, CALL])
def test_nothing_is_counted_anywhere_when_an_outer_limit_refuses(what):
    outer = Ledger(Budget(**{what: 0}))
    inner = Ledger(Budget(**{what: 9}), parent=outer)

    assert not reserve(inner, what)

    assert (getattr(outer, what), getattr(inner, what)) == (0, 0)


def test_nested_chat_makes_no_call_when_the_outer_chat_has_no_token_left():
    outer = Ledger(Budget(tokens=5))
    outer.spend(Usage(5))

    assert not reserve(Ledger(parent=outer), CALL)


LIMITS = st.none() | st.integers(0, 4)
TREES = st.lists(st.tuples(st.builds(Budget, LIMITS, LIMITS, LIMITS), st.integers(0, 3)), min_size=1, max_size=4)
STEPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([TURN, CALL]), st.integers(0, 3)), max_size=30)


@given(TREES, STEPS)
def test_no_limit_is_ever_exceeded_whatever_is_nested_where(tree, steps):
    ledgers = []
    for budget, parent in tree:
        ledgers.append(Ledger(budget, ledgers[parent % len(ledgers)] if ledgers else None))

    for which, what, tokens in steps:
        ledger = ledgers[which % len(ledgers)]
        before = snapshot(ledgers)
        if not reserve(ledger, what):
            assert snapshot(ledgers) == before
        elif what == CALL:
            assert not any(spent(one) for one in lineage(ledger))  # tokens were left before the call
            ledger.spend(Usage(tokens))

        for one in ledgers:
            assert is_within(one.turns, one.budget.turns)
            assert is_within(one.model_calls, one.budget.model_calls)
            nested = [other for other in ledgers if other.parent is one]
            assert one.turns >= sum(other.turns for other in nested)


def snapshot(ledgers):
    return [(one.turns, one.model_calls, one.tokens) for one in ledgers]


def lineage(ledger):
    while ledger:
        yield ledger
        ledger = ledger.parent


def spent(ledger):
    return not is_within(ledger.tokens + 1, ledger.budget.tokens)


def is_within(number, limit):
    return limit is None or number <= limit
