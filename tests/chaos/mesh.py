"""The mesh under test: broker, store, fake Graph API and several processes of each service, which a nemesis may break.

All processes are started and ended by the thread that made the Mesh: the kernel ends a child with the thread that started it
(scripts/mesh/process.py asks for that), so a thread that goes away must not have children.
"""
import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/mesh"))
import accounts  # noqa: E402
import brokers  # noqa: E402
import clocks  # noqa: E402
import disks  # noqa: E402
import links  # noqa: E402
import poison  # noqa: E402
import stores  # noqa: E402
import users  # noqa: E402
from process import Process, StartError, http_ready, port_is_free  # noqa: E402

ROLES = ("session", "worker", "sender", "gateway")
READY_S = 60
NOTICE_TEXT = "sorry, this could not be answered"
TURN_DEADLINE_S = 10  # shorter than the longest pause, so that a worker that wakes finds its turns' time used up
ECHO_STEP_MS, ECHO_STEPS_MAX = 30, 40  # about 0.4 s an answer, a long one 1.2 s, so that a fault meets turns that run
HISTORY_BYTES_MAX = 2 << 20  # long answers and all: what Redis lets go is to be known from the count of turns alone
# Below the ports that the kernel gives to outgoing connections: one of those may not take the port of a process that is down.
PORT_RANGE = (20000, 31000)
PORT_BLOCK = 100  # a mesh of three brokers with every way proxied takes about half of it


class PortBlock:
    """A hundred ports that no other mesh of this machine tries, not even while a process of this one is down: the block is held
    by a socket whose name says which, and the kernel lets it go with this process."""

    def __init__(self):
        begins = list(range(*PORT_RANGE, PORT_BLOCK))
        random.SystemRandom().shuffle(begins)
        for begin in begins:
            self.claim = socket.socket(socket.AF_UNIX)
            try:
                self.claim.bind(f"\0musemesh-chaos-ports-{begin}")
            except OSError:
                self.claim.close()
                continue
            self.left = iter(range(begin, begin + PORT_BLOCK))
            return
        raise StartError("every block of ports is taken by another run; wait for one to end")

    def take(self):
        for port in self.left:
            if port_is_free(port):
                return port
        raise StartError("others have taken the ports of this run's block; start it again")


