"""Meta's side: posts signed webhooks of many conversations and writes down what was acknowledged, and when.

Within a conversation the next message is posted after the last one was acknowledged; now and then one comes first that the
user wrote after it. Every message is retried until a gateway answers 200, some are posted again afterwards, and messages of
different conversations overtake each other freely.
Users of accounts that collect or interrupt write again at once, now and then.
"""
import dataclasses
import hashlib
import hmac
import http.client
import json
import random
import threading
import time

import balancer
import poison
import users
from checker import Message, Post

TIMEOUT_S = 5.0  # Meta's, about
RETRY_S, RETRY_MAX_S = 0.2, 2.0
DUPLICATE_SHARE = 0.08
DUPLICATE_DELAY_MAX_S = 20.0
NOT_TAKEN = "not taken"
LONG_SHARE = 0.08  # of the messages: so long that their answer has 2 to PARTS_MAX parts
PARTS_MAX = 4
OVERTAKEN_SHARE = 0.05  # of the messages: the user's next is posted before
AGAIN_SHARE = 0.4  # of the messages of users who need not wait for an answer: the next follows at once


class Order:
    """A message that is to be written, and how far it is."""

    def __init__(self):
        self.user = ""
        self.acknowledged = threading.Event()


@dataclasses.dataclass
class Written:
    """A message as its user wrote it."""
    user: users.User
    message_id: str
    text: str
    sent_at: float
    order: Order = None


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
            messages[row["id"]] = Message(row["id"], row["user"], row["text"], row["t"], channel=row["channel"],
                                          account=row["account"], mode=row["mode"])
        else:
            message = messages[row["id"]]
            message.posts.append(Post(row["began"], row["t"], row["answer"]))
            if row["answer"] == "200" and not message.acked_at:
                message.acked_at = row["t"]
    return list(messages.values())


class Generator:
    """Threads that each own a share of the conversations. rate, slow_rate: new messages a second, all together.
    secrets: the app secret of each channel."""

    def __init__(self, gateway_ports, secrets, log_path, seed, rate, slow_rate, conversations, threads=8):
        self.balancer, self.secrets, self.log = balancer.Balancer(gateway_ports), secrets, Log(log_path)
        self.seed = seed
        self.pauses_s = {False: threads / rate, True: threads / slow_rate}  # of each thread
        self.slow = False
        self.ending = threading.Event()  # no new messages; what was begun is retried until acknowledged
        self.giving_up = threading.Event()
        self.acknowledged = 0
        self.orders = []  # protected by lock
        self.lock = threading.Lock()
        everybody = users.make(seed, conversations)
        self.threads = [threading.Thread(target=self.run, args=(number, everybody[number::threads]), daemon=True)
                        for number in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def slow_down(self, slow):
        """For an engine that does the work of a real one: fewer messages, and none that takes it minutes to read."""
        self.slow = slow

    def order_poison(self):
        """The next new message of a user whose messages are answered one by one will kill what works on it."""
        with self.lock:
            self.orders.append(Order())
            return self.orders[-1]

    def take_order(self, user):
        with self.lock:
            return self.orders.pop() if self.orders and user.account.mode == "followup" else None

    def done(self):
        """After ending: everything that was begun is acknowledged."""
        return not any(thread.is_alive() for thread in self.threads)

    def give_up(self):
        self.ending.set()
        self.giving_up.set()
        for thread in self.threads:
            thread.join(TIMEOUT_S + 1)

    def run(self, number, mine):
        rng = random.Random(f"{self.seed}/{number}")
        connections = {}
        counts = dict.fromkeys(mine, 0)
        user = None
        again = []  # (when, what) of acknowledged messages that are posted once more
        next_at = time.monotonic() + rng.random() * self.pauses_s[self.slow]
        while not self.ending.is_set():
            now = time.monotonic()
            if again and again[0][0] <= now:
                written = again.pop(0)[1]
                user = written.user
                self.post(connections, rng, written)
            writes_again = user is not None and user.account.mode != "followup" and rng.random() < AGAIN_SHARE
            if next_at > now and not writes_again:
                user = None
                self.ending.wait(min(next_at - now, 0.05))
                continue
            # After an outage the users did not all wait: no burst larger than a second's worth is made up for.
            next_at = max(next_at + self.pauses_s[self.slow] * rng.uniform(0.5, 1.5), now - 1.0)
            user = user if writes_again else rng.choice(mine)
            for written in self.write(rng, user, counts):
                if self.deliver(connections, rng, written) and rng.random() < DUPLICATE_SHARE:
                    again.append((time.monotonic() + rng.uniform(0, DUPLICATE_DELAY_MAX_S), written))
                    again.sort(key=lambda row: row[0])

    def write(self, rng, user, counts):
        """What the user writes now, in the order in which it is posted."""
        written = []
        for _ in range(2 if rng.random() < OVERTAKEN_SHARE else 1):
            counts[user] += 1
            text = text_of(rng, f"canary {self.seed} {user.user_id} {counts[user]}", users.PART_LIMITS[user.account.channel],
                           0.0 if self.slow else LONG_SHARE)
            written.append(Written(user, users.message_id(self.seed, user, counts[user]), text, time.time()))
        written[0].order = self.take_order(user)
        if written[0].order:
            written[0].text += f" {poison.WORD}"
        return reversed(written)

    def deliver(self, connections, rng, written):
        """Posts it until it is acknowledged; False when the run was given up before."""
        user = written.user
        self.log.write(event="new", id=written.message_id, user=user.user_id, text=written.text, channel=user.account.channel,
                       account=user.account.account_id, mode=user.account.mode)
        pause = RETRY_S
        while not self.giving_up.is_set():
            if self.post(connections, rng, written) == "200":
                if written.order:
                    written.order.user = user.user_id
                    written.order.acknowledged.set()
                with self.lock:
                    self.acknowledged += 1
                return True
            self.giving_up.wait(pause)
            pause = min(pause * 2, RETRY_MAX_S)
        return False

    def post(self, connections, rng, written):
        channel = written.user.account.channel
        body = users.webhook_body(written.user, written.message_id, written.text, written.sent_at)
        headers = {"Content-Type": "application/json",
                   "X-Hub-Signature-256": "sha256=" + hmac.new(self.secrets[channel], body, hashlib.sha256).hexdigest()}
        began = time.time()
        for port in self.balancer.choose(rng):
            answer = attempt(connections, port, f"/webhooks/{channel}", body, headers)
            if answer != NOT_TAKEN:
                break
            self.balancer.refused(port)
        self.log.write(event="post", id=written.message_id, answer=answer, port=port, began=round(began, 4))
        return answer


def own_word(text):
    """The first word that no other message has."""
    return text.split()[4]


def text_of(rng, begin, part_limit, long_share):
    """Every word behind `begin` is nobody else's, so that any part of an answer tells where it belongs."""
    word = f"{rng.getrandbits(48):012x}"
    if rng.random() >= long_share:
        return f"{begin} {word}"
    length, number, words = part_limit * (rng.randint(2, PARTS_MAX) - 0.5), 0, [begin]
    while length > 0:
        number += 1
        words.append(f"{word}.{number}")
        length -= len(words[-1]) + 1
    return " ".join(words)


def attempt(connections, port, path, body, headers):
    """The status, the name of what went wrong, or NOT_TAKEN when nobody can have read the request."""
    while True:
        is_fresh = port not in connections
        try:
            if is_fresh:
                connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
                connections[port].connect()
            connections[port].request("POST", path, body, headers)
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
