"""Secure sums between sites that keep their rows: vectors of whole numbers in, their exact sum out, nothing else.

Everything here is pure: bytes in, bytes out, no files and no network (``accounts`` alone writes, to a ledger, and
beside it what was prepaid). It knows nothing of questions. The order of calls, with places = positions of sites in the
roster::

    roster = Roster((Member(name, public_key), ...), curious=c, lost=d)          # of the signed plan
    terms = SumTerms(plan_hash, roster, rounds, attempts, longest, bits)          # 32 or 64: terms.ring_bits
    account = SiteAccount(run, terms, place)               # at each site, over a run of its own ledger

    # set-up, once a run; on FederationError, or without an answer of some site, all begin anew with new objects
    site = SumSite(terms, identity, answered=account.answered)     # at each site
    coordinator = SumCoordinator(terms)
    keys = coordinator.keys({place: site.key()})           # the same bytes go to every site
    deliveries = coordinator.deliveries({place: site.shares(keys)})
    site.receive(deliveries[place])

    # noise: the same at all sites, from the plan alone
    noise = CountNoise.of_cost(mu, roster, max_rows)       # or VectorNoise.of_multiplier(1 / mu, roster, sensitivity)

    # a round: number = RoundNumber(round, attempt), each used once, ascending; subject = SHA-256 of what is asked
    opening = coordinator.opening(number, subject, length)
    message = account.answer(site, number, subject, lambda entropy: noise.add(counts(), entropy), [noise.event()])
    opening.add(place, message)                                    # until all answered, or the deadline has passed
    survivors = opening.listed()                                   # to opening.survivors; FederationError: too few
    consents = opening.consents({place: site.consent(survivors)})  # at least T; the result goes to those who signed
    total = opening.opened({place: site.unmask(consents)})         # at least T; all survivors, if a vector was missing
    answer = masks.centred(total) / noise.multiple                 # noise of noise.deviation(len(opening.survivors))

``account.answer`` notes and charges on disk, then reads and noises, then masks. A training is charged whole by
``account.prepay_steps(step, steps, spare)``, where ``step = noise.event(numbers, q, 1, OVERFLOWS, tail)``; its rounds,
retries among them, are then answered with ``training=step`` in the place of events. On FederationError a round is
not opened: try ``RoundNumber(round, attempt + 1)``, which is charged again.
"""
