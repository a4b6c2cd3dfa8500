"""Mistakes in what releases cost."""

from benchmarks.mutants.mutant import Mutant

_ACCOUNTING = "tests/privacy/test_accounting.py"

MUTANTS = (
    Mutant(
        "repetitions of an event are free",
        "privacy/event_costs.py",
        "            return event.count * gdp.discrete_gaussian_mu(event.sigma, event.sensitivity) ** 2",
        "            return gdp.discrete_gaussian_mu(event.sigma, event.sensitivity) ** 2",
        "a count of one is the usual case",
        f"{_ACCOUNTING} tests/guarantees/test_central_audited.py::test_shares_of_the_budget_sum_to_the_claim",
    ),
    Mutant(
        "costs add up without squares",
        "privacy/event_costs.py",
        "            return event.count / event.noise_multiplier**2",
        "            return event.count / event.noise_multiplier**2 / 2",
        "rho of zCDP is mu^2 / 2",
        f"{_ACCOUNTING}::test_gaussians_cost_their_closed_form",
    ),
    Mutant(
        "deltas of thresholds are free",
        "privacy/spending.py",
        "math.fsum((*map(delta_of, listed), *tails))",
        "math.fsum(tails)",
        "a millionth of a millionth",
        "tests/privacy/test_ledger.py::test_sampled_steps_and_thresholds_count_towards_run_and_cap "
        f"{_ACCOUNTING}::test_threshold_deltas_add",
    ),
    Mutant(
        "tails of trainings are free",
        "privacy/spending.py",
        "math.fsum((*map(delta_of, listed), *tails))",
        "math.fsum(map(delta_of, listed))",
        "the tail is taken for a parameter of the accountant, and not for a cost",
        f"{_ACCOUNTING}::test_tails_of_trainings_add",
    ),
    Mutant(
        "mu is bought with the delta that is left",
        "privacy/spending.py",
        "        most = limit(guarantee)\n"
        "        return self.mu_squared <= most.mu_squared and self.delta <= most.delta",
        "        room = guarantee.delta - self.delta\n"
        "        return room > 0 and gdp.delta(guarantee.epsilon, self.mu) <= room",
        "right for a list that was fixed beforehand, and what accountants of one run do",
        f"{_ACCOUNTING}::test_delta_and_mu_have_limits_of_their_own",
    ),
    Mutant(
        "a training costs what the central limit theorem says",
        "privacy/sampled_gaussian.py",
        "    found = whole\n",
        "    return event.sampling_probability * math.sqrt(event.count * math.expm1(event.noise_multiplier**-2))\n",
        "Bu et al. 2020, whose limit many take for a bound",
        f"{_ACCOUNTING}::test_dp_sgd_is_calibrated_next_to_other_events",
    ),
    Mutant(
        "a training without a tail costs what one with a tail does",
        "privacy/sampled_gaussian.py",
        "    if event.sampling_probability == 1 or event.tail <= 4 * rounding:\n        return whole\n",
        "    if event.tail <= 4 * rounding:\n"
        "        event = type(event)(event.sampling_probability, event.noise_multiplier, event.count, tail=1e-8)\n",
        "a default for a missing number",
        "tests/privacy/test_ledger.py::test_dp_sgd_without_a_tail_costs_as_much_as_on_all_records",
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
        "a whole budget of mu beside the delta that is kept for tails",
        "privacy/spending.py",
        "    mu = gdp.mu(guarantee.epsilon, (1 - DELTA_SHARE) * guarantee.delta)\n",
        "    mu = gdp.mu(guarantee.epsilon, guarantee.delta)\n",
        "each of the two limits is right by itself",
        f"{_ACCOUNTING}::test_delta_and_mu_have_limits_of_their_own",
    ),
)
