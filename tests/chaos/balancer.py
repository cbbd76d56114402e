"""The load balancer before the gateways: sends to those that say they are ready, and passes over one that takes no connection."""
import http.client
import threading
import time
import urllib.error
import urllib.request

PROBE_S = 0.2
PROBE_TIMEOUT_S = 5.0


class Balancer:
    """A gateway that does not answer its probe (frozen, not refusing) stays in rotation: it may be well by the next request."""

    def __init__(self, ports):
        self.ports, self.unready = ports, set()
        for port in ports:
            threading.Thread(target=self.watch, args=(port,), daemon=True).start()

    def choose(self, rng):
        """All ports in the order in which to try them: one that has just become ready may not be known as such yet."""
        ports = rng.sample(self.ports, len(self.ports))
        return sorted(ports, key=lambda port: port in self.unready)

    def refused(self, port):
        self.unready.add(port)

    def watch(self, port):
        while True:
            time.sleep(PROBE_S)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=PROBE_TIMEOUT_S).close()
                self.unready.discard(port)
            except (urllib.error.HTTPError, ConnectionRefusedError):
                self.unready.add(port)
            except urllib.error.URLError as error:
                if isinstance(error.reason, ConnectionRefusedError):
                    self.unready.add(port)
            except (OSError, http.client.HTTPException):
                pass
