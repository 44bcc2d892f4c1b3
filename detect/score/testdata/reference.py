"""An independent reading of the detector's published recipe, in numpy and scipy.

It makes runs of a fixed seed, learns from most of them and scores the others call by call,
and writes reference.json, which score's tests compare with. It shares no code with the Go
packages: rates and moments are taken from lists of calls, not from counters.

    python3 reference.py          made with Python 3.11, numpy 2, scipy 1.1x; any recent one will do
"""
import collections
import json
import math

import numpy as np
from scipy.stats import norm

rng = np.random.default_rng(20260504)
sizes = np.random.default_rng(20261126)
L10 = math.log(10)


def make_run(i, wild=None):
    group = ["billing", "support"][i % 2]
    agent = f"{group}/a{i % 7}"
    n = 2 + int(rng.geometric(0.12))
    calls, seen = [], []
    for k in range(n):
        u = rng.random()
        if calls and u < 0.08:
            calls.append(dict(calls[-1]))
            continue
        route = int(rng.integers(0, 9))
        write = route >= 6
        failed = bool(rng.random() < 0.07)
        resource = int(rng.integers(0, 30))
        calls.append(dict(route=route, args=int(rng.integers(0, 12)), result=int(rng.integers(0, 4)), failed=failed, write=write,
                          delete=route == 8, resources=[resource] if rng.random() < 0.7 else []))
    if wild == "loop":
        calls += [dict(calls[0]) for _ in range(25)]
    if wild == "sweep":
        calls += [dict(route=2, args=1000 + k, result=1, failed=False, write=False, delete=False, resources=[1000 + k]) for k in range(25)]
    if wild == "retry":
        calls += [dict(route=6, args=5, result=0, failed=True, write=True, delete=False, resources=[3]) for _ in range(15)]
    if wild == "destroy":
        calls += [dict(route=8, args=2000 + k, result=0, failed=False, write=True, delete=True, resources=[2000 + k]) for k in range(15)]
    if wild == "exfil":
        calls += [dict(route=3, args=3000 + k, result=1, failed=False, write=False, delete=False, resources=[], bytes=200_000) for k in range(12)]
    if wild == "scatter":
        calls += [dict(route=int(sizes.integers(0, 9)), args=5000 + k, result=k, failed=False, write=False, delete=False, resources=[]) for k in range(60)]
    if wild == "flood":
        calls += [dict(route=4 + k % 3, args=4000 + k, result=k, failed=False, write=k % 3 == 2, delete=False, resources=[k % 5]) for k in range(60)]
    for c in calls:  # of a generator of their own: the calls stay what they were
        if "bytes" not in c:
            c["bytes"] = int(sizes.lognormal(6, 1))
    return dict(id=f"r{i}", group=group, agent=agent, calls=calls)


def trials(run):
    """For every call: {event: (stratum, happened)} for the events it is eligible for, and how often its key was seen."""
    out, keys, asked, used, resources = [], {}, set(), {}, set()
    last_write, before = -1, None
    for i, c in enumerate(run["calls"]):
        e, q = c["route"], (c["route"], c["args"])
        k = q + (("E",) if c["failed"] else (c["result"],))
        keys[k] = keys.get(k, 0) + 1
        repeat = keys[k] > 1
        stratum = "write" if c["write"] else "first" if e not in used else "after_write" if last_write > used[e] else "again"
        fresh = not c["resources"] or any(r not in resources for r in c["resources"])
        t = dict(repeat=(stratum, repeat), retry=("*", c["failed"] and q in asked), failure=("*", c["failed"]), delete=("*", c["delete"]))
        if not repeat:
            z = "failed" if c["failed"] else "ok"
            t["sweep"] = (z, fresh and before == e)
            t["sweep_any"] = (z, fresh and e in used)
        out.append((t, keys[k]))
        resources |= set(c["resources"])
        asked.add(q)
        used[e], before = i, e
        if c["write"]:
            last_write = i
    return out


FLOOR = dict(repeat=(.005, .6, 10, 4), retry=(.002, .6, 20, 8), failure=(.01, .6, 20, 8), sweep=(.01, .8, 20, 8), sweep_any=(.01, .8, 20, 8), delete=(.002, .6, 20, 8))


