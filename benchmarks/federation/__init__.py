"""Sites that keep their rows against one curator at the same promise: errors, models, rounds, bytes, seconds.

    python -m benchmarks.federation [--only tables,models,...] [--seeds 20] [--sites 3,10,50]

All sites are simulated in one process, but for ``processes``; the example table of census rows is dealt out to them.
The parts, in this order: ``tables``, the errors of noisy ones; ``models``, synthetic rows of the default model;
``costs`` of a secure sum to a site; ``processes``, a round over real ones; ``flower``, its secure sum beside ours;
``alone``, what sites gain over each by itself; ``networks``, a VAE over sites of one class each, which takes longest.
What a part cannot measure is null. The last line is one JSON object with the figures; one without a limit is shown.
"""
