#!/usr/bin/env python3
"""The checker and messages that are dropped for another one, whose answer is theirs."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clean_run import Run, turn_id  # noqa: E402


class DropsTest(unittest.TestCase):
    def setUp(self):
        self.run_ = Run()
        self.run_.evidence.history = None

    def drop_for(self, dropped, by):
        self.run_.hide(dropped)
        self.run_.evidence.audit.append(b"\x0a\x46\x0a\x20" + bytes.fromhex(turn_id(dropped)) +
                                        b"\x12\x20" + bytes.fromhex(turn_id(by)))
        return [(v.kind, v.message_id) for v in self.run_.verdict().violations]

    def test_drop_for_a_message_that_was_answered_later_is_an_outcome(self):
        self.assertEqual(self.drop_for("m0.3", "m0.4"), [])

    def test_drop_for_a_message_that_had_been_answered_before_is_lost(self):
        self.assertEqual(self.drop_for("m0.4", "m0.3"), [("lost", "m0.4")])

    def test_the_same_of_a_message_that_was_never_acknowledged_is_none(self):
        self.run_.evidence.messages[-4].acked_at = 0.0
        self.assertEqual(self.run_.evidence.messages[-4].message_id, "m0.4")
        self.assertEqual(self.drop_for("m0.4", "m0.3"), [])


if __name__ == "__main__":
    unittest.main()
