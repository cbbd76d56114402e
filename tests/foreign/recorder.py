"""An HTTP server that writes down what it is asked, and asks it of a server behind where there is one: what stands between
two parties, to compare what they say."""
import contextlib
import http.client
import http.server
import json
import threading
import types
import urllib.parse

ADDRESS = "127.0.0.2"  # the local mesh sets accounts of 127.0.0.1 to its own fake Graph API anew
UPSTREAM_S = 60
WAIT_S = 120


class Recorder:
    def __init__(self):
        self.upstream = None  # its URL
        self.requests = []  # guarded by `arrived`
        self.arrived = threading.Condition()
        self.url = None

    def wait_for(self, wanted, count=1):
        """The first requests for which `wanted(request)` holds, once there are that many; fewer after WAIT_S."""
        def found():
            return [request for request in self.requests if wanted(request)]
        with self.arrived:
            self.arrived.wait_for(lambda: len(found()) >= count, WAIT_S)
            return found()[:count]


def _handler(recorder):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer, content_type = self.ask_upstream(body)
            with recorder.arrived:
                recorder.requests.append(types.SimpleNamespace(
                    method=self.command, path=urllib.parse.urlsplit(self.path).path, headers=self.headers, body=body))
                recorder.arrived.notify_all()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = handle_any

        def ask_upstream(self, body):
            if recorder.upstream is None:
                return 200, b"", "text/plain"
            connection = http.client.HTTPConnection(urllib.parse.urlsplit(recorder.upstream).netloc, timeout=UPSTREAM_S)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read(), answer.getheader("Content-Type", "")
            finally:
                connection.close()

        def log_message(self, *_):
            pass
    return Handler


@contextlib.contextmanager
def running():
    recorder = Recorder()
    server = http.server.ThreadingHTTPServer((ADDRESS, 0), _handler(recorder))
    server.daemon_threads = True
    recorder.url = f"http://{ADDRESS}:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()


def fields(request):
    return json.loads(request.body)
