"""Writes measured blocks into a document, and says where they were measured."""
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE_SIZES = sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"))


def where():
    """Machine, date and commit, as every figure needs beside it."""
    info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    values = {}
    for line in info:
        name, _, value = line.partition(":")
        values.setdefault(name.strip(), value.strip())
    cores = sum(line.startswith("processor") for line in info)
    flags = set(values.get("flags", "").split())
    sets = [name for name in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8") if name in flags]
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) / 2**20
    cache = "".join(f", {path.read_text().strip()} of last cache" for path in CACHE_SIZES[-1:])
    git = lambda *arguments: subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True).stdout.strip()
    commit = git("rev-parse", "--short", "HEAD") + ("" if git("status", "--porcelain", "--untracked-files=no") == "" else "+")
    return (f"{cores} cores of {values.get('model name', 'an unknown processor')} ({', '.join(sets)}), {memory:.0f} GiB{cache}; "
            f"commit {commit}, {time.strftime('%Y-%m-%d')}.")


def write_block(path, name, text):
    """Replaces what stands between the two marker comments of `name`; appends both when they are not there yet."""
    begin, end = f"<!-- {name}: begin; written by a script -->", f"<!-- {name}: end -->"
    old = path.read_text() if path.exists() else ""
    block = f"{begin}\n{text.strip()}\n{end}"
    if begin in old and end in old:
        before, rest = old.split(begin, 1)
        new = before + block + rest.split(end, 1)[1]
    else:
        new = old.rstrip("\n") + ("\n\n" if old else "") + block + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(new)
