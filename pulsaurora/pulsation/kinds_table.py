import numpy as np

MEANS, SCALES = np.zeros(16), np.ones(16)
WEIGHTS, INTERCEPTS = np.zeros((4, 16)), np.array([-1.0, 0.0, -1.0, -1.0])
FITTED = "none"
