#!/usr/bin/env python3
"""Measures the device kernels on this machine's card and writes them, beside PyTorch's, into kernels/RESULTS.md.

Usage: scripts/cuda/measure.py build/cuda/bin/gpu_bench [--quick] [--only=NAME[,NAME]] [--json=FILE] [--model=GGUF]
       scripts/cuda/measure.py --from=FILE              rows of an earlier run instead of running the benchmark
       scripts/cuda/measure.py --check                  what this machine has: card, torch, matplotlib
       scripts/cuda/measure.py --changed                says in RESULTS.md which rows are of code that has changed since

Nothing is built. gpu_bench runs first (its table is printed as it goes), without --only then gpu_step_bench beside it,
with --model gpu_compare too; then PyTorch's SDPA does the work of prefill attention on the same card. Without torch the
column of peers stays as the benchmark filled it; without matplotlib there is no plot. Either is said in one line.
Candidates of a tuning choice (ops with a "=") are kept in the JSON rows and the plot alone.
  kernels/RESULTS.md                   one table a card; a row measured again replaces its older self
  docs/performance/gpu_kernels.png     time against bytes and against operations, beside the card's limits
"""
import argparse
import datetime
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "kernels/RESULTS.md"
PLOT = ROOT / "docs/performance/gpu_kernels.png"
# What an op's name begins with, and what measures it again.
BENCHMARKS = {name: f"gpu_bench --only={name}" for name in
              ("rms_norm", "rope_store", "silu_gate", "quantize_rows", "sample", "decode_attention", "prefill_attention",
               "gemm", "quant_gemm")}
BENCHMARKS |= {f"{what}_blocks": "gpu_bench --only=block_copy" for what in ("copy", "gather", "scatter")}
BENCHMARKS |= {name: "gpu_step_bench" for name in ("decode_step", "decode_gap", "decode_part", "prefill_step")}
BENCHMARKS |= {"compare": "gpu_compare --model=SmolLM2-135M-Instruct.Q4_1.gguf"}
# What the device runs for an op; every op runs on kernels/primitives/gpu too, whose changes are seldom its own.
MODEL_SOURCES = ("kernels/**/*.cu", "kernels/**/*.cuh", "kernels/**/*_gpu.h", "kernels/sampling", "libs/model/gpu",
                 "kernels/attention/decode_*.h", "kernels/attention/prefill_*.h", "kernels/gemm/quant_plan.h",
                 "kernels/gemm/cublas_lt.cpp")
SOURCES = {"rms_norm": ("kernels/norm/*.cu",), "rope_store": ("kernels/rope/*.cu", "kernels/kvcache/*_gpu.h"),
           "silu_gate": ("kernels/primitives/silu_gate.cu",), "quantize_rows": ("kernels/quant/quantize_rows.cu",),
           "sample": ("kernels/sampling",),
           "decode_attention": ("kernels/attention/decode_*.cu*", "kernels/attention/decode_*.h"),
           "prefill_attention": ("kernels/attention/prefill_*.cu", "kernels/attention/prefill_*.h"),
           "gemm": ("kernels/gemm/few_rows*", "kernels/gemm/gemm_gpu.*", "kernels/gemm/cublas_lt.cpp"),
           "quant_gemm": ("kernels/gemm/quant*.cu*", "kernels/gemm/quant*.h")}
SOURCES |= {f"{what}_blocks": ("kernels/kvcache/block_copy.cu",) for what in ("copy", "gather", "scatter")}
SOURCES |= {name: MODEL_SOURCES for name in ("decode_step", "decode_gap", "decode_part", "prefill_step", "compare")}
PEERS_SECONDS_MAX = 50  # in all: a card's time is dear
# Dense BF16 operations a second without sparsity, from the vendor's data sheets; the first name that a card's contains.
PEAK_FLOPS = (("H200", 989e12), ("H100 PCIe", 756e12), ("H100", 989e12), ("B200", 2250e12), ("A100", 312e12),
              ("L40S", 362e12), ("RTX 4090", 165e12))
COLUMNS = ("op", "shape", "us", "GB/s", "% of copy", "TFLOP/s", "peer", "peer us", "speed : peer", "command", "measured")
UNMEASURED = "not measured on a card"
INTRO = f"""# Device kernels, measured

Written by `scripts/cuda/measure.py build/cuda/bin/gpu_bench`; every figure was measured on the card that its table names.
`us`: median of one call inside of a replayed CUDA graph. `GB/s`: bytes that had to be moved at least; `% of copy`: those
beside a device-to-device copy of 2 GiB on the same card, read plus written. `speed : peer` above 1: ours is faster than
the library on the same card in the same run. `decode_gap` is the time between two steps in which the card did nothing,
its peer the whole step. `compare`: the engine's next-token distributions beside the CPU backend's (weights/KV cache), along
the CPU's greedy answers to 20 prompts. "{UNMEASURED}" says just that. Binaries are those of `build/cuda/bin`.
"""


