"""The checker's part for sends of which nobody ever tells what became: no answer, no status. The accounts' in-doubt policy,
resend, has each shown once more, after the reconciliation time and not before."""


def settled(sends, reconcile_s):
    """The sends without those second copies; what is wrong with them stands in the lost send."""
    waiting, found = {}, []  # (user, text, reply id) -> the lost send
    for send in sorted(sends, key=lambda send: send.line):
        key = (send.user, send.text, send.reply_id)
        first = waiting.pop(key, None)
        if first is not None:
            after_s = send.t - first.t
            if after_s < reconcile_s:
                first.mistakes.append(("duplicate", f"sent again {after_s:.1f} s later, before its status could be missed"))
            continue  # that it may be lost too: then it is parked
        if send.lost:
            waiting[key] = send
        found.append(send)
    for send in waiting.values():
        send.mistakes.append(("doubt", f"{send.text[:40]!r} was shown, nobody knows, and it was not sent again"))
    return found
