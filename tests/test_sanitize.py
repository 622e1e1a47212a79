"""A short run of the sanitized kernels; `make asan` is the long one."""

import subprocess
import sys
from pathlib import Path

import pytest
import sanitize


def test_reading_damaged_files_under_sanitizers():
    try:
        sanitize.sanitizer_library()
    except RuntimeError as error:
        pytest.skip(str(error))
    command = [sys.executable, str(Path(sanitize.__file__)), "--only", "reading", "--iterations", "400"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-4000:]
    assert "reading: 400 inputs" in result.stdout and "nothing to report" in result.stdout
