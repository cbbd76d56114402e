"""The fake Graph API on a free port, with the development accounts, for clients of others to talk to."""
import contextlib
import json
import os
import pathlib
import socket
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("MESH_BIN_DIR", ROOT / "build/bin"))
sys.path.insert(0, str(ROOT / "scripts/mesh"))
import accounts  # noqa: E402
import process  # noqa: E402

READY_S = 60


class FakeGraphApi:
    def __init__(self, url, run_dir):
        self.url, self.run_dir = url, run_dir

    def token(self, channel):
        return (self.run_dir / f"secrets/{channel}.access_token").read_text().strip()

    def app_secret(self, channel):
        return (self.run_dir / f"secrets/{channel}.app_secret").read_text().strip()

    def control(self, **knobs):
        urllib.request.urlopen(urllib.request.Request(self.url + "/control", json.dumps(knobs).encode()), timeout=30).close()

    def refuse_next(self, http_status, code, with_error_object=True):
        self.control(fail_next={"n": 1, "http_status": http_status, "code": code, "with_error_object": with_error_object})

    def sends(self, user):
        """What a user has seen, in order."""
        return self.lines(f"/sends?user={user}")

    def actions(self, user=""):
        """Read receipts and typing indicators, in order."""
        return self.lines(f"/actions?user={user}")

    def lines(self, target):
        with urllib.request.urlopen(self.url + target, timeout=30) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]


@contextlib.contextmanager
def running(run_dir, status_webhooks):
    """status_webhooks: the URL of who is told what became of each send."""
    run_dir = pathlib.Path(run_dir)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [BIN_DIR / "fake_channel_api", f"--port={url.rpartition(':')[2]}", f"--accounts={accounts.ensure(run_dir, url)}",
               f"--sends-file={run_dir / 'sends.jsonl'}", f"--status-webhooks={status_webhooks}"]
    fake = process.Process("fake_channel_api", command, run_dir / "fake_channel_api.log")
    fake.start()
    try:
        fake.wait_until(process.http_ready(url + "/healthz"), READY_S)
        yield FakeGraphApi(url, run_dir)
    finally:
        fake.stop()
