#!/usr/bin/env python3
"""What a binary for cards says where it cannot use one. Usage: driver_messages_test.py GPU_BENCH FOLDER_OF_FAKE_DRIVER"""
import os
import subprocess
import sys
import unittest


class DriverMessages(unittest.TestCase):
    def ask(self, **variables):
        environment = os.environ | {"LD_LIBRARY_PATH": FOLDER} | variables
        return subprocess.run([GPU_BENCH, "--card"], env=environment, capture_output=True, text=True, timeout=60)

    def test_an_old_driver_is_told_beside_what_is_needed(self):
        run = self.ask(FAKE_DRIVER_VERSION="12040")
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, r"the NVIDIA driver is too old: it knows CUDA 12\.4, this program needs 13\.\d")

    def test_a_driver_without_a_card_is_told(self):
        run = self.ask(FAKE_DRIVER_INIT="100")  # CUDA_ERROR_NO_DEVICE
        self.assertEqual(run.returncode, 1)
        self.assertIn("the NVIDIA driver finds no card", run.stderr)

    def test_any_other_failure_names_the_error(self):
        run = self.ask(FAKE_DRIVER_INIT="999")  # CUDA_ERROR_UNKNOWN
        self.assertEqual(run.returncode, 1)
        self.assertIn("the NVIDIA driver can't be used: unknown error (cudaErrorUnknown)", run.stderr)


if __name__ == "__main__":
    FOLDER, GPU_BENCH = sys.argv.pop(), sys.argv.pop()
    unittest.main(verbosity=2)
