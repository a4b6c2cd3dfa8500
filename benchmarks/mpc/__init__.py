"""Three parties that count on shares: CPU seconds, bytes and memory of a party, and what synthetic rows are good for.

    python -m benchmarks.mpc [--only small,middle,processes,alignment,utility,outsourced,gradients,training,wan,large]
        [--fits 6]

The parts, in this order: ``small`` and ``middle``, all two-way tables of 15 columns of 40 codes of 10,000 and 48,842
persons, by parties in one process, and how many cells of their shares' sums are wrong; ``processes``, the same tables
by three real processes over mutual TLS, where a process also makes once what prices its noise; ``utility``, the default
model of the census rows, whole way; and where they are named, ``alignment``, how parties of 10,000 to 100,000 keys find
whom they have in common, ``outsourced``, the same tables by three servers to which two owners have shared their columns
in files, ``gradients``, steps of DP-SGD on shares by the installed engine, ``training``, a thousand steps of the
autoencoder without a promise and its plain twin (minutes), ``wan``, the whole way over three real processes with a
delay between them, and ``large``, a million persons, simulated and over real processes.
What a part cannot measure is null. The last line is one JSON object with the figures; one without a limit is shown.
"""
