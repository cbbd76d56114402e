#!/usr/bin/env python3
"""Replies of several parts: every mistake that a sender can make between them is found."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import checker  # noqa: E402
from clean_run import NOTICE, Run, turn_id  # noqa: E402


class PartsTest(unittest.TestCase):
    def setUp(self):
        self.run_ = Run()
        self.parts = self.run_.lengthen("m1.2", 3)
        self.evidence = self.run_.evidence

    def expect(self, *kinds, message_id="m1.2"):
        found = self.run_.verdict().violations
        self.assertEqual([(v.kind, v.message_id) for v in found if v.kind != "history"],
                         [(kind, message_id) for kind in kinds], found)

    def expect_good(self):
        verdict = self.run_.verdict()
        self.assertTrue(verdict.good, verdict.violations)
        return verdict

    def swap(self, first, second):
        first.line, second.line = second.line, first.line

    def test_all_parts_once_and_in_order(self):
        self.assertEqual(self.expect_good().parted, 1)

    def test_channels_whose_parts_name_nothing(self):
        for part in self.parts:
            part.reply_id = part.in_reply_to = ""
        self.expect_good()

    def test_short_answer_that_its_deadline_cut_to_the_beginning_of_a_long_one(self):
        cut = next(s for s in self.evidence.sends if s.in_reply_to == "m1.4")
        cut.text = self.run_.stored("m1.4").reply_text = "echo: word0"
        next(r for r in self.evidence.replies if r.turn_id == turn_id("m1.4")).text = cut.text
        self.expect_good()

    def test_answer_that_its_deadline_cut_behind_a_word(self):
        record = next(r for r in self.evidence.replies if r.turn_id == turn_id("m1.4"))
        record.text = self.run_.stored("m1.4").reply_text = record.text + " "
        self.expect_good()

    def test_parts_in_another_order(self):
        self.swap(self.parts[1], self.parts[2])
        self.expect("lost", "duplicate")
        self.swap(self.parts[0], self.parts[1])
        self.assertIn("lost", [v.kind for v in self.run_.verdict().violations])

    def test_each_missing_part(self):
        for number in range(3):
            self.setUp()
            self.evidence.sends.remove(self.parts[number])
            if number == 0:
                self.parts[1].in_reply_to = "m1.2"
            self.expect("lost")

    def test_each_repeated_part(self):
        for number in range(3):
            self.setUp()
            again = [part for part in self.evidence.sends if part.line > self.parts[number].line]
            for part in again:
                part.line += 1
            self.run_.show("u1", self.parts[number].text, "")
            self.evidence.sends[-1].line = self.parts[number].line + 1
            self.expect("duplicate")

    def test_part_that_nobody_told_is_shown_again_once(self):
        for number in range(3):
            self.setUp()
            for send in self.evidence.sends:
                send.line *= 2
            self.parts[number].lost = True
            self.run_.show("u1", self.parts[number].text, self.parts[number].in_reply_to)
            self.evidence.sends[-1].line = self.parts[number].line + 1
            self.evidence.sends[-1].reply_id = self.parts[number].reply_id
            self.expect_good()
            self.evidence.sends.pop()
            self.expect("doubt")

    def test_whole_reply_again(self):
        for part in list(self.parts):
            self.run_.show("u1", part.text, part.in_reply_to)
        self.expect("duplicate")

    def test_another_reply_of_the_same_user_between_the_parts(self):
        other = next(send for send in self.evidence.sends if send.in_reply_to == "m1.3")
        for send in self.evidence.sends:
            send.line *= 2
        other.line = self.parts[1].line + 1
        self.expect("reordered")

    def test_a_notice_between_the_parts(self):
        for send in self.evidence.sends:
            send.line *= 2
        self.run_.give_up("m1.4")
        self.run_.die("m1.4")
        self.run_.show("u1", NOTICE, "m1.4")
        self.evidence.sends[-1].line = self.parts[1].line + 1
        self.assertIn("reordered", [v.kind for v in self.run_.verdict().violations])

    def test_other_users_between_the_parts(self):
        other = next(send for send in self.evidence.sends if send.in_reply_to == "m2.2")
        for send in self.evidence.sends:
            send.line *= 2
        other.line = self.parts[1].line + 1
        self.expect_good()

    def test_part_of_somebody_elses_reply(self):
        self.parts[1].user = "u2"
        found = [v.kind for v in self.run_.verdict().violations]
        self.assertIn("foreign", found)
        self.assertIn("lost", found)

    def test_given_up_after_its_first_part(self):
        for part in self.parts[1:]:
            self.evidence.sends.remove(part)
        self.run_.reply("m1.2", 1, "fallback", NOTICE)
        self.run_.die("m1.2", "send_failed")
        self.run_.stored("m1.2").outcome = "failed"
        self.expect("lost", "duplicate")  # nobody told the user
        self.run_.show("u1", NOTICE, "m1.2")
        self.expect_good()

    def test_recovery_lasts_until_the_last_part(self):
        acked_at = next(message for message in self.evidence.messages if message.message_id == "m1.2").acked_at
        self.evidence.faults = [checker.Fault(1, "kill", "sender-0", acked_at, acked_at + 0.1)]
        self.parts[2].t = acked_at + 5.1
        self.assertEqual([round(seconds, 3) for seconds, _ in self.expect_good().recoveries], [5.0])


if __name__ == "__main__":
    unittest.main()
