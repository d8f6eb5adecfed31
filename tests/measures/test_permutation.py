"""The test of an order against a slow loop over all orders, and how often it is wrong."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.verdicts import false_use, rate, true_use
from mcviz.measures.intervals import finds_more_than_chance


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_what_is_found_is_more_than_chance_where_few_orders_find_as_much(
    wanted: list[bool], data: st.DataObject
) -> None:
    inspected = data.draw(st.integers(1, len(wanted)))
    as_many = [sum(order[:inspected]) >= sum(wanted[:inspected]) for order in itertools.permutations(wanted)]
    for confidence in (0.5, 0.8, 0.95):
        assert finds_more_than_chance(np.array(wanted), inspected, confidence) == (
            sum(as_many) / len(as_many) <= 1 - confidence + 1e-12
        )


def test_an_order_that_knows_nothing_is_seldom_called_useful_and_the_confidence_is() -> None:
    for examples, mean in ((10, 0.6), (100, 0.98), (1000, 0.9)):
        assert rate(400, false_use, examples, mean) * 400 <= stats.binom.isf(1e-4, 400, 0.05)
    assert rate(30, true_use) >= 0.8
