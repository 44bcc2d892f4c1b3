"""The distribution of an amount for a run of a new population, in closed form with 60 digits.

The variance between populations has a prior with the weight of three groups at (ln 2)²; the
variance of a new mean around the estimated one is that of the mean of n means. Groups of fewer than ten runs do not count.

    python3 stranger.py          made with Python 3.11, mpmath 1.3
"""
import json

import mpmath as mp

mp.mp.dps = 60


def predictive(groups, least):
    groups = {k: [mp.mpf(x) for x in v] for k, v in groups.items()}
    enough = [v for v in groups.values() if len(v) >= 10]
    mean = lambda v: mp.fsum(v) / len(v)
    var = lambda v: mp.fsum((x - mean(v)) ** 2 for x in v) / len(v)
    n, prior = len(enough), mp.log(2) ** 2
    if n == 0:
        every = [x for v in groups.values() for x in v]
        m, v = (mean(every), var(every) + mp.mpf("0.05")) if every else (mp.mpf(0), mp.mpf(1))
        return float(m), float(max(mp.sqrt(v + prior), least))
    means = [mean(v) for v in enough]
    centre = mean(means)
    between = (3 * prior + mp.fsum((m - centre) ** 2 for m in means)) / (3 + n - 1)
    return float(centre), float(max(mp.sqrt(mean([var(v) for v in enough]) + between * (1 + mp.mpf(1) / n)), least))


def made(n, at, spread):  # logarithms, without a generator
    return [float(at + spread * mp.sin(k * k + 1)) for k in range(n)]


cases = []
for groups in ({}, dict(a=made(9, 3, 1)), dict(a=made(10, 3, 1)), dict(a=made(40, 3, 0), b=made(40, 3, 0)), dict(a=made(100, 2, .5), b=made(12, 6, 2), c=made(5, 40, 1)),
               dict(a=made(30, 1, .2), b=made(30, 1.1, .2), c=made(30, 1.2, .2), d=made(400, 1.1, .2)), {str(k): made(20 + k, k % 7, k / 10) for k in range(40)},
               dict(a=made(2000, 700, 1e-3), b=made(50, 0, 0)), dict(a=made(60, 3, 1), humans=made(60, 9, 1))):
    sums = {k: [len(v), float(mp.fsum(mp.mpf(x) for x in v)), float(mp.fsum(mp.mpf(x) ** 2 for x in v))] for k, v in groups.items()}
    cases.append(dict(groups=sums, want=[[least, *predictive(groups, least)] for least in (.35, .6, 9.)]))
json.dump(cases, open("stranger.json", "w"), separators=(",", ":"))
