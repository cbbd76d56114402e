#include "libs/bus/producer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/bus/internal/broker_health.h"
#include "libs/bus/internal/client_config.h"
#include "libs/bus/internal/deliveries.h"
#include "libs/bus/internal/kafka_handle.h"
#include "libs/bus/internal/producer_for_test.h"
#include "libs/bus/internal/topic_label.h"
#include "libs/bus/topics.h"
#include "libs/telemetry/log.h"

namespace bus {
namespace {

using internal::ClientPtr;
using internal::Delivery;
using internal::ToStatus;

constexpr int kPollTimeoutMs = 100;
constexpr auto kReopenInterval = std::chrono::seconds(1);
// After a purge the library's threads need only to run once to hand all reports over.
constexpr auto kPurgeTime = std::chrono::seconds(5);

class KafkaProducer final : public Producer {
 public:
  KafkaProducer(const BusOptions& bus, const ProducerOptions& options, std::string_view service,
                telemetry::Registry& metrics);
  ~KafkaProducer() override;

  absl::Status Start();

  void Produce(OutgoingRecord record, DeliveryCallback on_delivery) override;
  absl::Status Flush(base::MonotonicTime deadline) override;
  absl::Status broker_status() const override { return health_.status(); }

  void TriggerFatalErrorForTest();

 private:
  absl::StatusOr<ClientPtr> OpenClient();
  absl::Status Enqueue(const OutgoingRecord& record, Delivery* delivery);
  const internal::TopicMetrics* MetricsOf(std::string_view topic) const;

  void RunPollThread();
  void ReplaceClient(const std::string& reason);
  void RetireClient(ClientPtr client, std::uint64_t client_number, base::MonotonicTime flush_deadline);

  static void OnReport(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque);
  static void OnError(rd_kafka_t* client, int error, const char* reason, void* opaque);

  const BusOptions bus_;
  const ProducerOptions options_;
  const std::string service_;
  std::map<std::string_view, internal::TopicMetrics> topic_metrics_;  // by TopicLabel; constant after construction
  telemetry::Gauge queue_records_;

  internal::BrokerHealth health_;
  internal::Deliveries deliveries_;

  // The client is used under the shared lock and replaced under the exclusive one. Null for moments only, when a new
  // client could not be made after a fatal error.
  mutable std::shared_mutex client_mutex_;
  ClientPtr client_;
  std::uint64_t client_number_ = 0;  // counts clients

