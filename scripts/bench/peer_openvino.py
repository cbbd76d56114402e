"""OpenVINO GenAI's side of peers.py: runs in a venv with openvino-genai and prints one JSON object a measurement.

Usage: peer_openvino.py measure FILE.gguf THREADS B,B,...  128 prompt tokens and 64 generated a sequence; then one of 512
"""
import json
import random
import sys
import time

import numpy as np
import openvino
import openvino_genai as genai

PROMPT, GENERATE, LONG_PROMPT = 128, 64, 512


def seconds(pipeline, sequences, prompt, generate):
    config = genai.GenerationConfig()
    config.max_new_tokens = config.min_new_tokens = generate
    config.ignore_eos, config.do_sample = True, False
    chosen = random.Random(1)
    prompts = [openvino.Tensor(np.array([[chosen.randrange(100, 40_000) for _ in range(prompt)]], dtype=np.int64))
               for _ in range(sequences)]
    began = time.perf_counter()
    results = pipeline.generate(prompts, [config] * sequences)
    elapsed = time.perf_counter() - began
    if sum(len(result.m_generation_ids[0]) for result in results) != sequences * generate:
        raise SystemExit("OpenVINO generated another number of tokens than asked for")
    return elapsed


def main():
    path, threads, batches = sys.argv[2], int(sys.argv[3]), map(int, sys.argv[4].split(","))
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size, scheduler.max_num_batched_tokens, scheduler.max_num_seqs = 2, 2048, 64
    scheduler.enable_prefix_caching = False
    pipeline = genai.ContinuousBatchingPipeline(path, scheduler, "CPU", {"INFERENCE_NUM_THREADS": threads})
    seconds(pipeline, 1, PROMPT, 4)
    for sequences in batches:
        prefill = seconds(pipeline, sequences, PROMPT, 1)
        whole = seconds(pipeline, sequences, PROMPT, GENERATE)
        print(json.dumps({"batch": sequences, "prompt": PROMPT, "prefill_tps": sequences * PROMPT / prefill,
                          "decode_tps": sequences * (GENERATE - 1) / (whole - prefill),
                          "total_tps": sequences * (PROMPT + GENERATE) / whole}), flush=True)
    seconds(pipeline, 1, LONG_PROMPT, 1)
    print(json.dumps({"batch": 1, "prompt": LONG_PROMPT, "prefill_tps": LONG_PROMPT / seconds(pipeline, 1, LONG_PROMPT, 1)}),
          flush=True)


main()