class Mesh:
    """options: run_dir, bin_dir, kafka_libs, kinds (of faults), brokers, instances (of each role), lease_ms, session_timeout_ms,
    post_timeout_ms, reconcile_ms, model (file of the real engine)."""

    def __init__(self, options):
        self.options = options
        self.run_dir = options.run_dir.resolve()
        ports = PortBlock()
        self.redis_port, self.graph_port = ports.take(), ports.take()
        names = [f"{role}-{number}" for role in ROLES for number in range(options.instances)]
        self.port = {name: ports.take() for name in names}  # gateway: webhooks; session: gRPC
        self.admin_port = {name: ports.take() for name in names}
        self.brokers = [brokers.Broker(number + 1, ports.take) for number in range(options.brokers)]
        self.links = links.Links("net" in options.kinds, ports.take)
        for broker in self.brokers:
            for number in range(options.instances):
                port = ports.take()
                broker.links[port] = self.links.lead(f"kafka-{number}", port)
        self.redis_link = [self.links.lead(f"redis-{number}", self.redis_port) for number in range(options.instances)]
        self.session_link = [self.links.lead(f"session-{number}", self.port[f"session-{number}"])
                             for number in range(options.instances)]
        self.graph_link = self.links.lead("graph", self.graph_port)
        self.clocks = None  # every service's is the machine's
        self.process = {}  # by name; also redis, kafka-1..., proxy, fake_channel_api
        self.real_engine = False  # what workers are started with
        self.down = set()  # meant to be down: not to be started again by tend()
        self.deaths = []  # (name, exit code) of what ended without being asked to

    def bootstrap(self, link=None):
        """Brokers as services of a link reach them; None: past every fault, for the harness."""
        ports = [broker.port if link is None else list(broker.links.values())[link] for broker in self.brokers]
        return ",".join(f"127.0.0.1:{port}" for port in ports)

    def stores(self):
        return ["redis", *(broker.name for broker in self.brokers)]

    def disk_of(self, name):
        return self.run_dir / ("redis" if name == "redis" else f"kafka/{name}")

    # Starting

    def start(self):
        self.prepare_folder()
        if "clock" in self.options.kinds:
            self.clocks = clocks.Clocks(self.run_dir, self.options.bin_dir)
        stores_first = {"redis": stores.redis(self.run_dir, self.redis_port), **brokers.make(self.run_dir, self.brokers)}
        if self.links.proxied:
            stores_first["proxy"] = self.links.process(self.run_dir)
        self.process.update(stores_first)
        self.process["fake_channel_api"] = self.make("fake_channel_api", "fake_channel_api", [
            f"--port={self.graph_port}", f"--accounts={self.run_dir / 'accounts.yaml'}",
            f"--sends-file={self.run_dir / 'sends.jsonl'}",
            f"--status-webhooks=http://127.0.0.1:{self.port['gateway-0']}"])
        for role in ROLES:
            for number in range(self.options.instances):
                self.process[f"{role}-{number}"] = self.make_service(role, number)
        for name in stores_first:
            self.process[name].start()
        for name in stores_first:
            self.wait_ready(name)
        for name, process in self.process.items():
            if name not in stores_first:
                process.start()
        for name in self.process:
            self.wait_ready(name)

    def prepare_folder(self):
        for part in ("kafka", "redis", "logs", "accounts.yaml", "sends.jsonl"):
            path = self.run_dir / part
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        (self.run_dir / "kafka").mkdir(parents=True)
        if "disk" in self.options.kinds:
            for name in self.stores():
                disks.mount(self.disk_of(name))
        (self.run_dir / "kafka/libs").symlink_to(self.options.kafka_libs.resolve())
        path = accounts.ensure(self.run_dir, "")  # its secrets
        settings = f"    answer_tokens_max: {ECHO_STEPS_MAX}\n    notice_text: {NOTICE_TEXT}\n    busy_text: {NOTICE_TEXT}\n" \
                   f"    turn_deadline_s: {TURN_DEADLINE_S}\n    history_tokens_max: 64\n" \
                   "    presence: off\n"  # it would be as many calls again as sends
        path.write_text(users.accounts_file(f"http://127.0.0.1:{self.graph_link}", settings))

    def app_secrets(self):
        """App secret of each channel."""
        return {channel: (self.run_dir / f"secrets/{channel}.app_secret").read_text().strip().encode()
                for channel in accounts.ACCOUNTS}

    def make(self, name, binary, flags):
        return Process(name, [self.options.bin_dir / binary, *flags], self.run_dir / f"logs/{name}.log", stop_s=40,
                       environment=self.environment(name))

    def environment(self, name):
        environment = self.clocks.environment(name) if self.clocks and name in self.admin_port else {}
        if "poison" in self.options.kinds and name.startswith("worker"):  # costs nothing until somebody writes that word
            environment = {**environment, "MESH_FAULT": f"worker_engine_step:kill:text={poison.WORD}"}
        return environment

    def as_started_first(self, name):
        """Whether it runs with the environment it is meant to have, and not with a fault of an earlier cycle."""
        return self.process[name].environment == {**os.environ, **self.environment(name)}

    def make_service(self, role, number):
        name = f"{role}-{number}"
        common = [f"--admin-port={self.admin_port[name]}"]
        if role == "session":
            return self.make(name, role, [*common, f"--grpc-port={self.port[name]}", f"--redis-port={self.redis_link[number]}",
                                          f"--history-bytes-max={HISTORY_BYTES_MAX}"])
        common += [f"--accounts={self.run_dir / 'accounts.yaml'}", f"--kafka-brokers={self.bootstrap(number)}",
                   f"--kafka-replication-factor={len(self.brokers)}"]
        if role == "gateway":
            return self.make(name, role, [*common, f"--port={self.port[name]}"])
        common += [f"--session-target=127.0.0.1:{self.session_link[number]}",
                   f"--session-timeout-ms={self.options.session_timeout_ms}"]
        if role == "worker":
            return self.make(name, role, [*common, *self.engine_flags()])
        return self.make(name, role, [*common, f"--lease-ms={self.options.lease_ms}",
                                      f"--post-timeout-ms={self.options.post_timeout_ms}",
                                      f"--reconcile-ms={self.options.reconcile_ms}"])

    def engine_flags(self):
        if self.real_engine:
            return [f"--model={self.options.model}", "--threads=1"]
        # Room for all turns at once: a backlog is to be the fault's, never the engine's.
        return ["--engine=echo", f"--echo-step-ms={ECHO_STEP_MS}", f"--echo-steps-max={ECHO_STEPS_MAX}", "--kv-blocks=8192",
                "--sequences-max=256"]

    def use_real_engine(self, real):
        """One worker after the other ends what it has and comes back with the other engine."""
        self.real_engine = real
        for number in range(self.options.instances):
            name = f"worker-{number}"
            self.terminate(name)
            self.process[name].command = self.make_service("worker", number).command
            self.start_again(name)
            self.wait_ready(name)

    def ready(self, name):
        if name == "redis":
            return stores.redis_ready(self.redis_port)
        if name == "proxy":
            return self.links.ready
        if name.startswith("kafka"):
            return stores.kafka_ready(self.brokers[int(name.removeprefix("kafka-")) - 1].port)
        if name == "fake_channel_api":
            return http_ready(f"http://127.0.0.1:{self.graph_port}/healthz")
        return http_ready(f"http://127.0.0.1:{self.admin_port[name]}/readyz")

    def wait_ready(self, name):
        """A service may end while its broker or store is away; it is then started again, as an orchestrator would."""
        deadline = time.monotonic() + READY_S
        check = self.ready(name)
        while not check():
            if time.monotonic() > deadline:
                raise StartError(f"{name} was not ready within {READY_S} s. The end of its log:\n{self.process[name].log_end()}")
            self.tend()
            time.sleep(0.05)

    # Breaking

    def alive(self, name):
        return self.process[name].exit_code() is None

    def signal(self, name, number):
        if self.alive(name):
            os.kill(self.process[name].child.pid, number)

    def kill(self, name):
        self.down.add(name)
        self.signal(name, signal.SIGKILL)
        self.process[name].child.wait()

    def terminate(self, name):
        """True when it went by itself within its time."""
        self.down.add(name)
        return self.process[name].stop()

    def empty(self, name):
        """Takes away what a store has on disk. REQUIRES: it is down"""
        for path in self.disk_of(name).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def forget_newest(self, share):
        """Redis has on disk what it had some time ago: this share of its append-only file's end is gone. REQUIRES: it is down"""
        for path in self.disk_of("redis").glob("appendonlydir/*.incr.aof"):
            os.truncate(path, int(path.stat().st_size * (1 - share)))

    def start_again(self, name, environment=None):
        process = self.process[name]
        process.environment = {**os.environ, **self.environment(name), **(environment or {})}
        process.start()
        self.down.discard(name)

    def stopped(self, name):
        """Whether SIGSTOP has frozen it."""
        if not self.alive(name):
            return False
        stat = pathlib.Path(f"/proc/{self.process[name].child.pid}/stat").read_text()
        return stat.rsplit(") ", 1)[1].startswith("T")

    def tend(self):
        """Starts again, unarmed, what ended without being asked to."""
        for name, process in self.process.items():
            if name in self.down or process.child is None or process.exit_code() is None:
                continue
            self.deaths.append((name, process.exit_code()))
            self.start_again(name)

    def services(self):
        """Names of all processes that are ours to restart."""
        return [name for name in self.process if name.rsplit("-", 1)[0] in ROLES]

    def new_tokens(self):
        """Each channel's accounts have another access token; the services read it within a second."""
        for path in (self.run_dir / "secrets").glob("*.access_token"):
            fresh = path.with_suffix(".fresh")
            accounts.write_private(fresh, secrets.token_hex(24) + "\n")
            fresh.rename(path)

    def graph_control(self, knobs):
        request = urllib.request.Request(f"http://127.0.0.1:{self.graph_port}/control", data=json.dumps(knobs).encode(),
                                         method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read().decode()

    def noticed(self, user, since_s):
        """Whether a notice has reached that user's screen since then."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.graph_port}/sends?user={user}", timeout=5) as answer:
            sends = [json.loads(line) for line in answer.read().decode().splitlines()]
        return any(send["text"] == NOTICE_TEXT and send["ts_ms"] / 1000 >= since_s for send in sends)

    # Ending

    def stop(self):
        """Intake first, then what works, then the stores; frozen processes are woken."""
        for name, process in self.process.items():
            if process.child is not None:
                self.signal(name, signal.SIGCONT)
        names = sorted(self.process, key=lambda name: (("gateway", "worker", "sender", "fake_channel_api", "session", "redis",
                                                        "kafka", "proxy").index(name.rsplit("-", 1)[0])))
        for name in names:
            if name.startswith("kafka") and len(self.brokers) > 1:
                self.kill(name)  # the last of a cluster finds no controller that would let it go
            elif not self.process[name].stop():
                print(f"chaos: {name} did not stop by itself; killed", file=sys.stderr)
