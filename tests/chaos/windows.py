"""The window between a sender's last look at its lease and its write, as the senders measure it (libs/http). A process that is
killed takes what it counted since the last look with it."""
import http.client
import re
import threading
import time
import urllib.request

METRIC = "sender_http_client_unchecked_seconds"
GOAL_S = 100e-6
LOOK_S = 1.0


def buckets_of(text):
    """Upper bound -> how many were within it, of a Prometheus text."""
    return {float(bound): float(count) for bound, count in re.findall(rf'(?m)^{METRIC}_bucket{{le="([^"]+)"}} (\S+)$', text)}


class Windows:
    """Sums the histogram over all lives of all senders. admin_ports: of the senders."""

    def __init__(self, admin_ports):
        self.ports = admin_ports
        self.last = {}  # port -> buckets of the life that is counted now
        self.ended = []  # buckets of lives that ended

    def start(self):
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while True:
            time.sleep(LOOK_S)
            self.look()

    def look(self):
        for port in self.ports:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as answer:
                    self.take(port, buckets_of(answer.read().decode()))
            except (OSError, http.client.HTTPException):
                continue  # down or frozen

    def take(self, port, buckets):
        before = self.last.get(port)
        if before and buckets.get(float("inf"), 0) < before[float("inf")]:
            self.ended.append(before)
        if buckets:
            self.last[port] = buckets

    def counts(self):
        """Upper bound -> how many were within it, of all lives."""
        total = {}
        for buckets in (*self.ended, *self.last.values()):
            for bound, count in buckets.items():
                total[bound] = total.get(bound, 0) + count
        return dict(sorted(total.items()))

    def quantile(self, share):
        """The bound within which that share lies; None when nothing was counted."""
        counts = self.counts()
        of_all = max(counts.values(), default=0)
        return next(bound for bound, count in counts.items() if count >= share * of_all) if of_all else None

    def summary(self):
        counts = self.counts()
        if not any(counts.values()):
            return "window between last check and write: nothing was sent"
        bounds = [(name, self.quantile(share)) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1))]
        rows = ", ".join(f"{name} {'<=' if bound <= 1 else 'over'} {min(bound, 1) * 1e6:.0f} us" for name, bound in bounds)
        return f"window between last check and write: {rows} of {max(counts.values()):.0f} sends (goal {GOAL_S * 1e6:.0f} us)"
