#!/usr/bin/env python3
"""Our CPU engine and its peers, llama.cpp and OpenVINO GenAI, alternating on the same weights. `make bench-peers` calls it.

Usage: scripts/bench/peers.py [--rounds=3] [--quick] [--threads=2] [--resume]
                              [--llama-python=VENV/bin/python] [--openvino-python=VENV/bin/python]
128 prompt tokens and 64 generated at 1, 8, 16 and 32 sequences at once, and one prompt of 512 tokens. Our engine reads the
Q4_1 file; the peers also what llama.cpp's quantizer makes of it, and the best of them in any format counts. In a round each
engine is started and measured once, ours twice, in random order; peers that reach less than 0.8 of the best peer in every
figure of the first round are left out of the others. Medians count; ranges are shown.

The peers' Python packages are installed on the first run, into .run/peers (about 10 minutes on 2 cores, for llama.cpp is
compiled for this machine); venvs made before are taken by the two options, or PEERS_LLAMA_PYTHON and PEERS_OPENVINO_PYTHON.
Results go to .run/peers/results.jsonl as they come (--resume goes on there) and the table into docs/performance/cpu.md.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

import report

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
MODEL = ROOT / ".run/models/SmolLM2-135M-Instruct.Q4_1.gguf"
LEFT_OUT_BELOW = 0.8
OURS = "musemesh Q4_1"
LLAMA_PACKAGES = ["llama-cpp-python==0.3.36", "numpy"]
OPENVINO_PACKAGES = ["openvino-genai==2026.4.*", "numpy"]
VARIANTS = ("Q4_0", "Q8_0", "BF16")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=MODEL, help="a Q4_1 file")
    parser.add_argument("--bin-dir", type=pathlib.Path, default=ROOT / "build/bin")
    parser.add_argument("--work-dir", type=pathlib.Path, default=ROOT / ".run/peers", help="venvs and results")
    parser.add_argument("--llama-python", type=pathlib.Path, default=os.environ.get("PEERS_LLAMA_PYTHON"))
    parser.add_argument("--openvino-python", type=pathlib.Path, default=os.environ.get("PEERS_OPENVINO_PYTHON"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", default="1,8,16,32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round, 1 and 8 sequences; the document stays as it is")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the order; printed")
    parser.add_argument("--resume", action="store_true", help="keep the results that are there")
    parser.add_argument("--document", type=pathlib.Path, default=ROOT / "docs/performance/cpu.md")
    return parser.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


def venv(options, name, packages, environment):
    """The interpreter of a venv with these packages, installed when it is not there yet."""
    home = options.work_dir / name
    python, complete = home / "bin/python", home / "complete"
    if complete.exists():
        return python
    say(f"installing {', '.join(packages)} into {home}; llama.cpp takes about 10 minutes")
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    began = time.monotonic()
    log = home / "pip.log"
    with log.open("w") as output:
        pip = subprocess.Popen([python, "-m", "pip", "install", *packages], stdout=output, stderr=output,
                               env={**os.environ, **environment})
        while pip.poll() is None:
            time.sleep(1)
            elapsed = int(time.monotonic() - began)
            if elapsed % 30 == 0:
                say(f"  {name}: {elapsed} s, log in {log}")
    if pip.returncode != 0:
        raise SystemExit(f"peers: pip failed; the end of {log}:\n" + "\n".join(log.read_text().splitlines()[-8:]))
    complete.touch()
    return python


def commands(options):
    """What measures each engine and format, by name; ours is two commands."""
    llama = options.llama_python or venv(options, "llama", LLAMA_PACKAGES, {"CMAKE_ARGS": "-DGGML_NATIVE=ON"})
    openvino = options.openvino_python or venv(options, "openvino", OPENVINO_PACKAGES, {})
    files = {"Q4_1": options.model, **{name: options.model.with_name(f"peer-{name}.gguf") for name in VARIANTS}}
    make = [f"{name}={files[name]}" for name in VARIANTS]
    subprocess.run([llama, HERE / "peer_llama_cpp.py", "make", options.model, *make], check=True)
    threads, batch = str(options.threads), "1,8" if options.quick else options.batch
    ours = [options.bin_dir / "engine_bench", f"--model={options.model}", f"--threads={threads}", "--json"]
    named = {OURS: [[*ours, f"--batch={batch}"], [*ours, "--batch=1", "--prompt=512", "--generate=1"]]}
    for name in ("Q4_1", "Q4_0", "Q8_0", "BF16"):
        named[f"llama.cpp {name}"] = [[llama, HERE / "peer_llama_cpp.py", "measure", files[name], threads, batch]]
    for name in ("Q8_0", "Q4_0"):
        named[f"OpenVINO {name}"] = [[openvino, HERE / "peer_openvino.py", "measure", files[name], threads, batch]]
    return named


def measure(steps):
    """{figure: tokens a second} of one engine, started anew."""
    figures = {}
    for step in steps:
        answer = subprocess.run([str(part) for part in step], capture_output=True, text=True)
        if answer.returncode != 0:
            raise SystemExit(f"peers: {step[0]} failed: {answer.stderr.strip()[-400:]}")
        for line in answer.stdout.splitlines():
            if not line.startswith("{"):
                continue
            row = json.loads(line)
            if row.get("prompt") == 512 or "--prompt=512" in step:
                figures["prefill, one prompt of 512"] = row["prefill_tps"]
                continue
            for kind in ("prefill", "decode", "total"):
                figures[f"{kind}, B={row['batch']}"] = row[f"{kind}_tps"]
    return figures


class Results:
    """Every measurement so far, on disk as they come."""

    def __init__(self, path, resume):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not resume:
            path.unlink(missing_ok=True)
        self.rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def add(self, round_number, place, name, figures):
        self.rows.append({"round": round_number, "place": place, "name": name, "figures": figures})
        with self.path.open("a") as file:
            file.write(json.dumps(self.rows[-1]) + "\n")

    def has(self, round_number, place, name):
        return any((row["round"], row["place"], row["name"]) == (round_number, place, name) for row in self.rows)

    def values(self, name, figure):
        return [row["figures"][figure] for row in self.rows if row["name"] == name and figure in row["figures"]]

    def figures(self):
        return list(dict.fromkeys(figure for row in self.rows for figure in row["figures"]))

    def peers(self):
        return list(dict.fromkeys(row["name"] for row in self.rows if row["name"] != OURS))

    def best_peer(self, figure):
        return max((name for name in self.peers() if self.values(name, figure)),
                   key=lambda name: statistics.median(self.values(name, figure)))

    def in_reach(self, name):
        """Whether a peer came near the best of them in any figure."""
        return any(statistics.median(self.values(name, figure)) >=
                   LEFT_OUT_BELOW * statistics.median(self.values(self.best_peer(figure), figure))
                   for figure in self.figures() if self.values(name, figure))


def run(options, results):
    named = commands(options)
    for round_number in range(1 if options.quick else options.rounds):
        order = [(name, 0) for name in named if round_number == 0 or name == OURS or results.in_reach(name)] + [(OURS, 1)]
        random.Random(options.seed + round_number).shuffle(order)
        for name, place in order:
            if results.has(round_number, place, name):
                continue
            began = time.monotonic()
            results.add(round_number, place, name, measure(named[name]))
            say(f"round {round_number + 1}: {name:<16} {time.monotonic() - began:5.1f} s")


def table(results):
    lines = ["| figure, tokens/s | ours: median (range) | best peer: median (range) | ratio |", "|---|---|---|---|"]
    spread = lambda values: f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"
    for figure in results.figures():
        peer = results.best_peer(figure)
        ours, theirs = results.values(OURS, figure), results.values(peer, figure)
        if ours and theirs:
            ratio = statistics.median(ours) / statistics.median(theirs)
            lines.append(f"| {figure} | {spread(ours)} | {peer}: {spread(theirs)} | {ratio:.3f} |")
    lines += ["", "All peers, medians of total tokens/s (decode at B=1, prefill of 512):", ""]
    for name in results.peers():
        medians = [(figure, statistics.median(results.values(name, figure))) for figure in results.figures()
                   if figure.startswith("total") or figure in ("decode, B=1", "prefill, one prompt of 512")]
        lines.append(f"- {name}: " + "; ".join(f"{figure} {value:.0f}" for figure, value in medians))
    return "\n".join(lines)


def main():
    options = parse_arguments()
    options.model = options.model.resolve()
    results = Results(options.work_dir / "results.jsonl", options.resume)
    say(f"order seed {options.seed}")
    run(options, results)
    text = table(results)
    print(text)
    if not options.quick:
        head = (f"`make bench-peers`: {options.rounds} rounds, {options.threads} threads, llama-cpp-python 0.3.36 built with "
                f"GGML_NATIVE, openvino-genai 2026.4; order seed {options.seed}. {report.where()}")
        report.write_block(options.document, "peers", head + "\n\n" + text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
