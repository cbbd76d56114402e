#!/usr/bin/env python3
"""Breaks a running mesh again and again and proves that nothing was lost, said twice or said out of order.

Usage: make chaos CYCLES=N SEED=S [FAULTS=kill,pause,...]
The last line is the result; exit code 1 when anything is wrong, 2 when the run itself could not be done. See README.md.
"""
import argparse
import collections
import json
import pathlib
import signal
import subprocess
import sys
import threading
import time

import checker
import disks
import evidence
import generator
import mesh as mesh_module
import nemesis
import poison
import process_faults
import story
import windows
from process import StartError
from up import lock_run_dir

ROOT = mesh_module.ROOT
TRACES_MAX = 5
ACKNOWLEDGE_S = 60
ALL = ",".join(nemesis.KINDS)
LAG_S = 30


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=0, help="default: one of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default=ALL, help="kinds of faults; default: all")
    parser.add_argument("--rate", type=float, default=30, help="new messages a second")
    parser.add_argument("--engine-share", type=float, default=0, help="of the cycles, with the real CPU engine (0 to 1)")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / ".run/models/SmolLM2-135M-Instruct.Q4_1.gguf",
                        help="of the real engine, from `make model`")
    parser.add_argument("--real-rate", type=float, default=3, help="new messages a second for the real engine")
    parser.add_argument("--conversations", type=int, default=60)
    parser.add_argument("--instances", type=int, default=2, help="processes of each service")
    parser.add_argument("--brokers", type=int, default=0, help="default: 3 with FAULTS=broker or outage, else 1")
    parser.add_argument("--outage-s", type=float, default=60, help="of all brokers, FAULTS=outage")
    parser.add_argument("--settle-s", type=float, default=90, help="time to answer everything after the last fault")
    parser.add_argument("--lease-ms", type=int, default=1000, help="of the senders")
    parser.add_argument("--session-timeout-ms", type=int, default=6000, help="of workers and senders")
    parser.add_argument("--post-timeout-ms", type=int, default=1500, help="of the senders")
    parser.add_argument("--reconcile-ms", type=int, default=8000, help="of the senders")
    parser.add_argument("--run-dir", type=pathlib.Path, default=ROOT / ".run/chaos", help="emptied at the start")
    parser.add_argument("--bin-dir", type=pathlib.Path, default=ROOT / "build/bin")
    parser.add_argument("--kafka-libs", type=pathlib.Path, default=ROOT / ".run/kafka/libs", help="from `make kafka`")
    options = parser.parse_args()
    options.kinds = options.faults.split(",")
    options.cycles = options.cycles or len(options.kinds)
    options.brokers = options.brokers or (3 if {"broker", "outage"} & set(options.kinds) else 1)
    if options.engine_share and not options.model.exists():
        parser.error(f"--engine-share: {options.model} is missing; run: make model")
    for kind in options.kinds:
        if kind not in nemesis.KINDS:
            parser.error(f"--faults: {kind} is none of {', '.join(nemesis.KINDS)}")
    return options


def say(text):
    print(text, flush=True)


def commit():
    return subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
                          capture_output=True, text=True).stdout.strip()


class Stills:
    """Notices when this machine stood still (a suspended virtual machine): such time is nobody's recovery."""

    TICK_S, NOTICED_S = 0.2, 5.0

    def __init__(self):
        self.spans = []
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        last = time.time()
        while True:
            time.sleep(self.TICK_S)
            now = time.time()
            if now - last > self.NOTICED_S:
                self.spans.append((last, now))
                say(f"  the machine stood still for {now - last:.1f} s")
            last = now


def wait_for_outcomes(options, run_dir, mesh):
    """Until every user saw what answers their messages; what takes longer is for the checker to judge."""
    left_s = options.settle_s
    while True:
        began = time.monotonic()
        missing = evidence.unheard(run_dir, mesh_module.NOTICE_TEXT)
        if not missing or left_s < 0:
            return missing
        # A real model's words do not say what they answer; then all is seen that the services say they have done.
        if options.engine_share and not any(evidence.lag(mesh.bootstrap()).values()):
            return []
        mesh.tend()
        time.sleep(0.5)
        left_s -= min(time.monotonic() - began, Stills.NOTICED_S)  # what stood still had no time


def wait_for_lag(broker):
    deadline = time.monotonic() + LAG_S
    while True:
        lag = evidence.lag(broker)
        if not any(lag.values()) or time.monotonic() > deadline:
            return lag
        time.sleep(1)


def run(options, mesh):
    """Returns the evidence of a run of all cycles, and what the senders measured."""
    run_dir, broker = mesh.run_dir, mesh.bootstrap()
    started = time.monotonic()
    mesh.start()
    say(f"mesh is up after {time.monotonic() - started:.1f} s; seed {options.seed}, commit {commit()}")
    ports = [mesh.port[f"gateway-{number}"] for number in range(options.instances)]
    meta = generator.Generator(ports, mesh.app_secrets(), run_dir / "generator.jsonl", options.seed, options.rate,
                               options.real_rate, options.conversations)
    stills = Stills()
    looks = windows.Windows([mesh.admin_port[f"sender-{number}"] for number in range(options.instances)])
    looks.start()
    monkey = nemesis.Nemesis(mesh, meta, options.seed, options.kinds, run_dir / "nemesis.jsonl", say)
    meta.start()
    try:
        monkey.run(options.cycles)
        monkey.wait(1.0)
        meta.ending.set()
        deadline = time.monotonic() + ACKNOWLEDGE_S
        while not meta.done() and time.monotonic() < deadline:
            monkey.wait(0.1)
        if not meta.done():
            say("  some messages were not acknowledged in time; they may stay without an answer")
    finally:
        meta.give_up()
    healed = time.monotonic()
    missing = wait_for_outcomes(options, run_dir, mesh)
    say(f"  all faults healed; {'everything was seen' if not missing else f'{len(missing)} messages were not seen'} "
        f"after {time.monotonic() - healed:.1f} s; waiting for late copies")
    # A copy that a doubt brings leaves within the reconciliation time; then nothing can be under way any more.
    monkey.wait((options.reconcile_ms + options.lease_ms + options.post_timeout_ms) / 1000 + 2)
    lag = wait_for_lag(broker)
    found = evidence.collect(run_dir, broker, mesh.redis_port, monkey.faults, lag)
    found.reconcile_s = options.reconcile_ms / 1000
    found.stills, found.real_engine = list(stills.spans), monkey.real_cycles > 0
    looks.look()
    if options.engine_share:
        say(f"  {monkey.real_cycles} of {options.cycles} cycles with the real engine")
    for name, code in mesh.deaths:
        if code not in (-signal.SIGKILL,):
            say(f"  {name} ended by itself with code {code}; see {run_dir}/logs/{name}.log")
    return found, looks


