"""Faults of the Graph API: each function breaks something, heals it, and returns what it did in words."""

REFUSALS = ({"n": 3, "http_status": 500, "code": 131000, "with_error_object": False},
            {"n": 5, "http_status": 429, "code": 130429, "with_error_object": True},
            {"n": 3, "http_status": 503, "code": 131016, "with_error_object": True})


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


FAULTS = {"drop": drop, "graph": graph}
