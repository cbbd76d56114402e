#!/usr/bin/env python3
"""Goodput of the whole mesh at one, three and ten times what its engine can do. `make overload` calls it after building.

Usage: scripts/bench/overload.py [--seconds=40] [--times=1,3,10] [--json=FILE]
A mesh of its own is started on this machine, with the echo engine, whose service rate is a matter of time and not of the CPU:
four answers at once, each of 19 steps of 25 ms. Every message comes from another user, at a steady rate, whatever the
mesh makes of it (open loop). Good is an answer that its user sees within the turn's deadline and a second for the way there
and back; a notice is none. The first part of each load, in which the queue grows to its length, is not counted.

The last line has the goodputs in answers a second and their shares of the first one. Exit code 1: three times the load gave
less than 85 %, ten times less than 75 %, or a message got neither an answer nor a notice, or two of them.
"""
import argparse
import concurrent.futures
import dataclasses
import itertools
import sys
import threading
import time

import local_mesh

DEADLINE_S = 6
WAY_S = 1.0  # gateway, log, sender: outside the turn's deadline
STEP_MS = 25
PLACES = 4  # answers at once
TEXT_CHARACTERS = 66
STEPS = (len("echo: ") + TEXT_CHARACTERS) // 4 + 1  # four characters a token, and the end of the answer
PEAK = PLACES * 1000 / (STEP_MS * STEPS)  # answers a second
BUSY_TEXT = "busy"
ACCOUNT = {"answer_tokens_max": 64, "history_tokens_max": 0, "turn_deadline_s": DEADLINE_S, "busy_text": BUSY_TEXT,
           "sends_per_second_max": 100000, "user_sends_per_second_max": 1000, "user_burst_max": 1000}
WORKER = ["--engine=echo", f"--echo-step-ms={STEP_MS}", f"--sequences-max={PLACES}", f"--queue-max={PLACES}"]
MUST = {3: 0.85, 10: 0.75}
SETTLE_S = 60
POSTERS = 16


@dataclasses.dataclass
class Message:
    posted_at: float
    seen: list = dataclasses.field(default_factory=list)  # (time, text)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    local_mesh.add_options(parser)
    parser.add_argument("--seconds", type=float, default=40, help="of each load")
    parser.add_argument("--times", type=lambda text: [int(part) for part in text.split(",")], default=[1, 3, 10])
    parser.add_argument("--json", help="append the figures to this file, one object a line")
    return parser.parse_args()


class Load:
    """Posts messages at a steady rate and keeps what became of each."""

    def __init__(self, mesh):
        self.mesh, self.screen = mesh, local_mesh.Users(mesh)
        self.local, self.names = threading.local(), itertools.count()
        self.messages = {}  # by user

    def post(self, user):
        if not hasattr(self.local, "users"):
            self.local.users = local_mesh.Users(self.mesh, f"poster{next(self.names)}.")
        self.local.users.say(user, user.ljust(TEXT_CHARACTERS, "x"))

    def look(self):
        for send in self.screen.new_replies():
            self.messages[send["user"]].seen.append((send["ts_ms"] / 1000, send["text"]))

    def run(self, rate, seconds):
        """The messages of one load, once all of them have an outcome."""
        first, count = len(self.messages), int(rate * seconds)
        users = [f"1555{number:07d}" for number in range(first, first + count)]
        began = time.time()
        with concurrent.futures.ThreadPoolExecutor(POSTERS) as posters:
            posts = []
            for number, user in enumerate(users):
                time.sleep(max(0.0, began + number / rate - time.time()))
                self.messages[user] = Message(time.time())
                posts.append(posters.submit(self.post, user))
                self.look()
            for post in posts:
                post.result()
        until = time.time() + SETTLE_S
        while time.time() < until and not all(self.messages[user].seen for user in users):
            self.look()
            time.sleep(0.05)
        time.sleep(1)  # a second outcome of a message would come now
        self.look()
        return [self.messages[user] for user in users]


def judge(messages, seconds):
    """Figures of one load. Counted are messages posted after the queue has grown, a deadline after the beginning."""
    began = messages[0].posted_at
    counted = [message for message in messages if message.posted_at >= began + DEADLINE_S]
    good = [message for message in counted if message.seen and message.seen[0][1] != BUSY_TEXT
            and message.seen[0][0] - message.posted_at <= DEADLINE_S + WAY_S]
    told = [message.seen[0][0] - message.posted_at for message in messages if message.seen and message.seen[0][1] == BUSY_TEXT]
    return {"goodput": len(good) / (seconds - DEADLINE_S),
            "messages": len(messages),
            "told_busy": len(told),
            "told_after_s": sorted(told)[len(told) // 2] if told else 0.0,
            "late": sum(1 for message in counted if message.seen and message.seen[0][1] != BUSY_TEXT) - len(good),
            "none": sum(1 for message in messages if not message.seen),
            "several": sum(1 for message in messages if len(message.seen) > 1)}


def report(times, figures):
    """The lines to print, and whether all is as it must be."""
    lines = [f"{factor:>3}x: {f['messages']} messages, {f['goodput']:.2f} good answers/s, {f['late']} late; told busy "
             f"{f['told_busy']}, half of them within {f['told_after_s']:.1f} s; no outcome {f['none']}, several {f['several']}"
             for factor, f in zip(times, figures)]
    base = figures[0]["goodput"]
    shares = {factor: f["goodput"] / base if base else 0.0 for factor, f in zip(times, figures)}
    good = all(shares.get(factor, 1.0) >= must for factor, must in MUST.items()) and base > 0
    good = good and all(f["none"] == 0 and f["several"] == 0 for f in figures)
    goodputs = " ".join(f"{factor}x {f['goodput']:.2f}/s ({100 * shares[factor]:.0f} %)" for factor, f in zip(times, figures))
    return [*lines, f"overload: peak {PEAK:.2f}/s goodput {goodputs}"], good


def main():
    options = parse_arguments()
    figures = []
    with local_mesh.running_mesh(options, ACCOUNT, WORKER, engine="echo") as mesh:
        load = Load(mesh)
        load.run(PEAK, 5)  # connections and the broker's code warm up
        for factor in options.times:
            figures.append(judge(load.run(factor * PEAK, options.seconds), options.seconds))
    lines, good = report(options.times, figures)
    print("\n" + "\n".join(lines))
    local_mesh.append_json(options, "overload", {str(factor): f for factor, f in zip(options.times, figures)})
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
