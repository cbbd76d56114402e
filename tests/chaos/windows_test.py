#!/usr/bin/env python3
"""The window's histogram over several lives of several senders."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import windows  # noqa: E402

INF = float("inf")


def text(*counts):
    bounds = ("1e-05", "0.0001", "1", "+Inf")
    return "".join(f'{windows.METRIC}_bucket{{le="{bound}"}} {count}\n' for bound, count in zip(bounds, counts)) + "other 7\n"


class WindowsTest(unittest.TestCase):
    def setUp(self):
        self.windows = windows.Windows([])

    def take(self, port, *counts):
        self.windows.take(port, windows.buckets_of(text(*counts)))

    def test_nothing_was_sent(self):
        self.assertIn("nothing", self.windows.summary())
        self.take(1, 0, 0, 0, 0)
        self.assertIn("nothing", self.windows.summary())

    def test_lives_and_senders_are_added_up(self):
        self.take(1, 10, 50, 60, 60)
        self.take(1, 20, 60, 70, 70)  # the same life, later
        self.take(2, 0, 0, 30, 30)
        self.take(1, 1, 1, 1, 1)  # started anew
        self.assertEqual(self.windows.counts(), {1e-05: 21, 0.0001: 61, 1: 101, INF: 101})

    def test_quantiles_are_the_bounds_that_hold(self):
        self.take(1, 60, 99, 100, 100)
        self.assertEqual([self.windows.quantile(share) for share in (0.5, 0.99, 1)], [1e-05, 0.0001, 1])
        self.assertIn("p50 <= 10 us, p99 <= 100 us, max <= 1000000 us of 100 sends", self.windows.summary())

    def test_what_is_beyond_the_last_bound_is_told(self):
        self.take(1, 0, 0, 0, 1)
        self.assertIn("max over 1000000 us", self.windows.summary())


if __name__ == "__main__":
    unittest.main()
