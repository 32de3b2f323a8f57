"""GGUF files made by hand: a valid header, and damaged ones."""

import struct

HUGE = 2**63


def string(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def entry(key: str, kind: int, value: bytes) -> bytes:
    return string(key) + struct.pack("<I", kind) + value


def array(kind: int, count: int, items: bytes = b"") -> bytes:
    return entry("list", 9, struct.pack("<IQ", kind, count) + items)


def tensor(*dimensions: int, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return string("weight") + sizes + struct.pack("<IQ", 0, offset)


def gguf(
    *entries: bytes, tensors: tuple[bytes, ...] = (tensor(2, 4),), version: int = 3, data: int = 64
) -> bytes:
    counts = struct.pack("<IQQ", version, len(tensors), len(entries))
    return b"GGUF" + counts + b"".join(entries) + b"".join(tensors) + bytes(data)


DAMAGED = {
    "empty": b"",
    "zip": b"PK\x03\x04" + bytes(100),
    "magic_only": b"GGUF",
    "future_version": gguf(version=9),
    "big_endian": b"GGUF" + struct.pack(">IQQ", 3, 1, 0),
    "tensor_count": b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0),
    "entry_count": b"GGUF" + struct.pack("<IQQ", 3, 1, HUGE),
    "string_length": gguf(entry("key", 8, struct.pack("<Q", HUGE))),
    "array_length": gguf(array(8, HUGE)),
    "missing_strings": gguf(array(8, 1 << 22)),
    "missing_numbers": gguf(array(10, 1 << 22)),
    "nested_array": gguf(array(9, 1)),
    "unknown_type": gguf(entry("key", 77, b"")),
    "alignment": gguf(entry("general.alignment", 8, string("x"))),
    "no_tensors": gguf(tensors=()),
    "dimensions": gguf(tensors=(tensor(*[2] * 9),)),
    "tensor_size": gguf(tensors=(tensor(HUGE, HUGE),)),
    "tensor_offset": gguf(tensors=(tensor(2, offset=HUGE),)),
    "no_data": gguf(data=0),
}
