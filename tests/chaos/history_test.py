#!/usr/bin/env python3
"""I5: every way in which Redis can disagree with log and screen is found."""
import dataclasses
import pathlib
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import history  # noqa: E402
from clean_run import NOTICE, Run, turn_id  # noqa: E402


class HistoryTest(unittest.TestCase):
    def setUp(self):
        self.run_ = Run()
        self.evidence = self.run_.evidence

    def expect(self, message_id, words):
        found = self.run_.verdict().violations
        self.assertEqual([(v.kind, v.message_id) for v in found], [("history", message_id)], found)
        self.assertIn(words, found[0].why)

    def expect_good(self):
        self.assertTrue(self.run_.verdict().good, self.run_.verdict().violations)

    def test_clean_run(self):
        self.expect_good()

    def test_other_words_than_the_first_record(self):
        self.run_.stored("m1.2").reply_text = "echo: text of m1.1"
        self.expect("m1.2", "the log says")

    def test_other_words_of_the_user(self):
        self.run_.stored("m1.2").user_text = "text of m2.2"
        self.expect("m1.2", "the user say")

    def test_outcome_of_what_was_shown(self):
        for outcome in ("sent", "read"):
            self.run_.stored("m1.2").outcome = outcome
            self.expect_good()
        for outcome in ("unknown", "failed", "superseded"):
            self.run_.stored("m1.2").outcome = outcome
            self.expect("m1.2", f"shown, but Redis has the outcome {outcome}")

    def test_outcome_of_what_was_not_shown(self):
        self.run_.hide("m0.4")
        self.run_.reply("m0.4", 0, "fallback", NOTICE)
        self.run_.die("m0.4")
        self.run_.show("u0", NOTICE, "m0.4")
        self.expect("m0.4", "never shown")
        self.run_.stored("m0.4").outcome = "failed"
        self.expect_good()

    def test_outcome_of_what_was_withdrawn(self):
        self.run_.hide("m0.3")
        self.evidence.audit.append(b"\x0a\x20" + bytes.fromhex(turn_id("m0.3")))
        next(r for r in self.evidence.replies if r.turn_id == turn_id("m0.3")).kind = "supersede"
        self.expect("m0.3", "withdrawn")
        self.run_.stored("m0.3").outcome = "superseded"
        self.expect_good()

    def test_missing_turn(self):
        self.evidence.history["u1"].remove(self.run_.stored("m1.2"))
        self.expect("m1.2", "does not have it")

    def test_missing_conversation(self):
        self.evidence.history["u1"] = []
        self.assertEqual(self.run_.verdict().count("history"), 5)

    def test_turn_older_than_the_history_keeps_may_be_missing(self):
        kept, history.TURNS_MAX = history.TURNS_MAX, 4
        try:
            self.evidence.history["u1"].remove(self.run_.stored("m1.0"))
            self.expect_good()
            self.evidence.history["u1"].remove(self.run_.stored("m1.1"))
            self.expect("m1.1", "does not have it")
        finally:
            history.TURNS_MAX = kept

    def test_somebody_elses_turn(self):
        self.evidence.history["u1"].insert(0, dataclasses.replace(self.run_.stored("m2.0"), turns_offset=0))
        self.expect("", "does not have")

    def test_turn_of_another_place(self):
        self.run_.stored("m1.4").turns_offset += 100
        self.expect("m1.4", "at offset")

    def test_wrong_order(self):
        self.evidence.history["u1"].reverse()
        self.expect("", "in the order")

    def test_stored_form(self):
        record = struct.pack(">BBIqqqiiI", 1, 4, 0, 7, 300, 1, 2, 3, 3) + "hü".encode() + b"echo"
        self.assertEqual(history.parse(b"\xab" * 32, record), history.StoredTurn("ab" * 32, "delivered", 300, "hü", "echo"))


if __name__ == "__main__":
    unittest.main()
