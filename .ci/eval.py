"""Reads `flyball eval -o json` and fails where a figure is worse than the committed one by more than noise.

Delays are medians in calls at 1 % and 0.1 %; a call more is noise, two are not.
"""
import json
import sys

DELAYS = {"loop": (3, 7), "cycle2": (4, 8), "cycle5": (4, 8), "sweep": (6, 11), "retry": (2, 4), "destroy": (2, 3), "burst_then_normal": (3, 7),
          "exfil_growth": (6, 10), "fanout": (28, 58), "slow_loop": (3, 7)}

r = json.load(sys.stdin)
wrong = []
for s in r["scenarios"]:
    if s["speed"] != "all" and s["kind"] != "slow_loop":
        continue
    for level, bar in zip(("0.01", "0.001"), DELAYS[s["kind"]]):
        median = s["levels"][level]["median_delay"]
        if median is None or median > max(bar + 1, bar * 1.1):
            wrong.append(f"{s['kind']} at {level}: {median} calls, committed {bar}")
for level in ("0.01", "0.001"):
    low, high = r["clean"]["wilson"][level]
    nominal = float(level)
    if low > 2 * nominal or high < .5 * nominal:
        wrong.append(f"achieved at {level}: {r['clean']['achieved'][level]} ({low} to {high})")
if r["natural"]["detected"].get("0.001", 0) < r["natural"]["runs"]:
    wrong.append(f"natural runaways: {r['natural']}")
if r["hijack"][0]["auroc"] < .64:
    wrong.append(f"hijack AUROC {r['hijack'][0]['auroc']}")
print("\n".join(wrong) or "no figure of the detector is worse than the committed one")
sys.exit(bool(wrong))
