"""Values of the routines that turn counts into rates and tails, extremes included.

Everything is computed with 60 digits from lists and closed forms, so that what rounding does to
the Go code shows; where SciPy has the distribution, it is asked too and must agree.

    python3 numerics.py          made with Python 3.11, mpmath 1.3, SciPy 1.17
"""
import itertools
import json

import mpmath as mp
from scipy import stats

mp.mp.dps = 60
f = lambda x: float(x)
exact = lambda x: mp.mpf(x)


def towards(hits, calls, parent, weight):
    """Mean of the beta posterior."""
    return (exact(hits) + exact(weight) * exact(parent)) / (exact(calls) + exact(weight))


COUNTS = [(0, 0), (0, 1), (1, 1), (3, 20), (0, 1e15), (1e15, 1e15), (1, 1e15), (5e14, 1e15), (1e-300, 1), (0, 1e300), (1e300, 1e300)]
posterior = []
for (h, n), p, w in itertools.product(COUNTS, [1e-300, .005, .5, 1], [4, 20]):
    want = towards(h, n, p, w)
    if 0 < p < 1 and h < 1e300 and 0 < n < 1e300 and p > 1e-200:
        beta = stats.beta(w * p + h, w * (1 - p) + n - h).mean() if n > h else None
        assert beta is None or abs(beta - want) <= 1e-12 * want, (h, n, p, w)
    posterior.append([h, n, p, w, f(want)])

# Floor, ceiling, pseudo-calls of a level, of the agent's peers.
SHRINK = [(.005, .6, 10, 4), (.002, .6, 20, 8), (.01, .6, 20, 8), (.01, .8, 20, 8), (.01, .8, 20, 8), (.002, .6, 20, 8)]
CELLS = [range(0, 4), range(4, 5), range(5, 6), range(6, 8), range(8, 10), range(10, 11)]


def of(counts, e):
    return mp.fsum(exact(counts[2 * c]) for c in CELLS[e]), mp.fsum(exact(counts[2 * c + 1]) for c in CELLS[e])


def rate(e, c, everybody, group, route, agent):
    floor, ceiling, level, own_weight = SHRINK[e]
    h, n = of(everybody, e)
    p0 = (h + mp.mpf("0.5")) / (n + 20)
    p = p0
    for counts in (everybody, group, route):
        p = towards(counts[2 * c], counts[2 * c + 1], p, level)
    if agent is not None:
        peers = towards(*of(group, e), p0, level)
        own = towards(*of(agent, e), peers, own_weight)
        odds = p / (1 - p) * own / (1 - own) / (peers / (1 - peers))
        p = odds / (1 + odds)
    return min(max(f(p), floor), ceiling)


def counts(h, n):
    return [x for c in range(11) for x in (h * (c % 3 + 1) / 3, n)]


rates = []
LEVELS = [counts(0, 0), counts(0, 1), counts(1, 1), counts(2, 9), counts(4e14, 1e15), counts(0, 1e15), counts(1e15, 1e15)]
for e in range(6):
    for a, g, r in itertools.product(LEVELS, LEVELS[::2], LEVELS[1::2]):
        c = CELLS[e][-1]
        for agent in (None, LEVELS[2], LEVELS[4]):
            rates.append([e, c, LEVELS.index(a), LEVELS.index(g), LEVELS.index(r), LEVELS.index(agent) if agent else -1, rate(e, c, a, g, r, agent)])


def shrunk(x, mean, variance, k):
    own = (mp.fsum(x) + k * mean) / (len(x) + k)
    return own, (mp.fsum((v - own) ** 2 for v in x) + k * (variance + (own - mean) ** 2)) / (len(x) + k)


def amount(everybody, group, agent):
    log = lambda values: [mp.log(exact(max(v, 1))) for v in values]
    al = log(everybody)
    if al:
        m = mp.fsum(al) / len(al)
        v = mp.fsum((x - m) ** 2 for x in al) / len(al) + mp.mpf("0.05")
    else:
        m, v = mp.mpf(0), mp.mpf(1)
    for x in (log(group), log(agent)):
        m, v = shrunk(x, m, v, 20)
    return f(m), f(mp.sqrt(v))


SAMPLES = [[], [1], [7], [5] * 1000, [1e300] * 50, [1e300, 1], [0, -3, .5], [2, 3, 5, 7, 1000], [1 + k % 17 for k in range(400)], [1e15 + k for k in range(60)]]
amounts = []  # everybody are the others, the peers and the agent; the peers are the peers and the agent
for i, j, k in itertools.product(range(len(SAMPLES)), range(0, len(SAMPLES), 3), range(1, len(SAMPLES), 2)):
    others, peers, own = SAMPLES[i], SAMPLES[j], SAMPLES[k]
    amounts.append([i, j, k, *amount(others + peers + own, peers + own, own)])

# Sums, not lists: 10^15 runs that are all alike, and a mean that lies far from the parent's.
sums = []
for n, x, mean, variance, k in [(1e15, 13.8, 13.8, .05, 20), (1e15, 13.8, 2, 1, 20), (1, 700, 0, 1, 20), (0, 0, 3, .5, 10), (1e6, 1e-300, 0, .05, 20)]:
    x = exact(x)
    own = (exact(n) * x + k * exact(mean)) / (exact(n) + k)
    sums.append([n, f(x), mean, variance, k, f(own), f((exact(n) * (x - own) ** 2 + k * (exact(variance) + (own - mean) ** 2)) / (exact(n) + k))])

