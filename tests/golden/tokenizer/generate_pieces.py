#!/usr/bin/env python3
"""Writes golden_pieces.tsv: what the reference SentencePiece makes of the 10,000 texts of golden.tsv.

  v/bin/python tests/golden/tokenizer/generate_pieces.py .run/models/gemma-3-270m-q4_k_m.gguf      (--train: small_pieces.tsv too)

The reference is the `sentencepiece` library on models built from pieces, scores and types: Gemma's from its GGUF file, and a small one
from small_pieces.tsv, so that the algorithm is compared where Gemma's file is not at hand. The small one was trained by the same
library on the same texts; one row a piece: type | score | piece, escaped.
One row a text, as golden.tsv orders them: three hashes (FNV-1a 64 of the ids, folded to 32 bits) | ids of the second, or "-".
The first is with the small vocabulary, the second with it and a space before the text (add_space_prefix), the third with Gemma's.
"""
import argparse
import collections
import io
import pathlib

import sentencepiece
from gguf import GGUFReader
from sentencepiece import sentencepiece_model_pb2

import strings
from generate import escaped, folded

HERE = pathlib.Path(__file__).parent
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # as in GGUF, and in the library


def build(pieces, add_space_prefix):
    """A processor for (piece, score, type) rows."""
    model = sentencepiece_model_pb2.ModelProto()
    for text, score, kind in pieces:
        # Converters write user-defined tokens with spaces; and the library wants one unknown piece, which Gemma's file calls control.
        text = text.replace(" ", "\u2581") if kind == USER_DEFINED else text
        model.pieces.add(piece=text, score=score, type=UNKNOWN if text == "<unk>" else kind)
    model.trainer_spec.model_type = 2  # BPE
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.vocab_size = len(pieces)
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = add_space_prefix
    model.normalizer_spec.remove_extra_whitespaces = False
    model.normalizer_spec.escape_whitespaces = True
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def train(texts):
    counts = collections.Counter(char for text in texts for char in text)
    frequent = ["".join(c for c in text if counts[c] >= 60) for text in texts]  # most code points are left to bytes
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(t for t in frequent if 0 < len(t) < 1000), model_writer=model, model_type="bpe", vocab_size=4000,
        character_coverage=1.0, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=False, split_by_number=False, split_by_unicode_script=False, num_threads=1, minloglevel=2,
        control_symbols=["<start_of_turn>", "<end_of_turn>"],
        user_defined_symbols=["\n", "\n\n", "\n\n\n", "\u2581\u2581", "\u2581\u2581\u2581\u2581", "\t\t", "<b>", "</b>", "<|im_end|>"])
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    rows = []
    for piece in proto.pieces:
        text = piece.piece.replace("\u2581", " ") if piece.type == USER_DEFINED else piece.piece
        rows.append(f"{piece.type}\t{piece.score:g}\t{escaped(text.encode())}\n")
    (HERE / "small_pieces.tsv").write_text("".join(rows), encoding="utf-8", newline="\n")


def unescaped(text):
    data, at = bytearray(), 0
    while at < len(text):
        if text[at] == "\\":
            data.append(int(text[at + 2:at + 4], 16))
            at += 4
        else:
            data += text[at].encode()
            at += 1
    return data.decode()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("gemma")
    arguments.add_argument("--train", action="store_true")
    options = arguments.parse_args()
    texts = [data.decode("utf-8", "replace") for data in strings.generate()]
    if options.train:
        train(texts)
    rows = [line.split("\t") for line in (HERE / "small_pieces.tsv").read_text(encoding="utf-8").splitlines()]
    small = [(unescaped(text), float(score), int(kind)) for kind, score, text in rows]
    fields = GGUFReader(options.gemma).fields
    gemma = list(zip(*(fields["tokenizer.ggml." + key].contents() for key in ("tokens", "scores", "token_type"))))
    processors = [build(small, False), build(small, True), build(gemma, False)]
    special = [{i for i, (_, _, kind) in enumerate(pieces) if kind == CONTROL} for pieces in (small, small, gemma)]
    out = []
    for index, text in enumerate(texts):
        ids = [processor.encode(text) for processor in processors]
        for each, never in zip(ids, special):
            assert not never.intersection(each), text
        full = " ".join(map(str, ids[1])) if index % 45 == 0 and 0 < len(ids[1]) <= 200 else "-"
        out.append(f"{folded(ids[0]):08x} {folded(ids[1]):08x} {folded(ids[2]):08x}\t{full}\n")
    (HERE / "golden_pieces.tsv").write_text("".join(out), newline="\n")
    print(len(out), "rows")


if __name__ == "__main__":
    main()
