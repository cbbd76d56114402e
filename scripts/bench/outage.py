#!/usr/bin/env python3
"""How long a mesh takes to answer what was written while no broker ran, beside the time that the answers take anyway.

Usage: scripts/bench/outage.py [--outage-s=60] [--load=0.5] [--static-members] [--json=FILE]
A mesh of its own is started on this machine, with the echo engine of `make overload`, whose rate is a matter of time. First
its rate at saturation is measured: a pile of messages, each of another user, posted as fast as the gateway takes them. Then the
broker is killed; users go on writing at `load` times the engine's rate, and every webhook is posted once. Once the broker answers
again all webhooks without a 200 are posted again by a bounded number of posters, each until it gets its 200.

Recovery is the time from the broker's first answer to the last reply to a message of the outage; drain time is their number
divided by the rate at saturation. Exit code 1: recovery took more than 1.5 times the drain time, or a message got no reply, or
two. A mesh that takes nothing, or answers nothing, for two minutes is not waited for any longer: without a rate at saturation
the benchmark ends there and says so, and what is missing after the outage is in the figures.
"""
import argparse
import concurrent.futures
import http.client
import os
import queue
import sys
import threading
import time

import local_mesh
import overload
import up

ACCOUNT = {**overload.ACCOUNT, "turn_deadline_s": 3600}  # everything is answered, however late
MUST = 1.5
PILE = 160  # messages of the measurement at saturation
POSTERS = 32  # more than `load` keeps waiting for a gateway that waits for the broker
RETRIERS = 16
RETRY_S = 0.2
SETTLE_S = 120  # without any reply, or any 200, after which no more are expected


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    local_mesh.add_options(parser)
    parser.add_argument("--outage-s", type=float, default=60)
    parser.add_argument("--load", type=float, default=0.5, help="of the engine's rate")
    parser.add_argument("--static-members", action="store_true", help="worker and sender have a --static-member-id")
    parser.add_argument("--json", help="append the figures to this file, one object a line")
    return parser.parse_args()


class World:
    """Posts messages and keeps when each was acknowledged and answered. A user writes one message."""

    def __init__(self, mesh):
        self.mesh, self.screen, self.local = mesh, local_mesh.Users(mesh), threading.local()
        self.users = 0
        self.acknowledged, self.seen = {}, {}  # by user: time; times
        self.acknowledged_at = 0.0  # any, the last time

    def new_users(self, count):
        self.users += count
        return [f"1555{number:07d}" for number in range(self.users - count, self.users)]

    def post(self, user):
        if not hasattr(self.local, "users"):
            self.local.users = local_mesh.Users(self.mesh)
        try:
            if self.local.users.post(user, user.ljust(overload.TEXT_CHARACTERS, "x"), f"wamid.{user}") == 200:
                self.acknowledged[user] = self.acknowledged_at = time.time()
        except (OSError, http.client.HTTPException):
            pass  # as Meta's side sees it: not acknowledged
        return user in self.acknowledged

    def post_all(self, users, posters):
        """Each until it is acknowledged, the oldest first; none any more once nothing was acknowledged for a while."""
        began = time.time()
        waiting = queue.SimpleQueue()
        for user in users:
            waiting.put(user)

        def work():
            while True:
                try:
                    user = waiting.get_nowait()
                except queue.Empty:
                    return
                while not self.post(user):
                    if time.time() - max(began, self.acknowledged_at) > SETTLE_S:
                        return
                    time.sleep(RETRY_S)

        with concurrent.futures.ThreadPoolExecutor(posters) as pool:
            for done in [pool.submit(work) for _ in range(posters)]:
                done.result()

    def post_over(self, users, seconds):
        """Each once, at a steady rate."""
        began = time.time()
        with concurrent.futures.ThreadPoolExecutor(POSTERS) as pool:
            for number, user in enumerate(users):
                time.sleep(max(0.0, began + number * seconds / len(users) - time.time()))
                pool.submit(self.post, user)
            time.sleep(max(0.0, began + seconds - time.time()))

    def wait_for_replies(self, users):
        """The times of the first replies, in order. What has none after a while stays without."""
        until = time.time() + SETTLE_S
        while time.time() < until:
            for send in self.screen.new_replies():
                self.seen.setdefault(send["user"], []).append(send["ts_ms"] / 1000)
                until = time.time() + SETTLE_S
            if all(user in self.seen for user in users):
                break
            time.sleep(0.05)
        return sorted(self.seen[user][0] for user in users if user in self.seen)


