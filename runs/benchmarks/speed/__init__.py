"""What the speed benchmarks share: networks to time, programs that run them, paired timing.

A *plan* is a network to time, a *program* is somebody's way to run it, a *subject* is one timed
call. All subjects of a table run on one thread, one after the other in every round, so that noise
of the machine meets all alike; what is compared is the ratio within a round.
"""
