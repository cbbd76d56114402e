#!/usr/bin/env python3
"""The checker must find every mistake that is planted into an otherwise clean run, and nothing in the clean one."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import checker  # noqa: E402
import poison  # noqa: E402
import story  # noqa: E402
import wire  # noqa: E402
from clean_run import DEADLINE_S, NOTICE, TURNS, USERS, Run, turn_id  # noqa: E402


class CheckerTest(unittest.TestCase):
    def setUp(self):
        self.run_ = Run()
        self.evidence = self.run_.evidence
        self.evidence.history = None  # what a mistake does to Redis too: history_test.py

    def expect(self, kind, message_id=None, count=1):
        verdict = self.run_.verdict()
        self.assertEqual([(v.kind, v.message_id if message_id is not None else None) for v in verdict.violations],
                         [(kind, message_id)] * count, verdict.violations)
        return verdict

    def expect_kinds(self, *kinds):
        verdict = self.run_.verdict()
        self.assertEqual(sorted(violation.kind for violation in verdict.violations), sorted(kinds), verdict.violations)

    def expect_good(self):
        verdict = self.run_.verdict()
        self.assertTrue(verdict.good, verdict.violations)
        return verdict

    def test_clean_run(self):
        self.assertEqual(self.expect_good().messages, USERS * TURNS)

    def test_no_answer_is_lost(self):
        self.run_.hide("m1.2")
        self.expect("lost", "m1.2")

    def test_acknowledged_but_never_in_the_log_is_lost(self):
        self.run_.hide("m1.2")
        self.evidence.turns = [turn for turn in self.evidence.turns if turn.message_id != "m1.2"]
        self.assertIn("turns", self.expect("lost", "m1.2").violations[0].why)

    def test_never_acknowledged_may_stay_without_answer(self):
        self.run_.hide("m3.4")
        self.evidence.messages[-1].acked_at = 0.0
        self.assertEqual(self.expect_good().messages, USERS * TURNS - 1)

    def test_second_copy_is_a_duplicate(self):
        self.run_.show("u2", "echo: text of m2.1", "m2.1")
        self.expect("duplicate", "m2.1")

    def test_each_further_copy_counts(self):
        for _ in range(3):
            self.run_.show("u2", "echo: text of m2.1", "m2.1")
        self.expect("duplicate", "m2.1", count=3)

    def test_a_copy_of_an_unacknowledged_message_counts_too(self):
        self.evidence.messages[-1].acked_at = 0.0
        self.run_.show("u3", "echo: text of m3.4", "m3.4")
        self.expect("duplicate", "m3.4")

    def test_answer_and_notice_is_a_duplicate(self):
        self.run_.reply("m2.1", 0, "fallback", NOTICE)
        self.run_.show("u2", NOTICE, "m2.1")
        self.run_.die("m2.1")
        self.expect("duplicate", "m2.1")

    def test_answer_and_dead_letter_is_a_duplicate(self):
        self.run_.die("m2.1")
        self.expect("duplicate", "m2.1")

    def test_text_of_a_later_record_is_stale(self):
        self.run_.reply("m2.1", 0, "notice", NOTICE)
        self.run_.die("m2.1")
        self.run_.hide("m2.1")
        self.expect_kinds("lost")  # the dead letter has no notice on the screen
        self.run_.show("u2", NOTICE, "m2.1", t=1010.0)
        self.expect_kinds("reordered", "stale")

    def test_fallback_beside_an_answer_that_was_given_up_is_no_stale_text(self):
        self.run_.reply("m0.4", 0, "fallback", NOTICE)
        self.run_.die("m0.4")
        self.run_.hide("m0.4")
        self.run_.show("u0", NOTICE, "m0.4")
        self.expect_good()

    def test_withdrawn_in_the_log_and_shown_is_stale(self):
        self.evidence.replies[4].kind = "supersede"
        self.expect("stale", "m0.1")

    def zombie(self, taken_over_s):
        """The last message leaves under a claim that a TAKEOVER has voided, so long ago."""
        self.run_.ledger(1, "takeover", t=self.evidence.sends[-1].t - taken_over_s)
        return self.run_.verdict()

    def test_send_long_after_a_takeover_is_stale(self):
        self.evidence.sends[-1].t += 5
        self.zombie(3.0)
        self.expect("stale", "m3.4")

    def test_send_in_the_moment_of_a_takeover_is_measured(self):
        verdict = self.zombie(0.2)
        self.assertTrue(verdict.good, verdict.violations)
        self.assertEqual([round(seconds, 3) for seconds in verdict.late_writes], [0.2])

    def test_send_under_a_claim_of_its_own_term_is_no_late_write(self):
        self.evidence.sends[-1].t += 5
        self.zombie(3.0)
        self.run_.ledger(1, "claim", reply_id=self.evidence.sends[-1].reply_id, t=self.evidence.sends[-1].t - 1, resends=1)
        self.assertEqual(self.expect_good().late_writes, [])

    def test_shed_with_a_notice_and_a_record_on_audit_is_an_outcome(self):
        self.run_.give_up("m0.4")
        self.run_.show("u0", NOTICE, "m0.4")
        self.expect("lost", "m0.4")
        self.evidence.audit.append(b"\x0a\x20" + bytes.fromhex(turn_id("m0.4")) + b"shed")
        self.expect_good()

    def test_dead_letter_with_a_notice_is_an_outcome(self):
        self.run_.give_up("m0.4")
        self.run_.die("m0.4")
        self.run_.show("u0", NOTICE, "m0.4")
        self.expect_good()

    def test_dead_letter_without_a_notice_is_lost(self):
        self.run_.hide("m0.4")
        self.run_.die("m0.4")
        self.expect("lost", "m0.4")

    def test_notice_without_a_dead_letter_is_lost(self):
        self.run_.give_up("m0.4")
        self.run_.show("u0", NOTICE, "m0.4")
        self.expect("lost", "m0.4")

    def test_drop_named_on_audit_is_an_outcome(self):
        self.run_.hide("m0.4")
        self.evidence.audit.append(b"\x0a\x20" + bytes.fromhex(turn_id("m0.4")) + b"merged")
        self.expect_good()

    def test_turn_that_audit_names_as_the_one_to_be_answered_is_lost_without_its_answer(self):
        self.run_.hide("m0.3")
        self.run_.hide("m0.4")
        self.evidence.audit.append(b"\x0a\x46\x0a\x20" + bytes.fromhex(turn_id("m0.3")) +
                                   b"\x12\x20" + bytes.fromhex(turn_id("m0.4")))
        self.expect("lost", "m0.4")

    def test_parked_and_never_shown_is_lost(self):
        self.run_.hide("m0.4")
        self.evidence.parked.append(wire.ReplyRecord(0, 0, self.run_.t, turn_id("m0.4"), "answer", 0, "x"))
        self.assertIn("parked", self.expect("lost", "m0.4").violations[0].why)

    def test_swapped_answers_of_one_conversation_are_reordered(self):
        first, second = (next(s for s in self.evidence.sends if s.in_reply_to == name) for name in ("m1.1", "m1.2"))
        first.line, second.line = second.line, first.line
        self.expect("reordered", "m1.1")

    def test_order_across_conversations_is_free(self):
        first, second = (next(s for s in self.evidence.sends if s.in_reply_to == name) for name in ("m1.1", "m2.1"))
        first.line, second.line = second.line, first.line
        self.expect_good()

    def test_order_is_that_of_acceptance_not_of_posting(self):
        turns = {turn.message_id: turn for turn in self.evidence.turns}
        turns["m1.1"].offset, turns["m1.2"].offset = turns["m1.2"].offset, turns["m1.1"].offset
        self.expect("reordered", "m1.2")

    def test_a_retry_accepted_again_keeps_its_first_place(self):
        turn = self.evidence.turns[0]
        self.evidence.turns.append(wire.TurnRecord(turn.partition, 900, self.run_.t, turn.turn_id, turn.message_id, turn.user))
        self.expect_good()

    def test_a_conversation_in_two_partitions_is_reordered(self):
        self.evidence.turns[-1].partition = 7
        self.expect("reordered")

    def test_somebody_elses_answer_is_foreign(self):
        self.run_.show("u0", "echo: text of m2.1", "m0.1")
        self.assertEqual([v.kind for v in self.run_.verdict().violations], ["foreign"])

    def test_unknown_text_is_foreign(self):
        self.run_.show("u0", "hello", "m0.1")
        self.expect("foreign", "m0.1")

    def test_answer_for_several_messages_is_one_to_the_last(self):
        self.run_.hide("m0.3")
        self.evidence.audit.append(b"\x0a\x20" + bytes.fromhex(turn_id("m0.3")))
        last = next(s for s in self.evidence.sends if s.in_reply_to == "m0.4")
        last.text = "echo: text of m0.3\ntext of m0.4"
        next(r for r in self.evidence.replies if r.turn_id == turn_id("m0.4")).text = last.text
        self.expect_good()
        last.text = "echo: text of m0.4\ntext of m0.3"
        self.expect_kinds("foreign", "lost")
        last.text = "echo: text of m1.3\ntext of m0.4"
        self.expect_kinds("foreign", "lost")

    def test_answer_that_ended_at_its_deadline_is_known_by_the_log(self):
        last = next(s for s in self.evidence.sends if s.in_reply_to == "m0.4")
        for reply_to, reply_id in (("m0.4", ""), ("", wire.reply_id(turn_id("m0.4"), "answer", 0)), ("", "")):
            last.text, last.in_reply_to, last.reply_id = "echo: text of m0", reply_to, reply_id
            record = next(r for r in self.evidence.replies if r.turn_id == turn_id("m0.4"))
            record.text = last.text
            self.expect_good()
            record.text = "echo: text"
            self.assertNotEqual(self.run_.verdict().violations, [])  # the log says something else

    def real_words(self, message_id, text, reply_to="", reply_id=""):
        """It was answered by a real model."""
        send = next(s for s in self.evidence.sends if s.in_reply_to == message_id)
        send.text, send.in_reply_to, send.reply_id = text, reply_to, reply_id
        next(r for r in self.evidence.replies if r.turn_id == turn_id(message_id)).text = text
        return send

    def test_words_of_a_real_model_are_known_by_ids_or_by_the_log(self):
        self.real_words("m0.4", "I am fine.", reply_to="m0.4")
        self.expect_kinds("foreign", "lost")  # in a run of the echo engine alone
        self.evidence.real_engine = True
        self.real_words("m1.2", "I am fine.", reply_id=wire.reply_id(turn_id("m1.2"), "answer", 0))
        self.real_words("m2.1", "Hello!")
        self.real_words("m2.3", "Hello!")  # the same words twice, of two turns
        self.expect_good()

    def test_marks_of_a_real_model_are_written_as_the_channel_wants_them(self):
        self.evidence.real_engine = True
        self.real_words("m2.3", "**Hello**\n\n- you").text = "*Hello*\n\u2022 you"
        self.expect_good()

    def test_a_real_model_may_say_what_others_say(self):
        self.evidence.real_engine = True
        self.real_words("m0.4", NOTICE, reply_to="m0.4")
        self.real_words("m1.4", NOTICE)
        self.real_words("m2.4", "echo: text of m2.1", reply_to="m2.4")
        self.expect_good()
        self.run_.give_up("m3.2", partition=1)
        self.run_.die("m3.2")
        first, _ = self.real_words("m3.3", NOTICE), self.real_words("m3.4", NOTICE)
        self.run_.show("u3", NOTICE, "")  # before both, and a notice
        self.evidence.sends[-1].reply_id, self.evidence.sends[-1].line = "", first.line - 0.5
        self.evidence.replies.sort(key=lambda record: record.turn_id)
        for offset, record in enumerate(self.evidence.replies):
            record.offset = offset
        self.expect_good()

    def test_words_of_a_real_model_that_the_log_does_not_have_are_found(self):
        self.evidence.real_engine = True
        self.real_words("m0.4", "I am fine.", reply_to="m0.4").text = "Who are you?"
        self.expect("stale", "m0.4")

    def test_words_of_a_real_model_shown_twice_are_a_duplicate(self):
        self.evidence.real_engine = True
        self.real_words("m2.3", "Hello!")
        self.run_.show("u2", "Hello!", "")
        self.evidence.sends[-1].reply_id = ""
        self.expect("duplicate", "m2.3")

    def test_words_of_a_real_model_on_another_screen_are_foreign(self):
        self.evidence.real_engine = True
        self.real_words("m2.3", "Hello!").user = "u1"
        self.expect_kinds("foreign", "lost")

    def test_shed_turn_has_a_notice_and_its_name_on_audit(self):
        self.run_.give_up("m0.4")
        self.run_.show("u0", NOTICE, "m0.4")
        self.expect("lost", "m0.4")
        self.evidence.audit.append(b"\x0a\x20" + bytes.fromhex(turn_id("m0.4")))
        self.expect_good()

    def test_notices_of_channels_that_name_no_message_belong_to_what_was_given_up(self):
        for message_id, reply_id in (("m0.4", ""), ("m1.4", wire.reply_id(turn_id("m1.4"), "notice", 0))):
            user = f"u{message_id[1]}"
            self.run_.give_up(message_id)
            self.run_.die(message_id)
            self.run_.show(user, NOTICE, "")
            self.evidence.sends[-1].reply_id = reply_id
        self.expect_good()
        self.run_.show("u0", NOTICE, "")
        self.evidence.sends[-1].reply_id = ""
        self.expect_kinds("foreign")  # nothing else of theirs was given up

    def test_deadline_that_comes_early_by_the_clock_on_the_wall_is_found(self):
        self.run_.give_up("m0.4")
        self.run_.die("m0.4")
        self.run_.show("u0", NOTICE, "m0.4")
        self.evidence.dead_letters[0].t = self.run_.t + DEADLINE_S - 5
        self.expect("early", "m0.4")

    def test_withdrawn_without_a_word_on_audit_is_lost(self):
        self.run_.hide("m0.3")
        next(r for r in self.evidence.replies if r.turn_id == turn_id("m0.3")).kind = "supersede"
        self.expect("lost", "m0.3")

    def test_answered_and_dropped_by_what_audit_says(self):
        self.evidence.audit.append(b"\x0a\x22\x0a\x20" + bytes.fromhex(turn_id("m0.4")))
        self.expect("duplicate", "m0.4")

    def test_answered_after_all(self):
        self.evidence.audit.append(b"\x0a\x22\x0a\x20" + bytes.fromhex(turn_id("m0.4")))
        self.evidence.audit.append(b"\x12\x22\x0a\x20" + bytes.fromhex(turn_id("m0.4")))
        self.expect_good()

    def poisoned(self, reason="poison"):
        """The last message of u0 is poison and ended as it must, or for another reason."""
        message = next(m for m in self.evidence.messages if m.message_id == "m0.4")
        message.text += f" {poison.WORD}"
        self.run_.give_up("m0.4")
        self.run_.die("m0.4", reason)
        self.run_.show("u0", NOTICE, "m0.4")
        return message

    def test_poison_ends_as_such_and_its_time_is_told(self):
        message = self.poisoned()
        self.evidence.dead_letters[0].t = message.acked_at + 7.0
        self.assertEqual([round(seconds, 3) for seconds in self.expect_good().poisons], [7.0])

    def test_poison_that_ends_for_another_reason_is_found(self):
        self.poisoned("deadline")
        self.expect("poison", "m0.4")

    def test_poison_of_which_the_user_is_not_told_is_lost(self):
        self.poisoned()
        self.run_.hide("m0.4")
        self.assertEqual(self.expect("lost", "m0.4").poisons, [])

    def test_poison_without_a_dead_letter_is_found(self):
        self.poisoned()
        self.evidence.dead_letters.clear()
        self.expect_kinds("lost", "poison")

    def test_poison_that_was_answered_is_found(self):
        message = next(m for m in self.evidence.messages if m.message_id == "m0.4")
        message.text += f" {poison.WORD}"
        send = next(s for s in self.evidence.sends if s.in_reply_to == "m0.4")
        send.text += f" {poison.WORD}"
        next(r for r in self.evidence.replies if r.turn_id == turn_id("m0.4")).text = send.text
        self.expect("poison", "m0.4")

    def test_who_is_called_poison_without_being_it_is_harmed(self):
        self.run_.give_up("m0.4")
        self.run_.die("m0.4", "poison")
        self.run_.show("u0", NOTICE, "m0.4")
        self.expect("harmed", "m0.4")

    def test_who_is_given_up_beside_a_poison_is_harmed(self):
        self.run_.give_up("m1.4")
        self.run_.die("m1.4")
        self.run_.show("u1", NOTICE, "m1.4")
        posted_at = next(m for m in self.evidence.messages if m.message_id == "m1.4").posted_at
        self.evidence.faults = [checker.Fault(1, "poison", "of u0", posted_at + 1, posted_at + 9)]
        self.expect("harmed", "m1.4")
        self.evidence.faults[0].began = self.evidence.faults[0].healed = posted_at + 20
        self.expect_good()  # it was given up before
        self.evidence.faults[0].began = posted_at + 1
        self.evidence.faults.append(checker.Fault(2, "broker", "kafka-1", posted_at + 9, posted_at + 12))
        self.expect_good()  # that may be the cause

    def lose(self, message_id, again_s=None):
        """Nobody is told that the answer was shown; it is sent again so much later."""
        self.evidence.reconcile_s = 8.0
        send = next(s for s in self.evidence.sends if s.in_reply_to == message_id)
        send.lost = True
        if again_s is not None:
            self.run_.show(send.user, send.text, message_id, send.t + again_s)
            self.evidence.sends[-1].reply_id = send.reply_id

    def test_what_nobody_told_is_sent_again_once(self):
        self.lose("m0.4", 9.0)
        self.expect_good()
        self.run_.show("u0", "echo: text of m0.4", "m0.4")
        self.expect("duplicate", "m0.4")

    def test_what_nobody_told_and_was_not_sent_again_is_found(self):
        self.lose("m0.4")
        self.expect("doubt", "m0.4")

    def test_what_nobody_told_is_not_sent_again_before_its_time(self):
        self.lose("m0.4", 7.0)
        self.expect("duplicate", "m0.4")

    def test_what_nobody_told_is_no_excuse_for_others(self):
        self.lose("m0.4", 9.0)
        self.run_.show("u1", "echo: text of m1.4", "m1.4")
        self.expect("duplicate", "m1.4")

    def test_uncommitted_records_are_unfinished(self):
        self.evidence.lag = {"mesh.worker mesh.turns/3": 2, "mesh.worker mesh.turns/4": 0}
        self.expect("unfinished")

    def test_recovery_is_from_the_end_of_the_fault_to_the_last_open_answer(self):
        self.evidence.faults = [checker.Fault(1, "kill", "worker-0", 1004.0, 1010.2),
                                checker.Fault(2, "kill", "worker-0", 5000.0, 5001.0)]
        message = next(m for m in self.evidence.messages if m.posted_at == 1008.0)
        next(s for s in self.evidence.sends if s.in_reply_to == message.message_id).t = 1018.2
        verdict = self.expect_good()
        self.assertEqual([round(s, 3) for s, _ in verdict.recoveries], [8.0, 0.0])
        self.assertIs(verdict.recoveries[0][1], message)
        self.assertEqual(round(verdict.recovery_p99_s(), 3), 8.0)

    def test_recovery_from_what_heals_itself_is_until_nobody_waits_long_any_more(self):
        self.evidence.faults = [checker.Fault(1, "broker", "kafka-1", 1003.0, 1015.0, heals_itself=True)]
        self.assertEqual(self.expect_good().recoveries, [(0.0, None)])  # all were answered within half a second
        for posted_at, seen_at in ((1004.0, 1009.5), (1006.0, 1008.5), (1016.0, 1030.0)):  # late; not late; not its doing
            message = next(m for m in self.evidence.messages if m.posted_at == posted_at)
            next(s for s in self.evidence.sends if s.in_reply_to == message.message_id).t = seen_at
        self.assertEqual([round(s, 3) for s, _ in self.expect_good().recoveries], [6.5])

    def test_recovery_knows_that_messages_are_gathered_first(self):
        self.evidence.faults = [checker.Fault(1, "broker", "kafka-1", 1003.0, 1019.0, heals_itself=True)]
        message = next(m for m in self.evidence.messages if m.posted_at == 1006.0)
        next(s for s in self.evidence.sends if s.in_reply_to == message.message_id).t = 1010.0
        self.assertEqual([round(s, 3) for s, _ in self.expect_good().recoveries], [7.0])
        message.mode = "collect"
        self.assertEqual([round(s, 3) for s, _ in self.expect_good().recoveries], [0.0])

    def test_recovery_leaves_out_when_the_machine_stood_still(self):
        self.evidence.faults = [checker.Fault(1, "kill", "worker-0", 1019.5, 1020.2)]
        self.evidence.sends[-1].t = 1030.2
        self.evidence.stills = [(1000.0, 1021.2), (1025.0, 1028.0), (1030.0, 2000.0)]
        self.assertEqual([round(s, 3) for s, _ in self.expect_good().recoveries], [5.8])

    def test_recovery_leaves_out_later_faults_and_counts_no_time_twice(self):
        self.evidence.faults = [checker.Fault(1, "kill", "worker-0", 1019.5, 1020.2),
                                checker.Fault(2, "broker", "kafka", 1022.2, 1026.2)]
        self.evidence.stills = [(1024.0, 1027.2)]
        self.evidence.sends[-1].t = 1030.2
        self.assertEqual([round(s, 3) for s, _ in self.expect_good().recoveries], [5.0, 3.0])

    def test_refused_webhook_in_a_rolling_restart_is_disturbed(self):
        message = self.evidence.messages[5]
        message.posts.insert(0, checker.Post(message.posted_at - 0.5, message.posted_at - 0.4, "503"))
        self.evidence.faults = [checker.Fault(1, "kill", "gateway-0", message.posted_at - 1, message.posted_at + 1)]
        self.expect_good()
        self.evidence.faults[0].kind = "rolling"
        self.expect("disturbed", message.message_id)
        self.evidence.faults[0].began = message.posted_at - 0.45  # it was posted before: not this restart's doing
        self.expect_good()

    def test_claims_left_open_are_in_doubt(self):
        def entry(offset, kind, reply_id="", resends=0):
            return wire.LedgerEntry(0, offset, 1.0, kind, reply_id=reply_id, resends=resends)
        self.evidence.ledger = [entry(0, "claim", "a"), entry(1, "sent", "a"), entry(2, "evidence", "a"),  # plain
                                entry(3, "claim", "b"), entry(4, "evidence", "b"), entry(5, "sent", "b"),  # by evidence
                                entry(6, "claim", "c"), entry(7, "takeover"), entry(8, "claim", "c", 1)]  # resent
        self.assertEqual(self.run_.verdict().in_doubt, 2)

    def test_trace_tells_the_story_in_order(self):
        self.run_.show("u2", "echo: text of m2.1", "m2.1", t=self.run_.t + 50)
        lines = story.of_message(self.evidence, "m2.1")
        self.assertIn("posted", lines[0])
        self.assertEqual(sum("screen line" in line for line in lines), 2)
        self.assertIn("nothing mentions", story.of_message(self.evidence, "never")[0])


class WireTest(unittest.TestCase):
    @staticmethod
    def field(number, value):
        if isinstance(value, int):
            return bytes([number << 3]) + WireTest.varint(value)
        return bytes([number << 3 | 2]) + WireTest.varint(len(value)) + value

    @staticmethod
    def varint(value):
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes(out + bytes([value]))

    def test_turn_and_reply(self):
        conversation = self.field(1, b"dev") + self.field(2, 1) + self.field(4, b"491700000001")
        value = self.field(1, b"\xab" * 32) + self.field(2, conversation) + self.field(3, b"wamid.1") + self.field(4, 1)
        record = wire.turn(3, 300, 1.5, value)
        self.assertEqual((record.turn_id, record.message_id, record.user), ("ab" * 32, "wamid.1", "491700000001"))
        reply = self.field(1, self.field(1, b"\xab" * 32) + self.field(4, 1) + self.field(5, "ü".encode()))
        record = wire.reply(3, 7, 1.5, reply)
        self.assertEqual((record.turn_id, record.kind, record.text), ("ab" * 32, "notice", "ü"))

    def test_dead_letter_names_the_turn_of_its_origin(self):
        original = self.field(1, b"\xcd" * 32)
        for topic, value in ((b"mesh.turns", original), (b"mesh.replies", self.field(1, original))):
            letter = wire.dead_letter(2.0, self.field(1, b"deadline") + self.field(3, topic) + self.field(7, value))
            self.assertEqual((letter.turn_id, letter.reason), ("cd" * 32, "deadline"))

    def test_claim_larger_than_a_byte(self):
        entry = wire.ledger(0, 1, 1.0, self.field(2, self.field(1, b"\x01" * 32) + self.field(2, 70000) + self.field(3, 1)))
        self.assertEqual((entry.kind, entry.reply_id, entry.resends), ("claim", "01" * 32, 1))
        self.assertIn("70000", entry.detail)

    def test_cut_off_bytes_are_an_error(self):
        with self.assertRaises(wire.WireError):
            wire.fields(b"\x0a\x20abc")


if __name__ == "__main__":
    unittest.main()
