#!/usr/bin/env python3
"""What scripts/cuda/measure.py does without a card: its tables keep, replace and parse their own rows."""
import importlib.util
import pathlib
import re
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
                                 "gpu_bench --only=gemm", "today"))

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

    def test_rows_of_code_that_has_changed_are_named(self):
        text = measure.merge("", "Card", "Copy.", 4e12, [row("sample greedy", "s", 10), row("gemm bf16", "s", 9)],
                             "2026-11-26, abc1234 with changes, clocks")
        tables = measure.read_tables(text)
        def since(commit, paths):
            return 2 if commit == "abc1234" and "kernels/sampling" in paths else 0
        changed = measure.written(tables, since)
        self.assertIn("not measured again on this card:** sample (2 commits after abc1234).\n", changed)
        self.assertEqual(measure.read_tables(changed), tables)
        self.assertEqual(measure.written(tables), text)

    def test_every_benchmark_names_sources_that_exist(self):
        self.assertEqual(set(measure.SOURCES), set(measure.BENCHMARKS))
        for paths in measure.SOURCES.values():
            for path in paths:
                self.assertTrue(list(ROOT.glob(path)), path)

    def test_peers_belong_to_the_work_they_do(self):
        self.assertEqual(measure.peer_of(row("prefill_attention best", "1x8192 after 0, d128, blocks of 16", 1))[0],
                         "torch SDPA")
        self.assertIsNone(measure.peer_of(row("prefill_attention best", "1x512 after 64, d128, blocks of 16", 1)))
        self.assertIsNone(measure.peer_of(row("gemm bf16", "m=8192 n=4096 k=4096", 1)))  # has cuBLASLt's already

    def test_candidates_of_a_tuning_choice_are_not_results(self):
        text = measure.merge("", "Card", "Copy.", 4e12, [row("rms_norm team=32", "s", 10), row("rms_norm", "s", 9)], "today")
        self.assertNotIn("team=32", text)

    def test_an_op_that_nobody_knows_is_an_error(self):
        with self.assertRaises(SystemExit):
            measure.merge("", "Card", "Copy.", 4e12, [row("new_kernel", "s", 10)], "today")

    def test_the_comparison_with_the_cpu_replaces_its_older_self(self):
        table = "weights/kv     mean KL      max KL      greedy  positions\nfile/bf16     0.000213     0.00279     99.36 %  935\n"
        rows = measure.compare_rows(table)
        self.assertEqual([r["op"] for r in rows], ["compare file/bf16"])
        text = measure.merge("", "Card", "Copy.", 4e12, rows, "day 1")
        text = measure.merge(text, "Card", "Copy.", 4e12, measure.compare_rows(table.replace("0.000213", "0.0003")), "day 2")
        self.assertIn("mean KL 0.0003,", text)
        self.assertNotIn("0.000213", text)

    def test_the_results_in_the_tree_are_as_this_script_writes_them(self):
        text = re.sub(r"\*\*Code that has changed since.*\n\n", "", measure.RESULTS.read_text())  # git's to say
        self.assertEqual(measure.written(measure.read_tables(text)), text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
