"""Judges a run: was every acknowledged message answered once and in order? Shares no code with the services.

Input is evidence that the services do not write for it: the generator's log, what users saw (the fake Graph API's file), and
the topics as any client reads them. `judge` is pure, so that its own test can plant every mistake that it must find.
"""
import dataclasses
import math
import re

import doubts
import history
import parts
import poison
import wire

ANSWER_PREFIX = "echo: "
# Violations that have no place of their own in the result.
OTHER_KINDS = ("stale", "early", "history", "foreign", "unfinished", "disturbed", "poison", "harmed", "doubt")
# Bytes on their way when another sender takes over arrive a moment later; a process that wakes from a long freeze is later.
LATE_WRITE_MAX_S = 1.0
# An answer takes less than this in a mesh that is well, retries of a refused webhook included; where the account gathers
# messages (collect), a pause of the user is waited for before, and begins anew with each message.
LATE_S = 3.0
GATHERING_S = 1.5


@dataclasses.dataclass
class Post:
    """One webhook, as far as the load balancer brought it."""
    began: float
    t: float  # of the answer
    answer: str  # HTTP status, or what went wrong


@dataclasses.dataclass
class Message:
    """One user message of the generator. Times are seconds of the wall clock."""
    message_id: str
    user: str
    text: str
    posted_at: float
    acked_at: float = 0.0  # 0: never answered with 200
    posts: list = dataclasses.field(default_factory=list)  # Post
    channel: str = "whatsapp"
    account: str = ""
    mode: str = "followup"  # of the account


@dataclasses.dataclass
class Send:
    """What a user saw; `line` is its place in the fake Graph API's file, the order in which sends were accepted. A reply of
    several parts is one (parts.py), with its first part's line, time and ids."""
    line: int
    t: float
    user: str
    text: str
    reply_id: str
    in_reply_to: str
    parts: list = dataclasses.field(default_factory=list)  # Send
    mistakes: list = dataclasses.field(default_factory=list)  # (kind of violation, why)
    complete: bool = True
    lost: bool = False  # nobody will ever tell that it was shown

    @property
    def ended(self):
        return self.parts[-1].t if self.parts else self.t


@dataclasses.dataclass
class Fault:
    """One cycle of the nemesis."""
    cycle: int
    kind: str
    target: str
    began: float
    healed: float
    heals_itself: bool = False  # what is left takes over while the fault is in force: recovery counts from its beginning


@dataclasses.dataclass
class Evidence:
    messages: list
    sends: list
    turns: list = dataclasses.field(default_factory=list)
    replies: list = dataclasses.field(default_factory=list)
    ledger: list = dataclasses.field(default_factory=list)
    dead_letters: list = dataclasses.field(default_factory=list)
    parked: list = dataclasses.field(default_factory=list)  # ReplyRecord
    audit: list = dataclasses.field(default_factory=list)  # raw bytes of each record
    faults: list = dataclasses.field(default_factory=list)
    stills: list = dataclasses.field(default_factory=list)  # (from, to) in which the machine itself stood still
    history: dict = None  # user -> [history.StoredTurn]; None: not read
    reconcile_s: float = 0.0  # of the senders
    real_engine: bool = False  # some answers are a real model's: known by ids and by the log, not by their words
    lag: dict = dataclasses.field(default_factory=dict)  # "group topic/partition" -> records not committed at the end


@dataclasses.dataclass
class Violation:
    kind: str  # lost, duplicate, reordered, or one of OTHER_KINDS
    message_id: str
    why: str


@dataclasses.dataclass
class Verdict:
    violations: list
    messages: int  # acknowledged
    in_doubt: int
    recoveries: list  # (seconds, message that was open longest or None) of each cycle
    unacknowledged_seen: int  # never acknowledged and answered all the same: allowed, and told
    late_writes: list  # seconds from a TAKEOVER to what still left under an older claim
    poisons: list  # seconds from the acknowledgement of each poison until its user was told and its dead letter stood
    parted: int  # replies that were shown in several parts

    def count(self, kind):
        return sum(violation.kind == kind for violation in self.violations)

    @property
    def good(self):
        return not self.violations

    def recovery_p99_s(self):
        ordered = sorted(seconds for seconds, _ in self.recoveries)
        if not ordered:
            return 0.0
        return ordered[max(0, math.ceil(0.99 * len(ordered)) - 1)]


