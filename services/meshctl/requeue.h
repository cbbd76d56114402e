#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "libs/bus/options.h"
#include "libs/bus/producer.h"
#include "libs/bus/record.h"
#include "proto/bus/v1/bus.pb.h"

namespace meshctl {

// The record that puts a dead letter back to work: the original key and bytes, for the topic from which they came,
// under the next generation, so that its reply has an id of its own and is said (design.md, "reply id"). A turn carries
// its generation in a header, a reply in its bytes.
//
// FailedPrecondition when it cannot be done: bytes that were cut, or a topic that nobody consumes. `headers` are those
// of the letter; its trace goes on.
absl::StatusOr<bus::OutgoingRecord> RequeuedRecord(const mesh::bus::v1::DeadLetter& letter, const bus::Headers& headers,
                                                   const bus::BusOptions& options, std::int64_t now_ms);

// For whoever reads of a letter: "; back to work: meshctl dead-letter requeue 3-17", and once what has changed. Empty
// where another try would end as the first did: bytes that cannot be read, or are too large, stay so.
std::string RequeueHint(const bus::Record& record, const mesh::bus::v1::DeadLetter& letter);

// How the commands name a dead letter or a parked copy, by where it stands: "partition-offset".
std::string CommandName(const bus::Record& record);

// Writes such a record, and prints that it was done. `generation`: that from which it was put back.
absl::Status WriteRequeued(bus::Producer& producer, const std::string& name, absl::StatusOr<bus::OutgoingRecord> record,
                           std::uint32_t generation);

}  // namespace meshctl
