"""What schedd costs, measured: `make bench` writes bench/RESULTS.md.

Each module measures one part and yields rows. Numbers are of one machine on one day: read them as orders of
magnitude and as ratios, and measure both sides of a change in the same hour.
"""