  std::atomic<bool> flushed_in_vain_{false};  // the last time
  std::atomic<bool> stopping_{false};
  std::thread poll_thread_;
};

KafkaProducer::KafkaProducer(const BusOptions& bus, const ProducerOptions& options, std::string_view service,
                             telemetry::Registry& metrics)
    : bus_(bus),
      options_(options),
      service_(service),
      queue_records_(metrics.AddGauge(base::StrCat(service, "_bus_produce_queue_records"),
                                      "Records handed to the producer and not yet reported.")),
      health_(bus.brokers) {
  constexpr std::array<std::string_view, 8> kLabels = {kTurns,  kReplies,    kStatuses, kSendLedger,
                                                       kParked, kDeadLetter, kAudit,    "other"};
  for (const std::string_view label : kLabels) {
    const telemetry::Labels labels = {{"topic", std::string(label)}};
    topic_metrics_.emplace(
        label,
        internal::TopicMetrics{.produced = metrics.AddCounter(base::StrCat(service, "_bus_produced_total"),
                                                              "Records the log has persisted.", labels),
                               .failures = metrics.AddCounter(base::StrCat(service, "_bus_produce_failures_total"),
                                                              "Records not persisted, or not known to be.", labels),
                               .seconds = metrics.AddHistogram(base::StrCat(service, "_bus_produce_seconds"),
                                                               "From Produce to a delivery report that says persisted.",
                                                               telemetry::LatencyBuckets(), labels)});
  }
}

KafkaProducer::~KafkaProducer() {
  stopping_ = true;
  if (poll_thread_.joinable()) poll_thread_.join();
  health_.Unwatch();
  if (client_ != nullptr) {
    const base::Duration patience = flushed_in_vain_ ? base::Duration::zero() : options_.delivery_timeout;
    RetireClient(std::move(client_), client_number_, base::Clock::Real().Now() + patience);
  }
}

absl::Status KafkaProducer::Start() {
  absl::StatusOr<ClientPtr> client = OpenClient();
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  health_.Watch(client_.get());
  poll_thread_ = std::thread([this] { RunPollThread(); });
  return absl::OkStatus();
}

absl::StatusOr<ClientPtr> KafkaProducer::OpenClient() {
  absl::StatusOr<internal::ClientConfig> config = internal::ClientConfig::Make(bus_, service_);
  if (!config.ok()) return config.status();
  const std::int64_t delivery_timeout_ms = base::ToMs(options_.delivery_timeout);
  config->Set("enable.idempotence", "true");
  config->Set("acks", "all");
  config->Set("message.timeout.ms", delivery_timeout_ms);
  config->Set("request.timeout.ms", delivery_timeout_ms);
  config->Set("message.max.bytes", internal::kRecordBytesMax);
  config->Set("queue.buffering.max.messages", options_.queue_records_max);
  config->Set("queue.buffering.max.kbytes", std::max(options_.queue_bytes_max / 1024, 1));
  config->Set("queue.buffering.max.ms", options_.linger_ms);
  config->Set("partitioner", "murmur2");  // as PartitionFor
  config->Set("allow.auto.create.topics", "false");
  rd_kafka_conf_set_dr_msg_cb(config->get(), &OnReport);
  rd_kafka_conf_set_error_cb(config->get(), &OnError);
  return std::move(*config).NewClient(RD_KAFKA_PRODUCER, this);
}

const internal::TopicMetrics* KafkaProducer::MetricsOf(std::string_view topic) const {
  return &topic_metrics_.at(internal::TopicLabel(bus_, topic));
}

void KafkaProducer::Produce(OutgoingRecord record, DeliveryCallback on_delivery) {
  Delivery* delivery = nullptr;
  absl::Status status;
  {
    std::shared_lock lock(client_mutex_);
    delivery = deliveries_.Add(std::move(on_delivery), MetricsOf(record.topic), client_number_);
    status = Enqueue(record, delivery);
  }
  if (!status.ok()) deliveries_.Settle(delivery, std::move(status));
}

absl::Status KafkaProducer::Enqueue(const OutgoingRecord& record, Delivery* delivery) {
  if (client_ == nullptr) return absl::UnavailableError("the Kafka producer is being replaced after a fatal error");
  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
  for (const auto& [name, value] : record.headers) {
    rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  std::array<rd_kafka_vu_t, 7> fields{};
  fields[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  fields[0].u.cstr = record.topic.c_str();
  fields[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[1].u.i32 = record.partition;
  fields[2].vtype = RD_KAFKA_VTYPE_KEY;
  fields[2].u.mem = {.ptr = const_cast<char*>(record.key.data()), .size = record.key.size()};
  fields[3].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[3].u.mem = {.ptr = const_cast<char*>(record.value.data()), .size = record.value.size()};
  fields[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[4].u.i = RD_KAFKA_MSG_F_COPY;
  fields[5].vtype = RD_KAFKA_VTYPE_HEADERS;
  fields[5].u.headers = headers;
  fields[6].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[6].u.ptr = delivery;
  const internal::ErrorPtr error(rd_kafka_produceva(client_.get(), fields.data(), fields.size()));
  if (error == nullptr) return absl::OkStatus();
  rd_kafka_headers_destroy(headers);  // taken over on success only
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    return absl::UnavailableError(base::StrCat("produce to ", record.topic, ": ", options_.queue_records_max,
                                               " records or ", options_.queue_bytes_max, " bytes wait already"));
  }
  return ToStatus(code, base::StrCat("produce to ", record.topic, " ", record.value.size(), " bytes"));
}

absl::Status KafkaProducer::Flush(base::MonotonicTime deadline) {
  flushed_in_vain_ = !deliveries_.WaitUntilNone(deadline);
  if (!flushed_in_vain_) return absl::OkStatus();
  return absl::DeadlineExceededError(base::StrCat(deliveries_.count(), " records are not reported yet"));
}

void KafkaProducer::RunPollThread() {
  auto next_reopen = base::Clock::Real().Now();
  while (!stopping_) {
    // Only this thread changes client_ while it runs, so it reads it without the lock.
    if (client_ == nullptr) {
      if (base::Clock::Real().Now() >= next_reopen) {
        next_reopen = base::Clock::Real().Now() + kReopenInterval;
        ReplaceClient("no client");
      }
      if (client_ == nullptr) std::this_thread::sleep_for(std::chrono::milliseconds(kPollTimeoutMs));
      continue;
    }
    rd_kafka_poll(client_.get(), kPollTimeoutMs);
    queue_records_.Set(static_cast<double>(deliveries_.count()));
    std::array<char, 512> reason{};
    if (rd_kafka_fatal_error(client_.get(), reason.data(), reason.size()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      ReplaceClient(reason.data());
    }
  }
}

void KafkaProducer::ReplaceClient(const std::string& reason) {
  telemetry::LogError("kafka_producer_replaced", {{"reason", reason}});
  absl::StatusOr<ClientPtr> fresh = OpenClient();
  if (!fresh.ok()) {
    telemetry::LogError("kafka_producer_not_replaced", {{"reason", std::string(fresh.status().message())}});
  }
  health_.Unwatch();
  ClientPtr retired;
  std::uint64_t retired_number = 0;
  {
    std::unique_lock lock(client_mutex_);
    retired = std::move(client_);
    retired_number = client_number_++;
    client_ = fresh.ok() ? *std::move(fresh) : nullptr;
  }
  if (client_ != nullptr) health_.Watch(client_.get());
  if (retired != nullptr) RetireClient(std::move(retired), retired_number, base::Clock::Real().Now());
}

void KafkaProducer::RetireClient(ClientPtr client, std::uint64_t client_number, base::MonotonicTime flush_deadline) {
  const auto serve_until = [&client](base::MonotonicTime deadline) {
    while (rd_kafka_outq_len(client.get()) > 0 && base::Clock::Real().Now() < deadline) rd_kafka_poll(client.get(), 10);
  };
  serve_until(flush_deadline);
  rd_kafka_purge(client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  serve_until(base::Clock::Real().Now() + kPurgeTime);
  client.reset();
  // A purge that did not end in time leaves reports that are gone with the client.
  deliveries_.FailAllOf(client_number, absl::UnavailableError("the Kafka producer was closed before the report"));
}

void KafkaProducer::OnReport(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* self = static_cast<KafkaProducer*>(opaque);
  auto* delivery = static_cast<Delivery*>(message->_private);
  const char* topic = rd_kafka_topic_name(message->rkt);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    self->deliveries_.Settle(delivery,
                             ToStatus(message->err, base::StrCat("produce to ", topic, " ", message->len, " bytes")));
    return;
  }
  self->health_.NoteSuccess();
  if (message->offset < 0) {
    // Acknowledged only by inference: a later batch was, and an idempotent broker takes batches in sequence. It does
    // not for the first batches of a producer in a partition, where it knows no sequence: a first batch that was
    // refused and waits for its retry is then lost although the report says persisted (seen with librdkafka 2.0.2 and
    // Kafka 4.4).
    self->deliveries_.Settle(
        delivery, absl::UnavailableError(base::StrCat("produce to ", topic, ": acknowledged without a position")));
    return;
  }
  self->deliveries_.Settle(delivery, RecordPosition{.partition = message->partition, .offset = message->offset});
}

void KafkaProducer::OnError(rd_kafka_t*, int error, const char* reason, void* opaque) {
  auto* self = static_cast<KafkaProducer*>(opaque);
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) self->health_.NoteAllDown();
  telemetry::LogWarning("kafka_producer_error",
                        {{"error", rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(error))}, {"reason", reason}});
}

void KafkaProducer::TriggerFatalErrorForTest() {
  std::shared_lock lock(client_mutex_);
  rd_kafka_test_fatal_error(client_.get(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "for a test");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Producer>> Producer::Create(const BusOptions& bus, const ProducerOptions& options,
                                                           std::string_view service, telemetry::Registry& metrics) {
  auto producer = std::make_unique<KafkaProducer>(bus, options, service, metrics);
  if (absl::Status status = producer->Start(); !status.ok()) return status;
  return producer;
}

absl::StatusOr<RecordPosition> Producer::ProduceAndWait(OutgoingRecord record) {
  // Shared, because the callback's thread may still be inside set_value when the waiting one has the result.
  auto reported = std::make_shared<std::promise<absl::StatusOr<RecordPosition>>>();
  std::future<absl::StatusOr<RecordPosition>> result = reported->get_future();
  Produce(std::move(record),
          [reported](absl::StatusOr<RecordPosition> position) { reported->set_value(std::move(position)); });
  return result.get();  // bounded by delivery_timeout
}

namespace internal {

void TriggerFatalErrorForTest(Producer& producer) { dynamic_cast<KafkaProducer&>(producer).TriggerFatalErrorForTest(); }

}  // namespace internal
}  // namespace bus
