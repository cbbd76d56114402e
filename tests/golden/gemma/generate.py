#!/usr/bin/env python3
"""Writes golden.tsv: what llama.cpp makes of a few prompts with Gemma 3 270M.

  v/bin/pip install llama-cpp-python==0.3.36
  v/bin/python tests/golden/gemma/generate.py .run/models/gemma-3-270m-q4_k_m.gguf

Rows: prompt, escaped | its token ids, bos first | the 16 tokens that greedy choice adds | id:logit of the 10 highest logits behind the
prompt. llama.cpp rounds activations to 8 bits in blocks of 256 and keeps its cache in F16, so logits agree within a tolerance only.
"""
import pathlib
import sys
import unicodedata

import llama_cpp
import numpy

HERE = pathlib.Path(__file__).parent
PROMPTS = [
    "User: What is the capital of France?\nAssistant:",
    "The quick brown fox jumps over the lazy",
    "Once upon a time, in a small village by the sea, there lived",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "Die Hauptstadt von Deutschland ist",
    "日本の首都は",
    "1, 2, 3, 4, 5, 6,",
    "<table>\n<tr><td>a</td>\n\n\n  <td>",
    # Longer than the sliding window of 512 tokens.
    " ".join(f"Line {i} says that number {i} follows number {i - 1}." for i in range(1, 61)) + " Line 61 says that number",
]


def escape(text):
    return "".join(c if c == " " or (unicodedata.category(c)[0] in "LNPS" and c != "\\") else "".join(f"\\x{b:02x}" for b in c.encode())
                   for c in text)


def main():
    model = llama_cpp.Llama(sys.argv[1], n_ctx=2048, n_batch=2048, n_threads=2, verbose=False)
    rows = []
    for prompt in PROMPTS:
        ids = model.tokenize(prompt.encode(), add_bos=True, special=False)
        model.reset()
        model.eval(ids)
        logits = numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), shape=(model.n_vocab(),)).copy()
        top = numpy.argsort(-logits)[:10]
        greedy, next_token = [], int(top[0])
        while len(greedy) < 16:
            greedy.append(next_token)
            model.eval([next_token])
            next_token = int(numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), shape=(model.n_vocab(),)).argmax())
        rows.append("\t".join([escape(prompt), " ".join(map(str, ids)), " ".join(map(str, greedy)),
                               " ".join(f"{i}:{logits[i]:.4f}" for i in top)]) + "\n")
        print(len(ids), "tokens:", model.detokenize(greedy).decode("utf-8", "replace"), logits[top[0]] - logits[top[1]])
    (HERE / "golden.tsv").write_text("".join(rows), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