def lines_of(answer):
    """The user messages that an answer names, oldest first: of those without an answer of their own, the model sees all."""
    return answer.removeprefix(ANSWER_PREFIX).split("\n") if answer.startswith(ANSWER_PREFIX) else []


class _Index:
    """The evidence by message."""

    def __init__(self, evidence, notice_text):
        self.real_engine = evidence.real_engine
        # What of a text must be as it stands in the log. One that its deadline cut behind a word ends with white space there.
        self.words = parts.squeezed if evidence.real_engine else str.strip
        self.turn_of, self.message_of_turn, self.message_of_reply = {}, {}, {}
        self.message_of_text = {message.text: message for message in evidence.messages}
        self.by_id = {message.message_id: message for message in evidence.messages}
        for record in sorted(evidence.turns, key=lambda record: (record.partition, record.offset)):
            self.turn_of.setdefault(record.message_id, record)  # the first acceptance counts
            if record.message_id in self.by_id:
                self.message_of_turn[record.turn_id] = self.by_id[record.message_id]
                for kind in ("answer", "notice", "fallback"):
                    self.message_of_reply[wire.reply_id(record.turn_id, kind, 0)] = self.by_id[record.message_id]
        self.dead = {}
        for letter in evidence.dead_letters:
            if letter.turn_id in self.message_of_turn:
                self.dead.setdefault(self.message_of_turn[letter.turn_id].message_id, []).append(letter)
        # An AuditRecord begins with its body: field 1 is a PolicyDrop, 2 a SentAfterAll. Turn ids as field 1 of those:
        # field 2 of a PolicyDrop is the turn that is answered in its place.
        self.dropped, self.sent_after_all = (
            {found for record in evidence.audit if record[:1] == body
             for found in re.findall(rb"(?s)(?=\x0a\x20(.{32}))", record)} for body in (b"\x0a", b"\x12"))
        self.dropped_for = {}  # turn id -> ids of those that are answered in its place
        for record in evidence.audit:
            if record[:1] == b"\x0a":
                for dropped, by in re.findall(rb"(?s)\x0a\x20(.{32})\x12\x20(.{32})", record):
                    self.dropped_for.setdefault(dropped.hex(), set()).add(by.hex())
        self.parrots = set()  # messages to which a real model said what it had read of notices
        self.said, texts = {}, {}  # (user, text) -> messages of the turns whose first record it is
        for turn_id, record in self.first_records(evidence).items():
            if turn_id in self.message_of_turn:
                user = self.message_of_turn[turn_id].user
                self.said.setdefault((user, self.words(record.text)), []).append(self.message_of_turn[turn_id])
                texts.setdefault(user, set()).add(record.text)
                if record.kind == "answer" and record.text == notice_text:
                    self.parrots.add(self.message_of_turn[turn_id].message_id)
        self.answers, self.notices, self.strangers = {}, {}, []
        for send in parts.assembled(doubts.settled(evidence.sends, evidence.reconcile_s), texts):
            is_notice = send.text == notice_text and not self._parroted(send)
            message = self._noticed(send) if is_notice else self._answered(send)
            if message is None or message.user != send.user or send.in_reply_to not in ("", message.message_id):
                self.strangers.append(send)
            else:
                (self.notices if is_notice else self.answers).setdefault(message.message_id, []).append(send)
        self.parked = {self.message_of_turn[record.turn_id].message_id for record in evidence.parked
                       if record.turn_id in self.message_of_turn}


    def _answered(self, send):
        """The last of the messages that the answer names. Those before it are of the same user, and had no answer yet. An answer
        that was under way at its deadline ends with what there is: it is known by the log."""
        logged = self._logged(send) if self.real_engine else None
        if logged is not None:
            return logged
        lines = lines_of(send.text)
        messages = [self.message_of_text.get(line) for line in lines]
        if lines and messages[-1] is None:
            cut = self._logged(send)
            if cut is not None and any(text.startswith(lines[-1]) for text in (cut.text, *self.texts_of(cut.user))):
                messages[-1] = cut
        if not messages or any(message is None or message.user != send.user for message in messages):
            return None
        return messages[-1]

    def _logged(self, send):
        """What the send's own ids name; where it has none, the user's first message of which the log has these words and of which
        they were not seen yet."""
        said = self.said.get((send.user, self.words(send.text)), [])
        unseen = [message for message in said if not self.seen(message.message_id)]
        return self.by_id.get(send.in_reply_to) or self.message_of_reply.get(send.reply_id) or next(iter(unseen or said), None)

    def _parroted(self, send):
        message = self._logged(send) if self.parrots else None
        return message is not None and message.message_id in self.parrots

    def texts_of(self, user):
        return (text for text, message in self.message_of_text.items() if message.user == user)

    @staticmethod
    def first_records(evidence):
        """Turn id -> what was said of it, or its withdrawal."""
        first = {}
        for record in sorted(evidence.replies, key=lambda record: record.offset):
            if record.kind != "fallback":
                first.setdefault(record.turn_id, record)
        return first

    def _noticed(self, send):
        """By the message it replies to (WhatsApp), or by reply id (Messenger). Instagram has neither: the first message of the
        user that was given up and of which nothing was said yet."""
        message = self.by_id.get(send.in_reply_to) or self.message_of_reply.get(send.reply_id)
        if message is not None or send.in_reply_to or send.reply_id:
            return message
        shed = (message.message_id for turn_id, message in self.message_of_turn.items() if bytes.fromhex(turn_id) in self.dropped)
        return next((self.by_id[message_id] for message_id in (*self.dead, *shed)
                     if self.by_id[message_id].user == send.user and message_id not in self.notices), None)

    def seen(self, message_id):
        sends = self.answers.get(message_id, []) + self.notices.get(message_id, [])
        return sorted(sends, key=lambda send: send.line)

    def settled_at(self, message_id):
        """When the message had its outcome; None while it has none."""
        times = [send.ended for send in self.seen(message_id)] + [letter.t for letter in self.dead.get(message_id, [])]
        return min(times) if times else None


