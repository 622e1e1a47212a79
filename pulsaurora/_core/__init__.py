"""Compiled kernels over arrays: no files, no printing, no defaults."""