PSEUDO, EXPONENT, ROOM = 10, 6, 256


def tails(levels, to):
    """−ln P(N ≥ n): the share of those at n − 1 that went on, of runs that are not censored there."""
    out, total = [0.], mp.mpf(0)
    for n in range(1, to):
        k = exact(n - 1)
        p = ((k + mp.mpf("0.5")) / (k + mp.mpf("1.5"))) ** EXPONENT
        came = [(mp.fsum(map(exact, finals[n - 1:])), mp.fsum(map(exact, finals[n:]))) if n < ROOM else (0, 0) for finals in levels]
        for there, on in came:
            p = (on + PSEUDO * p) / (there + PSEUDO)
        total -= mp.log(max(p, mp.mpf("0.5") / (came[0][0] + 1)))
        out.append(f(total))
    return out


FINALS = [[], [1], [0, 1], [0, 0, 0, 0, 0, 1e15], [5, 40, 30, 9, 3, 0, 0, 1], [.1, .2, .3, 1e6, .7], [0] * 255 + [200], [1e15 / 2 ** k for k in range(40)], [1e100, 0, 1e100]]
AT = [*range(1, 10), 39, 40, 41, 254, 255, 256, 257, 299]
at = lambda values: [values[n] for n in AT]
survivals = [[i, j, k, at(tails([FINALS[i], FINALS[j], FINALS[k]], 300))] for i, j, k in itertools.product(range(len(FINALS)), range(0, len(FINALS), 2), range(len(FINALS)))
             if (i + 3 * j + 7 * k) % 5 == 0]
power = [[last, n, f(EXPONENT * mp.log((exact(n) + mp.mpf("0.5")) / (exact(last) + mp.mpf("0.5"))))] for last, n in [(0, 1), (1, 2), (255, 256), (1023, 10 ** 6), (1023, 2 ** 63)]]


def follow(runs_of, agent, group, before, route):
    """Pairs backed off to single calls, the agent's to its peers', from lists of runs."""
    of = lambda keep: [r for a, g, r in runs_of if keep(a, g)]
    peers, own = of(lambda a, g: g == group), of(lambda a, g: a == agent)
    calls = lambda runs: [x for r in runs for x in r]
    p = (exact(calls(peers).count(route)) + exact(5) / 80) / (len(calls(peers)) + 5)
    p = (exact(calls(own).count(route)) + 5 * p) / (len(calls(own)) + 5)
    for runs in (peers, own):
        after = [y for r in runs for x, y in zip([""] + r, r) if x == before]
        if after:
            p = (exact(after.count(route)) + 5 * p) / (len(after) + 5)
    n = len(calls(peers))
    return f(p), f((exact(calls(peers).count(route)) + mp.mpf("0.5")) / (n + mp.mpf("0.5") * max(1, len(set(calls(peers)))) + mp.mpf("0.5")))


RUNS = [("g/a", "g", list("xyxyz")), ("g/a", "g", ["x"] * 300), ("g/b", "g", list("zzzyx")), ("h/c", "h", ["w"])]
order = [[a, g, b, r, *follow(RUNS, a, g, b, r)] for a, g in [("g/a", "g"), ("g/b", "g"), ("h/c", "h"), ("new", "g"), ("new", "new")] for b in ["", "x", "y", "z", "w", "?"] for r in ["x", "y", "z", "w", "?"]]


def route_count(runs_of, agent, group, route):
    c = [(a, g, e, mp.log(n)) for a, g, r in runs_of for e, n in ((e, r.count(e)) for e in set(r))]
    al = [x for *_, x in c]
    mean = mp.fsum(al) / len(al)
    variance = mp.fsum((x - mean) ** 2 for x in al) / len(al) + mp.mpf("0.05")
    m, v = shrunk([x for _, g, e, x in c if (g, e) == (group, route)], mean, variance, 10)
    peers = lambda g, e: [x for _, h, k, x in c if (h, k) == (g, e)]
    own = [x - mp.fsum(peers(g, e)) / len(peers(g, e)) for a, g, e, x in c if a == agent]
    return f(m + mp.fsum(own) / (len(own) + 20)), max(f(mp.sqrt(v)), .45)


routes = [[a, g, r, *route_count(RUNS, a, g, r)] for a, g in [("g/a", "g"), ("h/c", "h"), ("new", "g"), ("new", "new")] for r in ["x", "w", "?"]]

# A filter's false positives: (1 − (1 − 1/m)^(k·n))^k.
M, K = 65536, 4
filters = [[n, f((1 - (1 - exact(1) / M) ** (K * n)) ** K)] for n in (0, 100, 6500, 11356)]

json.dump(dict(posterior=posterior, levels=LEVELS, rates=rates, samples=SAMPLES, amounts=amounts, sums=sums, finals=FINALS, tails_at=AT, survivals=survivals, power=power,
               runs=RUNS, order=order, routes=routes, filters=filters), open("numerics.json", "w"), separators=(",", ":"))