class Rates:
    def __init__(self, runs):
        self.rows = [(r["group"], r["agent"], c["route"], ev, z, hit) for r in runs for c, (t, _) in zip(r["calls"], trials(r)) for ev, (z, hit) in t.items()]
        self.memo = {}

    def count(self, **want):
        key = tuple(sorted(want.items()))
        if key not in self.memo:
            names = ("group", "agent", "route", "event", "stratum")
            rows = [x[5] for x in self.rows if all(x[names.index(k)] == v for k, v in want.items())]
            self.memo[key] = (float(sum(rows)), float(len(rows)))
        return self.memo[key]

    def rate(self, group, agent, route, ev, z):
        floor, ceiling, k, ka = FLOOR[ev]
        towards = lambda c, p, w: (c[0] + w * p) / (c[1] + w)
        x, n = self.count(event=ev)
        p0 = (x + .5) / (n + 20)
        p = towards(self.count(event=ev, stratum=z), p0, k)
        p = towards(self.count(event=ev, stratum=z, group=group), p, k)
        p = towards(self.count(event=ev, stratum=z, group=group, route=route), p, k)
        peers = towards(self.count(event=ev, group=group), p0, k)
        own = towards(self.count(event=ev, agent=agent), peers, ka)
        odds = p / (1 - p) * (own / (1 - own)) / (peers / (1 - peers))
        return float(np.clip(odds / (1 + odds), floor, ceiling))


STATISTICS = [("repeats", "repeat", .98, 6.8, 16.5), ("repeats_slow", "repeat", .3, 18.5, 37), ("failing_retries", "retry", .9, 7.5, 14.5),
              ("failing_retries_slow", "retry", .25, 8.6, 30), ("errors", "failure", .8, 26, 33), ("new_resources", "sweep", .97, 12, 18.5),
              ("new_resources_slow", "sweep_any", .3, 12, 21), ("deletions", "delete", .5, 6, 6.7)]
OTHERS = dict(identical_calls=(7.1, 7.6), calls=(9, 10), bytes_out=(6, 9.7), writes=(22, 27), calls_on_route=(21, 36), unusual_order=(35, 50),
              new_calls_on_route=(5.8, 7.3), distinct_calls=(5.8, 15), rare_writes=(32, 75), changes_of_route=(7.5, 8.1))
ACROSS = dict(identical_calls_over_runs=11.5, new_calls_on_route_over_runs=6.7, deletions_over_runs=10, failing_retries_over_runs=14.5)


def anchored(x, t1, t01, t10=0):
    if t10:
        return float(np.interp(x, [0, t10, t1, t01, t01 + 100 * (t01 - t1)], [0, L10, 2 * L10, 3 * L10, 103 * L10]))
    return 2 * L10 * x / t1 if x < t1 else 2 * L10 + L10 * (x - t1) / (t01 - t1)


def minus_log_survival(n, *levels):
    """−ln P(N ≥ n) of a count: shares of those at k that went on to k + 1, each level of finals shrunk to the one before by ten."""
    total = 0.
    for k in range(int(n)):
        p = ((k + .5) / (k + 1.5)) ** 6
        for finals in levels:
            there, on = sum(1 for x in finals if x >= k), sum(1 for x in finals if x >= k + 1)
            p = (on + 10 * p) / (there + 10)
        total -= math.log(max(p, .5 / (sum(1 for x in levels[0] if x >= k) + 1)))
    return total


def counts(run):
    """For every call: new calls on its route so far, distinct calls, changes of route; and whether the call is new."""
    out, seen, resources, new, before, distinct, switches = [], set(), set(), collections.Counter(), None, 0, 0
    for c in run["calls"]:
        e = c["route"]
        k = (e, c["args"], "E" if c["failed"] else c["result"])
        fresh = not c["resources"] or any(r not in resources for r in c["resources"])
        is_new = k not in seen and fresh
        new[e] += is_new
        distinct += k not in seen
        switches += e != before
        before = e
        seen.add(k)
        resources |= set(c["resources"])
        out.append((new[e], distinct, switches, is_new))
    return out


class Latest:
    """Counts among the last 48 calls of an actor, kept as a list and counted afresh at each call."""

    def __init__(self):
        self.calls = []

    def add(self, c, is_new):
        k = (c["route"], c["args"], "E" if c["failed"] else c["result"])
        held = self.calls[-47:]
        retry = c["failed"] and any(h["ask"] == k[:2] for h in held)
        new = is_new and all(h["k"] != k for h in held)
        self.calls = held + [dict(k=k, ask=k[:2], new=c["route"] if new else None, delete=c["delete"], retry=retry)]
        count = lambda f: sum(1 for h in self.calls if f(h))
        return count(lambda h: h["k"] == k), count(lambda h: h["new"] == c["route"]), count(lambda h: h["delete"]), count(lambda h: h["retry"])


