"""The photon law of THEMIS cameras, measured on real frames; each camera has a multiple of its own of it."""

# Variance of a pixel is GAIN * (count - pedestal) + READ_VARIANCE, in counts^2.
GAIN = 1.68
READ_VARIANCE = 380.0
OFFSET = 100.0  # counts added before logarithms and ratios: about five times the read noise
