"""How sure a verdict is: the error of either end of an interval, and the power of a test set."""

import math

ALPHA = 0.025
POWER = 0.8
# More than anybody has: where more were needed, no number of rows would do.
MOST_ROWS = 10**9


def two_digits_up(rows: float) -> int:
    """A number of rows, rounded up to two digits: it is an estimate."""
    whole = math.ceil(rows)
    unit = int(10 ** max(0, len(str(whole)) - 2))
    return -(-whole // unit) * unit