def latest_finals(runs):
    """The most that was reached within each run, each agent's runs one after another by id."""
    out = []
    for agent in sorted({r["agent"] for r in runs}):
        actor = Latest()
        for r in sorted((r for r in runs if r["agent"] == agent), key=lambda r: r["id"]):
            rows = [(c["route"],) + actor.add(c, x[3]) for c, x in zip(r["calls"], counts(r))]
            out.append(dict(group=r["group"], agent=agent, identical=max(x[1] for x in rows), deletions=max(x[3] for x in rows), retries=max(x[4] for x in rows),
                            fresh={e: max(x[2] for x in rows if x[0] == e) for e in {x[0] for x in rows}}))
    return out


def across(train, runs, group, agent):
    """An actor that makes runs one after another: its four counts' tails at every call, and the highest on the common scale."""
    finals, actor, out = latest_finals(train), Latest(), []
    by = lambda name: [[f[name] for f in finals if keep(f)] for keep in (lambda f: True, lambda f: f["group"] == group, lambda f: f["agent"] == agent)]
    for r in runs:
        for c, x in zip(r["calls"], counts(r)):
            identical, fresh, deletions, retries = actor.add(c, x[3])
            e = c["route"]
            levels = [[v for f in finals for v in f["fresh"].values()], [v for f in finals if f["group"] == group for v in f["fresh"].values()],
                      [f["fresh"][e] for f in finals if f["group"] == group and e in f["fresh"]]]
            v = [minus_log_survival(identical, *by("identical")), minus_log_survival(fresh, *levels), minus_log_survival(deletions, *by("deletions")),
                 minus_log_survival(retries, *by("retries"))]
            out.append(v + [max(3 * L10 * y / at for y, at in zip(v, ACROSS.values()))])
    return out


def shrunk(x, m, v, k):
    own = (x.sum() + k * m) / (len(x) + k)
    return own, (((x - own) ** 2).sum() + k * (v + (own - m) ** 2)) / (len(x) + k)


def route_count(runs, group, agent, route):
    """Mean and standard deviation of the log count of a route in runs that use it; the agent's distance from its peers beside."""
    counts = [(r["group"], r["agent"], e, math.log(n)) for r in runs for e, n in collections.Counter(c["route"] for c in r["calls"]).items()]
    al = np.array([x for *_, x in counts])
    m, v = shrunk(np.array([x for g, _, e, x in counts if (g, e) == (group, route)]), al.mean(), al.var() + .05, 10)
    own = [x - np.mean([y for h, _, f, y in counts if (h, f) == (g, e)]) for g, a, e, x in counts if a == agent]
    return m + sum(own) / (len(own) + 20), max(math.sqrt(v), .45)


class Order:
    """How likely a route is after another: pairs backed off to single calls, the agent's to its peers'."""

    def __init__(self, runs):
        self.single, self.total, self.pairs = collections.Counter(), collections.Counter(), collections.Counter()
        for r in runs:
            routes = [c["route"] for c in r["calls"]]
            for who in (("g", r["group"]), ("a", r["agent"])):
                for before, e in zip([None] + routes, routes):
                    self.single[who, e] += 1
                    self.total[who] += 1
                    self.pairs[who, before, e] += 1
                    self.pairs[who, before] += 1
        self.names = {g: {e for who, e in self.single if who == ("g", g)} for g in {r["group"] for r in runs}}

    def step(self, group, agent, before, e):
        g, a = ("g", group), ("a", agent)
        p = (self.single[g, e] + 5 / 80) / (self.total[g] + 5)
        p = (self.single[a, e] + 5 * p) / (self.total[a] + 5)
        for who in (g, a):
            if self.pairs[who, before]:
                p = (self.pairs[who, before, e] + 5 * p) / (self.pairs[who, before] + 5)
        q = (self.single[g, e] + .5) / (self.total[g] + .5 * max(1, len(self.names.get(group, ()))) + .5)
        return math.log(.02 + .98 * max(q, 1e-4) / max(p, 1e-6)) if p < q else math.log(.02 + .98 * q / p)


