"""Changes of a file's bytes, as a damaged disk, a cut transfer or an ill will makes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
NUMBERS = (
    b"-1",
    b"0",
    b"1e308",
    b"nan",
    b"inf",
    b"99999999999999999999",
    b"0x10",
    b"",
    b"1.5",
    b"-0.0",
)
WORDS = (
    b"../../../../tmp/endurance-was-here",
    b"/tmp/endurance-was-here",
    b"\x00",
    b"\xff\xfe",
    "\u202e\U0001f4a5".encode(),
    b"!!python/object/apply:os.system ['touch /tmp/endurance-was-here']",
    b"$(touch /tmp/endurance-was-here)",
    b"&lol;",
    b"'\"<>&%s{}[]",
    b" " * 300,
    b"[" * 2000,
    b"A" * 70000,
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
Mutation = Callable[[bytes, np.random.Generator], bytes]


def mutated(content: bytes, rng: np.random.Generator, others: Sequence[bytes] = ()) -> bytes:
    """Return a file's bytes with one to four changes.

    Args:
        content: the file.
        rng: draws the changes.
        others: files of the same kind, whose parts may be taken.
    """
    for _ in range(int(rng.integers(1, 5))):
        text = _is_text(content)
        changes = (*BYTES, *(TEXT if text else BINARY))
        change = changes[int(rng.integers(len(changes)))]
        content = change(content, rng)
        if others and rng.random() < 0.1:
            content = _spliced(content, others[int(rng.integers(len(others)))], rng)
    return content


def _is_text(content: bytes) -> bool:
    head = content[:1000]
    return b"\x00" not in head and sum(byte > 127 for byte in head) < len(head) / 10


def _place(content: bytes, rng: np.random.Generator) -> int:
    """Return an index, half of the time near the start, where headers are."""
    length = max(1, len(content))
    return int(rng.integers(min(length, 128) if rng.random() < 0.5 else length))


def _flip_bits(content: bytes, rng: np.random.Generator) -> bytes:
    array = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        if array:
            array[_place(array, rng)] ^= 1 << int(rng.integers(8))
    return bytes(array)


def _set_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    array = bytearray(content)
    if array:
        start = _place(array, rng)
        count = int(rng.integers(1, 9))
        array[start : start + count] = rng.integers(0, 256, count, dtype=np.uint8).tobytes()
    return bytes(array)


def _truncate(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content) + 1))]


def _drop_middle(content: bytes, rng: np.random.Generator) -> bytes:
    start = _place(content, rng)
    return content[:start] + content[start + int(rng.integers(1, max(2, len(content) // 4))) :]


def _repeat(content: bytes, rng: np.random.Generator) -> bytes:
    start = _place(content, rng)
    part = content[start : start + int(rng.integers(1, max(2, min(4096, len(content)))))]
    return content[:start] + part * int(rng.integers(2, 20)) + content[start:]


def _zeros(content: bytes, rng: np.random.Generator) -> bytes:
    start, count = _place(content, rng), int(rng.integers(1, 513))
    return content[:start] + bytes(min(count, len(content) - start)) + content[start + count :]


def _append(content: bytes, rng: np.random.Generator) -> bytes:
    return content + rng.integers(0, 256, int(rng.integers(1, 200)), dtype=np.uint8).tobytes()


def _number_of_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Write an integer that is often a limit, of 1, 2, 4 or 8 bytes, in either order."""
    size = int(rng.choice((1, 2, 4, 8)))
    value = INTERESTING[int(rng.integers(len(INTERESTING)))] & ((1 << 8 * size) - 1)
    start = _place(content, rng)
    written = value.to_bytes(size, "little" if rng.random() < 0.7 else "big")
    return content[:start] + written + content[start + size :]


def _text_number(content: bytes, rng: np.random.Generator) -> bytes:
    found = list(_NUMBER.finditer(content[:200_000]))
    if not found:
        return _insert_word(content, rng)
    match = found[int(rng.integers(len(found)))]
    number = NUMBERS[int(rng.integers(len(NUMBERS)))]
    return content[: match.start()] + number + content[match.end() :]


def _insert_word(content: bytes, rng: np.random.Generator) -> bytes:
    start = _place(content, rng)
    return content[:start] + WORDS[int(rng.integers(len(WORDS)))] + content[start:]


def _swap_words(content: bytes, rng: np.random.Generator) -> bytes:
    words = re.split(rb"(\W+)", content)
    if len(words) < 5:
        return content
    one, other = (2 * int(rng.integers((len(words) + 1) // 2)) for _ in range(2))
    words[one], words[other] = words[other], words[one]
    return b"".join(words)


def _drop_line(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.splitlines(keepends=True)
    if lines:
        del lines[int(rng.integers(len(lines)))]
    return b"".join(lines)


def _replace_line(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.splitlines(keepends=True)
    if lines:
        lines[int(rng.integers(len(lines)))] = WORDS[int(rng.integers(len(WORDS)))] + b"\n"
    return b"".join(lines)


def _spliced(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    start, place = _place(content, rng), _place(other, rng)
    return content[:start] + other[place : place + int(rng.integers(1, 2048))] + content[start:]


BYTES: tuple[Mutation, ...] = (_flip_bits, _set_bytes, _truncate, _drop_middle, _repeat, _zeros, _append)
BINARY: tuple[Mutation, ...] = (_number_of_bytes, _number_of_bytes)
TEXT: tuple[Mutation, ...] = (
    _text_number,
    _text_number,
    _insert_word,
    _swap_words,
    _drop_line,
    _replace_line,
)
