"""A mesh of its own for a measurement: real broker, store, services and fake Graph API, and the users in front of it."""
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import sys
import time
import types
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/mesh"))
import accounts  # noqa: E402
import up  # noqa: E402

MODEL = ROOT / ".run/models/SmolLM2-135M-Instruct.Q4_1.gguf"
WORDS = """river stone house garden winter summer morning evening bread water light music paper window door street bridge
mountain forest island ocean cloud storm letter story friend doctor teacher farmer driver market village city train ship
horse bird fish tree flower apple table chair clock mirror candle blanket basket ladder hammer bottle engine wheel""".split()


def add_options(parser):
    parser.add_argument("--bin-dir", type=pathlib.Path, default=ROOT / "build/bin")
    parser.add_argument("--run-dir", type=pathlib.Path, default=ROOT / ".run/bench-mesh", help="emptied at the start")
    parser.add_argument("--kafka-libs", type=pathlib.Path, default=ROOT / ".run/kafka/libs", help="from `make kafka`")
    parser.add_argument("--model", type=pathlib.Path, default=MODEL)
    parser.add_argument("--threads", type=int, default=2, help="of the engine")


def append_json(options, figure, figures):
    """A row of --json's file, where it was asked for."""
    if options.json:
        with open(options.json, "a") as file:
            file.write(json.dumps({"figure": figure, **figures}) + "\n")


def words(count, seed):
    """A text that shares nothing with one of another seed; each word is a token in the vocabularies of common models."""
    chosen = random.Random(seed).choices(WORDS, k=count)
    return " ".join(chosen)


def empty_run_dir(options):
    run_dir = options.run_dir.resolve()
    for part in ("kafka/data", "redis", "logs", "accounts.yaml", "sends.jsonl"):
        path = run_dir / part
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (run_dir / "kafka").mkdir(parents=True, exist_ok=True)
    libs = run_dir / "kafka/libs"
    if not libs.exists():
        libs.symlink_to(options.kafka_libs.resolve())
    return run_dir


@contextlib.contextmanager
def running_mesh(options, account_lines, worker_flags, engine="llm"):
    """Starts everything on an empty run directory and stops it in order. account_lines: YAML fields of every account."""
    run_dir = empty_run_dir(options)
    fields = {"presence": "off", **account_lines}  # which is not what is measured
    lines = "".join(f"    {name}: {value}\n" for name, value in fields.items())
    entries = (accounts.entry(channel, account, "http://127.0.0.1:1") for channel, account in accounts.ACCOUNTS.items())
    text = "".join(re.sub(r"    answer_tokens_max.*\n    repetition_penalty.*\n", lines, entry) for entry in entries)
    accounts.write_private(run_dir / "accounts.yaml", "accounts:\n" + text)
    mesh = up.Mesh(types.SimpleNamespace(run_dir=run_dir, bin_dir=options.bin_dir, engine=engine, model=options.model.resolve(),
                                         threads=options.threads, device="cpu", seconds=None, worker_flag=worker_flags))
    try:
        mesh.start()
        yield mesh
    finally:
        mesh.stop()


@contextlib.contextmanager
def running_gateway(options, gateway_flags):
    """A broker and a gateway alone, so that records stay where they are written."""
    run_dir = empty_run_dir(options)
    mesh = up.Mesh(types.SimpleNamespace(run_dir=run_dir, bin_dir=options.bin_dir))
    accounts_file = accounts.ensure(run_dir, "http://127.0.0.1:1")
    gateway = mesh.service("gateway", f"--port={mesh.port['gateway']}", f"--accounts={accounts_file}",
                           f"--kafka-brokers=127.0.0.1:{mesh.port['kafka']}", *gateway_flags)
    gateway.check_options()
    kafka = up.stores.kafka(run_dir, mesh.port["kafka"], mesh.port["kafka controller"])
    try:
        mesh.begin(kafka, up.stores.kafka_ready(mesh.port["kafka"]))
        mesh.begin(gateway, up.http_ready(mesh.url("gateway") + "/readyz"))
        yield mesh
    finally:
        mesh.stop()


class Users:
    """WhatsApp's side: posts signed webhooks and sees what the fake Graph API wrote down. One thread; a second one needs
    Users of its own, with another name."""

    def __init__(self, mesh, name="bench"):
        self.name = name
        self.secret = (mesh.run_dir / "secrets/whatsapp.app_secret").read_text().strip().encode()
        self.connection = http.client.HTTPConnection(urllib.parse.urlparse(mesh.url("gateway")).netloc, timeout=30)
        self.sends_path = mesh.run_dir / "sends.jsonl"
        self.sends = None
        self.rest = ""
        self.messages = 0

    def say(self, user, text):
        self.messages += 1
        status = self.post(user, text, f"wamid.{self.name}{self.messages}")
        if status != 200:
            raise SystemExit(f"the gateway answered {status} to message {self.messages}")

    def post(self, user, text, message_id):
        """The gateway's status; OSError or HTTPException where it gives none, after which the connection is a new one."""
        message = {"from": user, "id": message_id, "timestamp": str(int(time.time())), "type": "text", "text": {"body": text}}
        value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": accounts.ACCOUNTS["whatsapp"]},
                 "contacts": [{"profile": {"name": "Bench"}, "wa_id": user}], "messages": [message]}
        body = json.dumps({"object": "whatsapp_business_account",
                           "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}).encode()
        signature = "sha256=" + hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        try:
            self.connection.request("POST", "/webhooks/whatsapp", body,
                                    {"X-Hub-Signature-256": signature, "Content-Type": "application/json"})
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        return answer.status

    def new_replies(self):
        """What users saw since the last call: lines of the sends file, parsed."""
        if self.sends is None:
            if not self.sends_path.exists():
                return []
            self.sends = self.sends_path.open()
        text = self.rest + self.sends.read()
        *lines, self.rest = text.split("\n")
        return [json.loads(line) for line in lines]

    def wait_for_reply(self, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            replies = self.new_replies()
            if replies:
                return replies[0]
            time.sleep(0.001)
        raise SystemExit("no reply came in time; see the logs of the run directory")


def metrics(mesh, service):
    """Samples of a service's metrics by name, labels summed up."""
    with urllib.request.urlopen(mesh.url(f"{service} admin") + "/metrics", timeout=10) as answer:
        text = answer.read().decode()
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name = re.split(r"[{ ]", line, maxsplit=1)[0]
            values[name] = values.get(name, 0.0) + float(line.rsplit(" ", 1)[1])
    return values


def cpu_seconds(mesh):
    """CPU time so far of every process of the mesh, and of this one, which plays all users."""
    tick = os.sysconf("SC_CLK_TCK")
    seconds = {}
    for process in mesh.running:
        fields = pathlib.Path(f"/proc/{process.child.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        seconds[process.name] = (int(fields[11]) + int(fields[12])) / tick
    times = os.times()
    seconds["users (this script)"] = times.user + times.system
    return seconds


def since(before, after):
    return {name: after[name] - before.get(name, 0.0) for name in after}
