"""Values of the calibration's routines, extremes included: quantiles and tail from lists, the
exponential tail by SciPy, Wilson's interval as the roots of its polynomial with 60 digits.

    python3 numerics.py          made with Python 3.11, NumPy 2.4, mpmath 1.3, SciPy 1.17
"""
import json
import math

import mpmath as mp
import numpy as np
from scipy import stats

mp.mp.dps = 60
rng = np.random.default_rng(20261127)


def exceeded(v, w, share):
    """The score that a share of the weight lies above: between the last score that more lies above and the next."""
    points = sorted(zip(v, w))
    total = math.fsum(w)
    above = [math.fsum(x for _, x in points[i + 1:]) / total for i in range(len(points))]
    first = next(i for i, a in enumerate(above) if a <= share)
    if first == 0:
        return points[0][0]
    part = (above[first - 1] - share) / (above[first - 1] - above[first])
    return points[first - 1][0] + (points[first][0] - points[first - 1][0]) * min(max(part, 0), 1)


def fit(v, w):
    total, points, sum_, u = math.fsum(w), sorted(zip(v, w)), 0, None
    for x, y in points:
        sum_ += y
        if sum_ >= .97 * total:
            u = min(x, 8)
            break
    over = [(min(x, 8) - u, y) for x, y in points if x > u]
    mass = math.fsum(y for _, y in over)
    excess = math.fsum(x * y for x, y in over)
    pu, beta = (mass / total, max(excess / mass, .05)) if excess > 0 else (max(mass / total, min(1 / (total + 1), math.fsum(y for x, y in points if x >= u) / total)), 1)
    p = lambda s: float(stats.expon.sf(s, loc=u, scale=beta) * pu) if s > u else math.fsum(y for x, y in points if x >= s) / total
    at = sorted({points[0][0], points[len(points) // 2][0], u, u + 1e-9, u + 1, u + 10, u + 700 * beta, u + 1e4 * beta, points[-1][0]})
    t = lambda share: max(max(exceeded(v, w, share) if share >= .01 else max(u + beta * math.log(pu / share), exceeded(v, w, .01) + .2), -math.log(share)), 0)
    shares = [.5, .05, .01, .001, 1e-6, 1e-300]
    return dict(scores=list(v), weights=list(w), t5=exceeded(v, w, .05), t1=exceeded(v, w, .01), u=u, beta=beta, pu=pu, at=at, p=[p(s) for s in at],
                shares=shares, thresholds=[t(s) if s < .05 else max(exceeded(v, w, .05), -math.log(s)) for s in shares])


gamma = [float(x) for x in np.round(rng.gamma(1.2, 1.1, 400), 6)]
ones = lambda v: [1.] * len(v)
LISTS = [[3.], [3.] * 7, [0.] * 500, gamma, [0.] * 300 + gamma[:100], [12.] * 40 + gamma[:200], [0., 1e9], [1e-300 * k for k in range(1, 60)], gamma[:99] + [1e9], list(map(float, range(100)))]
fits = [fit(v, ones(v)) for v in LISTS]
fits += [fit(gamma, [float(x) for x in rng.choice([1 / 3, .5, 1, .01], len(gamma))]), fit(gamma[:50], [1e15] * 50), fit(gamma[:50], [1e-300] * 50)]


def wilson(k, n):
    z = mp.sqrt(2) * mp.erfinv(mp.mpf("0.95"))
    k, n = mp.mpf(k), mp.mpf(n)
    q = k / n
    roots = sorted(mp.re(r) for r in mp.polyroots([1 + z * z / n, -(2 * q + z * z / n), q * q], maxsteps=500, extraprec=500))
    return [float(k), float(n), float(max(roots[0], 0)), float(roots[1])]


intervals = [wilson(k, n) for k, n in [(0, 1), (1, 1), (0, 3726), (3726, 3726), (1, 3726), (7, 3726), (50, 100), (0, 1e15), (1, 1e15), (1e15, 1e15), (5e14, 1e15), (.5, 1.5)]]
json.dump(dict(fits=fits, wilson=intervals), open("numerics.json", "w"), separators=(",", ":"))
