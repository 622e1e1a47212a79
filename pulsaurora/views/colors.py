"""The colour of each class, in every picture.

From the palette of Okabe and Ito, which people with any kind of colour vision tell apart; they differ
in lightness as well, for prints without colour.
"""

from pulsaurora.classes import CLASSES

CLASS_COLORS = dict(zip(CLASSES, ("#999999", "#0072B2", "#009E73", "#E69F00"), strict=True))
CLASS_TITLES = {name: name.replace("_", " ") for name in CLASSES}
