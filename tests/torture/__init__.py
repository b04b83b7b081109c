"""The crash campaign: random load and random crashes on one real daemon, and the proof that nothing was lost.

    python -m tests.torture --seconds 300 --seed 7

`sources` says what the scripts are like, `plan` what is done to them and to the daemon (from the seed alone),
`campaign` does it, `crash` leaves files as a crash may leave them, `registry` notes what was registered when,
`runs` is what the scripts themselves saw, and `tests.whole.checker` is the judge.
"""
