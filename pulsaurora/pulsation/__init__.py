"""Frames to numbers: one row of features a frame."""