def _outcomes(evidence, index):
    """I1 and I2: each acknowledged message has exactly one outcome, and shows at most one text."""
    for message in evidence.messages:
        key = message.message_id
        answers, notices = index.answers.get(key, []), index.notices.get(key, [])
        dead = index.dead.get(key, [])
        turn = index.turn_of.get(key)
        given_up = bool(answers and dead and notices) and not answers[0].complete  # after a part of it
        if not given_up:
            yield from (Violation(kind, key, why) for send in index.seen(key) for kind, why in send.mistakes)
            yield from (Violation("lost", key, f"the end of the answer is missing after {len(answer.parts)} parts")
                        for answer in answers if not answer.complete)
        for extra in index.seen(key)[2 if given_up else 1:]:
            first = index.seen(key)[0]
            yield Violation("duplicate", key, f"the user saw {first.text[:40]!r} and {(extra.t - first.t):.1f} s later "
                            f"{extra.text[:40]!r} (reply ids {first.reply_id[:12]}, {extra.reply_id[:12]})")
        if answers and dead and not notices:
            yield Violation("duplicate", key, f"answered, and a dead letter ({dead[0].reason}) all the same")
        if answers and turn and bytes.fromhex(turn.turn_id) in index.dropped - index.sent_after_all:
            yield Violation("duplicate", key, "answered, and dropped by what `audit` says")
        if answers or not message.acked_at:
            continue
        if turn is None:
            yield Violation("lost", key, "acknowledged with 200, but there is no record of it in `turns`")
        elif dead and not notices:
            yield Violation("lost", key, f"a dead letter ({dead[0].reason}) of which the user was told nothing")
        elif notices and not dead and bytes.fromhex(turn.turn_id) not in index.dropped:
            yield Violation("lost", key, "a notice to the user, but neither a dead letter nor a named drop")
        elif not notices and not dead and bytes.fromhex(turn.turn_id) not in index.dropped:
            yield Violation("lost", key, "parked, and nothing was shown" if key in index.parked else
                            "acknowledged, and no answer, dead letter or named drop by the end")


def _dropped_for_the_past(evidence, index):
    """Who is dropped for another message is answered by its answer: not by one that stood on the screen before."""
    for message in evidence.messages:
        turn = index.turn_of.get(message.message_id)
        if turn is None or not message.acked_at or index.seen(message.message_id):
            continue
        for by in sorted(index.dropped_for.get(turn.turn_id, ())):
            taker = index.message_of_turn.get(by)
            seen = index.seen(taker.message_id) if taker is not None else []
            if seen and seen[0].t < message.posted_at:
                yield Violation("lost", message.message_id, f"dropped for {taker.message_id}, which had been answered "
                                f"{message.posted_at - seen[0].t:.1f} s before it was posted")


