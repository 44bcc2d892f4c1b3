"""Compares `flyball eval` on the development data with the committed figures, both views.

    python3 .ci/eval.py ../shared/data             fails where a figure is worse by more than noise
    python3 .ci/eval.py ../shared/data --write     commits the figures of today to cmd/internal/tools/bench/eval.json

Noise: a call more at the median, three or a quarter more at the 90 % point; rates are compared with their nominal
ones (the Wilson interval must meet half to twice of it), shares with 2 points of a hundred.
"""
import json
import os
import subprocess
import sys

FILE = "cmd/internal/tools/bench/eval.json"


def figures(data, view):
    r = json.loads(subprocess.run([os.environ.get("FLYBALL", "bin/flyball"), "eval", "--cv", data, "--view", view, "-o", "json"], check=True, capture_output=True).stdout)
    f = {"achieved": r["clean"]["achieved"], "wilson": r["clean"]["wilson"], "actor_false_alarms_per_1000": r["clean"]["actor_false_alarms_per_1000"],
         "natural": {k: v / r["natural"]["runs"] for k, v in r["natural"]["detected"].items()}, "delays": {}, "actor": {}, "hijack": {}}
    for s in r["scenarios"]:
        if s["speed"] == "all" or s["kind"] == "slow_loop":
            f["delays"][s["kind"]] = {a: [d["median_delay"], d["p90_delay"]] for a, d in s["levels"].items()}
    for e in r["evasion"]:
        if e["way"] != "pad3":
            f["actor"][e["kind"] + " " + e["way"]] = [e["actor"]["median_delay"], e["actor"]["detected"]]
    for h in r["hijack"]:
        f["hijack"][h["scope"]] = {"auroc": h["auroc"]} if "auroc" in h else {k: h["rule"][k] for k in ("recall", "on_time", "fpr", "fpr_ignored")}
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
    if now["poisoning_auroc_lost"] > max(.02, then["poisoning_auroc_lost"] + .005):
        yield f"{view}: poisoning costs {now['poisoning_auroc_lost']} AUROC, committed {then['poisoning_auroc_lost']}"


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
