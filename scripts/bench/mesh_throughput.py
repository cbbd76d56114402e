#!/usr/bin/env python3
"""Tokens a second of 32 WhatsApp conversations through the whole mesh, beside `engine_bench` at the same batch.

Usage: scripts/bench/mesh_throughput.py [--conversations=32] [--seconds=10] [--rounds=6] [--pattern=reply|burst] [--json=FILE]
A mesh of its own is started on this machine: broker, store, gateway, worker, session, sender and a fake Graph API, and this
script as every user. A user says something new as soon as the reply is there (reply), or has a message waiting at all times
(burst). Accounts show the model no history, so that each turn has the shape of engine_bench's default row.

Counted are tokens that the engine processed or made: prompt tokens without those found in its prefix cache, and generated
ones. Before and after every round the whole mesh is stopped by signal and engine_bench runs alone, with the shape of those
turns: a machine's speed drifts by 20 % within minutes, so a round is compared with its two neighbours alone. Printed are the
median of the rounds' ratios and how much of a core each process took, because that is where the rest went.
"""
import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import local_mesh

ACCOUNT = {"answer_tokens_max": 64, "history_tokens_max": 0, "sends_per_second_max": 1000, "user_sends_per_second_max": 100,
           "user_burst_max": 1000}
POLL_S = 0.02  # a twentieth of a turn costs the engine more than a late user does
SETTLE_S = 2  # after a stop by signal: calls that ran out of time meanwhile are repeated


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    local_mesh.add_options(parser)
    parser.add_argument("--conversations", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10, help="of each measured round")
    parser.add_argument("--warm-up", type=float, default=15, help="seconds; the broker compiles itself meanwhile")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--words", type=int, default=109,
                        help="of a message; 109 render to about 144 tokens, of which a block of 16 is shared")
    parser.add_argument("--pattern", choices=("reply", "burst"), default="reply")
    parser.add_argument("--worker-flag", action="append", default=[], help="passed to the worker; may be repeated")
    parser.add_argument("--json", help="append the figures to this file, one object a line")
    return parser.parse_args()


class Conversations:
    def __init__(self, users, options):
        self.users, self.options = users, options
        self.said = 0

    def say(self, user):
        self.said += 1
        self.users.say(user, "Tell me a long story about " + local_mesh.words(self.options.words, self.said) + ".")

    def begin(self):
        for number in range(self.options.conversations):
            for _ in range(2 if self.options.pattern == "burst" else 1):
                self.say(f"1555{number:07d}")

    def go_on(self, seconds):
        """Every reply is followed by the user's next message; returns how many replies there were."""
        replies, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            seen = self.users.new_replies()
            for reply in seen:
                self.say(reply["user"])
            replies += len(seen)
            if not seen:
                time.sleep(POLL_S)
        return replies


def one_round(mesh, conversations, seconds):
    before, cpu_before, began = local_mesh.metrics(mesh, "worker"), local_mesh.cpu_seconds(mesh), time.monotonic()
    conversations.go_on(seconds)
    wall = time.monotonic() - began
    worker = local_mesh.since(before, local_mesh.metrics(mesh, "worker"))
    cpu = local_mesh.since(cpu_before, local_mesh.cpu_seconds(mesh))
    turns = worker["worker_ttft_seconds_count"]
    if turns == 0:
        raise SystemExit("no turn ended in the round; see the logs of the run directory")
    # The first token of an answer comes out of its prompt's last step; the others are processed one at a time.
    tokens = worker["worker_prefill_tokens_total"] + worker["worker_decode_tokens_total"] + turns
    return {"tokens_per_second": tokens / wall,
            "turns_per_second": turns / wall,
            "prompt_tokens": worker["worker_prefill_tokens_total"] / turns,
            "completion_tokens": worker["worker_completion_tokens_total"] / turns,
            "batch": worker["worker_decode_tokens_total"] / max(worker["worker_steps_total"], 1),
            "in_steps": worker["worker_step_seconds_total"] / wall,
            "cpu": {name: used / wall for name, used in cpu.items()}}


@contextlib.contextmanager
def stopped(mesh):
    """Nothing of the mesh runs meanwhile. Shorter than the shortest session timeout, so nobody is missed."""
    for process in mesh.running:
        os.kill(process.child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in mesh.running:
            os.kill(process.child.pid, signal.SIGCONT)


def engine_bench(options, prompt, generate):
    command = [options.bin_dir / "engine_bench", f"--model={options.model}", f"--threads={options.threads}", "--json",
               f"--batch={options.conversations}", f"--prompt={prompt}", f"--generate={generate}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[0])["total_tps"]


def rounds_between_references(options, mesh, conversations):
    """Each round has the mean of engine_bench before and after it."""
    shape = (128, 64)
    rounds = []
    with stopped(mesh):
        before = engine_bench(options, *shape)
    for _ in range(options.rounds):
        conversations.go_on(SETTLE_S)
        figures = one_round(mesh, conversations, options.seconds)
        shape = round(figures["prompt_tokens"]), round(figures["completion_tokens"])
        with stopped(mesh):
            after = engine_bench(options, *shape)
        rounds.append({**figures, "engine_bench": (before + after) / 2})
        before = after
        print(f"  round {len(rounds)} of {options.rounds}: {figures['tokens_per_second']:.0f} tokens/s, "
              f"engine_bench {rounds[-1]['engine_bench']:.0f}", flush=True)
    return rounds


def main():
    options = parse_arguments()
    flags = [f"--sequences-max={options.conversations}", "--kv-blocks=1024", *options.worker_flag]
    with local_mesh.running_mesh(options, ACCOUNT, flags) as mesh:
        conversations = Conversations(local_mesh.Users(mesh), options)
        conversations.begin()
        conversations.go_on(options.warm_up)
        rounds = rounds_between_references(options, mesh, conversations)
    ratios = [r["tokens_per_second"] / r["engine_bench"] for r in rounds]
    figures = {**{key: statistics.median(r[key] for r in rounds) for key in rounds[0] if key != "cpu"},
               "ratio": statistics.median(ratios), "ratios": ratios,
               "cpu": {name: statistics.median(r["cpu"][name] for r in rounds) for name in rounds[0]["cpu"]}}
    print(f"\n{options.conversations} conversations, {options.pattern}, {options.threads} threads: "
          f"{figures['tokens_per_second']:.0f} tokens/s of {figures['engine_bench']:.0f}: {100 * figures['ratio']:.1f} % "
          f"(rounds {100 * min(ratios):.0f} to {100 * max(ratios):.0f} %)")
    print(f"  a turn: {figures['prompt_tokens']:.0f} prompt tokens processed, {figures['completion_tokens']:.0f} generated; "
          f"{figures['turns_per_second']:.1f} turns/s")
    print(f"  engine: {100 * figures['in_steps']:.1f} % of the time in steps, {figures['batch']:.1f} decodes a step")
    print("  share of a core:")
    for name, share in sorted(figures["cpu"].items(), key=lambda item: -item[1]):
        print(f"    {name:<20} {100 * share:6.1f} %")
    local_mesh.append_json(options, "mesh_throughput", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
