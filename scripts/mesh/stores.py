"""The broker and the store of the local mesh: a single-node Kafka (KRaft) and a redis-server, both real."""
import base64
import pathlib
import shutil
import socket
import subprocess
import uuid

from process import Process, StartError

HERE = pathlib.Path(__file__).resolve().parent
JAVA_FLAGS = ["-Xms96m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
              "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
FORMAT_S = 120


def require(tool, package):
    if shutil.which(tool) is None:
        raise StartError(f"{tool} is missing. Run: make deps   (package {package})")


def kafka(run_dir, port, controller_port):
    """Formats the data folder once, then returns the broker's process, not started yet."""
    require("java", "openjdk-17-jre-headless")
    home = run_dir / "kafka"
    data = home / "data"
    properties = home / "server.properties"
    text = (HERE.parent / "kafka/server.properties.in").read_text()
    for name, value in {"PORT": port, "CONTROLLER_PORT": controller_port, "DATA_DIR": data.resolve()}.items():
        text = text.replace(f"@{name}@", str(value))
    home.mkdir(parents=True, exist_ok=True)
    properties.write_text(text)
    java = ["java", *JAVA_FLAGS, "-cp", f"{home / 'libs'}/*"]
    if not (data / "meta.properties").exists():
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # Behind an equals sign: an id may begin with a dash.
        format_it = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", properties]
        try:
            formatted = subprocess.run(format_it, capture_output=True, text=True, timeout=FORMAT_S)
        except subprocess.TimeoutExpired:
            raise StartError(f"Kafka's data folder {data} could not be formatted within {FORMAT_S} s. Is the machine busy? "
                             "Run it again") from None
        if formatted.returncode != 0:
            raise StartError(f"Kafka's data folder {data} could not be formatted: {formatted.stderr.strip()[-300:]}")
    return Process("kafka", [*java, "kafka.Kafka", properties], run_dir / "logs/kafka.log", stop_s=20)


def redis(run_dir, port):
    require("redis-server", "redis-server")
    data = run_dir / "redis"
    data.mkdir(parents=True, exist_ok=True)
    return Process("redis", ["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", data, "--appendonly", "yes",
                             "--appendfsync", "everysec", "--save", "", "--daemonize", "no"],
                   run_dir / "logs/redis.log")


def redis_ready(port):
    """PONG, not merely an open port: a server that still loads its file answers LOADING."""
    def check():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
    return check


def kafka_ready(port):
    """The broker answers ApiVersions (api key 18, version 0): its socket opens a little before it serves."""
    request = bytes.fromhex("0012" "0000" "00000001" "ffff")

    def check():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(len(request).to_bytes(4, "big") + request)
                return len(connection.recv(8)) == 8
        except OSError:
            return False
    return check
