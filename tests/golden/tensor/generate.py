#!/usr/bin/env python3
"""Writes golden.tsv: what the `gguf` library of ggml reads from the default model file.

  v/bin/python tests/golden/tensor/generate.py .run/models/SmolLM2-135M-Instruct.Q4_1.gguf

Rows: tensor | name | type | shape, contiguous dimension first | offset in the file | bytes | FNV-1a 64 of its first 4096 bytes
      value  | key | uint, float, bool or string | the value, escaped
      array  | key | string or int32 | elements | FNV-1a 64 of all elements (texts each followed by a zero byte, int32 little endian)
"""
import pathlib
import struct
import sys

from gguf import GGUFReader, GGUFValueType

HERE = pathlib.Path(__file__).parent
UNSIGNED = {GGUFValueType.UINT8, GGUFValueType.UINT16, GGUFValueType.UINT32, GGUFValueType.UINT64}


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def escaped(text):
    return "".join(chr(b) if 0x20 <= b < 0x7F and b != 0x5C else f"\\x{b:02x}" for b in text.encode())


def value_row(key, field):
    kind, value = field.types[0], field.contents()
    if kind == GGUFValueType.ARRAY:
        if field.types[1] == GGUFValueType.STRING:
            return ["array", key, "string", str(len(value)), fnv1a(b"".join(v.encode() + b"\0" for v in value))]
        assert field.types[1] == GGUFValueType.INT32, key
        return ["array", key, "int32", str(len(value)), fnv1a(struct.pack(f"<{len(value)}i", *value))]
    if kind == GGUFValueType.STRING:
        return ["value", key, "string", escaped(value)]
    if kind == GGUFValueType.BOOL:
        return ["value", key, "bool", str(int(value))]
    if kind == GGUFValueType.FLOAT32:
        return ["value", key, "float", float(value).hex()]
    assert kind in UNSIGNED, key
    return ["value", key, "uint", str(value)]


def main():
    reader = GGUFReader(sys.argv[1])
    rows = []
    for tensor in reader.tensors:
        data = tensor.data.tobytes()
        rows.append(["tensor", tensor.name, tensor.tensor_type.name, " ".join(map(str, tensor.shape)), str(tensor.data_offset),
                     str(len(data)), fnv1a(data[:4096])])
    rows += [value_row(key, field) for key, field in reader.fields.items() if not key.startswith("GGUF.")]
    (HERE / "golden.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), newline="\n")
    print(len(rows), "rows")


if __name__ == "__main__":
    main()