class NoRate(Exception):
    """The mesh does not answer as it must before it can be put to the test."""


def rate_of(times, messages):
    """Answers a second between the first and the last fifth, in which places are still, or already, empty."""
    if len(times) < messages:
        raise NoRate(f"before any outage {len(times)} of {messages} messages were answered, and then none for {SETTLE_S} s: "
                     "there is no rate at saturation to compare with. The logs are in --run-dir")
    first, last = len(times) // 5, len(times) * 4 // 5
    return (last - first) / (times[last] - times[first])


def measure(world, kafka, kafka_is_up, options):
    """Figures of one outage."""
    pile = world.new_users(PILE)
    world.post_all(pile, RETRIERS)
    rate = rate_of(world.wait_for_replies(pile), PILE)
    users = world.new_users(int(options.outage_s * options.load * overload.PEAK))
    kafka.child.kill()
    kafka.child.wait()
    world.post_over(users, options.outage_s)
    waiting = [user for user in users if user not in world.acknowledged]
    kafka.start()
    kafka.wait_until(kafka_is_up, 60)
    up_at = time.time()
    world.post_all(waiting, RETRIERS)
    times = world.wait_for_replies(users)
    time.sleep(2)  # a second reply would come now
    world.wait_for_replies(users)
    return figures_of(world, users, times, up_at, rate)


def figures_of(world, users, times, up_at, rate):
    """Times are None where nothing was acknowledged, or answered."""
    acknowledged = sorted(world.acknowledged[user] for user in users if user in world.acknowledged)
    since = lambda times, place: times[place] - up_at if times else None
    return {"rate": rate, "messages": len(users), "not_taken": len(users) - len(acknowledged), "none": len(users) - len(times),
            "several": sum(1 for user in users if len(world.seen.get(user, [])) > 1),
            "drain_s": len(users) / rate, "first_ack_s": since(acknowledged, 0), "last_ack_s": since(acknowledged, -1),
            "first_reply_s": since(times, 0), "recovery_s": since(times, -1)}


def report(figures):
    """The lines to print, and whether all is as it must be."""
    lines = [f"{figures['messages']} messages written in the outage; not taken {figures['not_taken']}, "
             f"no reply {figures['none']}, several {figures['several']}; {figures['rate']:.2f} answers/s at saturation"]
    if figures["first_ack_s"] is None or figures["recovery_s"] is None:
        what = "taken" if figures["first_ack_s"] is None else "answered"
        return [*lines, f"outage: no recovery: nothing was {what} within {SETTLE_S} s of the broker's first answer"], False
    ratio = figures["recovery_s"] / figures["drain_s"]
    good = ratio <= MUST and figures["not_taken"] == 0 and figures["none"] == 0 and figures["several"] == 0
    return [*lines,
            f"after the broker's first answer: acknowledged from {figures['first_ack_s']:.1f} to {figures['last_ack_s']:.1f} s, "
            f"answered from {figures['first_reply_s']:.1f} s on",
            f"outage: recovery {figures['recovery_s']:.1f} s, drain time {figures['drain_s']:.1f} s, ratio {ratio:.2f}"], good


def main():
    options = parse_arguments()
    if options.static_members:
        os.environ["MESH_STATIC_MEMBER_ID"] = "the-only-one"
    with local_mesh.running_mesh(options, ACCOUNT, overload.WORKER, engine="echo") as mesh:
        kafka = next(process for process in mesh.running if process.name == "kafka")
        world = World(mesh)
        warm = world.new_users(40)  # connections and the broker's code warm up
        world.post_all(warm, RETRIERS)
        world.wait_for_replies(warm)
        try:
            figures = measure(world, kafka, up.stores.kafka_ready(mesh.port["kafka"]), options)
        except NoRate as error:
            print(f"\noutage: {error}")
            return 1
    lines, good = report(figures)
    print("\n" + "\n".join([*lines, f"machine's load: {' '.join(f'{load:.1f}' for load in os.getloadavg())}"]))
    local_mesh.append_json(options, "outage", figures)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
