"""Judge a model on the second sky: scores, confusers, calibration and honesty, printed as measured.

    python tests/judge_second_sky.py [--model FILE] [--clips N] [--seed K] [--no-position] [--json FILE]

Every frame of every clip counts, those at its ends too. The sun and moon stand
where each clip's place and time put them, and the model is told the place
unless --no-position is given. The same arguments give the same figures.
"""

import sys
import zlib

import numpy as np
import second_sky
from judge_sky import Sky, main


def make_clip(scene, seed):
    """A clip at a place drawn from its scene and seed, when sun and moon suit the scene."""
    rng = np.random.default_rng([seed, zlib.crc32(scene.encode()), 7])
    latitude, longitude = rng.uniform(53, 67), rng.uniform(-150, -60)
    return second_sky.make_clip(
        scene,
        seed,
        start=second_sky.start_for(scene, seed, latitude, longitude),
        latitude=latitude,
        longitude=longitude,
    )


SKY = Sky(second_sky.SCENES, second_sky.CONFUSERS, second_sky.UNSURE, make_clip)

if __name__ == "__main__":
    sys.exit(main(SKY, __doc__, has_places=True))
