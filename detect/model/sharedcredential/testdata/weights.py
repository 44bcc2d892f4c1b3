"""Weights of the model's bins, by numpy and scipy.optimize.isotonic_regression, and
conformal p-values of its tails: what the Go code is checked against.

    python3 weights.py ../model.json > weights.json        (made with SciPy 1.17.1)
"""
import json
import sys

import numpy as np
from scipy.optimize import isotonic_regression

CAP, SHRINK = np.log(5), 8
DIRECTION = {"repeats": 1, "answer_sizes": -1, "request_sizes": -1, "errors": 1, "assets": -1, "pace": -1}


def weights(name, sets):
    ratios, masses = [], []
    for c in sets.values():
        h, m = np.array(c["humans"], float), np.array(c["machines"], float)
        pool = (h / h.sum() + m / m.sum()) / 2
        a, b = m + SHRINK * pool, h + SHRINK * pool
        with np.errstate(divide="ignore", invalid="ignore"):
            r = np.log(a / (m.sum() + SHRINK)) - np.log(b / (h.sum() + SHRINK))
            r = np.sign(r) * np.maximum(0, np.abs(r) - np.sqrt(1 / a + 1 / b))
        ratios.append(np.where(pool > 0, r, 0))
        masses.append(pool)
    d = DIRECTION[name]
    y = isotonic_regression(np.mean(ratios, axis=0) * d, weights=np.mean(masses, axis=0) + 1e-9).x
    return np.clip(y * d, -CAP, CAP).tolist()


def p(counts, score):
    edges = -4 * CAP + .1 * np.arange(len(counts))
    at = np.searchsorted(edges, score, "right") - 1
    return (1 + int(np.sum(counts[max(at, 0):]))) / (1 + int(np.sum(counts)))


model = json.load(open(sys.argv[1]))
scores = [-9, -2.345, -.01, 0, .777, 1.23, 2.222, 6.4, 60]
json.dump({
    "weights": {k: weights(k, v) for k, v in model["counts"].items()},
    "scores": scores,
    "p": {k: [p(t["counts"], s) for s in scores] for k, t in model["tails"].items()},
}, sys.stdout, indent=1)
