#!/usr/bin/env python3
"""What scripts/cuda/measure.py does without a card: its tables keep, replace and parse their own rows."""
import importlib.util
import pathlib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("measure", ROOT / "scripts/cuda/measure.py")
measure = importlib.util.module_from_spec(spec)
spec.loader.exec_module(measure)


def row(op, shape, microseconds, peer_microseconds=0):
    return {"op": op, "shape": shape, "seconds": microseconds * 1e-6, "bytes": 1e9, "flops": 2e12,
            "peer": "peer" if peer_microseconds else "", "peer_seconds": peer_microseconds * 1e-6}


class Measure(unittest.TestCase):
    def test_a_row_states_its_rates_beside_the_limits(self):
        cells = measure.cells(row("gemm bf16", "1 x 2 x 3", 500, 250), copy=4e12, measured="today")
        self.assertEqual(cells, ("gemm bf16", "1 x 2 x 3", "500.00", "2000", "50.0", "4000.0", "peer", "250.00", "0.50",
                                 "today"))

    def test_merging_replaces_a_row_and_keeps_the_others_and_other_cards(self):
        text = measure.merge("", "Card A", "Copy 1 GB/s.", 4e12, [row("gemm", "s1", 10), row("rms_norm", "s", 20)], "day 1")
        text = measure.merge(text, "Card B", "Copy 2 GB/s.", 4e12, [row("gemm", "s1", 99)], "day 2")
        text = measure.merge(text, "Card A", "Copy 3 GB/s.", 4e12, [row("gemm", "s1", 5), row("gemm", "s2", 6)], "day 3")
        tables = measure.read_tables(text)
        self.assertEqual(set(tables), {"Card A", "Card B"})
        about, rows = tables["Card A"]
        self.assertEqual(about, "Copy 3 GB/s.")
        self.assertEqual({key: cells[2] for key, cells in rows.items()},
                         {("gemm", "s1"): "5.00", ("gemm", "s2"): "6.00", ("rms_norm", "s"): "20.00"})
        self.assertEqual(rows[("rms_norm", "s")][-1], "day 1")
        self.assertEqual(measure.written(tables), text)

    def test_what_was_never_measured_says_so(self):
        text = measure.merge("", "Card", "Copy.", 4e12, [row("quant_gemm q4_0", "s", 10)], "today")
        self.assertIn("| gemm | not measured on a card |", text)
        self.assertNotIn("| quant_gemm | not measured", text)
        self.assertEqual(measure.written({}).count(measure.UNMEASURED), len(measure.BENCHMARKS) + 1)

    def test_peers_belong_to_the_work_they_do(self):
        self.assertEqual(measure.peer_of(row("prefill_attention best", "1x8192 after 0, d128, blocks of 16", 1))[0],
                         "torch SDPA")
        self.assertIsNone(measure.peer_of(row("prefill_attention best", "1x512 after 64, d128, blocks of 16", 1)))
        self.assertEqual(measure.peer_of(row("gemm bf16", "8192 x 4096 x 4096", 1))[0], "torch.matmul")
        self.assertIsNone(measure.peer_of(row("gemm bf16", "8 x 4096 x 4096", 1)))
        self.assertIsNone(measure.peer_of(row("quant_gemm q4_K", "8192 x 4096 x 4096", 1)))

    def test_the_results_in_the_tree_are_as_this_script_writes_them(self):
        text = measure.RESULTS.read_text()
        self.assertEqual(measure.written(measure.read_tables(text)), text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
