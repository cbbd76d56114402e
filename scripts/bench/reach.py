#!/usr/bin/env python3
"""Measures every figure of docs/performance/cpu.md that needs no peer, and writes them there. `make bench` calls it.

Usage: scripts/bench/reach.py [--only=NAME,...] [--resume] [--list] [--threads=2]
Each figure is one command, printed before it runs and written beside what it gave. Results go to .run/bench/reach.jsonl as
they come: --resume keeps those that are there, --only measures some again. The table's ratios to peers are those that
`make bench-peers` wrote last (.run/peers/results.jsonl). Run it on a quiet machine; it takes about 10 minutes.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import peers
import report

ROOT = pathlib.Path(__file__).resolve().parents[2]
GPL3 = "/usr/share/common-licenses/GPL-3"
BENCH = "build/bin/engine_bench --model=MODEL --json"
# name -> (command, how often). The median of every number counts.
COMMANDS = {
    "throughput": (f"{BENCH} --batch=1,8,16,32,64", 3),
    "long_prompt": (f"{BENCH} --batch=1 --prompt=512 --generate=1", 5),
    "perplexity": (f"{BENCH} --perplexity={GPL3} --context=512", 1),
    "forks": (f"{BENCH} --fork", 1),
    "second_turn": (f"{BENCH} --second-turn", 1),
    "mesh_second_turn": ("scripts/bench/mesh_second_turn.py", 1),
    "arriving_prompt": (f"{BENCH} --arriving-prompt", 1),
    "mesh_throughput": ("scripts/bench/mesh_throughput.py", 1),
    "memory": (f"{BENCH} --memory", 1),
    "context_growth": (f"{BENCH} --context-growth", 1),
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names, separated by commas: " + ", ".join(COMMANDS))
    parser.add_argument("--resume", action="store_true", help="measure only what has no result yet")
    parser.add_argument("--list", action="store_true", help="only print the commands")
    parser.add_argument("--model", type=pathlib.Path, default=peers.MODEL)
    parser.add_argument("--bin-dir", type=pathlib.Path, default=ROOT / "build/bin")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / ".run/bench/reach.jsonl")
    parser.add_argument("--peer-results", type=pathlib.Path, default=ROOT / ".run/peers/results.jsonl")
    parser.add_argument("--document", type=pathlib.Path, default=ROOT / "docs/performance/cpu.md")
    return parser.parse_args()


def run_once(options, command):
    """The JSON rows that one command printed or, for the mesh's scripts, appended to a file."""
    words = command.replace("build/bin", str(options.bin_dir)).replace("MODEL", str(options.model)).split()
    if words[0].startswith("scripts/"):
        rows = options.results.with_suffix(".mesh")
        rows.unlink(missing_ok=True)
        words = [sys.executable, str(ROOT / words[0]), *words[1:], f"--json={rows}", f"--threads={options.threads}",
                 f"--bin-dir={options.bin_dir}", f"--model={options.model}"]
        subprocess.run(words, check=True, stdout=sys.stderr)
        return [json.loads(line) for line in rows.read_text().splitlines()]
    answer = subprocess.run([*words, f"--threads={options.threads}"], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]


def median_rows(runs):
    """Rows of the same command, run several times, as one: the median of each number."""
    numbers = lambda rows, key: [row[key] for row in rows]
    return [{key: statistics.median(numbers(rows, key)) if isinstance(rows[0][key], (int, float)) else rows[0][key]
             for key in rows[0]} for rows in zip(*runs)]


