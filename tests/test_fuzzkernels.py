"""A short run of coverage-guided fuzzing; `make fuzz-kernels` is the long one."""

from pathlib import Path

import fuzzkernels
import planted
import pytest

KERNEL = Path(__file__).resolve().parents[1] / "pulsaurora/_core/_pgm.pyx"


@pytest.fixture(scope="module")
def clang():
    try:
        return fuzzkernels.compiler()
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", planted.PLANTED)
def test_each_fault_can_still_be_planted(name):
    old, new = planted.PLANTED[name]
    assert KERNEL.read_text().count(old) == 1 and old != new


def test_the_small_geometry_is_still_the_kernels():
    text = KERNEL.read_text()
    assert all(text.count(old) == 1 for old in fuzzkernels.SMALLER)


def test_a_short_run_finds_nothing_and_reaches_the_kernel(clang, tmp_path):
    for name in ("corpus", "seeds"):
        (tmp_path / name).mkdir()
    dictionary = fuzzkernels.write_seeds(tmp_path / "seeds")
    program = fuzzkernels.build(clang, tmp_path)
    result = fuzzkernels.run(program, tmp_path / "corpus", tmp_path / "seeds", dictionary, 5)
    assert not fuzzkernels.fault(result), result.stderr[-4000:]
    told = fuzzkernels.tell(result)
    reached, edges = (int(word) for word in told.partition("reached ")[2].split()[:3:2])
    assert 0.3 * edges < reached < edges, told


def test_a_fault_that_is_planted_is_found(clang, tmp_path):
    name = "line end, byte before the file"
    ((found, said, _),) = fuzzkernels.find_planted(clang, {name: planted.PLANTED[name]}, tmp_path)
    assert found == name and "heap-buffer-overflow" in said
