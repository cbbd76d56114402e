"""Faults of brokers and store: each function breaks something, heals it, and returns what it did in words."""
import signal
import subprocess

import brokers
import disks
import redis_client

BROKER_DOWN_S = 12.0  # beyond the time in which the others have to have taken over
COPIED_S = 30.0
DISK_FULL_S = (3.0, 8.0)
PAUSE_S = (2.0, 6.0)  # of Redis: beyond the deadlines of its callers
REBUILD_S, REBUILDS_MAX = 60.0, 3


def redis(nemesis):
    nemesis.mesh.kill("redis")
    nemesis.wait(nemesis.rng.uniform(0, 2))
    nemesis.restart(["redis"])
    nemesis.wait_all_ready()
    return "redis"


def redis_pause(nemesis):
    seconds = nemesis.draw("redis_pause_s", PAUSE_S)
    nemesis.mesh.signal("redis", signal.SIGSTOP)
    nemesis.wait(seconds)
    nemesis.mesh.signal("redis", signal.SIGCONT)
    nemesis.wait_all_ready()
    return f"redis {seconds:.0f} s"


def redis_loss(nemesis):
    """What Redis held is gone, all of it or the newest part, and comes back out of the log while the mesh works."""
    lost = nemesis.draw("redis_lost", (1.0, 0.3))
    nemesis.mesh.kill("redis")
    nemesis.mesh.empty("redis") if lost == 1 else nemesis.mesh.forget_newest(lost)
    nemesis.wait(nemesis.rng.uniform(0, 2))
    nemesis.restart(["redis"])
    nemesis.wait_all_ready()
    runs = rebuild(nemesis)
    what = "redis emptied" if lost == 1 else f"redis lost the newest {100 * lost:.0f} %"
    return what + (f", rebuilt with {runs} runs" if runs else ", NOT rebuilt")


def rebuild(nemesis):
    """How many runs it took; 0: it did not succeed."""
    mesh = nemesis.mesh
    command = [mesh.options.bin_dir / "meshctl", "session", "rebuild", "--from=beginning",
               f"--kafka-brokers={mesh.bootstrap()}", f"--session-target=127.0.0.1:{mesh.port['session-0']}"]
    with open(mesh.run_dir / "logs/rebuild.log", "a") as log:
        for number in range(1, REBUILDS_MAX + 1):
            running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            if nemesis.wait_until(lambda: running.poll() is not None, REBUILD_S) and running.returncode == 0:
                return number
            running.kill()
            running.wait()
    return 0


def broker(nemesis):
    """Of several brokers one is lost for a while, and the others take over; a single one comes back."""
    mesh = nemesis.mesh
    name = nemesis.rng.choice(mesh.brokers).name
    signal_name = nemesis.draw("broker", ("kill", "kill", "term"))
    mesh.kill(name) if signal_name == "kill" else mesh.terminate(name)
    nemesis.wait(BROKER_DOWN_S if len(mesh.brokers) > 1 else nemesis.rng.uniform(0, 2))
    nemesis.restart([name])
    nemesis.wait_all_ready()
    if not nemesis.wait_until(lambda: brokers.fully_copied(mesh.bootstrap()), COPIED_S, look_s=0.5):
        return f"{name} {signal_name}, copies not in sync"
    return f"{name} {signal_name}"


def outage(nemesis):
    """No broker at all."""
    names = [broker.name for broker in nemesis.mesh.brokers]
    for name in names:
        nemesis.mesh.kill(name)
    nemesis.wait(nemesis.mesh.options.outage_s)
    nemesis.restart(names)
    nemesis.wait_all_ready()
    return f"{len(names)} brokers {nemesis.mesh.options.outage_s:.0f} s"


def cannot_write(mesh):
    store = redis_client.Redis(mesh.redis_port)
    try:
        return b"aof_last_write_status:err" in store.call("INFO", "persistence")
    finally:
        store.close()


def disk(nemesis):
    """A store's disk is full for a while. A broker ends when it cannot write; Redis refuses writes."""
    mesh = nemesis.mesh
    name = nemesis.draw("disks", mesh.stores())
    seconds = nemesis.draw("disk_full_s", DISK_FULL_S)
    mesh.down.add(name)  # what ends of it is not started again on a full disk
    disks.fill(mesh.disk_of(name))
    nemesis.wait(seconds)
    effect = "went on" if mesh.alive(name) else "ended"
    if name == "redis" and cannot_write(mesh):
        effect = "refused writes"
    disks.free(mesh.disk_of(name))
    if mesh.alive(name):
        mesh.down.discard(name)
    else:
        mesh.start_again(name)
    nemesis.wait_all_ready()
    return f"{name} full for {seconds:.0f} s, it {effect}"


FAULTS = {"disk": disk, "redis": redis, "redis-pause": redis_pause, "redis-loss": redis_loss, "broker": broker, "outage": outage}
