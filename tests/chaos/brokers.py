"""The brokers under test: one, or three nodes of a KRaft cluster (broker and controller in one process) that may lose one.

Each broker listens once for brokers and harness (INTERNAL) and once for each link of services (LINK0, LINK1, ...): a client is
sent on to the addresses that the broker advertises on the listener it came in by, so a fault proxy that stands on those
addresses sees all of a link's connections.
"""
import base64
import pathlib
import subprocess
import uuid

import kafka.admin
import kafka.errors

import stores
from process import Process, StartError

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "scripts/kafka/server.properties.in"
JAVA_FLAGS = ["-Xms64m", "-Xmx256m", *(flag for flag in stores.JAVA_FLAGS if not flag.startswith("-Xm"))]
CLUSTER = """
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
# How long a dead broker still counts as the leader of its partitions, and as the coordinator of groups; 9 s by default. With
# 4 s for the rest it must end before the members' sessions do, else they lose their partitions for another session.
broker.heartbeat.interval.ms=250
broker.session.timeout.ms=2000
# How long writes wait for a copy that has fallen behind; 30 s by default.
replica.lag.time.max.ms=5000
controller.quorum.fetch.timeout.ms=1500
controller.quorum.election.timeout.ms=500
"""


class Broker:
    """Ports of one node. links: port that it listens on -> port that it tells clients of that link."""

    def __init__(self, number, take_port):
        self.number, self.name = number, f"kafka-{number}"
        self.port, self.controller_port = take_port(), take_port()
        self.links = {}

    def properties(self, brokers, data):
        listeners = [f"INTERNAL://127.0.0.1:{self.port}"]
        advertised = list(listeners)
        for number, (port, told) in enumerate(self.links.items()):
            listeners.append(f"LINK{number}://127.0.0.1:{port}")
            advertised.append(f"LINK{number}://127.0.0.1:{told}")
        names = [listener.split(":")[0] for listener in listeners]
        text = TEMPLATE.read_text()
        for name, value in {"PORT": self.port, "CONTROLLER_PORT": self.controller_port, "DATA_DIR": data.resolve()}.items():
            text = text.replace(f"@{name}@", str(value))
        voters = ",".join(f"{broker.number}@127.0.0.1:{broker.controller_port}" for broker in brokers)
        # Of a name that stands twice, the last counts.
        text += f"""
node.id={self.number}
listeners={','.join([*listeners, f'CONTROLLER://127.0.0.1:{self.controller_port}'])}
advertised.listeners={','.join(advertised)}
listener.security.protocol.map={','.join(f'{name}:PLAINTEXT' for name in [*names, 'CONTROLLER'])}
inter.broker.listener.name=INTERNAL
controller.quorum.voters={voters}
"""
        return text + (CLUSTER if len(brokers) > 1 else "")


def make(run_dir, brokers):
    """Formats empty data folders, all at once, and returns each node's process, not started yet."""
    stores.require("java", "openjdk-17-jre-headless")
    java = ["java", *JAVA_FLAGS, "-cp", f"{run_dir / 'kafka/libs'}/*"]
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    processes, formats = {}, []
    for broker in brokers:
        properties = run_dir / f"kafka/{broker.name}.properties"
        properties.write_text(broker.properties(brokers, run_dir / "kafka" / broker.name))
        format_it = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", properties]
        formats.append(subprocess.Popen(format_it, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        processes[broker.name] = Process(broker.name, [*java, "kafka.Kafka", properties],
                                         run_dir / f"logs/{broker.name}.log", stop_s=20)
    for running in formats:
        _, errors = running.communicate(timeout=stores.FORMAT_S)
        if running.returncode != 0:
            raise StartError(f"a broker's data folder could not be formatted: {errors.strip()[-300:]}")
    return processes


def fully_copied(bootstrap):
    """Every partition has all its copies in sync. False too where the cluster gives no answer."""
    try:
        admin = kafka.admin.KafkaAdminClient(bootstrap_servers=bootstrap)
    except kafka.errors.KafkaError:
        return False
    try:
        return all(len(partition["isr_nodes"]) == len(partition["replica_nodes"])
                   for topic in admin.describe_topics() for partition in topic["partitions"])
    except kafka.errors.KafkaError:
        return False
    finally:
        admin.close()
