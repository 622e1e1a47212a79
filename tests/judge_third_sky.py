"""Judge a model on the third sky: scores, confusers and calibration, printed as measured.

    python tests/judge_third_sky.py [--model FILE] [--clips N] [--seed K] [--json FILE]

An aid to development, for the training simulator was widened by what this sky showed.
Figures are given twice: of all frames, and of those on whose label people would agree.
Clips have no place, so the model is not told where the sun and moon are. The same
arguments give the same figures.
"""

import sys

import third_sky
from judge_sky import Sky, main

SKY = Sky(third_sky.SCENES, third_sky.CONFUSERS, third_sky.UNSURE, third_sky.make_clip)

if __name__ == "__main__":
    sys.exit(main(SKY, __doc__))
