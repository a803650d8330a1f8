"""The lines of a C library stay off the standard output, and no other lines do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gluon_yolo.inference.runtimes import quiet
from tests.child import ROOT

TALK = """
import ctypes, logging, os, sys, threading
from gluon_yolo.inference.runtimes import quiet
libc = ctypes.CDLL(None)
before = sys.stdout
print("buffered before", end="; ")
with quiet.output_kept():
    libc.puts(b"The device supports: i8sdot:0, fp16:0")  # which C holds back until it is flushed
    os.write(1, b"CPU Group: [ 0  1 ]\\n")
    libc.puts(b"Error: no memory")
    threads = [threading.Thread(target=print, args=(f"thread {n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    with quiet.output_kept():
        print("inside")
        libc.puts(b"The device supports: all")
    print("kept stream", file=before)
    print("last", end="")
print("; after")
os.system("echo child")
libc.puts(b"C once more")
"""


def run(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, **options
    )


@pytest.mark.skipif(sys.platform == "win32", reason="C's library is called otherwise there")
def test_only_the_library_is_silenced():
    done = run(TALK)
    assert done.stdout.splitlines() == [
        *("buffered before; thread 0", "thread 1", "inside", "last; after", "child", "C once more")
    ]
    assert sorted(done.stderr.splitlines()) == ["Error: no memory", "kept stream"]


def test_what_is_printed_is_encoded_as_before():
    code = (
        "from gluon_yolo.inference.runtimes import quiet\n"
        "with quiet.output_kept():\n    print('\\u00fc\\u732b')"
    )
    done = run(code, env={**os.environ, "PYTHONIOENCODING": "ascii:backslashreplace"})
    assert done.stdout == "\\xfc\\u732b\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no shell")
def test_a_closed_standard_output():
    code = "from gluon_yolo.inference.runtimes import quiet\nwith quiet.output_kept():\n    pass"
    words = f'{sys.executable} -c "{code}" >&-'
    subprocess.run(words, shell=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_an_error_goes_through_and_the_output_is_back(capfd):
    with pytest.raises(ValueError, match="inside"), quiet.output_kept():
        os.write(1, b"The device supports: nothing\n")
        raise ValueError("inside")
    os.write(1, b"back\n")
    assert capfd.readouterr() == ("back\n", "")
