"""Programs on secret shares: SecretFlow SPU, in an environment of its own, over connections of ours.

``installing`` makes the environment, ``lowering`` writes a JAX function as StableHLO, ``allowed`` says whether it may
run, ``local_parties`` starts the processes of three parties. Those run ``party_process`` and what it imports, which is
the standard library, numpy and the engine: there is no JAX where they run.
"""
