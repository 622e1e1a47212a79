"""Builds the compiled kernels of pulsaurora._core; everything else is in pyproject.toml."""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

CORE = Path("pulsaurora/_core")

# One extension a .pyx file, named after it. Kernels must give the same bits on every machine,
# so no -march=native and no fast-math: contraction into FMA would change rounding. Python's own flags have
# -fwrapv, with which computed places may wrap round and loops over them are not vectorised: nothing needs it.
if sys.platform == "win32":
    compile_args, link_args = ["/O2"], []
else:
    compile_args = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fno-wrapv"]
    link_args = []

# PULSAURORA_SANITIZE=1 builds the kernels under address and undefined-behaviour sanitizers (`make asan`).
if os.environ.get("PULSAURORA_SANITIZE"):
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
    compile_args = ["-O1", "-g", "-ffp-contract=off", *sanitize]
    link_args = sanitize

extensions = [
    Extension(
        f"pulsaurora._core.{source.stem}",
        [source.as_posix()],
        include_dirs=[CORE.as_posix()],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )
    for source in sorted(CORE.glob("_*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        language_level=3,
        compiler_directives={
            "boundscheck": False,
            "wraparound": False,
            "initializedcheck": False,
            "cdivision": True,
            "freethreading_compatible": True,
        },
    ),
)
