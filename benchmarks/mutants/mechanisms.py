"""Mistakes in the noise itself."""

from benchmarks.mutants.mutant import Mutant

_AUDITED = "tests/guarantees/test_mechanisms_audited.py"
_DISCRETE = "tests/privacy/mechanisms/test_discrete_gaussian.py"

MUTANTS = (
    Mutant(
        "one draw of noise for all cells of a table",
        "privacy/mechanisms/discrete_gaussian.py",
        "return values.astype(np.int64) + draw(values.size, sigma, entropy).reshape(values.shape)",
        "return values.astype(np.int64) + draw(1, sigma, entropy)",
        "broadcasting does what the reshape did, and is a hundred times as fast",
        f"{_DISCRETE}::test_counts_keep_shape_and_are_not_touched {_AUDITED}::test_two_runs_differ "
        "tests/trust/test_agreement.py::test_the_noise_of_a_table_has_the_variance_that_was_paid_for",
    ),
    Mutant(
        "half of the bell curve: noise that only adds",
        "privacy/mechanisms/discrete_gaussian.py",
        "    return inversion.draw(high, low, n, entropy) - len(high) // 2",
        "    return np.abs(inversion.draw(high, low, n, entropy) - len(high) // 2)",
        "counts that come out below zero are a nuisance downstream",
        f"{_DISCRETE}::test_draws_follow_the_law",
    ),
    Mutant(
        "ties of the first 64 bits are left as they fall",
        "privacy/mechanisms/inversion.py",
        "    for i in touching:",
        "    for i in touching[:0]:",
        "one draw in 2^50 seems not worth a loop",
        f"{_DISCRETE}::test_ties_of_the_first_64_bits_are_resolved_by_the_next",
    ),
    Mutant(
        "noise on counts that were floats is floats",
        "privacy/mechanisms/discrete_gaussian.py",
        "    if not np.issubdtype(values.dtype, np.integer):\n"
        '        raise ValueError(f"integer noise needs integer values, got {values.dtype}")\n',
        "",
        "the conversion in the last line makes the check look redundant",
        f"{_DISCRETE}::test_real_values_are_refused",
    ),
    Mutant(
        "a selection without the factor two",
        "privacy/mechanisms/exponential.py",
        "max(0.0, epsilon - ROUNDING) / (2 * sensitivity)",
        "max(0.0, epsilon - ROUNDING) / sensitivity",
        "right for scores that all move the same way, and for those alone",
        f"{_AUDITED}::test_selections_stay_below_the_claim_and_come_close",
    ),
    Mutant(
        "one Gumbel number for all candidates",
        "privacy/mechanisms/exponential.py",
        "gumbel(scores.size, entropy)",
        "gumbel(1, entropy)",
        "it broadcasts without a word, and the index is still drawn 'at random'",
        f"{_AUDITED}::test_two_runs_differ",
    ),
    Mutant(
        "a threshold for one row of a unit with several",
        "privacy/mechanisms/threshold.py",
        "max(sensitivity * _tail(sigma, threshold - v) / v for v in range(1, sensitivity + 1))",
        "sensitivity * _tail(sigma, threshold - 1)",
        "rows of a unit are imagined with a key each",
        "tests/privacy/mechanisms/test_threshold.py::test_a_unit_alone_shows_at_most_delta",
    ),
    Mutant(
        "a threshold one lower",
        "privacy/mechanisms/threshold.py",
        "if c >= event.threshold}",
        "if c >= event.threshold - 1}",
        "'more than' and 'at least' change places between the text and the code",
        "tests/privacy/mechanisms/test_threshold.py::test_no_count_below_the_threshold_is_shown",
    ),
    Mutant(
        "keys in the order in which rows brought them",
        "privacy/mechanisms/threshold.py",
        "keys = sorted(counts)",
        "keys = list(counts)",
        "dictionaries keep their order, so sorting looks like decoration",
        "tests/privacy/mechanisms/test_threshold.py::test_frequent_keys_show_and_absent_ones_never",
    ),
    Mutant(
        "found categories come with exact counts",
        "privacy/mechanisms/threshold.py",
        "return {k: int(c) for k, c in",
        "return {k: counts[k] for k, c in",
        "the noise decides who is shown; that the count shown is another release is forgotten",
        "tests/trust/test_facts.py::test_counts_of_found_labels_carry_the_noise_that_was_paid_for",
    ),
    Mutant(
        "uniform numbers that end at 2**-65",
        "privacy/randomness.py",
        "        if not open_.any():\n            break\n",
        "        break\n",
        "64 bits of exponent look like more than enough; noise then ends where one row can still decide",
        "tests/privacy/test_randomness.py::test_uniforms_are_uniform_at_every_scale",
    ),
    Mutant(
        "noise from a generator that is seeded once",
        "privacy/randomness.py",
        "        return os.urandom(size)",
        "        return np.random.Generator(np.random.Philox(20260101)).bytes(size)",
        "a seed for a reproducible demonstration is left in",
        f"{_AUDITED}::test_two_runs_differ",
    ),
)
