"""Sites that keep their rows: a plan that they agree to, questions that each answers by itself, totals that are opened.

``plan`` holds what is agreed; ``federated_site`` is a site, ``rounds`` the coordinator's way through a run, and
``transport`` what carries bytes between them; ``setting`` is the trust setting that models ask, ``descents`` its
training. Sums are those of ``trust.secure_sum``.
"""
