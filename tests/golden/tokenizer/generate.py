#!/usr/bin/env python3
"""Writes golden.tsv: what the reference tokenizer makes of 10,000 texts.

  python3 -m venv v && v/bin/pip install -r tests/golden/requirements.txt
  v/bin/python tests/golden/tokenizer/generate.py .run/models/SmolLM2-135M-Instruct.Q4_1.gguf

The reference is the `tokenizers` library on the vocabulary and merges of the model file. One row a text, tab-separated:
  number of ids | FNV-1a 64 of the ids as little-endian int32, hex | ids, or "-" | three more hashes (32 bits) | the text, escaped
The first hash is with the model's own pre-tokenizer (smollm: each number alone, then GPT-2's expression). The three are the same
vocabulary behind the pre-tokenizers gpt-2, llama-bpe (with ignore_merges) and qwen2 (with NFC), so that those are compared on the same
texts without a second model. Ids are given in full for short texts at every 45th row.
Special tokens are never parsed; bytes that are not UTF-8 are replaced as bytes.decode("utf-8", "replace") does.
With --check-transformers (needs torch) the ids are also compared with transformers' AutoTokenizer on the same file.
"""
import argparse
import pathlib
import struct
import unicodedata

from gguf import GGUFReader
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

import strings

HERE = pathlib.Path(__file__).parent
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")


def smollm_pre_tokenizer():
    # The `pre_tokenizer` of SmolLM2's tokenizer.json; llama.cpp knows it as LLAMA_VOCAB_PRE_TYPE_SMOLLM.
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])


def split_then_bytes(expression):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(expression), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def build(tokens, merges, pre_tokenizer, normalizer=None, ignore_merges=False):
    vocabulary = {token: index for index, token in enumerate(tokens)}
    # The library refuses special tokens in ignore_merges' whole-word lookup only by never seeing them as words: leave them out.
    if ignore_merges:
        vocabulary = {t: i for t, i in vocabulary.items() if i not in SPECIAL_IDS}
    pairs = [tuple(merge.split(" ")) for merge in merges]
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer


def fnv1a(ids):
    value = 0xCBF29CE484222325
    for byte in struct.pack(f"<{len(ids)}i", *ids):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def folded(ids):
    value = fnv1a(ids)
    return (value >> 32) ^ (value & 0xFFFFFFFF)


def escaped(data):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None:
        return "".join(chr(b) if 0x20 <= b < 0x7F and b != 0x5C else f"\\x{b:02x}" for b in data)
    out = []
    for char in text:
        plain = char == " " or (unicodedata.category(char)[0] in "LNPS" and char != "\\")
        out.append(char if plain else "".join(f"\\x{b:02x}" for b in char.encode()))
    return "".join(out)


def main():
    global SPECIAL_IDS
    arguments = argparse.ArgumentParser()
    arguments.add_argument("model")
    arguments.add_argument("--check-transformers", action="store_true")
    options = arguments.parse_args()
    fields = GGUFReader(options.model).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = fields["tokenizer.ggml.merges"].contents()
    SPECIAL_IDS = {i for i, t in enumerate(fields["tokenizer.ggml.token_type"].contents()) if t == 3}
    own = build(tokens, merges, smollm_pre_tokenizer())
    # The same with the special tokens declared, and told not to parse them: must make no difference.
    declared = build(tokens, merges, smollm_pre_tokenizer())
    declared.add_special_tokens([AddedToken(tokens[i], special=True, normalized=False) for i in sorted(SPECIAL_IDS)])
    declared.encode_special_tokens = True
    others = [build(tokens, merges, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)),
              build(tokens, merges, split_then_bytes(LLAMA3), ignore_merges=True),
              build(tokens, merges, split_then_bytes(QWEN2), normalizer=normalizers.NFC())]
    third = None
    if options.check_transformers:
        from transformers import AutoTokenizer
        path = pathlib.Path(options.model)
        third = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
        third.backend_tokenizer.pre_tokenizer = smollm_pre_tokenizer()  # its GGUF reader knows only GPT-2's expression
    rows = []
    for index, data in enumerate(strings.generate()):
        text = data.decode("utf-8", "replace")
        ids = own.encode(text, add_special_tokens=False).ids
        assert ids == declared.encode(text, add_special_tokens=False).ids, data
        assert not SPECIAL_IDS.intersection(ids), data
        if third is not None:
            assert ids == third.encode(text, add_special_tokens=False, split_special_tokens=True), data
        full = " ".join(map(str, ids)) if index % 45 == 0 and 0 < len(ids) <= 200 else "-"
        more = " ".join(f"{folded(t.encode(text, add_special_tokens=False).ids):08x}" for t in others)
        rows.append(f"{len(ids)}\t{fnv1a(ids):016x}\t{full}\t{more}\t{escaped(data)}\n")
    (HERE / "golden.tsv").write_text("".join(rows), encoding="utf-8", newline="\n")
    print(len(rows), "rows,", (HERE / "golden.tsv").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
