"""llama.cpp's side of peers.py: runs in a venv with llama-cpp-python and prints one JSON object a measurement.

Usage: peer_llama_cpp.py make MODEL.gguf NAME=PATH...      writes the variants that do not exist
       peer_llama_cpp.py measure FILE.gguf THREADS B,B,...  128 prompt tokens and 64 generated a sequence; then one of 512
"""
import json
import pathlib
import random
import sys
import time

import llama_cpp as llama

FILE_TYPES = {"Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "BF16": 32}
ROWS_MAX = 2048
PROMPT, GENERATE, LONG_PROMPT = 128, 64, 512


def make(model, variants):
    for name, path in variants:
        if pathlib.Path(path).exists():
            continue
        params = llama.llama_model_quantize_default_params()
        params.ftype, params.allow_requantize = FILE_TYPES[name], True
        unfinished = path + ".part"
        if llama.llama_model_quantize(model.encode(), unfinished.encode(), params) != 0:
            raise SystemExit(f"llama.cpp could not make {path}")
        pathlib.Path(unfinished).rename(path)


class Context:
    def __init__(self, model, threads, sequences, tokens_each):
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_seq_max = sequences * (tokens_each + 16), sequences
        params.n_batch, params.n_ubatch = ROWS_MAX, 512
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = False
        self.context = llama.llama_init_from_model(model, params)
        self.batch = llama.llama_batch_init(ROWS_MAX, 0, 1)

    def step(self, rows):
        """One forward pass over (token, position, sequence, wants logits) rows."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, logits) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
            batch.seq_id[i][0], batch.logits[i] = sequence, logits
        if llama.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama_decode failed")
        llama.llama_synchronize(self.context)

    def clear(self):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)

    def free(self):
        llama.llama_batch_free(self.batch)
        llama.llama_free(self.context)


def measure(model, threads, sequences, prompt, generate):
    chosen = random.Random(1)
    tokens = [[chosen.randrange(100, 40_000) for _ in range(prompt + generate)] for _ in range(sequences)]
    context = Context(model, threads, sequences, prompt + generate)
    context.step([(tokens[0][i], i, 0, False) for i in range(16)])  # touches what is allocated on first use
    context.clear()
    rows = [(tokens[s][i], i, s, i == prompt - 1) for s in range(sequences) for i in range(prompt)]
    began = time.perf_counter()
    for i in range(0, len(rows), ROWS_MAX):
        context.step(rows[i:i + ROWS_MAX])
    prefilled = time.perf_counter()
    for position in range(prompt, prompt + generate - 1):  # the last token that is made is never read
        context.step([(tokens[s][position], position, s, True) for s in range(sequences)])
    ended = time.perf_counter()
    context.free()
    return {"batch": sequences, "prompt": prompt, "prefill_tps": sequences * prompt / (prefilled - began),
            "decode_tps": sequences * (generate - 1) / max(ended - prefilled, 1e-9) if generate > 1 else 0,
            "total_tps": sequences * (prompt + generate) / (ended - began)}


def main():
    silent = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(silent, None)
    llama.llama_backend_init()
    if sys.argv[1] == "make":
        return make(sys.argv[2], [argument.split("=", 1) for argument in sys.argv[3:]])
    path, threads, batches = sys.argv[2], int(sys.argv[3]), map(int, sys.argv[4].split(","))
    model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
    for sequences in batches:
        print(json.dumps(measure(model, threads, sequences, PROMPT, GENERATE)), flush=True)
    print(json.dumps(measure(model, threads, 1, LONG_PROMPT, 1)), flush=True)


main()
