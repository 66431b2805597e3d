"""Markers of the study of Turck et al. (2010): outcome after subarachnoid haemorrhage, 113 patients.

The usual worked example of DeLong's test (data "aSAH" of the R package pROC). The first 72 patients had a good outcome,
the last 41 a poor one. One sign a patient: the grade of the World Federation of Neurological Societies, and the rank of
S100 beta in base 36, recovered from the placements that the tests of pROC list.
"""

from __future__ import annotations

import numpy as np

GOOD, POOR = 72, 41

_GRADE = (
    "11115122122111212113414155112411221212211112121132421411542211131224411132455552521254425552525245441442255225555"
)
_S100B = (
    "9a62rd66242573d379d2cal5urc3pr7454296ab225254c54k7h36j32fn6b4a632dbrdbus96c8qvt3k53omsvgvvv3vi15evgv4g967evavjvvq"
)

LABELS = np.repeat([0, 1], [GOOD, POOR])
GRADE, S100B = (np.array([int(sign, 36) for sign in signs], float) for signs in (_GRADE, _S100B))
