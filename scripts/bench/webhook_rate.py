#!/usr/bin/env python3
"""How many signed webhooks a second one gateway process acknowledges, and how soon, beside a broker on the same machine.

Usage: scripts/bench/webhook_rate.py [--rounds=3] [--seconds=10] [--connections=64] [--rate=2000] [--json=FILE]
Broker and gateway are started alone. Each round: `loadtest webhook` as fast as answers come, then in the same call what the
producer alone writes there (the same record, the same settings); and at --rate with three statuses beside each message, as
Meta sends them. The first round warms the broker up and does not count.
"""
import argparse
import json
import statistics
import subprocess
import sys

import local_mesh

WARM_UP_ROUNDS = 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    local_mesh.add_options(parser)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2000, help="webhooks a second of the second measurement")
    parser.add_argument("--gateway-flag", action="append", default=[], help="passed to the gateway; may be repeated")
    parser.add_argument("--linger-ms", type=int, default=0, help="of gateway and producer alone")
    parser.add_argument("--json", help="append the figures to this file, one object a line")
    return parser.parse_args()


def loadtest(options, mesh, *flags):
    command = [options.bin_dir / "loadtest", "webhook", f"--port={mesh.port['gateway']}", "--json",
               f"--accounts={mesh.run_dir / 'accounts.yaml'}", f"--kafka-brokers=127.0.0.1:{mesh.port['kafka']}",
               f"--seconds={options.seconds}", f"--connections={options.connections}", f"--linger-ms={options.linger_ms}", *flags]
    answer = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if answer.returncode != 0:
        raise SystemExit(answer.stderr.strip() or answer.stdout.strip())
    return json.loads(answer.stdout)


def main():
    options = parse_arguments()
    rounds = []
    with local_mesh.running_gateway(options, [f"--linger-ms={options.linger_ms}", *options.gateway_flag]) as mesh:
        for number in range(WARM_UP_ROUNDS + options.rounds):
            fastest = loadtest(options, mesh, "--produce-alone")
            steady = loadtest(options, mesh, f"--rate={options.rate}", "--statuses-per-message=3")
            print(f"  round {number + 1} of {WARM_UP_ROUNDS + options.rounds}: "
                  f"{fastest['acknowledged_per_second']:.0f} webhooks/s; "
                  f"producer alone {fastest['produced_alone_per_second']:.0f} records/s", flush=True)
            rounds.append({"fastest": fastest, "steady": steady})
    counted = rounds[WARM_UP_ROUNDS:]
    median = lambda part, key: statistics.median(r[part][key] for r in counted)
    figures = {"webhooks_per_second": median("fastest", "acknowledged_per_second"),
               "p50_ms": median("fastest", "p50_ms"), "p99_ms": median("fastest", "p99_ms"),
               "not_acknowledged": sum(r[part]["not_acknowledged"] for r in rounds for part in ("fastest", "steady")),
               "alone_per_second": median("fastest", "produced_alone_per_second"),
               "share_of_alone": median("fastest", "share_of_produced_alone"),
               "record_bytes": counted[0]["fastest"]["record_bytes"],
               "rate": options.rate, "rate_p50_ms": median("steady", "p50_ms"), "rate_p99_ms": median("steady", "p99_ms"),
               "rate_overdue": sum(r["steady"]["overdue"] for r in counted)}
    print(f"\n{figures['webhooks_per_second']:.0f} webhooks/s acknowledged over {options.connections} connections, "
          f"p50 {figures['p50_ms']:.1f}, p99 {figures['p99_ms']:.1f} ms; not acknowledged {figures['not_acknowledged']}")
    print(f"  the producer alone: {figures['alone_per_second']:.0f} records/s of {figures['record_bytes']} bytes; "
          f"webhooks are {100 * figures['share_of_alone']:.0f} % of that")
    print(f"  at {options.rate:.0f} webhooks/s, three statuses to a message: p50 {figures['rate_p50_ms']:.2f}, "
          f"p99 {figures['rate_p99_ms']:.2f} ms, overdue {figures['rate_overdue']}")
    local_mesh.append_json(options, "webhook_rate", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
