"""Questions about features that a test writes itself: it installs them, as a package would."""

from __future__ import annotations

from itertools import count

from sfumato.trust.questions import GROUPED, VECTORS, Feature, FeatureSum, GroupedFeature, Scatter

_NUMBERS = count()


def feature_sum(feature: Feature, dimension: int, bound: float) -> FeatureSum:
    """A question about ``feature``, installed under a name of its own."""
    VECTORS.add(name := f"test {next(_NUMBERS)}", lambda domain, arrays: feature)
    return FeatureSum(name, dimension, float(bound))


def scatter(feature: GroupedFeature, dimension: int, groups: int, bound: float) -> Scatter:
    """The same for sums of outer products."""
    GROUPED.add(name := f"test {next(_NUMBERS)}", lambda domain, arrays: feature)
    return Scatter(name, dimension, groups, float(bound))
