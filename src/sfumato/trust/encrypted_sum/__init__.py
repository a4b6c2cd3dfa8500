"""Sums under homomorphic encryption: sites encrypt, an aggregator adds what it cannot read, a holder of the key opens.

``ckks`` chooses parameters by which totals are exact; ``encrypting_site`` is a site's part, ``aggregator`` that of
whoever adds and ``key_holder`` that of whoever opens. They stand beside ``trust.secure_sum``, so that both can be
compared, and are for simulated sites: the scheme has no key of several holders.
"""
