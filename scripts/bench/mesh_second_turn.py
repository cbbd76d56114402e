#!/usr/bin/env python3
"""Time to the first token of a conversation's second turn against its first, through the whole mesh.

Usage: scripts/bench/mesh_second_turn.py [--words=1440] [--rounds=5] [--json=FILE]
A user sends a message of about 1,500 tokens and, after the answer, a short one. The second turn comes through gateway and log,
gets the conversation from the session service and is rendered by the chat template before the engine can find its beginning
in the cache. Two times are compared, second to first: the worker's own time to the first token, and what a user waits for an
answer of one token, from webhook to send.
"""
import argparse
import statistics
import sys
import time

import local_mesh

ACCOUNT = {"answer_tokens_max": 1, "history_tokens_max": 6000}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    local_mesh.add_options(parser)
    parser.add_argument("--words", type=int, default=1440, help="of the first message; 1,440 are about 1,500 tokens")
    parser.add_argument("--rounds", type=int, default=5, help="conversations, after one that is not counted")
    parser.add_argument("--worker-flag", action="append", default=[], help="passed to the worker; may be repeated")
    parser.add_argument("--json", help="append the figures to this file, one object a line")
    return parser.parse_args()


def turn(mesh, users, user, text):
    """(worker's time to the first token, from webhook to reply, prompt tokens) of one turn on an idle mesh."""
    before, began = local_mesh.metrics(mesh, "worker"), time.monotonic()
    users.say(user, text)
    users.wait_for_reply()
    reply_s = time.monotonic() - began
    worker = local_mesh.since(before, local_mesh.metrics(mesh, "worker"))
    if worker["worker_ttft_seconds_count"] != 1:
        raise SystemExit("another turn ran beside the measured one")
    # The worker projects the turn into the history after its reply: the next turn must find it there.
    deadline = time.monotonic() + 10
    while local_mesh.metrics(mesh, "worker")["worker_turns_running"] > 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    return worker["worker_ttft_seconds_sum"], reply_s, worker["worker_prompt_tokens_total"]


def main():
    options = parse_arguments()
    flags = ["--kv-blocks=1024", *options.worker_flag]
    rounds = []
    with local_mesh.running_mesh(options, ACCOUNT, flags) as mesh:
        users = local_mesh.Users(mesh)
        for number in range(options.rounds + 1):
            user = f"1555{number:07d}"
            first = turn(mesh, users, user, "Read this: " + local_mesh.words(options.words, 2 * number))
            second = turn(mesh, users, user, "Now name " + local_mesh.words(3, 2 * number + 1))
            rounds.append((first, second))
    rounds = rounds[1:]
    column = lambda which, part: statistics.median(r[which][part] for r in rounds)
    figures = {"first_prompt_tokens": column(0, 2), "second_prompt_tokens": column(1, 2),
               "first_ttft_ms": 1e3 * column(0, 0), "second_ttft_ms": 1e3 * column(1, 0),
               "ratio": statistics.median(second[0] / first[0] for first, second in rounds),
               "first_reply_ms": 1e3 * column(0, 1), "second_reply_ms": 1e3 * column(1, 1),
               "reply_ratio": statistics.median(second[1] / first[1] for first, second in rounds)}
    print("first turn of {first_prompt_tokens:.0f} prompt tokens, second of {second_prompt_tokens:.0f}: TTFT {first_ttft_ms:.1f} "
          "and {second_ttft_ms:.1f} ms, ratio {ratio:.3f}; webhook to reply {first_reply_ms:.0f} and {second_reply_ms:.0f} ms, "
          "ratio {reply_ratio:.3f}".format(**figures))
    local_mesh.append_json(options, "mesh_second_turn", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
