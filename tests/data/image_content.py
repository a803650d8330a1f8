"""Image files made byte by byte: with EXIF, and with all sample formats."""

from __future__ import annotations

import struct
import zlib

import cv2

TIFF_TYPES = {"u": 1, "i": 2, "f": 3}  # SampleFormat
TAG_ORIENTATION, TAG_SUBFILE = 274, 254


def exif(orientation, order="<", kind="H"):
    """Return EXIF data with an orientation only."""
    value = struct.pack(f"{order}{kind}", orientation).ljust(4, b"\0")
    code = {"B": 1, "H": 3, "I": 4}[kind]
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(f"{order}HIHHHI", 42, 8, 1, TAG_ORIENTATION, code, 1) + value + bytes(4)


def encoded(suffix, rgb, *options):
    """Return OpenCV's encoding of (H, W, 3) RGB or of grey (H, W)."""
    image = rgb[:, :, ::-1] if rgb.ndim == 3 else rgb
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


def jpeg(rgb, exif_data=None, jfif=True):
    data = encoded(".jpg", rgb, cv2.IMWRITE_JPEG_QUALITY, 100)
    end_of_jfif = 4 + int.from_bytes(data[4:6], "big")
    segment = b""
    if exif_data is not None:
        body = b"Exif\0\0" + exif_data
        segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return data[: end_of_jfif if jfif else 2] + segment + data[end_of_jfif:]


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(samples, depth=8, colours=2, before=b"", after=b""):
    """Return a PNG of samples (H, W, ...) uint8 or uint16, with chunks before and after its pixels."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2" if depth == 16 else "u1").reshape(height, -1)
    raw = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", raw) + after + chunk(b"IEND", b"")


def webp(rgb, exif_data=None, animated=0):
    """Return a lossless WebP; with EXIF or frames, in the extended form."""
    simple = encoded(".webp", rgb, cv2.IMWRITE_WEBP_QUALITY, 101)
    if exif_data is None and not animated:
        return simple
    body = simple[12:]
    flags = (8 if exif_data else 0) | (2 if animated else 0)
    size = b"".join((side - 1).to_bytes(3, "little") for side in rgb.shape[1::-1])
    parts = [_riff(b"VP8X", bytes([flags, 0, 0, 0]) + size)]
    if animated:
        frame = bytes(6) + size + bytes(4) + body
        parts += [_riff(b"ANIM", bytes(6)), *[_riff(b"ANMF", frame)] * animated]
    else:
        parts += [body, _riff(b"EXIF", exif_data)]
    content = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _riff(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def tiff(samples, order="<", colours=None, bits=None, pages=1, big=False, planes=None, **tags):
    """An uncompressed TIFF of samples (H, W) or (H, W, C) of any NumPy type.

    Args:
        samples: what is stored.
        order: "<" or ">".
        colours: PhotometricInterpretation.
        bits: BitsPerSample; of other than the type's width ``samples`` are the packed bytes of each row.
        pages: how many directories.
        big: BigTIFF.
        planes: SamplesPerPixel, where not the samples' own.
        tags: more of them, as ``t274=6``; ``second_t254=1`` is for all pages but the first.
    """
    height, width = samples.shape[:2]
    channels = planes or (samples.shape[2] if samples.ndim == 3 else 1)
    if bits:
        width = width * 8 // bits // channels
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    first = {int(key[1:]): value for key, value in tags.items() if key.startswith("t")}
    second = {int(key[8:]): value for key, value in tags.items() if key.startswith("second_t")}
    head = b"II" if order == "<" else b"MM"
    wide, number, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    start = 16 if big else 8
    place_of_data = start
    place_of_bits = place_of_data + len(data) + len(data) % 2
    directory = place_of_bits + 2 * channels
    out = head + (
        struct.pack(order + "HHHQ", 43, 8, 0, directory) if big else struct.pack(order + "HI", 42, directory)
    )
    depth = bits or samples.dtype.itemsize * 8
    out += data + b"\0" * (len(data) % 2) + struct.pack(f"{order}{channels}H", *[depth] * channels)
    for page in range(pages):
        entries = {
            256: width,
            257: height,
            258: depth if channels == 1 or big or channels == 2 else place_of_bits,
            259: 1,
            262: (2 if channels >= 3 else 1) if colours is None else colours,
            273: place_of_data,
            277: channels,
            278: height,
            279: len(data),
            **({339: TIFF_TYPES[samples.dtype.kind]} if samples.dtype.kind != "u" else {}),
            **(second if page else first),
        }
        out += struct.pack(order + number, len(entries))
        for tag in sorted(entries):
            out += _tiff_entry(tag, entries[tag], channels, depth, order, wide)
        last = page == pages - 1
        out += struct.pack(order + wide, 0 if last else len(out) + struct.calcsize(order + wide))
    return out


def _tiff_entry(tag, value, channels, depth, order, wide):
    size = struct.calcsize(order + wide)
    if tag == 258 and channels > 1:
        inline = channels * 2 <= size
        body = (
            struct.pack(f"{order}{channels}H", *[depth] * channels)
            if inline
            else struct.pack(order + wide, value)
        )
        return struct.pack(order + "HH" + wide, tag, 3, channels) + body.ljust(size, b"\0")
    if tag in (273, 279):
        return struct.pack(order + "HH" + wide, tag, 4, 1) + struct.pack(order + "I", value).ljust(
            size, b"\0"
        )
    return struct.pack(order + "HH" + wide, tag, 3, 1) + struct.pack(order + "H", value).ljust(size, b"\0")