def _not_first(evidence, index):
    """The first record of a turn in `replies` is what was said: nothing of a later one is ever shown, whoever wrote it."""
    first, fallback = {}, {}
    for record in sorted(evidence.replies, key=lambda record: record.offset):
        (fallback if record.kind == "fallback" else first).setdefault(record.turn_id, record)
    for message in evidence.messages:
        turn = index.turn_of.get(message.message_id)
        if turn is None:
            continue
        said, excuse = first.get(turn.turn_id), fallback.get(turn.turn_id)
        texts = {index.words(record.text) for record in (said, excuse) if record is not None and record.kind != "supersede"}
        for send in index.seen(message.message_id):
            if index.words(send.text) not in texts:
                yield Violation("stale", message.message_id, f"the user saw {send.text[:40]!r}, but the first record of the turn "
                                f"is {said.kind + ' ' + repr(said.text[:40]) if said else 'missing'}")


def _void_claims(evidence, index):
    """(seconds, message id) of each send that left under a claim behind which somebody else had taken the partition over:
    how long after that. A sender that was frozen and woke must not do it."""
    claims, takeovers = {}, {}
    for entry in sorted(evidence.ledger, key=lambda entry: entry.offset):
        if entry.kind == "claim":
            claims.setdefault(entry.reply_id, []).append(entry)
        elif entry.kind == "takeover":
            takeovers.setdefault(entry.partition, []).append(entry)
    for message in evidence.messages:
        turn = index.turn_of.get(message.message_id)
        shown = [row for send in index.seen(message.message_id) for row in enumerate(send.parts or [send])]
        for number, send in shown if turn is not None else ():
            reply_ids = [send.reply_id] if send.reply_id else [wire.reply_id(turn.turn_id, kind, number)
                                                               for kind in wire.REPLY_KINDS.values()]
            before = [claim for reply_id in reply_ids for claim in claims.get(reply_id, []) if claim.t <= send.t]
            if not before:
                continue
            claim = max(before, key=lambda entry: entry.offset)
            late = [send.t - entry.t for entry in takeovers.get(claim.partition, [])
                    if entry.offset > claim.offset and entry.t <= send.t]
            if late:
                yield max(late), message.message_id


def _order(evidence, index):
    """I3: first sends of a conversation leave in the order of acceptance."""
    place = {}
    for message in evidence.messages:
        turn, seen = index.turn_of.get(message.message_id), index.seen(message.message_id)
        if turn is not None and seen:
            place.setdefault(message.user, []).append((seen[0].line, turn.partition, turn.offset, message.message_id))
    for user, rows in place.items():
        if len({partition for _, partition, _, _ in rows}) > 1:
            yield Violation("reordered", rows[0][3], f"the conversation of {user} is in more than one partition")
            continue
        newest, newest_id = -1, ""
        for _, _, offset, message_id in sorted(rows):
            if offset < newest:
                yield Violation("reordered", message_id,
                                f"accepted at offset {offset}, left after {newest_id} of offset {newest}")
            else:
                newest, newest_id = offset, message_id


def _in_doubt(evidence):
    """Replies of which, at some moment, the ledger could not say whether they were shown."""
    doubted, open_claims = set(), {}
    for entry in sorted(evidence.ledger, key=lambda entry: (entry.partition, entry.offset)):
        claims = open_claims.setdefault(entry.partition, set())
        if entry.kind == "claim":
            claims.add(entry.reply_id)
            if entry.resends:
                doubted.add(entry.reply_id)
        elif entry.kind == "sent":
            claims.discard(entry.reply_id)
        elif entry.kind == "takeover":
            doubted |= claims
        elif entry.kind == "evidence" and entry.reply_id in claims:
            doubted.add(entry.reply_id)
    return len(doubted)


def _length_without(begin, end, spans):
    """Of begin to end, what lies in none of the spans."""
    length, at = 0.0, begin
    for span_begin, span_end in sorted(spans):
        length += max(0.0, min(span_begin, end) - at)
        at = max(at, span_end)
    return length + max(0.0, end - at)


def _late_s(message):
    return LATE_S + (GATHERING_S if message.mode == "collect" else 0)


