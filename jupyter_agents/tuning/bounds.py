"""When a part of the data is enough to know: the bound by which trials are pruned, and the parts that are looked at."""

from __future__ import annotations

import math


def radius(seen: int, of: int, risk: float, width: float = 1.0) -> float:
    """How far the mean of `seen` values may lie above or below that of all, on one side, but for a chance of `risk`.

    The values are drawn without replacement from `of` that lie in an interval of this width. This is the
    Hoeffding–Serfling inequality in the form of Bardenet and Maillard, "Concentration inequalities for sampling without
    replacement", Bernoulli 21(3), 2015, corollary 2.5 (https://doi.org/10.3150/14-BEJ605). When all are seen, nothing
    is left to chance.

    >>> round(radius(10, 100, 0.1), 3), radius(100, 100, 0.1)
    (0.324, 0.0)
    """
    if not 0 < seen <= of or not 0 < risk < 1 or width < 0:
        raise ValueError(
            f"Cannot bound a mean: {seen} of {of} values, a risk of {risk} and a width of {width} are no sample. "
            "Give at least one value, a risk between 0 and 1, and a width of at least 0."
        )
    fraction = 1 - (seen - 1) / of if seen <= of / 2 else (1 - seen / of) * (1 + 1 / seen)
    return width * math.sqrt(max(fraction, 0.0) * math.log(1 / risk) / (2 * seen))


def parts(of: int, first: int) -> list[int]:
    """How many instances have been seen at each look: twice as many each time, and all at the last.

    >>> parts(50, 4), parts(3, 4)
    ([4, 8, 16, 32, 50], [3])
    """
    found, size = [], max(first, 1)
    while size < of:
        found.append(size)
        size *= 2
    return [*found, of]
