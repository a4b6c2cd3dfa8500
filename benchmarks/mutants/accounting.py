"""Mistakes in what releases cost."""

from benchmarks.mutants.mutant import Mutant

_ACCOUNTING = "tests/privacy/test_accounting.py"

MUTANTS = (
    Mutant(
        "repetitions of an event are free",
        "privacy/spending.py",
        "            return event.count * gdp.discrete_gaussian_mu(event.sigma, event.sensitivity) ** 2",
        "            return gdp.discrete_gaussian_mu(event.sigma, event.sensitivity) ** 2",
        "a count of one is the usual case",
        f"{_ACCOUNTING} tests/guarantees/test_central_audited.py::test_shares_of_the_budget_sum_to_the_claim",
    ),
    Mutant(
        "costs add up without squares",
        "privacy/spending.py",
        "            return event.count / event.noise_multiplier**2",
        "            return event.count / event.noise_multiplier**2 / 2",
        "rho of zCDP is mu^2 / 2",
        f"{_ACCOUNTING}::test_gaussians_cost_their_closed_form",
    ),
    Mutant(
        "deltas of thresholds are free",
        "privacy/spending.py",
        "        room = guarantee.delta - self.delta\n",
        "        room = guarantee.delta\n",
        "a millionth of a millionth",
        "tests/privacy/test_ledger.py::test_sampled_steps_and_thresholds_count_towards_run_and_cap",
    ),
    Mutant(
        "integer noise costs what real noise does",
        "privacy/gdp.py",
        "    return -2 * _normal.inv_cdf(outside) * sensitivity",
        "    return sensitivity / sigma",
        "true to a percent from sigma two on",
        "tests/privacy/test_gdp.py::test_integer_noise_costs_what_its_trade_off_function_says",
    ),
    Mutant(
        "integer noise for one row of a unit",
        "privacy/gdp.py",
        "    return -2 * _normal.inv_cdf(outside) * sensitivity",
        "    return -2 * _normal.inv_cdf(outside) * math.sqrt(sensitivity)",
        "l1 and l2 change places",
        "tests/privacy/test_gdp.py tests/privacy/test_accounting.py",
    ),
    Mutant(
        "a selection costs half",
        "privacy/gdp.py",
        "    return -2 * _normal.inv_cdf(1 / (1 + math.exp(epsilon_ / 2)))",
        "    return -_normal.inv_cdf(1 / (1 + math.exp(epsilon_ / 2)))",
        "epsilon-DP and epsilon-bounded range differ by two, somewhere",
        "tests/privacy/test_gdp.py::test_the_exponential_mechanism_is_within_its_gdp_bound",
    ),
    Mutant(
        "the second term of Gaussian privacy without its exponential",
        "privacy/gdp.py",
        "first - math.exp(epsilon) * _upper_tail(epsilon / mu + mu / 2)",
        "first - math.exp(epsilon) * _upper_tail(epsilon / mu - mu / 2)",
        "a sign, in a formula with two of them",
        "tests/privacy/test_gdp.py::test_delta_agrees_with_fifty_digits",
    ),
    Mutant(
        "a whole budget beside the delta that thresholds take",
        "privacy/accounting.py",
        "    return gdp.mu(guarantee.epsilon * (1 - ROUNDING), guarantee.delta - threshold_delta)",
        "    return gdp.mu(guarantee.epsilon * (1 - ROUNDING), guarantee.delta)",
        "thresholds are charged elsewhere",
        f"{_ACCOUNTING}::test_a_share_of_delta_is_kept_for_thresholds",
    ),
)