def length_of(runs, group, agent, amount=lambda r: len(r["calls"]), least=.35):
    logs = lambda f: np.log([amount(r) for r in runs if f(r)])
    al = logs(lambda r: True)
    m, v = al.mean(), al.var() + .05
    for x in (logs(lambda r: r["group"] == group), logs(lambda r: r["agent"] == agent)):
        own = (x.sum() + 20 * m) / (len(x) + 20)
        v = (((x - own) ** 2).sum() + 20 * (v + (own - m) ** 2)) / (len(x) + 20)
        m = own
    return m, max(math.sqrt(v), least)


def score(train, rates, run):
    w, top = {s[0]: 0. for s in STATISTICS}, {s[0]: 0. for s in STATISTICS}
    mean, sd = length_of(train, run["group"], run["agent"])
    bytes_of = length_of(train, run["group"], run["agent"], lambda r: sum(c["bytes"] for c in r["calls"]) + 1, .6)
    writes_of = length_of(train, run["group"], run["agent"], lambda r: sum(c["write"] for c in r["calls"]) + 1)
    tail = lambda x, of: -norm.logsf((math.log(x) - of[0]) / of[1])
    given, written, used, on_route, memo = 0, 0, collections.Counter(), 0., {}
    before, w_order, order = None, 0., 0.
    length, rows = 0., []
    group, agent = run["group"], run["agent"]
    repeated = finals_of(train, lambda r: max(seen for _, seen in trials(r)), group, agent)
    distinct_of, switches_of = finals_of(train, lambda r: counts(r)[-1][1], group, agent), finals_of(train, lambda r: counts(r)[-1][2], group, agent)
    tops, rare, used_routes, named = [0.] * 4, 0., set(), set()
    for i, (c, (t, seen)) in enumerate(zip(run["calls"], trials(run))):
        for name, ev, p1, _, _ in STATISTICS:
            if ev not in t:
                continue
            z, hit = t[ev]
            p = rates.rate(run["group"], run["agent"], c["route"], ev, z)
            if hit or p1 < .5:
                p1 = max(p1, min(.99, 1.5 * p))
            if p1 > p:
                w[name] = max(0., w[name] + (math.log(p1 / p) if hit else math.log((1 - p1) / (1 - p))))
            top[name] = max(top[name], w[name])
        new, distinct, switches, _ = counts(dict(run, calls=run["calls"][:i + 1]))[-1]
        now = [minus_log_survival(seen, *repeated), minus_log_survival(new, *fresh_of(train, group, c["route"])),
               minus_log_survival(distinct, *distinct_of), minus_log_survival(switches, *switches_of)]
        tops = [max(a, b) for a, b in zip(tops, now)]
        targets = [r for r in c["resources"] if r not in named]
        if c["write"] and c["route"] not in used_routes:
            peers = [r for r in train if r["group"] == group]
            v = -math.log((sum(any(x["route"] == c["route"] for x in r["calls"]) for r in peers) + .3) / (len(peers) + 1))
            known = {x for r in peers for q in r["calls"] for x in q["resources"]}
            rare += v * (1.5 if targets and targets[0] not in known else 1)
        used_routes.add(c["route"])
        named |= set(c["resources"])
        length = max(length, -norm.logsf((math.log(i + 1) - mean) / sd))
        given, written = given + c["bytes"], written + c["write"]
        used[c["route"]] += 1
        if used[c["route"]] > 1:
            if c["route"] not in memo:
                memo[c["route"]] = route_count(train, run["group"], run["agent"], c["route"])
            on_route = max(on_route, tail(used[c["route"]] - .5, memo[c["route"]]))
        amounts = [float(tail(given + 1, bytes_of)), float(tail(written + 1, writes_of)), float(on_route)]
        w_order = max(0., w_order + ORDER.step(run["group"], run["agent"], before, c["route"]))
        order, before = max(order, w_order), c["route"]
        amounts.append(order)
        others = dict(zip(OTHERS, [tops[0], float(length)] + amounts + [tops[1], tops[2], rare, tops[3]]))
        values = [top[s[0]] for s in STATISTICS] + list(others.values())
        total = max([anchored(top[s[0]], s[3], s[4]) for s in STATISTICS] + [anchored(x, *OTHERS[k], 5 if k == "rare_writes" else 0) for k, x in others.items()])
        rows.append(values + [total])
    return rows


