"""A clean run, as evidence for the checker; its tests then spoil one thing."""
import checker
import history
import wire

NOTICE = "sorry"
USERS, TURNS = 4, 5
DEADLINE_S = 10


def turn_id(message_id):
    return message_id.encode().hex().ljust(64, "0")


class Run:
    """A clean run of USERS conversations with TURNS messages each; a test then spoils one thing."""

    def __init__(self):
        self.evidence = checker.Evidence(messages=[], sends=[])
        self.evidence.history = {}
        self.t = 1000.0
        for number in range(TURNS):
            for user in range(USERS):
                self.say(f"u{user}", f"m{user}.{number}", partition=user % 2)

    def say(self, user, message_id, partition):
        self.t += 1
        offset = len(self.evidence.turns)
        self.evidence.messages.append(checker.Message(message_id, user, f"text of {message_id}", self.t, self.t + 0.1,
                                                      [checker.Post(self.t, self.t, "200")]))
        self.evidence.turns.append(wire.TurnRecord(partition, offset, self.t, turn_id(message_id), message_id, user))
        self.reply(message_id, partition, "answer", f"echo: text of {message_id}")
        self.ledger(partition, "plan", turn_id=turn_id(message_id))
        self.ledger(partition, "claim", reply_id=f"r{len(self.evidence.sends)}")
        self.show(user, f"echo: text of {message_id}", message_id)
        self.evidence.history.setdefault(user, []).append(history.StoredTurn(
            turn_id(message_id), "delivered", offset, f"text of {message_id}", f"echo: text of {message_id}"))

    def stored(self, message_id):
        """What Redis has of it."""
        return next(turn for turns in self.evidence.history.values() for turn in turns if turn.turn_id == turn_id(message_id))

    def reply(self, message_id, partition, kind, text):
        self.evidence.replies.append(wire.ReplyRecord(partition, len(self.evidence.replies), self.t, turn_id(message_id), kind, 0,
                                                      text))

    def ledger(self, partition, kind, t=None, **fields):
        self.evidence.ledger.append(wire.LedgerEntry(partition, len(self.evidence.ledger), t or self.t, kind, **fields))

    def show(self, user, text, message_id, t=None):
        line = len(self.evidence.sends)
        self.evidence.sends.append(checker.Send(line, t or self.t + 0.5, user, text, f"r{line}", message_id))

    def lengthen(self, message_id, count):
        """Its answer has so many parts, shown at once and alone; returns their sends."""
        pieces = [" ".join(f"word{part}.{number}" for number in range(100)) for part in range(count)]
        message = next(message for message in self.evidence.messages if message.message_id == message_id)
        message.text = " ".join(pieces)
        record = next(record for record in self.evidence.replies if record.turn_id == turn_id(message_id))
        record.text = checker.ANSWER_PREFIX + message.text
        self.stored(message_id).user_text, self.stored(message_id).reply_text = message.text, record.text
        first = next(send for send in self.evidence.sends if send.in_reply_to == message_id)
        for send in self.evidence.sends:
            send.line += (count - 1) * (send.line > first.line)
        first.text = checker.ANSWER_PREFIX + pieces[0]
        further = [checker.Send(first.line + part, first.t + part, message.user, pieces[part], f"{first.reply_id}.{part}", "")
                   for part in range(1, count)]
        self.evidence.sends += further
        return [first, *further]

    def hide(self, message_id):
        self.evidence.sends = [send for send in self.evidence.sends if send.in_reply_to != message_id]

    def give_up(self, message_id, partition=0):
        """In place of its answer, the turn has a notice in the log."""
        self.evidence.replies = [r for r in self.evidence.replies if r.turn_id != turn_id(message_id)]
        self.hide(message_id)
        self.reply(message_id, partition, "notice", NOTICE)

    def die(self, message_id, reason="deadline"):
        self.evidence.dead_letters.append(
            wire.DeadLetter(self.t + DEADLINE_S, turn_id(message_id), reason, "mesh.turns", "worker"))

    def verdict(self):
        return checker.judge(self.evidence, NOTICE, turn_deadline_s=DEADLINE_S)
