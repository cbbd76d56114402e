"""Breaks the mesh, one fault a cycle, all decided by one seed."""
import json
import random
import signal
import subprocess
import time

from checker import Fault

KINDS = ("kill", "pause", "term", "redis", "broker", "drop", "graph", "point")
# Longer than a sender's lease; and longer than the consumer group's session timeout of 10 s, so that partitions move away.
PAUSES_S = (3.0, 13.0)
# Longer than a webhook's timeout: the retry goes to another gateway, and the frozen one accepts it too when it wakes.
GATEWAY_PAUSE_S = 6.0
ROLES = {"kill": ("worker", "sender", "session", "gateway"), "pause": ("worker", "sender", "session", "gateway"),
         "term": ("gateway", "worker", "sender", "session")}
POINT_WAIT_S = 20.0
DROP_ALONG_SHARE = 0.3
DROP_ALONG_S = 0.2  # about as long as that many sends take


def points(bin_dir):
    """(name, service) of every fault point in the binaries."""
    listing = subprocess.run([bin_dir / "fault_points"], capture_output=True, text=True, check=True).stdout
    return [tuple(line.split()[:2]) for line in listing.splitlines()]


class Nemesis:
    def __init__(self, mesh, seed, kinds, log_path, say):
        self.mesh, self.rng, self.kinds, self.say = mesh, random.Random(seed), kinds, say
        self.points = points(mesh.options.bin_dir)
        self.log = open(log_path, "w")
        self.bags = {}
        self.faults = []

    def draw(self, bag, items):
        """Without replacement until all were drawn, so that a short run meets every item."""
        left = self.bags.setdefault(bag, [])
        if not left:
            left.extend(items)
            self.rng.shuffle(left)
        return left.pop()

    def run(self, cycles, pause_s=(0.5, 2.5)):
        for cycle in range(1, cycles + 1):
            self.wait(self.rng.uniform(*pause_s))
            kind = self.draw("kinds", self.kinds)
            doubts = self.rng.random() < DROP_ALONG_SHARE and "drop" in self.kinds and kind != "drop"
            if doubts:  # sends are in doubt when the other fault comes, and their statuses have to come through it
                self.mesh.graph_control(json.dumps({"accept_then_drop": 5}))
                self.wait(DROP_ALONG_S)
            began = time.time()
            target = getattr(self, kind)() + (", with drop" if doubts else "")
            fault = Fault(cycle, kind, target, began, time.time())
            self.faults.append(fault)
            self.log.write(json.dumps(vars(fault)) + "\n")
            self.log.flush()
            self.say(f"  cycle {cycle:>4}  {kind:<7} {target}  ({fault.healed - began:.1f} s)")

    def wait(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.mesh.tend()
            time.sleep(min(0.05, max(0.0, until - time.monotonic())))

    def targets(self, kind):
        """One process of a role, and now and then all of them at once."""
        role = self.draw(kind, ROLES[kind])
        names = [f"{role}-{number}" for number in range(self.mesh.options.instances)]
        return names if self.rng.random() < 0.15 else [self.rng.choice(names)]

    def restart(self, names):
        for name in names:
            self.mesh.start_again(name)
        for name in names:
            self.mesh.wait_ready(name)

    # One method a kind; each returns what it did once the fault is healed.

    def kill(self):
        names = self.targets("kill")
        for name in names:
            self.mesh.kill(name)
        self.wait(self.rng.uniform(0, 1.5))
        self.restart(names)
        return "+".join(names)

    def pause(self):
        names = self.targets("pause")
        away_s = GATEWAY_PAUSE_S if names[0].startswith("gateway") else self.draw("pause_s", PAUSES_S)
        for name in names:
            self.mesh.signal(name, signal.SIGSTOP)
        self.wait(away_s)
        for name in names:
            self.mesh.signal(name, signal.SIGCONT)
        for name in names:
            self.mesh.wait_ready(name)
        return f"{'+'.join(names)} {away_s:.0f} s"

    def term(self):
        names = self.targets("term")
        clean = [self.mesh.terminate(name) for name in names]
        self.restart(names)
        return "+".join(names) + ("" if all(clean) else " (did not end by itself)")

    def redis(self):
        return self.store("redis")

    def broker(self):
        return self.store("kafka")

    def store(self, name):
        self.mesh.kill(name)
        self.wait(self.rng.uniform(0, 2))
        self.restart([name])
        for other in self.mesh.process:
            self.mesh.wait_ready(other)
        return name

    def drop(self):
        count = self.rng.randint(1, 3)
        self.mesh.graph_control(json.dumps({"accept_then_drop": count}))
        self.wait(1.0)
        return f"{count} sends shown but not answered"

    def graph(self):
        fault = self.draw("graph", ({"n": 3, "http_status": 500, "code": 131000, "with_error_object": False},
                                    {"n": 5, "http_status": 429, "code": 130429, "with_error_object": True},
                                    {"n": 3, "http_status": 503, "code": 131016, "with_error_object": True}, None))
        if fault is None:  # slower than the sender waits: shown, and answered too late
            self.mesh.graph_control(json.dumps({"delay_ms": self.mesh.options.post_timeout_ms * 2}))
            self.wait(2.0)
            self.mesh.graph_control(json.dumps({"delay_ms": 0}))
            return "slow"
        self.mesh.graph_control(json.dumps({"fail_next": fault}))
        self.wait(1.0)
        return f"{fault['n']} answers of {fault['http_status']}, error object {fault['with_error_object']}"

    def point(self):
        name, role = self.draw("points", self.points)
        action = self.draw("actions", ("kill", "kill", "stop"))
        target = f"{role}-{self.rng.randrange(self.mesh.options.instances)}"
        nth = self.rng.randint(1, 8)
        deaths = len(self.mesh.deaths)
        self.mesh.terminate(target)
        self.mesh.start_again(target, {"MESH_FAULT": f"{name}:{action}:{nth}"})  # it may fall before it is ready
        # What dies is started again by tend(), unarmed.
        until = time.monotonic() + POINT_WAIT_S
        hit = False
        while not hit and time.monotonic() < until:
            self.wait(0.02)
            hit = self.mesh.stopped(target) or target in [dead for dead, _ in self.mesh.deaths[deaths:]]
        if self.mesh.stopped(target):
            self.wait(GATEWAY_PAUSE_S if role == "gateway" else self.draw("pause_s", PAUSES_S))
            self.mesh.signal(target, signal.SIGCONT)
        self.mesh.wait_ready(target)
        if not hit:  # still armed: it would fall in a later cycle and be blamed on that
            self.mesh.terminate(target)
            self.restart([target])
        return f"{target} {action} at {name}, pass {nth}" + ("" if hit else " (never passed)")
