"""Faults of the service processes: each function breaks something, heals it, and returns what it did in words."""
import signal
import time

# Longer than a sender's lease; and longer than the consumer group's session timeout of 6 s, so that partitions move away.
PAUSES_S = (3.0, 9.0)
ZOMBIE_S = 10.0  # beyond lease, session timeout, POST timeout and reconciliation time
# Longer than a webhook's timeout: the retry goes to another gateway, and the frozen one accepts it too when it wakes.
GATEWAY_PAUSE_S = 6.0
KILLED_ROLES = ("worker", "sender", "session", "gateway")
TERMINATED_ROLES = ("gateway", "worker", "sender", "session")
POINT_WAIT_S = 20.0
NEVER_PASSED = "never passed"  # the point was not reached in time: nothing was broken
CLOCK_STEPS_S = (3600, -3600, 7 * 86400, -7 * 86400)
CLOCK_S = 5.0
POISON_LEAD_S = 1.0  # so that those who are in the batch with it were written to within the cycle
POISON_WAIT_S = 60.0
POISON_TAIL_S = 8.0  # and who is given up for it is so before the next fault


def targets(nemesis, kind, roles):
    """One process of a role, and now and then all of them at once."""
    role = nemesis.draw(kind, roles)
    names = [f"{role}-{number}" for number in range(nemesis.mesh.options.instances)]
    return names if nemesis.rng.random() < 0.15 else [nemesis.rng.choice(names)]


def kill(nemesis):
    names = targets(nemesis, "kill", KILLED_ROLES)
    for name in names:
        nemesis.mesh.kill(name)
    nemesis.wait(nemesis.rng.uniform(0, 1.5))
    nemesis.restart(names)
    return "+".join(names)


def pause_s(nemesis, role):
    return GATEWAY_PAUSE_S if role == "gateway" else nemesis.draw("pause_s", PAUSES_S)


def pause(nemesis):
    names = targets(nemesis, "pause", KILLED_ROLES)
    away_s = pause_s(nemesis, names[0].rsplit("-", 1)[0])
    for name in names:
        nemesis.mesh.signal(name, signal.SIGSTOP)
    nemesis.wait(away_s)
    for name in names:
        nemesis.mesh.signal(name, signal.SIGCONT)
    for name in names:
        nemesis.mesh.wait_ready(name)
    return f"{'+'.join(names)} {away_s:.0f} s"


def zombie(nemesis):
    """Frozen until others have taken over all that it held: at a fault point, so that it wakes in the middle of something
    that is no longer its own, or at any moment."""
    name, role = nemesis.draw("zombies", (*nemesis.points, *((None, role) for role in KILLED_ROLES)))
    mesh = nemesis.mesh
    target = f"{role}-{nemesis.rng.randrange(mesh.options.instances)}"
    nth = nemesis.rng.randint(1, 4)
    hit = True
    if name is None:
        mesh.signal(target, signal.SIGSTOP)
    else:
        hit = fall_at_point(nemesis, target, name, "stop", nth)
    nemesis.wait(ZOMBIE_S if hit else 0)
    mesh.signal(target, signal.SIGCONT)
    disarm(nemesis, target, hit)
    return f"{target} frozen" + (f" at {name}, pass {nth}" if name else "") + ("" if hit else f" ({NEVER_PASSED})")


def clock(nemesis):
    """The wall clock of one process jumps, and back. Nothing may expire early: time that passes is another clock's matter."""
    role, number = nemesis.draw("clocks", KILLED_ROLES), nemesis.rng.randrange(nemesis.mesh.options.instances)
    step = nemesis.draw("clock_steps", CLOCK_STEPS_S)
    nemesis.mesh.clocks.step(f"{role}-{number}", step)
    nemesis.wait(CLOCK_S)
    nemesis.mesh.clocks.step(f"{role}-{number}", 0)
    nemesis.wait_all_ready()
    return f"{role}-{number} by {step:+} s"


def unclean(names):
    return f" ({', '.join(names)} did not end by itself)" if names else ""


def term(nemesis):
    names = targets(nemesis, "term", TERMINATED_ROLES)
    killed = [name for name in names if not nemesis.mesh.terminate(name)]
    nemesis.restart(names)
    return "+".join(names) + unclean(killed)


def rolling(nemesis):
    """Every service process in turn, the next once the last is ready again: no user and no webhook may notice."""
    names = nemesis.mesh.services()
    nemesis.rng.shuffle(names)
    killed = []
    for name in names:
        if not nemesis.mesh.terminate(name):
            killed.append(name)
        nemesis.restart([name])
    return f"{len(names)} processes, {names[0]} first" + unclean(killed)


def point(nemesis):
    name, role = nemesis.draw("points", nemesis.points)
    action = nemesis.draw("actions", ("kill", "kill", "stop"))
    mesh = nemesis.mesh
    target = f"{role}-{nemesis.rng.randrange(mesh.options.instances)}"
    nth = nemesis.rng.randint(1, 8)
    hit = fall_at_point(nemesis, target, name, action, nth)
    if mesh.stopped(target):
        nemesis.wait(pause_s(nemesis, role))
        mesh.signal(target, signal.SIGCONT)
    disarm(nemesis, target, hit)
    return f"{target} {action} at {name}, pass {nth}" + ("" if hit else f" ({NEVER_PASSED})")


def poison(nemesis):
    """A message at which every worker and child that takes it up dies; in force until its user was told."""
    mesh = nemesis.mesh
    unarmed = [name for name in mesh.services() if name.startswith("worker") and not mesh.as_started_first(name)]
    for name in unarmed:
        mesh.terminate(name)
    nemesis.restart(unarmed)
    nemesis.wait(POISON_LEAD_S)
    order = nemesis.meta.order_poison()
    if not nemesis.wait_until(order.acknowledged.is_set, POISON_WAIT_S):
        return "no poison was acknowledged"
    began = time.time()
    told = nemesis.wait_until(lambda: mesh.noticed(order.user, began), POISON_WAIT_S, look_s=0.2)
    words = f"told after {time.time() - began:.1f} s" if told else "not told"
    nemesis.wait_all_ready()
    nemesis.wait(POISON_TAIL_S)
    return f"of {order.user}, who was {words}"


def fall_at_point(nemesis, target, name, action, nth):
    """Starts the target anew and armed; True once it has fallen. What dies is started again, unarmed, by tend()."""
    mesh = nemesis.mesh
    deaths = len(mesh.deaths)
    mesh.terminate(target)
    mesh.start_again(target, {"MESH_FAULT": f"{name}:{action}:{nth}"})  # it may fall before it is ready
    return nemesis.wait_until(lambda: mesh.stopped(target) or target in [dead for dead, _ in mesh.deaths[deaths:]],
                              POINT_WAIT_S)


def disarm(nemesis, target, hit):
    nemesis.mesh.wait_ready(target)
    if not hit:  # still armed: it would fall in a later cycle and be blamed on that
        nemesis.mesh.terminate(target)
        nemesis.restart([target])


FAULTS = {"kill": kill, "pause": pause, "zombie": zombie, "term": term, "rolling": rolling, "clock": clock, "point": point,
          "poison": poison}
