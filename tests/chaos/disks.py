"""A disk of its own for each store, which can be full: tmpfs mounts in a mount namespace that only this run sees.

Needs no root where the system lets users make namespaces (`unshare --user --mount`); the mounts vanish with the run.
"""
import os
import subprocess
import sys

INSIDE = "MESH_CHAOS_DISKS"  # set in the run that has a namespace of its own
SIZE = "4g"  # of each disk; it takes memory for what is stored
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


def possible():
    """Whether this machine lets us mount."""
    probe = [*UNSHARE, "sh", "-c", "mount -t tmpfs chaos /mnt"]
    try:
        return INSIDE in os.environ or subprocess.run(probe, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def enter():
    """Starts this program anew with mounts of its own, unless it has them."""
    if INSIDE not in os.environ:
        sys.stdout.flush()
        os.execvpe(UNSHARE[0], [*UNSHARE, sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})


def mount(path):
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "chaos", path], check=True)


def fill(path):
    """From now on not one more page fits: the disk is made as small as what it holds."""
    while True:
        stat = os.statvfs(path)
        used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize
        if subprocess.run(["mount", "-o", f"remount,size={used}", path], capture_output=True).returncode == 0:
            return  # else something was written meanwhile


def free(path):
    subprocess.run(["mount", "-o", f"remount,size={SIZE}", path], check=True)