def fail(message):
    sys.exit(f"measure: {message}")


def first_line(command):
    """First line of a command's output, or None where it can't run."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return run.stdout.strip().splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


def card_state():
    """Name, driver and clocks as nvidia-smi tells them, or None without a driver."""
    fields = "name,driver_version,clocks.current.sm,clocks.max.sm,clocks.current.memory,power.limit"
    line = first_line(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader", "--id=0"])
    if line is None:
        return None
    name, driver, sm, sm_max, memory, power = (part.strip() for part in line.split(","))
    return {"name": name, "text": f"driver {driver}, SM clock {sm} of {sm_max}, memory clock {memory}, power limit {power}"}


def import_torch():
    """(torch, None), or (None, why not)."""
    try:
        import torch
    except ImportError:
        return None, "PyTorch is not installed (pip install torch): no peers"
    if not torch.cuda.is_available():
        return None, "PyTorch finds no card: no peers"
    return torch, None


# Peers ---------------------------------------------------------------------------------------------------------------

def seconds_of(torch, call, calls=10):
    """Median seconds of one call, in a replayed graph as gpu_bench times its own."""
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            call()
    graph.replay()
    seconds = []
    for _ in range(7):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        seconds.append(begin.elapsed_time(end) * 1e-3 / calls)
    return statistics.median(seconds)


def attention_peer(torch, sequences, rows, head_dim, heads=32, kv_heads=8):
    """Causal attention of whole prompts, contiguous K and V: no paging, which makes it the easier work."""
    def tensor(count):
        return torch.randn(sequences, count, rows, head_dim, device="cuda", dtype=torch.bfloat16)
    attend = torch.nn.functional.scaled_dot_product_attention
    q, k, v = tensor(heads), tensor(kv_heads), tensor(kv_heads)
    try:
        attend(q, k, v, is_causal=True, enable_gqa=True)
        return seconds_of(torch, lambda: attend(q, k, v, is_causal=True, enable_gqa=True))
    except TypeError:  # before PyTorch 2.5
        k, v = (x.repeat_interleave(heads // kv_heads, dim=1) for x in (k, v))
        return seconds_of(torch, lambda: attend(q, k, v, is_causal=True))


def peer_of(row):
    """(name, function of torch) of the library call that does a row's work, or None."""
    attention = re.match(r"(\d+)x(\d+) after 0, d(\d+), blocks of 16$", row["shape"])
    if row["op"].startswith("prefill_attention") and attention:
        sequences, rows, head_dim = map(int, attention.groups())
        return "torch SDPA", lambda torch: attention_peer(torch, sequences, rows, head_dim)
    return None


def add_peers(torch, rows):
    """Measures each peer once and enters it in every row of the same work that has none."""
    begin, measured = time.monotonic(), {}
    for row in rows:
        peer = peer_of(row)
        if peer is None or row.get("peer_seconds", 0) > 0:
            continue
        key = (peer[0], row["shape"])
        if key not in measured:
            if time.monotonic() - begin > PEERS_SECONDS_MAX:
                print(f"measure: {PEERS_SECONDS_MAX} s of peers are spent; the rest have none", file=sys.stderr)
                return
            try:
                measured[key] = peer[1](torch)
                print(f"{peer[0]:<20} {row['shape']:<40} {measured[key] * 1e6:10.2f} us", flush=True)
            except (RuntimeError, TypeError) as error:
                print(f"measure: {peer[0]} {row['shape']}: {str(error).splitlines()[0]}", file=sys.stderr)
                measured[key] = 0
        row["peer"], row["peer_seconds"] = (peer[0], measured[key]) if measured[key] > 0 else ("", 0)


# The table -----------------------------------------------------------------------------------------------------------

def cells(row, copy, measured):
    command = BENCHMARKS[benchmark_of(row["op"])]
    if row["op"].startswith("compare"):
        return (row["op"], row["shape"], "-") + ("",) * 6 + (command, measured)
    def figure(value, digits):
        return f"{value:.{digits}f}" if value > 0 else ""
    seconds, peer = row["seconds"], row.get("peer_seconds", 0)
    rate = row["bytes"] / seconds
    return (row["op"], row["shape"], figure(seconds * 1e6, 2), figure(rate / 1e9, 0), figure(100 * rate / copy, 1),
            figure(row["flops"] / seconds / 1e12, 1), row.get("peer", "") if peer > 0 else "", figure(peer * 1e6, 2),
            figure(peer / seconds, 2), command, measured)


