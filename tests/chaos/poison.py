"""The checker's part for messages that kill every engine that takes them up."""
WORD = "philtre"  # nobody writes it by chance
GOAL_S = 60.0  # from the acknowledgement until the user was told and the dead letter stands


def is_in(message):
    return WORD in message.text


def mistakes(evidence, dead, answers):
    """(kind, message id, why). dead, answers: message id -> its dead letters, the sends that answer it."""
    for message in evidence.messages:
        reasons = {letter.reason for letter in dead.get(message.message_id, [])}
        if is_in(message):
            if message.message_id in answers:
                yield "poison", message.message_id, "answered, though it kills every engine that takes it up"
            elif message.acked_at and reasons != {"poison"}:
                yield "poison", message.message_id, f"poison, but its dead letters say {sorted(reasons)}"
        elif "poison" in reasons:
            yield "harmed", message.message_id, "a dead letter says poison of what kills nothing"
        elif reasons and _only_poison(evidence.faults, message.posted_at, max(letter.t for letter in dead[message.message_id])):
            yield "harmed", message.message_id, f"given up ({', '.join(sorted(reasons))}) beside a message that kills its worker"


def _only_poison(faults, begin, end):
    """Whether nothing else was broken in that time, which lies in a poison's in part at least."""
    return {fault.kind for fault in faults if fault.began <= end and fault.healed >= begin} == {"poison"}


def seconds(evidence, dead, notices):
    """Of each poison: from its acknowledgement until its user was told and its dead letter stands."""
    return sorted(max(dead[key][0].t, notices[key][0].t) - message.acked_at for message in evidence.messages
                  if is_in(message) and message.acked_at and (key := message.message_id) in dead and key in notices)