def measure(options):
    options.results.parent.mkdir(parents=True, exist_ok=True)
    results = {}
    if options.results.exists():
        for line in options.results.read_text().splitlines():
            entry = json.loads(line)
            results[entry["name"]] = entry["rows"]
    wanted = options.only.split(",") if options.only else COMMANDS
    if not options.only and not options.resume:
        results, _ = {}, options.results.unlink(missing_ok=True)
    for name in wanted:
        command, times = COMMANDS[name]
        if options.resume and name in results:
            continue
        print(f"{name}: {command}" + (f"   ({times} times)" if times > 1 else ""), file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            results[name] = median_rows([run_once(options, command) for _ in range(times)])
        except subprocess.CalledProcessError as error:  # the other figures are worth having
            print(f"  failed with code {error.returncode}: {(error.stderr or '').strip()[-400:]}", file=sys.stderr, flush=True)
            continue
        with options.results.open("a") as file:
            file.write(json.dumps({"name": name, "rows": results[name]}) + "\n")
        print(f"  {time.monotonic() - began:.0f} s: {json.dumps(results[name])[:300]}", file=sys.stderr, flush=True)
    return results


def batch_row(results, batch):
    return next(row for row in results["throughput"] if row["batch"] == batch)


def growth(results):
    """Of one batch size after the other: time a token and KV bytes at the longest context against the shortest."""
    texts = []
    rows = results["context_growth"]
    for batch in dict.fromkeys(row["batch"] for row in rows):
        own = [row for row in rows if row["batch"] == batch]
        rates = ", ".join(f"{row['added_gb_s']:.1f}" for row in own[1:])
        texts.append(f"B={batch:.0f}: {own[0]['itl_ms']:.1f} ms at {own[0]['context']:.0f}, {own[-1]['itl_ms']:.1f} ms at "
                     f"{own[-1]['context']:.0f} tokens; added KV bytes read at {rates} GB/s")
    return "; ".join(texts)


# (figure, must, aim, needs, value from the results, what bounds it)
FIGURES = [
    ("decode tokens/s at B=1", "1.5x best peer", "90 % of the memory limit", "throughput",
     lambda r: "{decode_tps:.0f} tokens/s, {share:.0f} % of the memory limit".format(
         share=100 * batch_row(r, 1)["memory_share"], **batch_row(r, 1)),
     "the weights are read once a token: by memory, or by the last cache where they fit it (97 MB; the machine's first line)"),
    ("prefill tokens/s, one prompt of 512", "1.5x best peer", "70 % of the int8 limit", "long_prompt",
     lambda r: "{prefill_tps:.0f} tokens/s, {share:.0f} % of the int8 limit".format(
         share=100 * r["long_prompt"][0]["int8_share"], **r["long_prompt"][0]),
     "int8 dot products of the layers"),
    ("total tokens/s, B=32, 128+64", "2.0x best peer", "3.0x", "throughput",
     lambda r: "{total_tps:.0f} tokens/s".format(**batch_row(r, 32)), "int8 dot products; attention over the cache"),
    ("throughput as B grows to 64", "does not fall", "", "throughput",
     lambda r: ", ".join(f"B={row['batch']:.0f}: {row['total_tps']:.0f}" for row in r["throughput"]), "the same"),
    ("perplexity, GPL-3 text, context 512", "18.45", "18.35", "perplexity",
     lambda r: f"{r['perplexity'][0]['perplexity']:.3f}",
     "inputs of products rounded to 8 bits; 18.299 with exact ones (`--activations=f32`), llama.cpp on this file 18.391"),
    ("four branches of 64 tokens after one prefill of 256, against one", "1.8x time", "1.3x", "forks",
     lambda r: "{ratio:.3f}x ({one_ms:.0f} and {branches_ms:.0f} ms)".format(**r["forks"][0]),
     "a step of four rows against one: weights are read once for both"),
    ("second turn with 1,500 cached tokens, TTFT against the first", "0.1x", "0.05x", "second_turn",
     lambda r: "{ratio:.3f}x ({first_ttft_ms:.0f} and {second_ttft_ms:.1f} ms)".format(**r["second_turn"][0]),
     "a step for the new tokens, as at B=1"),
    ("the same through session, Kafka and chat template", "0.1x", "0.05x", "mesh_second_turn",
     lambda r: ("{ratio:.3f}x ({first_ttft_ms:.0f} and {second_ttft_ms:.1f} ms); webhook to reply {reply_ratio:.3f}x "
                "({first_reply_ms:.0f} and {second_reply_ms:.0f} ms)").format(**r["mesh_second_turn"][0]), "the same"),
    ("ITL p99 of 8 chats while a prompt of 4,000 tokens arrives, against without", "3x", "1.5x", "arriving_prompt",
     lambda r: "{itl_ratio:.3f}x ({itl_p99_quiet_ms:.1f} and {itl_p99_ms:.1f} ms)".format(**r["arriving_prompt"][0]),
     "how many prefill rows share a step with the decodes"),
    ("that prompt's TTFT, against alone", "2x", "1.3x", "arriving_prompt",
     lambda r: "{ttft_ratio:.3f}x ({ttft_alone_ms:.0f} and {ttft_ms:.0f} ms)".format(**r["arriving_prompt"][0]),
     "the same"),
    ("32 WhatsApp conversations through the whole mesh, against `engine_bench` at B=32", "85 %", "95 %", "mesh_throughput",
     lambda r: "{share:.0f} % ({tokens_per_second:.0f} of {engine_bench:.0f} tokens/s); of a core: {cpu}".format(
         share=100 * r["mesh_throughput"][0]["ratio"],
         **{**r["mesh_throughput"][0], "cpu": ", ".join(
             f"{name} {100 * used:.0f} %" for name, used in sorted(r["mesh_throughput"][0]["cpu"].items(),
                                                                   key=lambda item: -item[1])[:5])}),
     "the cores themselves: what broker, services and client take is not the engine's"),
    ("scheduler and sampler overhead a step at B=64", "5 %", "1 %", "throughput",
     lambda r: f"{100 * batch_row(r, 64)['overhead']:.1f} %", "one pass over each sequence's logits"),
    ("resident memory beyond weights and KV pool", "150 MB", "60 MB", "memory",
     lambda r: "{beyond_mb:.0f} MB (weights {weights_mb:.0f}, KV pool {kv_pool_mb:.0f} MB)".format(**r["memory"][0]),
     "packed weights beside the file's, logits, step buffers, the C library"),
    ("decode time a token up to 8,000 tokens of context", "grows no faster than the KV bytes read", "", "context_growth",
     growth, "memory: the KV cache"),
]


def peer_ratios(options):
    """Our medians against the best peer's, by the figure's name in peers.py."""
    if not options.peer_results.exists():
        return {}
    results = peers.Results(options.peer_results, resume=True)
    ratios = {}
    for figure in results.figures():
        ours = results.values(peers.OURS, figure)
        if ours and results.peers():
            peer = results.best_peer(figure)
            ratios[figure] = f"{statistics.median(ours) / statistics.median(results.values(peer, figure)):.3f}x {peer}"
    return ratios


def table(options, results):
    ratios = peer_ratios(options)
    beside = {"decode tokens/s at B=1": "decode, B=1", "prefill tokens/s, one prompt of 512": "prefill, one prompt of 512",
              "total tokens/s, B=32, 128+64": "total, B=32"}
    lines = ["| figure | must | aim | measured | command | bound by |", "|---|---|---|---|---|---|"]
    for figure, must, aim, needs, value, bound in FIGURES:
        measured = value(results) if needs in results else "not measured yet"
        if beside.get(figure) in ratios:
            measured = f"{ratios[beside[figure]]}; " + measured
        command = COMMANDS[needs][0].replace("MODEL", "M.gguf").replace(" --json", "")
        command = f"`{command}`" + (", `make bench-peers`" if figure in beside else "")
        lines.append(f"| {figure} | {must} | {aim} | {measured} | {command} | {bound} |")
    return "\n".join(lines)


def main():
    options = parse_arguments()
    options.model = options.model.resolve()
    if options.list:
        for name, (command, times) in COMMANDS.items():
            print(f"{name:<18} {times}x  {command}")
        return 0
    results = measure(options)
    head = f"`make bench`, {options.threads} threads, the engine's default options. {report.where()}"
    text = table(options, results)
    report.write_block(options.document, "reach", head + "\n\n" + text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
