"""−ln P(Z > z) of the standard normal with 60 digits, from next to certain to next to impossible.

    python3 tails.py          made with Python 3.11 and mpmath 1.3
"""
import json

import mpmath as mp

mp.mp.dps = 60
Z = [-40, -38.5, -30, -9, -5.0001, -4.9999, -3, -1, -1e-300, 0, 1e-300, 1e-17, .5, 1, 3, 5, 8.2, 8.3, 10, 20, 29.999, 30.001, 37, 38.5, 40, 100, 1e4, 1e8, 1e100, 1e150]
far = lambda z: mp.erfc(mp.mpf(abs(z)) / mp.sqrt(2)) / 2
log_tail = lambda z: mp.log1p(-far(z)) if z < 0 else mp.log(far(z)) if z < 200 else -mp.mpf(z) ** 2 / 2 - mp.log(z) - mp.log(2 * mp.pi) / 2 + mp.log(1 - 1 / mp.mpf(z) ** 2 + 3 / mp.mpf(z) ** 4)
json.dump([[z, float(-log_tail(z))] for z in Z], open("tails.json", "w"))
