#!/usr/bin/env python3
"""Starts the whole mesh on this machine and stops it in order on Ctrl-C. `make run` calls it after building.

Usage: scripts/mesh/up.py [--run-dir=.run] [--engine=llm|echo] [--model=FILE] [--threads=N] [--device=cpu|cuda]
Data, logs and secrets stay in the run directory; the next start continues from them.
"""
import argparse
import fcntl
import json
import os
import pathlib
import signal
import sys
import time

import accounts
import card
import stores
from process import Ports, Process, StartError, http_ready

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESTARTS_MAX = 10  # of one process, in a row
QUIET_S = 30  # a process that lived this long starts counting anew
DEFAULT_PORTS = {"kafka": 9092, "kafka controller": 9093, "redis": 6379, "fake Graph API": 8090, "session": 50051,
                 "gateway": 8080, "gateway admin": 9100, "worker admin": 9101, "session admin": 9102,
                 "sender admin": 9103, "exporter admin": 9104}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=pathlib.Path, default=ROOT / ".run")
    parser.add_argument("--bin-dir", type=pathlib.Path, default=ROOT / "build/bin")
    parser.add_argument("--engine", choices=("llm", "echo"), default="llm")
    parser.add_argument("--model", type=pathlib.Path, help="a GGUF file in place of the default model")
    parser.add_argument("--threads", type=int, default=0, help="of the engine; 0: one a core")
    parser.add_argument("--device", choices=("cpu", "cuda", "emulator"), default="cpu", help="of the engine's forward pass")
    parser.add_argument("--worker-flag", action="append", default=[], help="passed to the worker, such as "
                        "--worker-flag=--kv-blocks=1024; may be repeated")
    parser.add_argument("--check", action="store_true", help="only say whether this machine has the card that --device "
                        "asks for, before anything is built for it")
    parser.add_argument("--seconds", type=float, help="stop by itself after this time (for tests)")
    return parser.parse_args()


