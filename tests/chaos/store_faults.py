"""Faults of broker and store: each function breaks something, heals it, and returns what it did in words."""


def restart_store(nemesis, name):
    nemesis.mesh.kill(name)
    nemesis.wait(nemesis.rng.uniform(0, 2))
    nemesis.restart([name])
    nemesis.wait_all_ready()
    return name


def redis(nemesis):
    return restart_store(nemesis, "redis")


def broker(nemesis):
    return restart_store(nemesis, "kafka")


FAULTS = {"redis": redis, "broker": broker}
