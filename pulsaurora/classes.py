"""The four classes, in the order every file, model and table uses."""

CLASSES = ("bad_viewing", "no_aurora", "other_aurora", "pulsating")
BAD_VIEWING, NO_AURORA, OTHER_AURORA, PULSATING = range(4)