def read_tables(text):
    """{card: (line about the card, {(op, shape): cells})} of a RESULTS.md."""
    tables = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        lines = section.splitlines()
        rows = {}
        for line in lines[1:]:
            parts = tuple(part.strip() for part in line.strip().strip("|").split("|"))
            if line.startswith("|") and len(parts) == len(COLUMNS) and parts[0] not in ("op", "---") and parts[2]:
                rows[parts[:2]] = parts
        about = next((line for line in lines[1:] if line and not line.startswith("|")), "")
        tables[lines[0].strip()] = (about, rows)
    return {card: table for card, table in tables.items() if table[1]}


def benchmark_of(op):
    """gemm is not quant_gemm: the longest name that begins the op."""
    names = [name for name in BENCHMARKS if op.startswith(name)]
    if not names:
        fail(f"no benchmark is known for the op {op!r}: add it to BENCHMARKS")
    return max(names, key=len)


def changed_ops(rows, commits_since):
    """[(op, commit measured, commits since)] of a table whose code has changed. commits_since(commit, paths) counts."""
    found = []
    for name in BENCHMARKS:
        commits = {re.sub(r"^[^,]*, (\w+).*", r"\1", row[-1]) for row in rows.values() if benchmark_of(row[0]) == name}
        for commit in sorted(commits):
            count = commits_since(commit, SOURCES[name])
            if count > 0:
                found.append((name, commit, count))
    return found


def git_commits_since(commit, paths):
    """How many commits changed the paths since then; 0, and it is said, where git does not know."""
    line = first_line(["git", "-C", str(ROOT), "rev-list", "--count", f"{commit}..HEAD", "--"] +
                      [f":(glob){path}" if "*" in path else path for path in paths])
    if line is None:
        print(f"measure: git does not know {commit}: run --changed in a whole clone", file=sys.stderr)
        return 0
    return int(line)


def written(tables, commits_since=lambda commit, paths: 0):
    text = INTRO
    for card, (about, rows) in tables.items() or [("No card yet", ("", {}))]:
        text += f"\n## {card}\n" + (f"{about}\n\n" if about else "\n")
        changed = changed_ops(rows, commits_since)
        if changed:
            text += "**Code that has changed since, not measured again on this card:** " + ", ".join(
                f"{name} ({count} commit{'s' if count > 1 else ''} after {commit})" for name, commit, count in changed) + ".\n\n"
        text += "| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS) + "\n"
        for name in BENCHMARKS:
            own = [row for row in rows.values() if benchmark_of(row[0]) == name]
            for row in own or [(name, UNMEASURED) + ("",) * (len(COLUMNS) - 2)]:
                text += "| " + " | ".join(row) + " |\n"
    return text


def merge(text, card, about, copy, rows, measured, commits_since=lambda commit, paths: 0):
    tables = read_tables(text)
    merged = dict(tables.get(card, ("", {}))[1])
    for row in rows:
        if row["seconds"] > 0 and "=" not in row["op"]:
            if row["op"].startswith("compare"):  # its figures are its shape
                merged = {key: value for key, value in merged.items() if key[0] != row["op"]}
            merged[(row["op"], row["shape"])] = cells(row, copy, measured)
    tables[card] = (about, merged)
    return written(tables, commits_since)


def draw(card, copy, rows):
    """Two panels: time against bytes moved with the copy's line, time against operations with the data sheet's."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        print("measure: matplotlib is not installed (pip install matplotlib): no plot", file=sys.stderr)
        return
    figure, panels = plt.subplots(1, 2, figsize=(13, 5.5))
    peak = next((flops for name, flops in PEAK_FLOPS if name in card), None)
    for panel, field, unit, limit, label in ((panels[0], "bytes", "bytes moved", copy, "limit: device-to-device copy"),
                                             (panels[1], "flops", "operations", peak, "limit: data sheet, dense BF16")):
        for name in BENCHMARKS:
            points = [(row[field], row["seconds"] * 1e6) for row in rows
                      if benchmark_of(row["op"]) == name and row[field] > 0 and row["seconds"] > 0]
            if points:
                panel.scatter(*zip(*points), s=14, label=name)
        sizes = sorted(row[field] for row in rows if row[field] > 0)
        if limit and sizes:
            ends = [sizes[0], sizes[-1]]
            panel.plot(ends, [size / limit * 1e6 for size in ends], color="black", linewidth=1, label=label)
        panel.set(xscale="log", yscale="log", xlabel=unit, ylabel="microseconds a call")
        panel.grid(True, which="major", alpha=0.3)
        panel.legend(fontsize=7)
    figure.suptitle(f"Device kernels on {card}")
    figure.tight_layout()
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, dpi=110, metadata={"Software": None})
    print(f"measure: wrote {PLOT.relative_to(ROOT)}")


# -- ------------------------------------------------------------------------------------------------------------------

def read_rows(path):
    """(the line about the card, rows) of gpu_bench's JSON lines."""
    try:
        lines = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}")
    if not lines or "card" not in lines[0]:
        fail(f"{path} has no row of the card: gpu_bench measured nothing")
    return lines[0], lines[1:]