def finals_of(runs, count, group, agent):
    f = [(r["group"], r["agent"], count(r)) for r in runs]
    return [n for *_, n in f], [n for g, _, n in f if g == group], [n for _, a, n in f if a == agent]


FINALS = {}


def fresh_of(runs, group, route):
    if "fresh" not in FINALS:
        FINALS["fresh"] = [(r["group"], e, max([x[0] for x, c in zip(counts(r), r["calls"]) if c["route"] == e])) for r in runs for e in {c["route"] for c in r["calls"]}]
    f = FINALS["fresh"]
    return [n for *_, n in f], [n for g, _, n in f if g == group], [n for g, e, n in f if (g, e) == (group, route)]


def calibration():
    s = np.round(rng.gamma(1.2, 1.1, 900), 6)
    w = rng.choice([.5, 1.], 900)
    s[:3] = [15., 9.5, 8.2]
    order = np.argsort(s, kind="stable")
    v, ww = s[order], w[order]
    n = ww.sum()
    above = np.array([ww[j + 1:].sum() for j in range(len(v))]) / n

    def exceeded(a):
        j = int(np.argmax(above <= a))
        return v[j] if j == 0 else v[j - 1] + (v[j] - v[j - 1]) * np.clip((above[j - 1] - a) / (above[j - 1] - above[j]), 0, 1)

    cut = np.minimum(v, 8)
    u = cut[np.argmax(np.cumsum(ww) >= .97 * n)]
    over = cut > u
    pu, beta = ww[over].sum() / n, ((cut[over] - u) * ww[over]).sum() / ww[over].sum()
    at = [.5, 1., 2., 3., u, 5., 6., 8., 12.]
    p = [float(ww[v >= x].sum() / n) if x <= u else float(pu * np.exp(-(x - u) / beta)) for x in at]
    return dict(scores=s.tolist(), weights=w.tolist(), t5=float(exceeded(.05)), t1=float(exceeded(.01)), u=float(u), beta=float(beta), pu=float(pu),
                trip=max(float(u + beta * math.log(pu / .001)), float(exceeded(.01)) + .2), at=[float(x) for x in at], p=p)


def wilson():
    """Roots of (p̂ − p)² = z²·p(1 − p)/n, found as the polynomial's."""
    z, out = norm.ppf(.975), []
    for k, n in [(0, 10), (1, 10), (3, 1000), (50, 100), (100, 100), (7, 3726)]:
        q = k / n
        low, high = sorted(np.roots([1 + z * z / n, -(2 * q + z * z / n), q * q]).real)
        out.append([k, n, float(max(low, 0)), float(high)])
    return out


STRANGER_RATE = dict(repeat=.16, retry=.0035, delete=.01)
LLR = lambda p, p1: math.log(p1 / p)
STRANGER = dict(repeats=(5.8 * LLR(.16, .98), 11.8 * LLR(.16, .98)), identical_calls=(4.5, 8.5), new_calls_on_route=(9.5, 12.5),
                deletions=(1.3 * LLR(.01, .5), 2.4 * LLR(.01, .5)), failing_retries=(1.9 * LLR(.0035, .9), 3.4 * LLR(.0035, .9)),
                failing_retries_slow=(12, 30), bytes_out=(9, 11.5), distinct_calls=(8, 15))
EVIDENCE = ("errors", "new_resources", "new_resources_slow", "unusual_order", "changes_of_route", "rare_writes")
ANCHORS = {s[0]: s[3:] for s in STATISTICS} | OTHERS


def scale(name):
    """What a stranger adds to a CUSUM is multiplied so that its second anchor is that of known agents."""
    return ANCHORS[name][1] / STRANGER[name][1] if name in STRANGER else 1


CUSUMS = [s[0] for s in STATISTICS]


def on_scale(name, x, strange):
    t1, t01 = STRANGER.get(name, ANCHORS[name]) if strange else ANCHORS[name]
    by = scale(name) if strange and name in CUSUMS else 1
    v = anchored(x, t1 * by, t01 * by, 5 if name == "rare_writes" else 0)
    return min(v, 1.25 * L10) if strange and name in EVIDENCE else v


def limited(name, x, strange):
    """Evidence of strangers stays at 1.25 decades on the scale of known agents, which the next baseline may put the run on."""
    if not strange or name not in EVIDENCE:
        return x
    t1 = ANCHORS[name][0]
    return min(x, 5 + .25 * (t1 - 5) if name == "rare_writes" else 1.25 / 2 * t1)


