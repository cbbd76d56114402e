"""Meta's side: posts signed webhooks of many WhatsApp conversations and writes down what was acknowledged, and when.

Within a conversation the next message is posted after the last one was acknowledged. Every message is retried until a
gateway answers 200, some are posted again afterwards, and messages of different conversations overtake each other freely.
"""
import hashlib
import hmac
import http.client
import json
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts/mesh"))
import accounts  # noqa: E402
from checker import Message, Post  # noqa: E402

TIMEOUT_S = 5.0  # Meta's, about
RETRY_S, RETRY_MAX_S = 0.2, 2.0
DUPLICATE_SHARE = 0.08
DUPLICATE_DELAY_MAX_S = 20.0
NOT_TAKEN = "not taken"


def webhook_body(user, message_id, text):
    message = {"from": user, "id": message_id, "timestamp": str(int(time.time())), "type": "text", "text": {"body": text}}
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": accounts.ACCOUNTS["whatsapp"]},
             "contacts": [{"profile": {"name": "Chaos"}, "wa_id": user}], "messages": [message]}
    return json.dumps({"object": "whatsapp_business_account",
                       "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}).encode()


class Log:
    """JSON lines, flushed one by one: what a crash of the harness leaves is still true."""

    def __init__(self, path):
        self.file = open(path, "w")
        self.lock = threading.Lock()

    def write(self, **fields):
        line = json.dumps({"t": round(time.time(), 4), **fields})
        with self.lock:
            self.file.write(line + "\n")
            self.file.flush()


def read_log(path):
    """The messages of a log, in the order in which they were first posted."""
    messages = {}
    for line in open(path):
        row = json.loads(line)
        if row["event"] == "new":
            messages[row["id"]] = Message(row["id"], row["user"], row["text"], row["t"])
        else:
            message = messages[row["id"]]
            message.posts.append(Post(row["began"], row["t"], row["answer"]))
            if row["answer"] == "200" and not message.acked_at:
                message.acked_at = row["t"]
    return list(messages.values())


class Generator:
    """Threads that each own a share of the conversations. rate: new messages a second, all together."""

    def __init__(self, gateway_ports, secret, log_path, seed, rate, conversations, threads=8):
        self.gateway_ports, self.secret, self.log = gateway_ports, secret, Log(log_path)
        self.seed = seed
        self.pause_s = threads / rate
        self.ending = threading.Event()  # no new messages; what was begun is retried until acknowledged
        self.giving_up = threading.Event()
        self.acknowledged = 0
        self.lock = threading.Lock()
        users = [f"4917{seed % 10000:04d}{number:05d}" for number in range(conversations)]
        self.threads = [threading.Thread(target=self.run, args=(number, users[number::threads]), daemon=True)
                        for number in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def done(self):
        """After ending: everything that was begun is acknowledged."""
        return not any(thread.is_alive() for thread in self.threads)

    def give_up(self):
        self.ending.set()
        self.giving_up.set()
        for thread in self.threads:
            thread.join(TIMEOUT_S + 1)

    def run(self, number, users):
        rng = random.Random(f"{self.seed}/{number}")
        connections = {}
        counts = dict.fromkeys(users, 0)
        again = []  # (when, user, id, text) of acknowledged messages that are posted once more
        next_at = time.monotonic() + rng.random() * self.pause_s
        while not self.ending.is_set():
            now = time.monotonic()
            if again and again[0][0] <= now:
                _, user, message_id, text = again.pop(0)
                self.post(connections, rng, user, message_id, text)
            if next_at > now:
                self.ending.wait(min(next_at - now, 0.05))
                continue
            # After an outage the users did not all wait: no burst larger than a second's worth is made up for.
            next_at = max(next_at + self.pause_s * rng.uniform(0.5, 1.5), now - 1.0)
            user = rng.choice(users)
            counts[user] += 1
            message_id = f"wamid.chaos{self.seed}.{user}.{counts[user]}"
            text = f"canary {self.seed} {user} {counts[user]} {rng.getrandbits(48):012x}"
            self.log.write(event="new", id=message_id, user=user, text=text)
            if self.deliver(connections, rng, user, message_id, text) and rng.random() < DUPLICATE_SHARE:
                again.append((time.monotonic() + rng.uniform(0, DUPLICATE_DELAY_MAX_S), user, message_id, text))
                again.sort()

    def deliver(self, connections, rng, user, message_id, text):
        pause = RETRY_S
        while not self.giving_up.is_set():
            if self.post(connections, rng, user, message_id, text) == "200":
                with self.lock:
                    self.acknowledged += 1
                return True
            self.giving_up.wait(pause)
            pause = min(pause * 2, RETRY_MAX_S)
        return False

    def post(self, connections, rng, user, message_id, text):
        """Through a load balancer: a gateway that takes no connection, or had closed an idle one, is passed over."""
        body = webhook_body(user, message_id, text)
        headers = {"Content-Type": "application/json",
                   "X-Hub-Signature-256": "sha256=" + hmac.new(self.secret, body, hashlib.sha256).hexdigest()}
        began = time.time()
        for port in rng.sample(self.gateway_ports, len(self.gateway_ports)):
            answer = attempt(connections, port, body, headers)
            if answer != NOT_TAKEN:
                break
        self.log.write(event="post", id=message_id, answer=answer, port=port, began=round(began, 4))
        return answer


def attempt(connections, port, body, headers):
    """The status, the name of what went wrong, or NOT_TAKEN when nobody can have read the request."""
    while True:
        is_fresh = port not in connections
        try:
            if is_fresh:
                connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
                connections[port].connect()
            connections[port].request("POST", "/webhooks/whatsapp", body, headers)
            response = connections[port].getresponse()
            response.read()
            return str(response.status)
        except (OSError, http.client.HTTPException) as error:
            connections.pop(port).close()
            if isinstance(error, ConnectionRefusedError):
                return NOT_TAKEN
            if is_fresh or isinstance(error, TimeoutError):
                return type(error).__name__
            # An idle connection that the other side had closed: once more, on one of its own.
