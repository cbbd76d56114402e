"""Faults of the Graph API: each function breaks something, heals it, and returns what it did in words."""

REFUSALS = ({"n": 3, "http_status": 500, "code": 131000, "with_error_object": False},
            {"n": 5, "http_status": 429, "code": 130429, "with_error_object": True},
            {"n": 3, "http_status": 503, "code": 131016, "with_error_object": True},
            {"n": 2, "http_status": 400, "code": 131056, "with_error_object": True})  # too much to one user
TOKEN_DEAD = {"n": 1, "http_status": 401, "code": 190, "with_error_object": True}
TOKEN_DEAD_S = (1.0, 4.0)
TOKEN_RELOAD_S = 1.5  # in which the services have seen that a file of accounts.yaml changed


def drop(nemesis):
    count, lost = nemesis.rng.randint(1, 3), nemesis.draw("drops", (False, True))
    nemesis.mesh.graph_control({"accept_then_lose" if lost else "accept_then_drop": count})
    nemesis.wait(1.0)
    return f"{count} sends shown but not answered" + (", their statuses lost for good" if lost else "")


def graph(nemesis):
    refusal = nemesis.draw("graph", (*REFUSALS, None))
    if refusal is None:  # slower than the sender waits: shown, and answered too late
        nemesis.mesh.graph_control({"delay_ms": nemesis.mesh.options.post_timeout_ms * 2})
        nemesis.wait(2.0)
        nemesis.mesh.graph_control({"delay_ms": 0})
        return "slow"
    nemesis.mesh.graph_control({"fail_next": refusal})
    nemesis.wait(1.0)
    return f"{refusal['n']} answers of {refusal['http_status']}, error object {refusal['with_error_object']}"


def token(nemesis):
    """An account's token dies: its replies wait in `parked` until the operator has put a new one. In every second cycle the
    senders are killed meanwhile, so that others bring back what they had parked."""
    seconds, kills = nemesis.draw("token_dead_s", TOKEN_DEAD_S), nemesis.draw("token_kills", (False, True))
    mesh = nemesis.mesh
    mesh.graph_control({"fail_next": TOKEN_DEAD})
    nemesis.wait(seconds)
    senders = [f"sender-{number}" for number in range(mesh.options.instances)] if kills else []
    for name in senders:
        mesh.kill(name)
    if senders:
        nemesis.restart(senders)
    mesh.new_tokens()
    nemesis.wait(TOKEN_RELOAD_S)
    return f"dead for {seconds:.0f} s" + (", senders killed" if kills else "")


FAULTS = {"drop": drop, "graph": graph, "token": token}
