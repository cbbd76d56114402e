#include "services/sender/ledger_log.h"

#include <utility>

#include "libs/base/hex.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/crypto/digest.h"
#include "libs/ledger/ledger_reading.h"
#include "libs/telemetry/log.h"

namespace sender {

absl::StatusOr<std::unique_ptr<LedgerLog>> LedgerLog::Open(const bus::BusOptions& bus, app::EventLoop* loop,
                                                           bus::Producer* producer, const Metrics* metrics,
                                                           OnRecord on_record) {
  std::unique_ptr<LedgerLog> log(new LedgerLog(bus, loop, producer, metrics, std::move(on_record)));
  LedgerLog* const raw = log.get();
  absl::StatusOr<std::unique_ptr<bus::LogReader>> reader =
      bus::LogReader::Create(bus, "sender", [raw](bus::Record record) { raw->OnRead(std::move(record)); });
  if (!reader.ok()) return reader.status();
  log->reader_ = *std::move(reader);
  return log;
}

LedgerLog::LedgerLog(const bus::BusOptions& bus, app::EventLoop* loop, bus::Producer* producer, const Metrics* metrics,
                     OnRecord on_record)
    : bus_(bus), loop_(loop), producer_(producer), metrics_(metrics), on_record_(std::move(on_record)) {}

LedgerLog::~LedgerLog() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  has_room_.notify_all();
  reader_.reset();
}

void LedgerLog::Read(std::int32_t partition) {
  reader_->Add({bus::TopicName(bus_, bus::kSendLedger), partition}, bus::LogReader::kFromBeginning);
}

void LedgerLog::OnRead(bus::Record record) {
  {
    std::unique_lock lock(mutex_);
    has_room_.wait(lock, [this] { return in_hand_ < kInHandMax || closing_; });
    if (closing_) return;
    ++in_hand_;
  }
  loop_->Post([this, record = std::move(record)] {
    const auto decoded = ledger::DecodeLedgerRecord(record);
    if (!decoded.ok()) {
      const std::string_view reason = records::ToString(decoded.refusal().reason);
      metrics_->CountLedgerRefusal(reason);
      telemetry::LogError("ledger_record_refused",
                          {{"partition", record.partition}, {"offset", record.offset}, {"reason", reason}});
    }
    // Whoever waits for the ledger to be read up to a refused record need not wait on.
    on_record_(record.partition, record.offset,
               decoded.ok() ? *decoded : mesh::bus::v1::LedgerRecord::default_instance());
    {
      std::lock_guard lock(mutex_);
      --in_hand_;
    }
    has_room_.notify_one();
  });
}

void LedgerLog::Append(std::int32_t partition, const ledger::LedgerEntry& entry, const telemetry::TraceContext& trace,
                       Effects::Appended on_done) {
  producer_->Produce(ToOutgoing(bus_, partition, entry, trace), OffsetOnLoop(loop_, std::move(on_done)));
}

bus::DeliveryCallback OffsetOnLoop(app::EventLoop* loop, Effects::Appended on_done) {
  return [loop, on_done = std::move(on_done)](absl::StatusOr<bus::RecordPosition> position) {
    loop->Post([on_done, position = std::move(position)] {
      if (!position.ok()) return on_done(position.status());
      on_done(position->offset);
    });
  };
}

bus::OutgoingRecord ToOutgoing(const bus::BusOptions& bus, std::int32_t partition, const ledger::LedgerEntry& entry,
                               const telemetry::TraceContext& trace) {
  bus::OutgoingRecord record;
  record.topic = bus::TopicName(bus, bus::kSendLedger);
  record.partition = partition;
  record.key = entry.key;
  record.value = entry.record.SerializeAsString();
  // The key is the record's id; its digest is one that every tool can print.
  record.headers =
      bus::MakeHeaders(trace, ledger::kLedgerRecordType, base::ToHex(crypto::AsBytes(crypto::Sha256(entry.key))),
                       "sender", entry.record.written_at_ms());
  return record;
}

}  // namespace sender