class Mesh:
    def __init__(self, options):
        self.options = options
        self.run_dir = options.run_dir.resolve()
        self.ports = Ports()
        self.port = {name: self.ports.choose(name, default) for name, default in DEFAULT_PORTS.items()}
        self.running = []
        self.stopping = False

    def url(self, name):
        return f"http://127.0.0.1:{self.port[name]}"

    def service(self, name, *flags, stop_s=30):
        command = [self.options.bin_dir / name, f"--admin-port={self.port[name + ' admin']}", *flags]
        return Process(name, command, self.run_dir / f"logs/{name}.log", stop_s=stop_s)

    def begin(self, process, ready, timeout_s=60):
        """Starts one process and waits for it, with a line of progress."""
        started = time.monotonic()
        print(f"  {process.name:<18}", end="", flush=True)
        process.start()
        self.running.append(process)
        process.wait_until(ready, timeout_s)
        print(f"ready after {time.monotonic() - started:.1f} s", flush=True)

    def begin_together(self, processes, timeout_s=120):
        """Starts several at once: what takes long in one (loading a model) passes while the others join."""
        started = time.monotonic()
        for process, _ in processes:
            process.start()
            self.running.append(process)
        for process, ready in processes:
            print(f"  {process.name:<18}", end="", flush=True)
            process.wait_until(ready, timeout_s)
            print(f"ready after {time.monotonic() - started:.1f} s", flush=True)

    def start(self):
        accounts_file = accounts.ensure(self.run_dir, self.url("fake Graph API"))
        common = [f"--accounts={accounts_file}"]
        bus = [f"--kafka-brokers=127.0.0.1:{self.port['kafka']}"]
        session_target = [f"--session-target=127.0.0.1:{self.port['session']}"]

        ready = lambda name: http_ready(self.url(name + " admin") + "/readyz")
        graph = Process("fake_channel_api", [self.options.bin_dir / "fake_channel_api",
                                             f"--port={self.port['fake Graph API']}", *common,
                                             f"--sends-file={self.run_dir / 'sends.jsonl'}",
                                             f"--status-webhooks={self.url('gateway')}"],
                        self.run_dir / "logs/fake_channel_api.log")
        session = self.service("session", f"--grpc-port={self.port['session']}", f"--redis-port={self.port['redis']}")
        worker = self.service("worker", *common, *bus, *session_target, *self.engine_flags(),
                              f"--media-store={self.run_dir / 'media'}", *self.options.worker_flag)
        sender = self.service("sender", *common, *bus, *session_target)
        exporter = self.service("exporter", *common, *bus, f"--redis-port={self.port['redis']}")
        gateway = self.service("gateway", f"--port={self.port['gateway']}", *common, *bus)
        services = [session, worker, sender, exporter, gateway]
        for service in services:
            service.check_options()

        kafka = stores.kafka(self.run_dir, self.port["kafka"], self.port["kafka controller"])
        redis = stores.redis(self.run_dir, self.port["redis"])
        self.begin_together([(redis, stores.redis_ready(self.port["redis"])),
                             (kafka, stores.kafka_ready(self.port["kafka"]))])
        self.begin_together([(graph, http_ready(self.url("fake Graph API") + "/healthz"))] +
                            [(service, ready(service.name)) for service in services])
        self.write_meshctl_config(accounts_file)

    def engine_flags(self):
        if self.options.engine == "echo":
            return ["--engine=echo"]
        model = self.options.model or self.run_dir / "models/SmolLM2-135M-Instruct.Q4_1.gguf"
        if not model.exists():
            raise StartError(f"there is no file {model}, named by --model" if self.options.model else
                             f"the model file {model} is missing. Run: make model")
        flags = [f"--model={model}", f"--threads={self.options.threads}", f"--device={self.options.device}"]
        pin = model.with_suffix(".sha256")  # written by fetch_model.py after checking the pinned digest
        if pin.exists():
            flags.append(f"--model-sha256={pin.read_text().strip()}")
        return flags

    def write_meshctl_config(self, accounts_file):
        lines = {"gateway_url": self.url("gateway"), "graph_url": self.url("fake Graph API"), "accounts": accounts_file,
                 "kafka_brokers": f"127.0.0.1:{self.port['kafka']}", "session_target": f"127.0.0.1:{self.port['session']}"}
        text = "".join(f"  {key}: {json.dumps(str(value))}\n" for key, value in lines.items())
        (self.run_dir / "meshctl.yaml").write_text("# Where the running mesh listens; written by each start.\nmeshctl:\n" + text)

    def print_table(self, seconds):
        print(f"\nmusemesh is up ({seconds:.1f} s)\n")
        rows = [("webhooks", f"{self.url('gateway')}/webhooks/{{whatsapp,messenger,instagram}}"),
                ("what users see", f"{self.url('fake Graph API')}/sends"),
                ("metrics", "  ".join(f"{name} :{self.port[name + ' admin']}"
                                      for name in ("gateway", "worker", "session", "sender", "exporter"))),
                ("kafka, redis", f"127.0.0.1:{self.port['kafka']}, 127.0.0.1:{self.port['redis']}"),
                ("logs", f"{self.display(self.run_dir)}/logs/")]
        for name, value in rows:
            print(f"  {name:<18}{value}")
        for line in self.ports.replaced:
            print(f"  {'note':<18}{line}")
        meshctl = self.display(self.options.bin_dir / "meshctl")
        # By itself meshctl finds only .run/meshctl.yaml.
        config = "" if self.run_dir == pathlib.Path.cwd() / ".run" else f" --config={self.display(self.run_dir)}/meshctl.yaml"
        print(f'\nTry:   {meshctl} send{config} --channel=whatsapp --text="What is the capital of Japan?"')
        print("Stop:  Ctrl-C (data stays)\n", flush=True)

    @staticmethod
    def display(path):
        try:
            return path.resolve().relative_to(pathlib.Path.cwd())
        except ValueError:
            return path

    def watch(self):
        """Until told to stop: a child that ends is said and started again, as an orchestrator would."""
        until = time.monotonic() + self.options.seconds if self.options.seconds else float("inf")
        while not self.stopping and time.monotonic() < until:
            time.sleep(0.2)
            for process in self.running:
                if process.exit_code() is None or self.stopping:
                    continue
                print(f"{process.name} ended with code {process.exit_code()}; the end of {self.display(process.log)}:\n"
                      f"{process.log_end()}", flush=True)
                lived_s = time.monotonic() - process.started_at
                process.restarts = 1 if lived_s > QUIET_S else process.restarts + 1
                if process.restarts > RESTARTS_MAX:
                    raise StartError(f"{process.name} ended {RESTARTS_MAX} times in a row soon after its start: giving up")
                print(f"starting {process.name} again", flush=True)
                time.sleep(min(0.25 * process.restarts, 3))
                process.start()

    def stop(self):
        """Intake first, then what works, then the stores."""
        order = ["gateway", "worker", "sender", "exporter", "fake_channel_api", "session", "redis", "kafka"]
        for process in sorted(self.running, key=lambda process: order.index(process.name)):
            print(f"  stopping {process.name:<18}", end="", flush=True)
            print("ok" if process.stop() else f"did not stop within {process.stop_s:.0f} s; killed", flush=True)


def check_card(options):
    found = card.problem() if options.device == "cuda" and options.engine == "llm" else None
    if found is not None:
        raise StartError(found)


def lock_run_dir(run_dir):
    run_dir.mkdir(parents=True, exist_ok=True)
    lock = open(run_dir / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise StartError(f"a mesh is already running on {run_dir}. Stop it first, or choose another: make run RUN_DIR=...")
    return lock


def main():
    options = parse_arguments()
    started = time.monotonic()
    mesh = None

    def request_stop(*_):
        if mesh is not None:
            mesh.stopping = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)  # also where a shell started this with SIGINT ignored
    code = 0
    try:
        check_card(options)
        if options.check:
            return 0
        lock = lock_run_dir(options.run_dir)
        mesh = Mesh(options)
        print("Starting:", flush=True)
        mesh.start()
        mesh.print_table(time.monotonic() - started)
        mesh.watch()
    except (StartError, OSError) as error:  # OSError: a full disk, a file of somebody else; what runs is stopped in order
        print(f"{'' if mesh is None else chr(10)}up: {error}", file=sys.stderr, flush=True)
        code = 1
    except KeyboardInterrupt:
        print()
    if mesh is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        mesh.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
