import platform
import subprocess
import sys

import pytest

from evo_snn.allocator import keep_freed_memory

PROGRAM = """
import resource, sys
from evo_snn.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
for _ in range(20):
    block = bytearray(64 << 20)  # larger than what glibc ever keeps by itself
    block[::4096] = b"1" * len(block[::4096])
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="another C library has another allocator"
)


def page_faults(how):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], check=True, capture_output=True, text=True
    )
    return int(ran.stdout)


def test_memory_that_was_freed_is_taken_again_without_page_faults():
    """20 blocks of 16,384 pages: all but the first are there already."""
    assert page_faults("kept") < page_faults("plain") - 10 * 16_384


def test_it_says_whether_it_could(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert not keep_freed_memory()
