"""Training wholly on secret shares: nobody sees a row, a gradient or a parameter until one party gets the last ones.

There is no differential privacy in it: ``training`` says so in the plan, in words that all three parties sign.
``program`` is what the engine runs, ``coins`` what the parties know of it beforehand, ``trial`` the run on simulated
rows that precedes any other, and ``shared_training`` one party's side.
"""
