"""I5: what Redis holds at the end is what the log and the screens say. Reads the keys themselves (libs/session/internal/keys.h,
turn_record.h), not through the session service."""
import dataclasses
import hashlib
import struct

import redis_client

KEY_PREFIX = "mesh"
TURNS_MAX = 200  # of a conversation; older ones are let go
RECORD = struct.Struct(">BBIqqqiiI")  # version, outcome, generation, replies offset, turns offset, accepted, tokens, tokens, size
OUTCOMES = {0: "unknown", 1: "sent", 2: "failed", 3: "superseded", 4: "delivered", 5: "read"}
SHOWN = ("sent", "delivered", "read")


@dataclasses.dataclass
class StoredTurn:
    """One turn of a conversation's history in Redis, in the order in which Redis has them."""
    turn_id: str
    outcome: str
    turns_offset: int
    user_text: str
    reply_text: str


def length_prefixed(*parts):
    return b"".join(len(part).to_bytes(4, "big") + part for part in (part.encode() for part in parts))


def parse(turn_id, record):
    version, outcome, _, _, turns_offset, _, _, _, size = RECORD.unpack_from(record)
    if version != 1:
        raise ValueError(f"version {version} of a stored turn")
    texts = record[RECORD.size:]
    return StoredTurn(turn_id.hex(), OUTCOMES[outcome], turns_offset, texts[:size].decode(), texts[size:].decode())


def read(port, conversations):
    """conversations: user -> (tenant, channel, account). Returns user -> [StoredTurn]."""
    store = redis_client.Redis(port)
    found = {}
    try:
        for user, (tenant, channel, account) in conversations.items():
            digest = hashlib.sha256(length_prefixed(tenant, channel, account, user)).hexdigest()[:32]
            stem = f"{KEY_PREFIX}:s:{{{digest}}}:"
            found[user] = [parse(turn_id, store.call("HGET", stem + "t", turn_id))
                           for turn_id in store.call("ZRANGE", stem + "o", 0, -1)]
    finally:
        store.close()
    return found


def mistakes(message_of_turn, offset_of_turn, said, seen, words, turns, stored):
    """(message id, why) of what one conversation's history has wrong.

    message_of_turn, offset_of_turn: of each turn of the log; said: turn id -> its first record in `replies`; seen: turn id ->
    words on the screen; words: what of a text a screen shows; turns: the conversation's turn ids in the order of acceptance;
    stored: as read from Redis."""
    for turn in stored:
        message = message_of_turn.get(turn.turn_id)
        if message is None or turn.turn_id not in turns:
            yield "", f"Redis has a turn {turn.turn_id[:12]} that the conversation's log does not have"
            continue
        why = _mistake_of(turn, message, said.get(turn.turn_id), seen.get(turn.turn_id, []), words)
        if why:
            yield message.message_id, why
        if turn.turns_offset != offset_of_turn[turn.turn_id]:
            yield message.message_id, f"Redis has it at offset {turn.turns_offset}, the log at {offset_of_turn[turn.turn_id]}"
    offsets = [turn.turns_offset for turn in stored]
    if offsets != sorted(offsets):
        yield "", f"Redis has the conversation in the order {offsets}"
    known = {turn.turn_id for turn in stored}
    for turn_id in turns[-TURNS_MAX:]:
        if turn_id not in known and turn_id in said:
            yield message_of_turn[turn_id].message_id, "Redis does not have it"


def _mistake_of(turn, message, first, shown, words):
    if turn.user_text != message.text:
        return f"Redis has the user say {turn.user_text[:40]!r}"
    if first is None:
        return f"Redis has an answer {turn.reply_text[:40]!r} that the log does not have" if turn.reply_text else None
    if first.kind == "supersede":
        # A text beside that outcome is a re-run's; it is kept out of the model's context.
        return None if turn.outcome == "superseded" else f"withdrawn in the log, but Redis has the outcome {turn.outcome}"
    if turn.reply_text != first.text:
        return f"the log says {first.text[:40]!r}, Redis {turn.reply_text[:40]!r}"
    was_shown = words(first.text) in shown
    if was_shown != (turn.outcome in SHOWN):
        return f"{'shown' if was_shown else 'never shown'}, but Redis has the outcome {turn.outcome}"
    return None
