#include "services/meshctl/requeue.h"

#include <gtest/gtest.h>

#include "libs/bus/headers.h"

namespace meshctl {
namespace {

mesh::bus::v1::DeadLetter MakeLetter(const std::string& topic, const std::string& value, std::uint32_t generation) {
  mesh::bus::v1::DeadLetter letter;
  letter.set_origin_topic(topic);
  letter.set_original_key("key");
  letter.set_original_value(value);
  letter.set_generation(generation);
  return letter;
}

TEST(RequeueTest, TurnGoesBackUnchangedUnderTheNextGeneration) {
  const telemetry::TraceContext trace = telemetry::TraceContext::NewRoot();
  const auto record =
      RequeuedRecord(MakeLetter("mesh.turns", "\x01\xff raw", 2), {{"traceparent", trace.ToTraceparent()}}, {}, 5);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->topic, "mesh.turns");
  EXPECT_EQ(record->key, "key");
  EXPECT_EQ(record->value, "\x01\xff raw");
  EXPECT_EQ(bus::GenerationOf(record->headers), 3u);
  EXPECT_EQ(bus::TraceOf(record->headers).trace_id, trace.trace_id);
}

TEST(RequeueTest, WhatANewerVersionWroteKeepsItsType) {
  const auto record = RequeuedRecord(MakeLetter("mesh.turns", "bytes", 0),
                                     {{std::string(bus::kOriginTypeHeader), "mesh.bus.v2.Turn"}}, {}, 5);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(bus::FindHeader(record->headers, "ce_type"), "mesh.bus.v2.Turn");
  EXPECT_EQ(bus::FindHeader(RequeuedRecord(MakeLetter("mesh.turns", "bytes", 0), {}, {}, 5)->headers, "ce_type"),
            "mesh.bus.v1.Turn");
}

TEST(RequeueTest, ReplyCarriesItsGenerationInItself) {
  mesh::bus::v1::ReplyRecord reply;
  reply.mutable_reply()->set_text("Paris.");
  const auto record = RequeuedRecord(MakeLetter("mesh.replies", reply.SerializeAsString(), 0), {}, {}, 5);
  ASSERT_TRUE(record.ok()) << record.status();
  mesh::bus::v1::ReplyRecord again;
  ASSERT_TRUE(again.ParseFromString(record->value));
  EXPECT_EQ(again.reply().generation(), 1u);
  EXPECT_EQ(again.reply().text(), "Paris.");
}

TEST(RequeueTest, WhatCannotGoBackSaysWhy) {
  for (const char* topic : {"mesh.audit", "mesh.dead-letter", "mesh.send-ledger", "other.turns", ""}) {
    EXPECT_EQ(RequeuedRecord(MakeLetter(topic, "v", 0), {}, {}, 5).status().code(),
              absl::StatusCode::kFailedPrecondition)
        << topic;
  }
  mesh::bus::v1::DeadLetter cut = MakeLetter("mesh.turns", "v", 0);
  cut.set_detail("too large [value cut from 4000000 to 524288 bytes]");
  EXPECT_EQ(RequeuedRecord(cut, {}, {}, 5).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(RequeueTest, TheHintStandsWhereAnotherTryMayEndOtherwise) {
  bus::Record record;
  record.partition = 3;
  record.offset = 17;
  mesh::bus::v1::DeadLetter letter = MakeLetter("mesh.turns", "v", 0);
  const auto hint = [&](std::string_view reason) {
    letter.set_reason(std::string(reason));
    return RequeueHint(record, letter);
  };
  EXPECT_EQ(hint("deadline"), "; back to work: meshctl dead-letter requeue 3-17");
  EXPECT_EQ(hint("window_closed"), "; back to work, once its user has written again: meshctl dead-letter requeue 3-17");
  EXPECT_NE(hint("of a newer version"), "");
  for (const char* reason : {"undecodable", "key_mismatch", "too_large"}) EXPECT_EQ(hint(reason), "") << reason;
  letter.set_detail("too slow [value cut from 4000000 to 524288 bytes]");
  EXPECT_EQ(hint("deadline"), "");
}

TEST(GenerationHeaderTest, AnythingButADecimalNumberIsZero) {
  for (const char* text : {"", "-1", "1x", "99999999999", " 1"}) {
    EXPECT_EQ(bus::GenerationOf({{std::string(bus::kGenerationHeader), text}}), 0u) << text;
  }
  EXPECT_EQ(bus::GenerationOf({}), 0u);
  EXPECT_EQ(bus::GenerationOf({{std::string(bus::kGenerationHeader), "7"}}), 7u);
}

}  // namespace
}  // namespace meshctl
