"""Thresholds of new populations and of classes, from lists of scores.

The lower limit of the mean rate is that of SciPy's one-sided t test of the rates, the lower limit of a share that of
SciPy's binomial test. Thresholds are searched among all scores.

    python3 populations.py       made with Python 3.11, NumPy 2.4, SciPy 1.17
"""
import json
import math

import numpy as np
from scipy import stats

rng = np.random.default_rng(20261129)


def lower_mean(groups, s):
    rates = [np.mean(np.array(g) > s) for g in groups]
    if len(set(rates)) == 1:
        return float(rates[0])
    return float(stats.ttest_1samp(rates, 0, alternative="greater").confidence_interval(.95).low)


def population_threshold(groups, share):
    least = max(-math.log(share), 0)
    if len(groups) < 2:
        return least
    for s in [least] + sorted({x for g in groups for x in g if x > least}):
        if lower_mean(groups, s) <= share:
            return s


def raised(scores, least, share):
    for s in [least] + sorted({x for x in scores if x > least}):
        k = int(np.sum(np.array(scores) > s))
        if stats.binomtest(k, len(scores)).proportion_ci(.95, method="wilson").low <= share:
            return s


def make(n, scale, wild=0):
    return [round(float(x), 3) for x in np.concatenate([rng.gamma(1.2, scale, n), rng.uniform(7, 30, wild)])]


populations = []
for sizes in ([(60, 1.1, 0)], [(60, 1.1, 0), (80, 1.3, 6)], [(300, 1.2, 9), (50, 1, 4), (90, 1.5, 5)], [(120, 1.2, 3)] * 4, [(200, 1.5, k % 4 * 5) for k in range(8)],
              [(100, 1.3, 5)] * 6, [(80, 1.3, 0)] * 5 + [(80, 1.3, 40)], [(150, 2.5, 12) for k in range(12)], [(70, 2, k % 3) for k in range(20)]):
    groups = [make(*s) for s in sizes]
    if len(groups) == 6:
        groups[0] = groups[0] + groups[0][-5:]  # ties
    at = [0., 1., 3., -math.log(.01), 5.5, -math.log(.001), 9., 12., 29.]
    shares = [.05, .01, .001, .0001]
    populations.append(dict(groups=groups, at=at, lower=[lower_mean(groups, s) for s in at] if len(groups) > 1 else [], shares=shares,
                            thresholds=[population_threshold(groups, p) for p in shares]))

ranks = []
for n, scale, wild in [(5, 1, 0), (60, 1.1, 1), (60, 1.1, 6), (200, 1.2, 4), (200, 1.2, 12), (1000, 1.5, 30), (3000, 1.2, 0), (3000, 1.2, 45), (40, 1, 40)]:
    scores = make(n, scale, wild)
    cases = [[least, share, raised(scores, least, share)] for least in (2., 4.6, 6.9, 40.) for share in (.05, .01, .001)]
    ranks.append(dict(scores=scores, cases=cases))

json.dump(dict(populations=populations, ranks=ranks), open("populations.json", "w"), separators=(",", ":"))