def between_populations(runs, amount, least):
    """Mean and standard deviation of a log amount in a population that is not among the runs': moments within and between groups."""
    logs = [np.log([amount(r) for r in runs if r["group"] == g]) for g in sorted({r["group"] for r in runs})]
    means = np.array([x.mean() for x in logs])
    n = len(means)
    between = (3 * math.log(2) ** 2 + ((means - means.mean()) ** 2).sum()) / (2 + n)
    return means.mean(), max(math.sqrt(np.mean([x.var() for x in logs]) + between * (1 + 1 / n)), least)


def score_by_class(train, rates, order, run):
    """Like score, with strangers: agents of fewer than 20 runs whose group has fewer than 100. At a call of others to an API that
    fewer than 20 runs of their group used, only repeats, retries, deletions and identical calls count as on any API, and the
    new calls on that route by the fixed anchors of strangers. A group of which no API is known knows them all."""
    group, name = run["group"], run["agent"]
    peers = [r for r in train if r["group"] == group]
    strange = sum(r["agent"] == name for r in train) < 20 and len(peers) < 100
    callers = collections.Counter(a for r in peers for a in {c["api"] for c in r["calls"] if c.get("api")})
    apis = {a for a, runs in callers.items() if runs >= 20}
    sizes_of = dict(calls=(lambda r: len(r["calls"]), .35), bytes_out=(lambda r: sum(c["bytes"] for c in r["calls"]) + 1, .6),
                    writes=(lambda r: sum(c["write"] for c in r["calls"]) + 1, .35))
    amounts = {k: (length_of(train, group, name, *of), between_populations(train, *of)) for k, of in sizes_of.items()}
    fresh = [(r["group"], e, max([x[0] for x, c in zip(counts(r), r["calls"]) if c["route"] == e])) for r in train for e in {c["route"] for c in r["calls"]}]
    finals = dict(identical_calls=finals_of(train, lambda r: max(seen for _, seen in trials(r)), group, name),
                  distinct_calls=finals_of(train, lambda r: counts(r)[-1][1], group, name), changes_of_route=finals_of(train, lambda r: counts(r)[-1][2], group, name))
    top = dict.fromkeys([s[0] for s in STATISTICS] + list(OTHERS), 0.)
    w, w_order, before, total, rows = dict.fromkeys(top, 0.), 0., None, 0., []
    used, named, given, written, most, most_new = collections.Counter(), set(), 0, 0, 0, 0
    known = {x for r in peers for q in r["calls"] for x in q["resources"]}
    tail = lambda x, of: float(-norm.logsf((math.log(x) - of[0]) / of[1]))
    for i, (c, (t, seen), (new, distinct, switches, _)) in enumerate(zip(run["calls"], trials(run), counts(run))):
        e = c["route"]
        new_api = not strange and bool(apis) and c["api"] not in apis
        raised, fixed = {}, 0.

        def reach(stat, x):
            raised[stat] = top[stat] = limited(stat, max(top[stat], x), strange)

        for stat, ev, p1, _, _ in STATISTICS:
            if ev not in t or new_api and stat in EVIDENCE:
                continue
            z, hit = t[ev]
            p = STRANGER_RATE[ev] if strange and ev in STRANGER_RATE else rates.rate(group, name, e, ev, z)
            if hit or p1 < .5:
                p1 = max(p1, min(.99, 1.5 * p))
            if p1 > p:
                step = math.log(p1 / p) if hit else math.log((1 - p1) / (1 - p))
                w[stat] = limited(stat, max(0., w[stat] + (scale(stat) if strange else 1) * step), strange)
            reach(stat, w[stat])
        most, most_new = max(most, seen), max(most_new, new)
        if not strange:
            reach("identical_calls", minus_log_survival(seen, *finals["identical_calls"]))
        if not strange and not new_api:
            levels = [[n for *_, n in fresh], [n for g, _, n in fresh if g == group], [n for g, x, n in fresh if (g, x) == (group, e)]]
            reach("new_calls_on_route", minus_log_survival(new, *levels))
        first_write = c["write"] and not used[e]
        targets = [r for r in c["resources"] if r not in named]
        named |= set(c["resources"])
        used[e] += 1
        given, written = given + c["bytes"], written + c["write"]
        if new_api:
            fixed = anchored(new, *STRANGER["new_calls_on_route"])
            fixed = fixed if fixed >= 2 * L10 else 0.
        else:
            reach("distinct_calls", minus_log_survival(distinct, *finals["distinct_calls"]))
            reach("changes_of_route", minus_log_survival(switches, *finals["changes_of_route"]))
            if first_write:
                v = -math.log((sum(any(x["route"] == e for x in r["calls"]) for r in peers) + .3) / (len(peers) + 1))
                reach("rare_writes", top["rare_writes"] + v * (1.5 if known and targets and targets[0] not in known else 1))
            for stat, x in (("calls", i + 1), ("bytes_out", given + 1), ("writes", written + 1)):
                reach(stat, tail(x, amounts[stat][strange]))
            if used[e] > 1:
                reach("calls_on_route", tail(used[e] - .5, route_count(train, group, name, e)))
            w_order = limited("unusual_order", max(0., w_order + order.step(group, name, before, e)), strange)
            reach("unusual_order", w_order)
        before = e
        now = dict(top)
        if strange:
            now["identical_calls"] = raised["identical_calls"] = min(most, top["repeats"] / (LLR(.16, .98) * scale("repeats")) + .6)
            now["new_calls_on_route"] = raised["new_calls_on_route"] = most_new
        total = max([total, fixed] + [on_scale(k, x, strange) for k, x in raised.items()])
        rows.append([float(f"{x:.12g}") for x in [*now.values(), total]] + [int(strange)])
    return rows


