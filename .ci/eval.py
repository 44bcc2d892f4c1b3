"""Compares `flyball eval` on the development data with the committed figures, both views.

    python3 .ci/eval.py ../shared/data             fails where a figure is worse by more than noise
    python3 .ci/eval.py ../shared/data --write     commits the figures of today to cmd/internal/tools/bench/eval.json

It also leaves out each peer group (strangers) and agents within their groups, and lets populations grow that nobody has learned (--growth).

Noise: a call more at the median, three or a quarter more at the 90 % point; rates are compared with their nominal
ones (the Wilson interval must meet half to twice of it), shares with 2 points of a hundred.
"""
import json
import os
import subprocess
import sys

FILE = "cmd/internal/tools/bench/eval.json"


# Most clean runs of strangers that may alarm, all groups together, and most of a group by the lower end of Wilson's interval.
STRANGERS = {"0.01": (.02, .05), "0.001": (.003, .005)}


def delays(scenarios):
    return {s["kind"]: {a: [d["median_delay"], d["p90_delay"]] for a, d in s["levels"].items()}
            for s in scenarios if s["speed"] == "all" or s["kind"] == "slow_loop"}


def rates(r):
    return {k: r[k] for k in ("runs", "achieved", "wilson", "families", "families_0.001") if k in r}


def figures(data, view):
    r = json.loads(subprocess.run([os.environ.get("FLYBALL", "bin/flyball"), "eval", "--cv", data, "--view", view, "--growth", "-o", "json"], check=True, capture_output=True).stdout)
    f = {"achieved": r["clean"]["achieved"], "wilson": r["clean"]["wilson"], "actor_false_alarms_per_1000": r["clean"]["actor_false_alarms_per_1000"],
         "natural": {k: v / r["natural"]["runs"] for k, v in r["natural"]["detected"].items()}, "delays": delays(r["scenarios"]), "actor": {}, "hijack": {}}
    for e in r["evasion"]:
        if e["way"] != "pad3":
            f["actor"][e["kind"] + " " + e["way"]] = [e["actor"]["median_delay"], e["actor"]["detected"]]
    for h in r["hijack"]:
        f["hijack"][h["scope"]] = {"auroc": h["auroc"]} if "auroc" in h else {k: h["rule"][k] for k in ("recall", "on_time", "fpr", "fpr_ignored")}
    f["known"] = {k: rates(v) for k, v in r["clean"]["by_acquaintance"].items()}
    f["sets"] = {"known agents": r["clean"]["by_acquaintance"]["known_agent"]["wilson_by_set"], "new agents": r["new_agents"]["wilson_by_set"]}
    f["new_agents"] = rates(r["new_agents"])
    s = r["strangers"]
    f["strangers"] = {**rates(s), "groups": {k: rates(v) for k, v in s["groups"].items()}, "delays": delays(s["scenarios"])}
    f["growth"] = {"by_acquaintance": r["growth"]["by_acquaintance"], "changes": r["growth"]["changes"]}
    f["poisoning_auroc_lost"] = r["poisoning"]["0.05"]["auroc_lost"]
    return f


def never(x):
    return 10**6 if x is None else x


def worse(now, then, view):
    for level, (low, high) in now["wilson"].items():
        if low > 2 * float(level) or high < .5 * float(level):
            yield f"{view}: achieved at {level}: {now['achieved'][level]} ({low} to {high})"
    if now["actor_false_alarms_per_1000"] > 1:
        yield f"{view}: actors alarm {now['actor_false_alarms_per_1000']} times in 1,000 clean runs"
    for level, share in then["natural"].items():
        if now["natural"][level] < share:
            yield f"{view}: natural runaways at {level}: {now['natural'][level]}, committed {share}"
    for kind, levels in then["delays"].items():
        for level, (median, p90) in levels.items():
            m, p = now["delays"][kind][level]
            if never(m) > never(median) + 1 or never(p) > max(never(p90) + 3, never(p90) * 1.25):
                yield f"{view}: {kind} at {level}: {m} ({p}) calls, committed {median} ({p90})"
    for kind, (_, detected) in then["actor"].items():
        if now["actor"][kind][1] < detected - .05:
            yield f"{view}: {kind}, seen by actor: {now['actor'][kind][1]}, committed {detected}"
    for scope, figures_ in then["hijack"].items():
        for name, value in figures_.items():
            sign = -1 if name.startswith("fpr") else 1
            if sign * (now["hijack"][scope][name] - value) < -.02:
                yield f"{view}: hijack, {scope}, {name}: {now['hijack'][scope][name]}, committed {value}"
    yield from worse_strangers(now, then, view)
    if now["poisoning_auroc_lost"] > max(.02, then["poisoning_auroc_lost"] + .005):
        yield f"{view}: poisoning costs {now['poisoning_auroc_lost']} AUROC, committed {then['poisoning_auroc_lost']}"


def meets(wilson, level, least, most):
    return wilson[0] <= most * float(level) and wilson[1] >= least * float(level)


def worse_strangers(now, then, view):
    s, before = now["strangers"], then["strangers"]
    for level, (most, worst) in STRANGERS.items():
        if s["achieved"][level] > most:
            yield f"{view}: strangers alarm at {level}: {s['achieved'][level]}, limit {most}"
        for name, group in s["groups"].items():
            low, committed = group["wilson"][level][0], before["groups"].get(name, group)["wilson"][level][0]
            if low > max(worst, committed * 1.1):
                yield f"{view}: strangers {name} alarm at {level}: at least {low}, limit {worst}, committed {committed}"
        if not meets(now["new_agents"]["wilson"][level], level, .5, 2):
            yield f"{view}: new agents alarm at {level}: {now['new_agents']['wilson'][level]}"
    for kind, levels in before["delays"].items():
        for level, (median, _) in levels.items():
            m = s["delays"][kind][level][0]
            # The routes of a stranger are evidence only: its fan-out is found late, by its length.
            if never(m) > max(never(median) + 1, 1.25 * never(median) if kind == "fanout" else 0):
                yield f"{view}: {kind} of strangers at {level}: {m} calls, committed {median}"
    for who, sets in now["sets"].items():
        for name, wilson in sets.items():
            if not meets(wilson["0.01"], "0.01", .5, 2.5):
                yield f"{view}: {who} of {name} alarm at 0.01: {wilson['0.01']}"
    for change, c in now["growth"]["changes"].items():
        if c["storm"]:
            yield f"{view}: a change of the baseline is a storm, {change}: {c}"
        trips, committed = (x["rises"].get("0.001", 0) / max(x["runs"], 1) for x in (c, then["growth"]["changes"].get(change, c)))
        if trips > committed + .003:
            yield f"{view}: {change}: {trips:.4f} of the runs rise to 0.001, committed {committed:.4f}"


data = sys.argv[1]
now = {view: figures(data, view) for view in ("gateway", "full")}
if "--write" in sys.argv:
    with open(FILE, "w") as f:
        json.dump(now, f, indent=1, sort_keys=True)
        f.write("\n")
    sys.exit()
with open(FILE) as f:
    then = json.load(f)
wrong = [line for view in now for line in worse(now[view], then[view], view)]
print("\n".join(wrong) or "no figure of the detector is worse than the committed one")
sys.exit(bool(wrong))
