"""Tails of the negative binomial distribution, for season's tests.

-ln P(N >= n) for a mean and a size: by scipy.stats.nbinom.logsf where that is exact, and by mpmath with 60 digits
where SciPy underflows (P below 1e-290), cancels (above 1 - 1e-7) or cannot be told the parameters (its p = size/(size+mean)
rounds to 1 - x with x below 1e-5). Where both are exact they are compared here to 1e-9. Writes nbinom.json: rows of [mean, size, n, -ln P].

    python3 nbinom.py       made with Python 3.11, SciPy 1.17, mpmath 1.3
"""
import json
import math

import mpmath
from scipy.stats import nbinom

mpmath.mp.dps = 60


def exact(mean, size, n):
    """The regularized incomplete beta function by its Gauss series, which converges for any x < 1."""
    m, k = mpmath.mpf(mean), mpmath.mpf(size)
    x = m / (m + k)
    a, b = mpmath.mpf(n), k
    log_front = a * mpmath.log(x) + b * mpmath.log(1 - x) - mpmath.log(a) - (mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b))
    if x < (a + 1) / (a + b + 2):
        return -(log_front + mpmath.log(gauss(a, b, x)))
    y = 1 - x
    log_front = b * mpmath.log(y) + a * mpmath.log(x) - mpmath.log(b) - (mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b))
    return -mpmath.log1p(-mpmath.exp(log_front) * gauss(b, a, y))


def gauss(a, b, x):
    """2F1(a + b, 1; a + 1; x) term by term: all terms are positive."""
    term = total = mpmath.mpf(1)
    i = 0
    while True:
        term *= (a + b + i) * x / (a + 1 + i)
        total += term
        i += 1
        if term < total * mpmath.mpf(10) ** -40:
            return total


rows = []
compared = 0
means = [1e-9, 1e-4, 0.03, 0.5, 1, 2.5, 12, 90, 700, 25000]
sizes = [1e-8, 1e-3, 0.02, 0.3, 1, 4, 60, 5000]
counts = [0, 1, 2, 3, 7, 20, 64, 300, 2000, 20000, 1000000]
for mean in means:
    for size in sizes:
        for n in counts:
            if n == 0:
                rows.append([mean, size, n, 0.0])
                continue
            sf = nbinom.sf(n - 1, size, size / (size + mean))
            if 1e-290 < sf < 1 - 1e-7 and mean > 1e-5 * (mean + size):
                value = -nbinom.logsf(n - 1, size, size / (size + mean))
                if n % 7 == 0 and n <= 300:
                    other = float(exact(mean, size, n))
                    assert abs(other - value) <= 1e-9 * abs(other), (mean, size, n, other, value)
                    compared += 1
            else:
                value = float(exact(mean, size, n))
            assert math.isfinite(value)
            rows.append([mean, size, n, float(value)])
print(len(rows), "values,", compared, "of SciPy compared with mpmath")
json.dump(rows, open("nbinom.json", "w"))
