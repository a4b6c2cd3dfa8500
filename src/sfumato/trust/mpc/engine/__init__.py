"""Programs on secret shares: SecretFlow SPU, in an environment of its own, over connections of ours.

``installing`` makes the environment, ``lowering`` writes a JAX function as StableHLO, ``allowed`` says whether it may
run, ``session`` starts the process of a party and gives it programs, ``local_parties`` does so for three on one
machine. Those run ``session_process`` and what it imports, which is the standard library, numpy and the engine: there
is no JAX where they run.
"""
