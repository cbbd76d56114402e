"""The story of one message, from every log that mentions it, for a failure's report."""
import datetime

import wire


def _clock(t):
    return datetime.datetime.fromtimestamp(t).strftime("%H:%M:%S.%f")[:-3]


def of_message(evidence, message_id):
    """Lines in the order of time, with the faults that fell into them."""
    message = next((m for m in evidence.messages if m.message_id == message_id), None)
    turns = [record for record in evidence.turns if record.message_id == message_id]
    turn_ids = {record.turn_id for record in turns}
    reply_ids = {wire.reply_id(turn_id, kind, part) for turn_id in turn_ids for kind in wire.REPLY_KINDS.values()
                 for part in range(4)}
    rows = []
    if message is not None:
        rows += [(post.t, f"generator: posted, {post.answer}") for post in message.posts]
    rows += [(r.t, f"turns {r.partition}/{r.offset}: accepted, turn {r.turn_id[:12]}") for r in turns]
    rows += [(r.t, f"replies {r.partition}/{r.offset}: {r.kind} {r.text[:40]!r}") for r in evidence.replies
             if r.turn_id in turn_ids]
    rows += [(r.t, f"parked {r.partition}/{r.offset}: {r.kind}") for r in evidence.parked if r.turn_id in turn_ids]
    rows += [(d.t, f"dead-letter: {d.reason} of {d.origin_topic}, by {d.service}") for d in evidence.dead_letters
             if d.turn_id in turn_ids]
    mine = [e for e in evidence.ledger if e.turn_id in turn_ids or e.reply_id in reply_ids]
    rows += [(e.t, f"ledger {e.partition}/{e.offset}: {e.kind} {e.reply_id[:12]} {e.detail}".rstrip()) for e in mine]
    sends = [s for s in evidence.sends if s.in_reply_to == message_id or s.reply_id in reply_ids]
    rows += [(s.t, f"screen line {s.line}: {s.text[:40]!r}, reply id {s.reply_id[:12]}") for s in sends]
    if not rows:
        return [f"nothing mentions {message_id!r}"]
    first, last = min(rows)[0], max(rows)[0]
    partitions = {e.partition for e in mine}
    rows += [(e.t, f"ledger {e.partition}/{e.offset}: takeover {e.detail}") for e in evidence.ledger
             if e.kind == "takeover" and e.partition in partitions and first - 1 <= e.t <= last + 1]
    for fault in evidence.faults:
        if fault.began <= last + 1 and fault.healed >= first - 1:
            rows.append((fault.began, f"FAULT cycle {fault.cycle} begins: {fault.kind} {fault.target}"))
            rows.append((fault.healed, f"FAULT cycle {fault.cycle} healed"))
    return [f"{_clock(t)} {text}" for t, text in sorted(rows)]