def _recovery(evidence, index):
    """Per cycle: from its end to the outcome of the last message that was acknowledged before and was still open. Time in
    which a later fault was in force, or the machine stood still, does not count.

    Of a fault that heals itself: from its beginning to the last outcome of a message that was late, posted before it or while
    it was in force."""
    settled = [(index.settled_at(message.message_id), message) for message in evidence.messages if message.acked_at]
    settled = [(at, message) for at, message in settled if at is not None]
    for fault in evidence.faults:
        if fault.heals_itself:
            begin = fault.began
            concerned = [(at, message) for at, message in settled if at - message.posted_at > _late_s(message) and
                         at >= begin and message.posted_at <= fault.healed - LATE_S]
        else:
            begin = fault.healed
            concerned = [(at, message) for at, message in settled if message.acked_at <= begin <= at]
        last, message = max(concerned, key=lambda row: row[0], default=(begin, None))
        spans = evidence.stills + [(other.began, other.healed) for other in evidence.faults if other.began >= fault.healed]
        yield _length_without(begin, last, spans), message


def _early(evidence, index, turn_deadline_s):
    """Time that a turn has is real time, whatever a wall clock does."""
    for message_id, letters in index.dead.items():
        for letter in letters:
            had_s = letter.t - index.by_id[message_id].posted_at
            if letter.reason == "deadline" and had_s < turn_deadline_s:
                yield Violation("early", message_id, f"given up for its deadline after {had_s:.1f} s of {turn_deadline_s}")


def _history(evidence, index):
    """I5: Redis agrees with the first records of the log and with the screens."""
    if evidence.history is None:
        return
    said, turns, offset_of_turn = index.first_records(evidence), {}, {}
    for turn in sorted(index.turn_of.values(), key=lambda turn: turn.offset):
        if turn.turn_id in index.message_of_turn:
            turns.setdefault(turn.user, []).append(turn.turn_id)
            offset_of_turn[turn.turn_id] = turn.offset
    seen = {turn_id: [index.words(send.text) for send in index.seen(message.message_id) if send.complete]
            for turn_id, message in index.message_of_turn.items()}
    for user, stored in evidence.history.items():
        found = history.mistakes(index.message_of_turn, offset_of_turn, said, seen, index.words, turns.get(user, []), stored)
        for message_id, why in found:
            yield Violation("history", message_id, f"conversation of {user}: {why}")


def _disturbed(evidence):
    """A rolling restart is invisible from outside: every webhook that begins in it is acknowledged at the first try."""
    for fault in evidence.faults:
        if fault.kind != "rolling":
            continue
        for message in evidence.messages:
            for post in message.posts:
                if fault.began <= post.began <= fault.healed and post.answer != "200":
                    yield Violation("disturbed", message.message_id, f"a webhook was answered with {post.answer} during the "
                                    f"rolling restart of cycle {fault.cycle}")


def judge(evidence, notice_text, turn_deadline_s):
    index = _Index(evidence, notice_text)
    violations = [*_outcomes(evidence, index), *_dropped_for_the_past(evidence, index), *_order(evidence, index),
                  *_not_first(evidence, index),
                  *_early(evidence, index, turn_deadline_s), *_history(evidence, index), *_disturbed(evidence),
                  *(Violation(*mistake) for mistake in poison.mistakes(evidence, index.dead, index.answers))]
    late_writes = list(_void_claims(evidence, index))
    violations += [Violation("stale", message_id, f"it left {seconds:.1f} s after another sender had taken its partition over")
                   for seconds, message_id in late_writes if seconds > LATE_WRITE_MAX_S]
    for send in index.strangers:
        violations.append(Violation("foreign", send.in_reply_to, f"user {send.user} saw {send.text[:60]!r}, "
                                    "which is no answer to anything of theirs"))
    for place, records in sorted(evidence.lag.items()):
        if records:
            violations.append(Violation("unfinished", "", f"{place}: {records} records are not committed at the end"))
    acked = [message for message in evidence.messages if message.acked_at]
    strays = sum(1 for message in evidence.messages if not message.acked_at and index.seen(message.message_id))
    return Verdict(violations, len(acked), _in_doubt(evidence), list(_recovery(evidence, index)), strays,
                   sorted(seconds for seconds, _ in late_writes), poison.seconds(evidence, index.dead, index.notices),
                   sum(len(send.parts) > 1 for sends in index.answers.values() for send in sends))
