"""Breaks the mesh, one fault a cycle, all decided by one seed. What each kind of fault does: the `*_faults.py` beside this."""
import json
import random
import subprocess
import time

import graph_faults
import link_faults
import process_faults
import store_faults
from checker import Fault

FAULTS = {**process_faults.FAULTS, **store_faults.FAULTS, **link_faults.FAULTS, **graph_faults.FAULTS}
KINDS = tuple(FAULTS)
DROP_ALONG_SHARE = 0.3
SWITCH_S = 3.0  # so that what was written for one engine is not left to the other
DROP_ALONG_S = 0.2  # about as long as that many sends take


def points(bin_dir):
    """(name, service) of every fault point in the binaries."""
    listing = subprocess.run([bin_dir / "fault_points"], capture_output=True, text=True, check=True).stdout
    return [tuple(line.split()[:2]) for line in listing.splitlines()]


class Nemesis:
    def __init__(self, mesh, meta, seed, kinds, log_path, say):
        """meta: the generator, which is asked to write what kills."""
        self.mesh, self.meta, self.rng, self.kinds, self.say = mesh, meta, random.Random(seed), kinds, say
        self.points = points(mesh.options.bin_dir)
        self.log = open(log_path, "w")
        self.bags = {}
        self.faults = []
        self.real_cycles = 0

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
            self.choose_engine()
            kind = self.draw("kinds", self.kinds)
            # A rolling restart is to be judged alone: what it disturbs is its own doing.
            doubts = self.rng.random() < DROP_ALONG_SHARE and "drop" in self.kinds and kind not in ("drop", "rolling")
            if doubts:  # sends are in doubt when the other fault comes, and their statuses have to come through it
                self.mesh.graph_control({"accept_then_drop": 5})
                self.wait(DROP_ALONG_S)
            began = time.time()
            target = FAULTS[kind](self) + (", with drop" if doubts else "")
            heals_itself = kind == "broker" and len(self.mesh.brokers) > 1 and not doubts
            fault = Fault(cycle, kind, target, began, time.time(), heals_itself)
            self.faults.append(fault)
            self.log.write(json.dumps(vars(fault)) + "\n")
            self.log.flush()
            self.say(f"  cycle {cycle:>4}  {kind:<11} {target}  ({fault.healed - began:.1f} s)")

    def choose_engine(self):
        """For this cycle; users write as fast as that engine answers."""
        share = self.mesh.options.engine_share
        real = share > 0 and self.rng.random() < share
        self.real_cycles += real
        if real == self.mesh.real_engine:
            return
        self.meta.slow_down(real)
        self.wait(SWITCH_S)
        self.mesh.use_real_engine(real)
        self.say(f"  the workers have the {'real' if real else 'echo'} engine")

    def wait_until(self, reached, seconds, look_s=0.02):
        """Tends the mesh meanwhile; whether it was reached in time."""
        until = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > until:
                return False
            self.wait(look_s)
        return True

    def wait(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.mesh.tend()
            time.sleep(min(0.05, max(0.0, until - time.monotonic())))

    def restart(self, names):
        for name in names:
            self.mesh.start_again(name)
        for name in names:
            self.mesh.wait_ready(name)

    def wait_all_ready(self):
        for name in self.mesh.process:
            self.mesh.wait_ready(name)
