"""Dates parted into those to train on and those to test on, and the former into folds.

Sites share the aurora of a date, so all nights of a date go together.
"""

import numpy as np

from pulsaurora.classes import CLASSES
from pulsaurora.problems import UsageError

LEAST_DATES = 6
# One to test on, and two to train on, since every fold leaves one of them out.
LEAST_DATES_A_CLASS = 3
TEST_SHARE = 0.25
FOLDS = 4
_TRIES = 5000


def split_dates(classes, seed=0):
    """Draw the dates to test on, and part the others into folds.

    Dates are drawn so that every class is among those tested on and in what remains when any fold is left
    out. Nothing else is asked of them.

    Parameters
    ----------
    classes : dict of datetime.date to set of int
        The classes that have frames on each date.
    seed : int

    Returns
    -------
    test : list of datetime.date
        Ascending.
    folds : list of list of datetime.date

    Raises
    ------
    UsageError
        If there are too few dates, or a class is on too few of them.
    """
    refuse_too_few(classes)
    every = set(range(len(CLASSES)))
    dates = sorted(classes)
    n_test = max(2, round(TEST_SHARE * len(dates)))
    n_folds = min(FOLDS, len(dates) - n_test)

    def holds_all(some):
        return set().union(*(classes[date] for date in some)) == every

    rng = np.random.default_rng(seed)
    for _ in range(_TRIES):
        drawn = [dates[index] for index in rng.permutation(len(dates))]
        test, rest = drawn[:n_test], drawn[n_test:]
        folds = [rest[k::n_folds] for k in range(n_folds)]
        if holds_all(test) and all(holds_all([d for d in rest if d not in fold]) for fold in folds):
            return sorted(test), [sorted(fold) for fold in folds]
    raise UsageError(
        f"no {n_test} of {len(dates)} dates can be left out so that every class is among them and among the "
        "others; label more nights"
    )


def refuse_too_few(classes):
    """Raise a UsageError if there are too few dates, or a class is on too few of them.

    Parameters
    ----------
    classes : dict of datetime.date to set of int
        The classes of each date.
    """
    every = set(range(len(CLASSES)))
    dates = sorted(classes)
    on = {label: [date for date in dates if label in classes[date]] for label in every}
    missing = [CLASSES[label] for label in sorted(every) if not on[label]]
    if missing:
        raise UsageError(f"no labelled frame is {' or '.join(missing)}; label some, or name more workbooks")
    if len(dates) < LEAST_DATES:
        raise UsageError(
            f"labelled frames of {len(dates)} dates; at least {LEAST_DATES} are needed to leave whole nights "
            "out"
        )
    rare = [f"{CLASSES[x]} on {len(on[x])}" for x in sorted(every) if len(on[x]) < LEAST_DATES_A_CLASS]
    if rare:
        raise UsageError(
            f"each class must have labelled frames on {LEAST_DATES_A_CLASS} dates or more, to be learned "
            f"from some and tested on others; there is {', '.join(rare)}"
        )