def slowest_story(found, verdict):
    _, message = max(verdict.recoveries, key=lambda row: row[0], default=(0, None))
    return story.of_message(found, message.message_id) if message else []


def others_of(verdict):
    return ", ".join(f"{kind} {verdict.count(kind)}" for kind in checker.OTHER_KINDS)


def kinds_of(found, verdict):
    """A line for each kind of fault: how often, its slowest recovery, and how many of its cycles broke nothing."""
    rows, idle = {}, collections.Counter()
    for fault, (seconds, _) in zip(found.faults, verdict.recoveries):
        rows.setdefault(fault.kind, []).append(seconds)
        idle[fault.kind] += process_faults.NEVER_PASSED in fault.target
    return {kind: f"{len(seconds)} cycles, recovery at most {max(seconds):.1f} s" +
            (f"; {idle[kind]} of them {process_faults.NEVER_PASSED}" if idle[kind] else "")
            for kind, seconds in sorted(rows.items())}


def report(options, found, looks, run_dir):
    verdict = checker.judge(found, mesh_module.NOTICE_TEXT, mesh_module.TURN_DEADLINE_S)
    result = (f"cycles {len(found.faults)} messages {verdict.messages} lost {verdict.count('lost')} "
              f"duplicate {verdict.count('duplicate')} reordered {verdict.count('reordered')} "
              f"in_doubt {verdict.in_doubt} recovery_p99_s {verdict.recovery_p99_s():.1f}")
    rows = []
    for number, violation in enumerate(verdict.violations):
        lines = story.of_message(found, violation.message_id) if violation.message_id else []
        rows.append({**vars(violation), "trace": lines})
        if number < TRACES_MAX:
            say(f"\n{violation.kind.upper()} {violation.message_id}: {violation.why}")
            for line in lines:
                say(f"    {line}")
    stood_still_s = sum(to - begin for begin, to in found.stills)
    summary = {"seed": options.seed, "commit": commit(), "result": result, "violations": rows,
               "kinds": kinds_of(found, verdict), "late_writes_s": verdict.late_writes, "poison_s": verdict.poisons,
               "window": looks.summary(), "window_counts": looks.counts(),
               "stood_still_s": round(stood_still_s, 1),
               "recovery_s": [round(seconds, 3) for seconds, _ in verdict.recoveries],
               "slowest": slowest_story(found, verdict), "unacknowledged_seen": verdict.unacknowledged_seen}
    (run_dir / "report.json").write_text(json.dumps(summary, indent=1) + "\n")
    if not verdict.good:
        others = len(verdict.violations) - TRACES_MAX
        say(f"\n{len(verdict.violations)} violations" + (f" ({others} more in {run_dir}/report.json)" if others > 0 else "") +
            f"; seed {options.seed}, commit {summary['commit']}, {others_of(verdict)}; logs in {run_dir}/logs")
    for kind, line in summary["kinds"].items():
        say(f"  {kind:<11} {line}")
    say(f"  replies of several parts: {verdict.parted}")
    say(f"  {looks.summary()}")
    say(f"  statuses lost for good: {sum(send.lost for send in found.sends)}")
    if verdict.poisons:
        say(f"  poison: {len(verdict.poisons)}, told at most {max(verdict.poisons):.1f} s after the acknowledgement (goal "
            f"{poison.GOAL_S:.0f}), others harmed {verdict.count('harmed')}")
    say(result)
    return 0 if verdict.good else 1


def main():
    options = parse_arguments()
    if "disk" in options.kinds:
        if disks.possible():
            disks.enter()
        elif options.faults != ALL:
            print("chaos: FAULTS=disk needs a mount namespace (unshare --user --mount), which this machine does not allow",
                  file=sys.stderr)
            return 2
        else:
            options.kinds.remove("disk")
            say("  this machine allows no mounts (unshare --user --mount): disk is left out")
    mesh, found = None, None

    def request_stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)
    try:
        lock = lock_run_dir(options.run_dir)  # noqa: F841  held until the process ends
        mesh = mesh_module.Mesh(options)
        found = run(options, mesh)
    except (StartError, OSError, TimeoutError) as error:
        print(f"chaos: {error}\nseed {options.seed}, commit {commit()}", file=sys.stderr)
    except KeyboardInterrupt:
        print("chaos: stopped", file=sys.stderr)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if mesh is not None:
            mesh.stop()
    if found is None:
        return 2
    return report(options, *found, options.run_dir.resolve())


if __name__ == "__main__":
    sys.exit(main())
