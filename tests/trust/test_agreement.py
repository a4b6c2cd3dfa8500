"""One curator and several sites give the same answers in distribution, and the same models.

Each check of noise errs with probability ``ERROR`` where nothing is wrong. Models are compared by their mean tables
over ``FITS`` fits: a cell's mean has a standard error of at most 0.0025 (20,000 draws each: 0.0035; noise of scale 13
on 6,000 rows: 0.002), so ``MARGIN`` is six of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from tests.guarantees.boundless import boundless_run
from tests.models.marginals.population import DOMAIN, NAMES, distance, frequencies, people
from tests.trust.features import feature_sum, scatter
from tests.trust.federation import Federation, federated

from sfumato.models import MODELS
from sfumato.privacy import accounting
from sfumato.privacy.guarantee import MOST_EPSILON, Guarantee
from sfumato.privacy.ledger import Ledger, Run
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records
from sfumato.trust.setting import Query, Setting

ERROR = 1e-6
FITS = 5
MARGIN = 0.015
ROWS = people(6000)
PAIRS = ((0, 1), (1, 2), (0, 2), (0, 3), (2, 3))
K = 4


def begin(epsilon: float = 2.0) -> Run:
    if epsilon > MOST_EPSILON:
        return boundless_run("agreement", epsilon)
    return Ledger.open().begin(Guarantee(epsilon, 1e-6), "agreement")


def central(run: Run) -> Setting:
    return Central(Records.of(ROWS, DOMAIN), Budget(run))


def sites(run: Run, silent: int = 0) -> Setting:
    return federated(ROWS, DOMAIN, Budget(run), K, silent)


SETTINGS = {"central": central, "sites": sites}


def noise(setting: Setting, sigma: float) -> np.ndarray:
    """40,000 noises of scale ``sigma``: noised tables less the exact one."""
    query, exact = Query((1, 2)), Records.of(ROWS, DOMAIN).table(Query((1, 2)))
    times = 40_000 // exact.size
    mu = accounting.discrete_gaussian_mu(sigma)
    return np.concatenate([(m.values - exact).ravel() for m in setting.marginals([query] * times, [mu] * times)])


def has_variance(sample: np.ndarray, sigma: float) -> bool:
    """Two-sided chi-square test of the variance of Gaussian noise with mean zero, at ``ERROR``."""
    low, high = stats.chi2.ppf([ERROR / 2, 1 - ERROR / 2], sample.size)
    return bool(low <= (sample**2).sum() / sigma**2 <= high)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("sigma", [4.0, 25.0])
def test_the_noise_of_a_table_has_the_variance_that_was_paid_for(name: str, sigma: float) -> None:
    found = noise(SETTINGS[name](begin(1e9)), sigma)
    assert has_variance(found, sigma)
    assert abs(found.mean()) < 6 * sigma / found.size**0.5


@pytest.mark.parametrize("sigma", [5.0, 25.0])
def test_both_settings_noise_alike(sigma: float) -> None:
    """Noise so wide that sites share it out in whole counts.

    Kolmogorov-Smirnov on integers is conservative, so the error rate is at most ``ERROR``.
    """
    one, other = (noise(SETTINGS[name](begin(1e9)), sigma) for name in SETTINGS)
    assert stats.ks_2samp(one, other).pvalue > ERROR


@pytest.mark.parametrize("silent", [1, K - 1])
def test_a_site_that_leaves_out_its_noise_is_noticed(silent: int) -> None:
    found = noise(sites(begin(1e9), silent), 25.0)
    assert not has_variance(found, 25.0)
    assert has_variance(found, 25.0 * (1 - silent / K) ** 0.5)


@pytest.mark.parametrize("name", SETTINGS)
def test_counts_and_feature_sums_agree(name: str) -> None:
    run = begin(1e9)
    setting = SETTINGS[name](run)
    counts = np.array([setting.count(0.5) for _ in range(1000)]) - len(ROWS)
    assert has_variance(counts, 2.0)

    def halves(codes: np.ndarray) -> np.ndarray:
        return np.repeat(codes[:, :1] / 2.0, 1000, axis=1) / 1000**0.5

    exact = np.minimum(ROWS[:, 0] / 2.0, 0.8).sum() / 1000**0.5
    assert has_variance(setting.feature_sum(feature_sum(halves, 1000, 0.8), 0.1) - exact, 8.0)


@pytest.mark.parametrize("name", SETTINGS)
def test_scatters_agree(name: str) -> None:
    """By group, symmetric, with full noise on the diagonal and half its variance beside it."""
    setting = SETTINGS[name](begin(1e9))

    def feature(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.repeat(codes[:, :1] + 1.0, 150, axis=1) / 150**0.5, codes[:, 0]

    counts = np.bincount(ROWS[:, 0], minlength=3) * np.minimum(np.arange(3) + 1.0, 2.5) ** 2 / 150
    answer = setting.scatter(scatter(feature, 150, 3, 2.5), 0.5)
    np.testing.assert_array_equal(answer, answer.transpose(0, 2, 1))
    found = answer - counts[:, None, None]
    assert has_variance(np.diagonal(found, axis1=1, axis2=2).ravel(), 2.5**2 / 0.5)
    assert has_variance(found[:, *np.triu_indices(150, 1)].ravel(), 2.5**2 / 0.5 / 2**0.5)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_meets_the_protocol_and_its_views_share_one_purse(name: str) -> None:
    setting = SETTINGS[name](begin())
    assert isinstance(setting, Setting)
    view = setting.coarsened([np.arange(size) // 2 for size in DOMAIN.sizes])
    assert view.domain.sizes == (2, 2, 3, 1)
    view.marginals([Query((0,))], [view.mu(0.25)])
    assert setting.remaining == pytest.approx(0.75, abs=1e-3)


def fitted(name: str, ask: Callable[[Run], Setting], fits: int = FITS) -> tuple[np.ndarray, float]:
    """Means over fits: all one- and two-way tables flattened, and the distance of pairs from the rows."""
    tables, errors = [], []
    for seed in range(fits):
        setting = ask(begin())
        model = MODELS[name, "table"].recipe().fit(setting, target=None, progress=Silent())
        assert setting.remaining < 1e-6
        drawn = model.sample(20_000, np.random.default_rng(seed))
        cliques = [*((i,) for i in range(len(DOMAIN))), *PAIRS]
        tables.append(np.concatenate([frequencies(drawn, c).ravel() for c in cliques]))
        errors.append(np.mean([distance(drawn, ROWS, c) for c in PAIRS]))
    return np.mean(tables, axis=0), float(np.mean(errors))


@pytest.mark.parametrize("name", NAMES)
def test_models_learn_the_same_from_both(name: str) -> None:
    (one, near), (other, far) = (fitted(name, ask) for ask in SETTINGS.values())
    assert np.abs(one - other).max() < MARGIN
    assert abs(near - far) < MARGIN
    assert near < 0.05 or name == "independent"


def test_a_site_that_is_never_asked_is_noticed() -> None:
    """The planted bug: one of four sites is lost, and with it rows that differ from the others."""
    parts = np.split(ROWS[np.argsort(ROWS[:, 0], kind="stable")], 4)[:3]

    def lossy(run: Run) -> Setting:
        return Federation(parts, DOMAIN, Budget(run)).setting

    (one, _), (other, _) = (fitted("independent", ask, 1) for ask in (central, lossy))
    assert np.abs(one - other).max() > 2 * MARGIN
