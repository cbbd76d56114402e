"""Reads the records on the topics without generated code: field numbers are those of proto/bus/v1/bus.proto."""
import dataclasses
import hashlib

REPLY_KINDS = {0: "answer", 1: "notice", 2: "fallback"}  # a notice of the worker, one of the sender
SENT_OUTCOMES = {0: "unspecified", 1: "sent", 2: "failed", 3: "superseded", 4: "released", 5: "parked"}
DELIVERY_STATES = {1: "sent", 2: "delivered", 3: "read", 4: "failed", 5: "deleted", 6: "echo"}


class WireError(Exception):
    """The bytes are no protobuf message."""


def _varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise WireError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """Field number -> values in order; sub-messages and strings as bytes."""
    found, at = {}, 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in (1, 2, 5):
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, at = _varint(data, at)
            if at + size > len(data):
                raise WireError("a field is cut off")
            value, at = data[at:at + size], at + size
        else:
            raise WireError(f"wire type {kind}")
        found.setdefault(number, []).append(value)
    return found


def _last(message, number, default):
    return message.get(number, [default])[-1]


def _text(message, number):
    return _last(message, number, b"").decode(errors="replace")


@dataclasses.dataclass
class TurnRecord:
    """A user's message as accepted: one record of `turns`."""
    partition: int
    offset: int
    t: float
    turn_id: str
    message_id: str
    user: str


@dataclasses.dataclass
class ReplyRecord:
    partition: int
    offset: int
    t: float
    turn_id: str
    kind: str  # answer, notice, fallback, supersede
    generation: int
    text: str


@dataclasses.dataclass
class LedgerEntry:
    partition: int
    offset: int
    t: float
    kind: str  # plan, claim, sent, evidence, takeover, supersede, parked, returned
    turn_id: str = ""
    reply_id: str = ""
    detail: str = ""
    resends: int = 0
    claim_offset: int = 0
    outcome: str = ""


@dataclasses.dataclass
class DeadLetter:
    t: float
    turn_id: str
    reason: str
    origin_topic: str
    service: str


def turn(partition, offset, t, value):
    message = fields(value)
    conversation = fields(_last(message, 2, b""))
    return TurnRecord(partition, offset, t, _last(message, 1, b"").hex(), _text(message, 3), _text(conversation, 4))


def reply(partition, offset, t, value):
    message = fields(value)
    if 2 in message:
        return ReplyRecord(partition, offset, t, _last(fields(message[2][-1]), 1, b"").hex(), "supersede", 0, "")
    body = fields(_last(message, 1, b""))
    kind = _last(body, 4, 0)
    return ReplyRecord(partition, offset, t, _last(body, 1, b"").hex(), REPLY_KINDS.get(kind, str(kind)),
                       _last(body, 3, 0), _text(body, 5))


def ledger(partition, offset, t, value):
    message = fields(value)
    entry = LedgerEntry(partition, offset, t, "unknown")
    if 1 in message:
        plan = fields(message[1][-1])
        entry.kind, entry.turn_id = "plan", _last(plan, 1, b"").hex()
        entry.detail = f"{len(plan.get(5, []))} parts, {REPLY_KINDS.get(_last(plan, 3, 0))}, generation {_last(plan, 2, 0)}"
    elif 2 in message:
        claim = fields(message[2][-1])
        entry.kind, entry.reply_id, entry.resends = "claim", _last(claim, 1, b"").hex(), _last(claim, 3, 0)
        entry.detail = f"term {_last(claim, 2, 0)}, resends {entry.resends}"
    elif 3 in message:
        sent = fields(message[3][-1])
        entry.kind, entry.reply_id, entry.claim_offset = "sent", _last(sent, 1, b"").hex(), _last(sent, 6, 0)
        entry.outcome = SENT_OUTCOMES.get(_last(sent, 3, 0), "unknown")
        entry.detail = f"{entry.outcome} {_text(sent, 2)} {_text(sent, 7)} for claim {entry.claim_offset}"
    elif 4 in message:
        evidence = fields(message[4][-1])
        entry.kind, entry.reply_id = "evidence", _last(evidence, 1, b"").hex()
        entry.detail = f"{DELIVERY_STATES.get(_last(evidence, 3, 0))} {_text(evidence, 2)}"
    elif 5 in message:
        entry.kind, entry.detail = "takeover", _text(fields(message[5][-1]), 1)
    elif 6 in message:
        entry.kind, entry.turn_id = "supersede", _last(fields(message[6][-1]), 1, b"").hex()
    elif 7 in message:
        parked = fields(message[7][-1])
        entry.kind, entry.turn_id = "parked", _last(parked, 1, b"").hex()
        entry.detail = f"its account cannot send; stands at {_last(parked, 6, 0)} of the topic parked"
    elif 8 in message:
        entry.kind, entry.turn_id = "returned", _last(fields(message[8][-1]), 1, b"").hex()
    return entry


def dead_letter(t, value):
    message = fields(value)
    topic, original = _text(message, 3), _last(message, 7, b"")
    try:
        if topic.endswith("turns"):
            turn_id = _last(fields(original), 1, b"").hex()
        elif topic.endswith("replies"):
            turn_id = reply(0, 0, 0.0, original).turn_id
        else:
            turn_id = ""
    except WireError:
        turn_id = ""
    return DeadLetter(t, turn_id, _text(message, 1), topic, _text(message, 8))


def reply_id(turn_id, kind, part, generation=0):
    """As design.md defines it, so that a send that never happened can be found in the ledger too. For traces only."""
    numbers = (generation, {name: number for number, name in REPLY_KINDS.items()}[kind], part)
    parts = [bytes.fromhex(turn_id)] + [number.to_bytes(4, "big") for number in numbers]
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).hexdigest()