def run_benchmark(arguments, json_path):
    if not pathlib.Path(arguments.gpu_bench).is_file():
        fail(f"no {arguments.gpu_bench}: build it with `make build CUDA=1`")
    command = [arguments.gpu_bench, f"--json={json_path}"]
    command += ["--quick"] if arguments.quick else []
    command += [f"--only={arguments.only}"] if arguments.only else []
    status = subprocess.run(command).returncode
    if not pathlib.Path(json_path).exists() or pathlib.Path(json_path).stat().st_size == 0:
        fail("gpu_bench measured nothing; its message stands above")
    if status != 0:
        print("measure: a benchmark failed; what was measured is kept", file=sys.stderr)
    beside, more = pathlib.Path(arguments.gpu_bench).parent, []
    if not arguments.only:
        steps = pathlib.Path(f"{json_path}.steps")
        quick = ["--quick"] if arguments.quick else []
        if subprocess.run([beside / "gpu_step_bench", f"--json={steps}"] + quick).returncode == 0:
            more += steps.read_text().splitlines()[1:]  # the first tells the card again
            steps.unlink()
    if arguments.model:
        run = subprocess.run([beside / "gpu_compare", f"--model={arguments.model}"], capture_output=True, text=True)
        print(run.stdout + run.stderr)
        more += [json.dumps(row) for row in compare_rows(run.stdout)]
    with open(json_path, "a") as file:
        file.write("".join(line + "\n" for line in more))


def compare_rows(text):
    """Rows of gpu_compare's table: weights/kv, mean KL, max KL, greedy agreement, positions."""
    line = re.compile(r"^(\w+/\w+)\s+([\d.e-]+)\s+([\d.e-]+)\s+([\d.]+) %\s+(\d+)$", re.MULTILINE)
    return [{"op": f"compare {formats}", "seconds": 1, "bytes": 0, "flops": 0,
             "shape": f"mean KL {mean}, largest {largest}, same greedy token {greedy} %, {positions} positions"}
            for formats, mean, largest, greedy, positions in line.findall(text)]


def check():
    state, (torch, why) = card_state(), import_torch()
    print(f"card        {state['name'] + ', ' + state['text'] if state else 'none: nvidia-smi does not answer'}")
    print(f"torch       {torch.__version__ if torch else why}")
    try:
        import matplotlib
        print(f"matplotlib  {matplotlib.__version__}")
    except ImportError:
        print("matplotlib  not installed: no plot")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gpu_bench", nargs="?")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--json", help="keep the rows here")
    parser.add_argument("--model", help="run gpu_compare with this GGUF file too")
    parser.add_argument("--from", dest="rows_from", help="rows of an earlier run")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--changed", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        return check()
    if arguments.changed:
        RESULTS.write_text(written(read_tables(RESULTS.read_text()), git_commits_since))
        return None
    if (arguments.gpu_bench is None) == (arguments.rows_from is None):
        parser.error("name gpu_bench or --from=FILE")
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.rows_from or arguments.json or f"{folder}/rows.jsonl"
        if not arguments.rows_from:
            run_benchmark(arguments, path)
        head, rows = read_rows(path)
        if not arguments.rows_from:
            state = card_state()  # clocks as they are right after the work
            head["state"] = state["text"] if state else "no nvidia-smi, so clocks are unknown"
            torch, why = import_torch()
            if torch is None:
                print(f"measure: {why}", file=sys.stderr)
            else:
                add_peers(torch, rows)
            pathlib.Path(path).write_text("".join(json.dumps(row) + "\n" for row in [head] + rows))
    card, copy = head["card"], head["copy_bytes_per_second"]
    commit = first_line(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]) or "unknown commit"
    if first_line(["git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no"]):
        commit += " with changes"
    about = f"Copy {copy / 1e9:.0f} GB/s."
    measured = f"{datetime.date.today()}, {commit}, {head.get('state', 'clocks unknown')}"
    text = RESULTS.read_text() if RESULTS.exists() else ""
    RESULTS.write_text(merge(text, card, about, copy, rows, measured, git_commits_since))
    print(f"measure: wrote {RESULTS.relative_to(ROOT)}: {len(rows)} rows of {card}")
    draw(card, copy, rows)


if __name__ == "__main__":
    main()
