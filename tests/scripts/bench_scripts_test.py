"""What the benchmark scripts make of measurements. The measuring itself is tested by the programs they start."""
import argparse
import pathlib
import sys
import tempfile
import time
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/bench"))
sys.dont_write_bytecode = True
import outage  # noqa: E402
import overload  # noqa: E402
import peers  # noqa: E402
import reach  # noqa: E402
import report  # noqa: E402


class Report(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / "performance/cpu.md"

    def tearDown(self):
        self.folder.cleanup()

    def test_block_is_appended_once_and_then_replaced_in_its_place(self):
        report.write_block(self.path, "a", "first")
        report.write_block(self.path, "b", "other")
        self.path.write_text(self.path.read_text() + "\nWords by hand.\n")
        report.write_block(self.path, "a", "second")
        text = self.path.read_text()
        self.assertNotIn("first", text)
        self.assertLess(text.index("second"), text.index("other"))
        self.assertTrue(text.endswith("Words by hand.\n"))

    def test_where_names_cores_commit_and_date(self):
        self.assertRegex(report.where(), r"^\d+ cores of .*; commit \w+\+?, \d{4}-\d\d-\d\d\.$")


class Outage(unittest.TestCase):
    FIGURES = {"rate": 8.0, "messages": 240, "not_taken": 0, "none": 0, "several": 0, "drain_s": 30.0, "first_ack_s": 0.2,
               "last_ack_s": 1.0, "first_reply_s": 2.0, "recovery_s": 45.0}

    @staticmethod
    def world(takes):
        """One whose mesh takes the messages of the users that `takes` says."""
        class World(outage.World):
            def __init__(self):
                self.acknowledged, self.acknowledged_at, self.seen = {}, 0.0, {}

            def post(self, user):
                if takes(user):
                    self.acknowledged[user] = self.acknowledged_at = time.time()
                return user in self.acknowledged
        return World()

    def test_rate_leaves_out_both_ends(self):
        steady = [number / 4 for number in range(100)]
        self.assertAlmostEqual(outage.rate_of(steady, 100), 4.0)
        self.assertAlmostEqual(outage.rate_of([-50.0] + steady[1:-1] + [500.0], 100), 4.0)

    def test_mesh_that_answers_too_little_before_the_outage_has_no_rate(self):
        for times in ([], [1.0], [number / 4 for number in range(99)]):
            with self.assertRaisesRegex(outage.NoRate, f"{len(times)} of 100 messages"):
                outage.rate_of(times, 100)

    def test_posting_ends_when_nothing_is_taken_any_more(self):
        with mock.patch.object(outage, "SETTLE_S", 0.1), mock.patch.object(outage, "RETRY_S", 0.01):
            world = self.world(lambda user: user.startswith("good"))
            world.post_all([f"good{number}" for number in range(20)] + [f"bad{number}" for number in range(20)], posters=4)
        self.assertEqual(len(world.acknowledged), 20)

    def test_outage_without_recovery_has_figures_and_says_so(self):
        for taken, words in ((False, "nothing was taken"), (True, "nothing was answered")):
            world = self.world(lambda user, taken=taken: taken)
            users = ["ann", "bob"]
            for user in users:
                world.post(user)
            lines, good = outage.report(outage.figures_of(world, users, [], time.time(), 8.0))
            self.assertFalse(good)
            self.assertIn(words, lines[-1])
            self.assertIn("no reply 2", lines[0])

    def test_recovery_of_half_as_much_again_is_the_most(self):
        lines, good = outage.report(self.FIGURES)
        self.assertTrue(good)
        self.assertIn("recovery 45.0 s, drain time 30.0 s, ratio 1.50", lines[-1])
        for worse in ({"recovery_s": 45.2}, {"not_taken": 1}, {"none": 1}, {"several": 1}):
            self.assertFalse(outage.report({**self.FIGURES, **worse})[1], worse)


class Overload(unittest.TestCase):
    @staticmethod
    def messages(*outcomes):
        """Posted a second apart; each outcome is (seconds until it was seen, text), or None."""
        return [overload.Message(1000.0 + number, [(1000.0 + number + outcome[0], outcome[1])] if outcome else [])
                for number, outcome in enumerate(outcomes)]

    def test_good_is_an_answer_in_time_after_the_queue_has_grown(self):
        before = [(1, "echo: x")] * overload.DEADLINE_S
        late = overload.DEADLINE_S + overload.WAY_S + 0.1
        found = overload.judge(self.messages(*before, (1, "echo: x"), (late, "echo: x"), (0.2, overload.BUSY_TEXT), None),
                               overload.DEADLINE_S + 4)
        self.assertEqual((found["goodput"], found["late"], found["told_busy"], found["none"]), (1 / 4, 1, 1, 1))

    def test_two_outcomes_of_one_message_are_found(self):
        messages = self.messages((1, "echo: x"))
        messages[0].seen.append((1002.0, overload.BUSY_TEXT))
        self.assertEqual(overload.judge(messages, 10)["several"], 1)

    def test_each_share_must_be_reached_and_every_message_have_one_outcome(self):
        figure = {"goodput": 8.0, "messages": 10, "told_busy": 0, "told_after_s": 0.0, "late": 0, "none": 0, "several": 0}
        verdict = lambda three, ten, **other: overload.report(
            [1, 3, 10], [figure, {**figure, "goodput": three}, {**figure, "goodput": ten, **other}])
        lines, good = verdict(6.8, 6.0)
        self.assertTrue(good)
        self.assertTrue(lines[-1].endswith("goodput 1x 8.00/s (100 %) 3x 6.80/s (85 %) 10x 6.00/s (75 %)"), lines[-1])
        for bad in (verdict(6.7, 6.0), verdict(6.8, 5.9), verdict(8, 8, none=1), verdict(8, 8, several=1)):
            self.assertFalse(bad[1])


class PeerResults(unittest.TestCase):
    def results(self, folder):
        results = peers.Results(pathlib.Path(folder) / "results.jsonl", resume=False)
        for round_number, place, name, total in ((0, 0, peers.OURS, 900), (0, 1, peers.OURS, 1100), (0, 0, "fast", 400),
                                                 (0, 0, "faster", 500), (0, 0, "slow", 100), (1, 0, "fast", 700)):
            results.add(round_number, place, name, {"total, B=32": total})
        return results

    def test_ratio_is_that_of_medians_against_the_best_peer(self):
        with tempfile.TemporaryDirectory() as folder:
            text = peers.table(self.results(folder))
            self.assertIn("| total, B=32 | 1000 (900 to 1100) | fast: 550 (400 to 700) | 1.818 |", text)

    def test_only_peers_near_the_best_are_measured_again(self):
        with tempfile.TemporaryDirectory() as folder:
            results = self.results(folder)
            self.assertTrue(results.in_reach("faster"))
            self.assertFalse(results.in_reach("slow"))

    def test_resumed_results_are_those_on_disk(self):
        with tempfile.TemporaryDirectory() as folder:
            self.results(folder)
            again = peers.Results(pathlib.Path(folder) / "results.jsonl", resume=True)
            self.assertTrue(again.has(0, 1, peers.OURS))
            self.assertFalse(again.has(1, 1, peers.OURS))
            self.assertEqual(again.values("fast", "total, B=32"), [400, 700])


class Reach(unittest.TestCase):
    def test_median_is_taken_number_by_number_over_runs_of_the_same_command(self):
        runs = [[{"batch": 1, "tps": 3.0}, {"batch": 8, "tps": 9.0}], [{"batch": 1, "tps": 1.0}, {"batch": 8, "tps": 7.0}],
                [{"batch": 1, "tps": 2.0}, {"batch": 8, "tps": 8.0}]]
        self.assertEqual(reach.median_rows(runs), [{"batch": 1, "tps": 2.0}, {"batch": 8, "tps": 8.0}])

    def test_table_has_a_row_for_every_figure_also_before_it_is_measured(self):
        options = argparse.Namespace(peer_results=pathlib.Path("/nonexistent"))
        text = reach.table(options, {"perplexity": [{"perplexity": 18.4}]})
        self.assertEqual(len(text.splitlines()), 2 + len(reach.FIGURES))
        self.assertIn("| 18.400 |", text)
        self.assertEqual(text.count("not measured yet"), len(reach.FIGURES) - 1)


if __name__ == "__main__":
    unittest.main()