def apart(i, wild=None, group=None, agent=None, change=lambda k, c: c):
    """A run of a generator of its own: the other runs stay what they were."""
    global rng, sizes
    was = rng, sizes
    rng = sizes = strange_rng
    run = make_run(i, wild)
    rng, sizes = was
    calls = [change(k, dict(c, api=c["route"] + 1)) for k, c in enumerate(run["calls"])]
    return dict(run, group=group or run["group"], agent=agent or run["agent"], calls=calls)


train = [make_run(i) for i in range(160)]
test = [make_run(200 + i, w) for i, w in enumerate([None, None, None, "loop", "sweep", "retry", "destroy", "exfil", "flood", "scatter"])]
test[2] = dict(test[2], agent="billing/never-seen", group="billing")
rates = Rates(train)
ORDER = Order(train)
WILD = ["loop", "sweep", "retry", "destroy", "exfil", "flood", "scatter"]
strange_rng = np.random.default_rng(20261129)
away = lambda c: dict(c, route=c["route"] + 50, api=c["route"] + 51)  # to an API that nobody has used
more = [apart(1000 + i, group="billing", agent=f"billing/a{i % 3 * 2}") for i in range(45)]
strangers = [apart(2000 + i, x, "logistics", "logistics/x") for i, x in enumerate([None, None] + WILD)]
strangers += [apart(2100 + i, x, "support", "support/a1") for i, x in enumerate([None, "loop", "retry", "sweep"])]
strangers += [apart(2200 + i, x, "billing", "billing/a0", lambda k, c: away(c) if k % 3 == 1 else c) for i, x in enumerate([None] + WILD)]
strangers += [apart(2300 + i, x, "billing", "billing/a0", lambda k, c: away(c) if k > 6 else c) for i, x in enumerate(WILD)]
strangers += [apart(2400 + i, x, "billing", "billing/a0", lambda k, c: dict(c, route=c["route"] + 20) if k % 4 == 2 else c) for i, x in enumerate([None, "loop"])]
strangers += [apart(2500, "destroy", "billing", "billing/never-seen"), apart(2501, "loop", "", "", lambda k, c: away(c) if k % 2 else c)]
by_class = dict(train=more, test=strangers, scores=[])
z = [-9, -5.1, -5, -1, 0, .5, 3, 5, 10, 29.9, 30, 30.1, 60, 1000]
acquainted = train + more
by_class["scores"] = [score_by_class(acquainted, again, after, r) for again, after in [(Rates(acquainted), Order(acquainted))] for r in strangers]
json.dump(dict(
    train=train, test=test, statistics=[s[0] for s in STATISTICS] + list(OTHERS), across=across(train, test, "billing", "billing/a0"), scores=[score(train, rates, r) for r in test],
    by_class=by_class, tail=[[x, float(-norm.logsf(x))] for x in z], calibration=calibration(), wilson=wilson()), open("reference.json", "w"), separators=(",", ":"))
