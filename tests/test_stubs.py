"""What editors and type checkers are told of the compiled kernels is what those take."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import pulsaurora._core

CORE = Path(pulsaurora._core.__file__).parent
KERNELS = sorted(path.stem for path in CORE.glob("*.pyx"))


def taken(module):
    """Names of the arguments of each public function that a kernel module defines."""
    return {
        name: list(inspect.signature(found).parameters)
        for name, found in vars(module).items()
        if not name.startswith("_") and type(found).__name__ == "cython_function_or_method"
    }


def told(path):
    """The same as a stub has them."""
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert not any(node.args.posonlyargs or node.args.kwonlyargs for node in functions)
    return {node.name: [argument.arg for argument in node.args.args] for node in functions}


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_stub_is_what_its_kernel_takes(kernel):
    functions = taken(importlib.import_module(f"pulsaurora._core.{kernel}"))
    stub = CORE / f"{kernel}.pyi"
    if not functions:
        assert not stub.exists()
        return
    assert told(stub) == functions


def test_every_stub_has_its_kernel():
    assert {path.stem for path in CORE.glob("*.pyi")} <= set(KERNELS)
