"""Child processes of the local mesh: start, wait until ready, stop in order."""
import ctypes
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

PR_SET_PDEATHSIG = 1
CHECK_S = 10


class StartError(Exception):
    """Something did not come up; the message is one sentence with what to do."""


def die_with_parent():
    # A launcher killed with -9 must not leave a broker behind.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # Ctrl-C reaches the whole terminal group; the launcher alone decides the order in which children stop.
    os.setpgid(0, 0)


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


class Ports:
    """Hands out each default port, or a free one in its place, and says so."""

    def __init__(self):
        self.replaced = []
        self.taken = set()

    def choose(self, name, default):
        if default not in self.taken and port_is_free(default):
            self.taken.add(default)
            return default
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.replaced.append(f"port {default} ({name}) is taken; using {port}")
        self.taken.add(port)
        return port


class Process:
    """One child; its output goes to LOG, of which the end is shown when it fails."""

    def __init__(self, name, command, log: pathlib.Path, stop_s=10.0, environment=None):
        self.name, self.command, self.log, self.stop_s = name, [str(c) for c in command], log, stop_s
        self.environment = {**os.environ, **(environment or {})}
        self.child = None
        self.started_at = 0.0
        self.restarts = 0  # in a row, each soon after the last

    def check_options(self):
        """Of a service: StartError with its own words where it would refuse to start, before anything else is started."""
        self.require_binary()
        checked = subprocess.run([*self.command, "--print-config"], capture_output=True, text=True, env=self.environment,
                                 timeout=CHECK_S)
        if checked.returncode != 0:
            raise StartError((checked.stderr.strip() or checked.stdout.strip())[-2000:])

    def require_binary(self):
        if shutil.which(self.command[0]) is None:
            raise StartError(f"{self.command[0]} is missing. Run: make build")

    def start(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.child is None and self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        self.started_at = time.monotonic()
        self.require_binary()
        with self.log.open("ab") as output:  # a restart keeps what its predecessor said last
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                          preexec_fn=die_with_parent, env=self.environment)

    def exit_code(self):
        return self.child.poll()

    def log_end(self, lines=6):
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(f"    {line[:1000]}" for line in text)

    def wait_until(self, ready, timeout_s):
        """Polls `ready()` until it is true; StartError when the child ends or the time is up."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self.exit_code() is not None:
                raise StartError(f"{self.name} ended with code {self.exit_code()}. The end of {self.log}:\n{self.log_end()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready within {timeout_s:.0f} s. The end of {self.log}:\n{self.log_end()}")
            time.sleep(0.05)

    def stop(self):
        """SIGTERM, then SIGKILL after `stop_s`. True when it went by itself."""
        if self.child is None or self.exit_code() is not None:
            return True
        self.child.terminate()
        try:
            self.child.wait(self.stop_s)
            return True
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return False


def http_ready(url):
    """A readiness check over HTTP: 200, and not that of a service that waits for something (`degraded: ...`)."""
    def check():
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                return answer.status == 200 and not answer.read(64).startswith(b"degraded")
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return False
    return check
