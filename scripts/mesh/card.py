#!/usr/bin/env python3
"""Whether this machine has an NVIDIA driver with a card, said before anything is fetched or compiled for one.

Usage: scripts/mesh/card.py
"""
import ctypes
import sys

WAY_OUT = ("leave CUDA=1 away to run on the CPU (RUN_FLAGS=--device=cpu, MESH_DEVICE=cpu), or run `make cuda` to compile the "
           "device kernels without running them")
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


def problem(driver="libcuda.so.1"):
    """None, or one sentence that says what is missing and what to do."""
    try:
        error = ctypes.CDLL(driver).cuInit(0)
    except (OSError, AttributeError):
        return f"no NVIDIA driver on this machine ({driver} can't be loaded): install it, {WAY_OUT}"
    if error == 0:
        return None
    found = "finds no card" if error == NO_DEVICE else f"can't be used (cuInit: error {error})"
    return f"the NVIDIA driver {found}: look at nvidia-smi and CUDA_VISIBLE_DEVICES, {WAY_OUT}"


if __name__ == "__main__":
    found = problem()
    if found is not None:
        sys.exit(found)
