"""Faults of the network between the processes: latency, cuts, and loss in one direction."""

# Shorter and longer than the deadlines of calls and sends; and longer than the group's session timeout.
HOLDS_S = (1.0, 3.0, 8.0)
LATENCIES_MS = (50, 300)
LATENCY_S = 5.0


def net(nemesis):
    links = nemesis.mesh.links
    mode = nemesis.draw("net", ("latency", "hold_up", "hold_down", "cut"))
    name = nemesis.draw(f"net {mode}", sorted(links.names))
    if mode == "latency":
        ms, seconds = nemesis.draw("latencies", LATENCIES_MS), LATENCY_S
    else:
        ms, seconds = 0, nemesis.draw("holds", HOLDS_S)
    links.set(name, mode, ms)
    nemesis.wait(seconds)
    lost = mode in ("hold_up", "hold_down") and nemesis.rng.random() < 0.5
    if lost:  # what was held is gone with its connection
        links.set(name, "cut")
    links.set(name, "pass")
    nemesis.wait_all_ready()
    return f"{name} {mode}" + (f" {ms} ms" if ms else "") + f" for {seconds:.0f} s" + (", then lost" if lost else "")


FAULTS = {"net": net}
