#!/usr/bin/env python3
"""Writes golden.tsv: random blocks of every quantised format and what the `gguf` library of ggml reads in them.

  v/bin/python tests/golden/quant/generate.py

Rows: format, numbered as in a GGUF file | the blocks, hexadecimal | their values as F32 bits, hexadecimal, little endian
"""
import pathlib

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

HERE = pathlib.Path(__file__).parent
VALUES = 512
# Where the F16 numbers of a block lie, in bytes.
HALVES = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q4_K: [0, 2],
          Type.Q5_K: [0, 2], Type.Q6_K: [208]}


def blocks_of(kind, rng):
    """Random bytes; the scales are of both signs, one is subnormal and one is zero."""
    values, size = quants.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (VALUES // values, size), dtype=np.uint8)
    for at in HALVES[kind]:
        scales = (0.05 * rng.standard_normal(len(blocks))).astype(np.float16)
        scales[0] = np.float16(3e-6)
        if len(scales) > 2:
            scales[1] = 0
        blocks[:, at:at + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks


def main():
    rng = np.random.default_rng(20240501)
    rows = []
    for kind in HALVES:
        blocks = blocks_of(kind, rng)
        values = np.ascontiguousarray(quants.dequantize(blocks, kind), dtype="<f4")
        assert values.size == VALUES
        rows.append(f"{kind.value}\t{blocks.tobytes().hex()}\t{values.tobytes().hex()}\n")
    (HERE / "golden.tsv").write_text("".join(rows), newline="\n")
    print(len(rows), "rows")


if __name__ == "__main__":
    main()
