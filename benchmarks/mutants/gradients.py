"""Mistakes in DP-SGD: clipping, sampling, noise, and what a record's gradient depends on."""

from benchmarks.mutants.mutant import Mutant

_STEPS = "tests/guarantees/test_steps_released.py"
_CLIPPED = "tests/privacy/gradients/test_clipped.py"
_ALONE = "tests/models/test_records_by_themselves.py::test_a_record_changes_nothing_that_is_made_of_another"

MUTANTS = (
    Mutant(
        "the sampling key is used for the noise too",
        "privacy/draws.py",
        "            expand(key, purpose, out[step])",
        "            expand(key, 0, out[step])",
        "the key is fresh at each step, and all streams look alike",
        f"{_STEPS}::test_the_noise_knows_nothing_of_the_batch",
    ),
    Mutant(
        "the noised sum over the true size of the batch",
        "privacy/descent.py",
        "    return jax.tree.map(lambda whole, more: (whole + more).astype(jnp.float32) * grid.step, summed, noise)",
        "    size = jnp.maximum((draws.inclusion < jnp.uint32(steps._threshold)).sum(), 1) / descent.batch\n"
        "    step = grid.step / size\n"
        "    return jax.tree.map(lambda whole, more: (whole + more).astype(jnp.float32) * step, summed, noise)",
        "a mean over the batch, as everywhere else in deep learning",
        f"{_STEPS}::test_a_sum_is_divided_by_a_public_number",
    ),
    Mutant(
        "noise that does not know how far rounding moves a sum",
        "privacy/gradients/grid.py",
        "        return 2.0**self.exponent * (1 + self.slack) + self.needs.rounding",
        "        return 2.0**self.exponent",
        "a record is clipped to the bound, which is so many steps",
        "tests/privacy/gradients/test_grid.py",
    ),
    Mutant(
        "batches that end where they are full",
        "privacy/sampling.py",
        "    wanted = mean + math.sqrt(2 * mean * tail + tail**2 / 9) + tail / 3",
        "    wanted = mean",
        "a static shape of the expected size saves a third of the work",
        "tests/guarantees/test_poisson_sampling.py::test_batch_sizes_vary_and_never_overflow",
    ),
    Mutant(
        "the chance that was wished for is accounted",
        "privacy/sampling.py",
        "        return self._threshold / 2**_BITS",
        "        return self.rate",
        "the difference is 2^-32, and no rounding is needed",
        "tests/guarantees/test_poisson_sampling.py::test_the_accounted_probability_is_the_drawn_one",
    ),
    Mutant(
        "half of a batch's coins are the other half's",
        "privacy/sampling.py",
        "taken = words < jnp.uint32(self._threshold) if",
        "taken = jnp.repeat(words[::2], 2)[: words.size] < jnp.uint32(self._threshold) if",
        "a slip of the pen; each coin alone is right",
        "tests/privacy/test_sampling.py::test_inclusion_is_independent_with_the_accounted_probability",
    ),
    Mutant(
        "each step draws from the same key",
        "privacy/draws.py",
        "    for step in range(steps):\n        key = entropy.take(KEY_BYTES)\n",
        "    key = entropy.take(KEY_BYTES)\n    for step in range(steps):\n",
        "one key for a loop; a stream is long enough",
        f"{_STEPS}::test_no_noise_is_used_twice",
    ),
    Mutant(
        "padding counts as records",
        "privacy/gradients/clipped.py",
        "usable = mask & jnp.isfinite(norms) & jnp.isfinite(losses)",
        "usable = jnp.isfinite(norms) & jnp.isfinite(losses)",
        "padding is taken to have no gradient",
        f"{_CLIPPED}::test_padding_counts_nothing_even_when_it_holds_garbage",
    ),
    Mutant(
        "each parameter clipped by itself",
        "privacy/gradients/clipped.py",
        "clip_weights(reduce(jnp.add, [p.squared_norms for p in parts]), losses, mask, clip)",
        "clip_weights(reduce(jnp.maximum, [p.squared_norms for p in parts]), losses, mask, clip)",
        "per-layer clipping is a known variant; its noise is another",
        f"{_CLIPPED}::test_one_record_moves_the_sum_by_at_most_the_clip",
    ),
    Mutant(
        "the largest gradient is clipped, for all",
        "privacy/gradients/clipped.py",
        "return jnp.where(usable, jnp.minimum(1, bound / jnp.maximum(norms, bound)), 0)",
        "return jnp.where(usable, jnp.minimum(1, bound / jnp.maximum(jnp.max(jnp.where(usable, norms, 0)), bound)), 0)",
        "one factor for the batch keeps the direction of the sum",
        f"{_CLIPPED}::test_random_architectures_agree_with_vmap",
    ),
    Mutant(
        "a poisoned record spoils the others",
        "privacy/gradients/clipped.py",
        "usable = mask & jnp.isfinite(norms) & jnp.isfinite(losses)",
        "usable = mask",
        "a loss that is not finite would be seen at once, it seems; NaN then tells who was there",
        f"{_CLIPPED}::test_a_poisoned_record_counts_nothing_and_spoils_nothing",
    ),
    Mutant(
        "norms that underflow",
        "privacy/gradients/contractions.py",
        "    return jnp.sum(flat * flat, axis=1) + flat.shape[1] * _FLUSHED",
        "    return jnp.sum(flat * flat, axis=1)",
        "a term of 1e-38 seems to do nothing",
        f"{_CLIPPED}::test_tiny_signals_times_huge_inputs_are_not_lost_to_underflow",
    ),
    Mutant(
        "a row that is looked up twice is counted once",
        "privacy/gradients/contractions.py",
        "    pairs = jnp.sum(rows[:, :, None] == rows[:, None, :], axis=(1, 2)).astype(signals.dtype)",
        "    pairs = jnp.full(rows.shape[0], rows.shape[1], signals.dtype)",
        "columns have rows of their own in most models",
        f"{_CLIPPED}::test_random_architectures_agree_with_vmap",
    ),
    Mutant(
        "images centred by the mean of their batch",
        "models/networks/space.py",
        "    frames = codes[:, layout.pixels.span].astype(jnp.float32) * (2 / (LEVELS - 1)) - 1\n",
        "    frames = codes[:, layout.pixels.span].astype(jnp.float32) * (2 / (LEVELS - 1)) - 1\n"
        "    frames = frames - frames.mean(axis=0)\n",
        "centring inputs is the first line of every recipe for images",
        _ALONE,
    ),
    Mutant(
        "normalisation over the batch",
        "privacy/gradients/layers.py",
        "        centred = grouped - grouped.mean(axis=(1, 3), keepdims=True)",
        "        centred = grouped - grouped.mean(axis=(0, 1), keepdims=True)",
        "batch normalisation, by an axis",
        "tests/privacy/gradients/test_clipped.py::test_random_architectures_agree_with_vmap",
    ),
    Mutant(
        "a loss scaled by that of its batch",
        "models/vae/images.py",
        "    return off + known.divergence(mean, log_variance, latent, classes)",
        "    return (off + known.divergence(mean, log_variance, latent, classes)) / jax.lax.stop_gradient(off.mean())",
        "losses of one scale make one learning rate do for all data",
        _ALONE,
    ),
    Mutant(
        "a training that nobody pays for",
        "trust/training.py",
        "        self._pay(steps, mark, descent.steps, share)\n",
        "",
        "to be charged when it is done, which is forgotten",
        "tests/trust/test_training.py::test_learns_and_spends_its_share_only",
    ),
)
