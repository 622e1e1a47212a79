"""A synthetic sky and camera, for the demo, the tests and the embedded model."""
