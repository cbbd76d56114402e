#include "tests/services/sender/fake_world.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/account/account_book.h"
#include "libs/base/hex.h"
#include "libs/bus/topics.h"
#include "libs/crypto/digest.h"
#include "tests/fakes/small_codec.h"

namespace sender {
namespace {

constexpr std::int64_t kWallStartMs = 1'760'000'000'000;
constexpr base::Duration kConnectTimeout = std::chrono::seconds(5);   // as http::ClientOptions'
constexpr base::Duration kParkedDeadline = std::chrono::seconds(10);  // as ParkedReader's

}  // namespace

Process::Process(World* world, int number, const CoreOptions& options)
    : world_(world),
      number_(number),
      metrics_(registry_),
      lease_(std::make_shared<Lease>()),
      producer_free_at_(world->now) {
  SenderCore::Ports ports;
  ports.instance = "sender-" + std::to_string(number);
  ports.read_ledger = [this](std::int32_t) {
    reading_ = true;
    ReadLedgerOn();
  };
  ports.on_owned = [](std::int32_t) {};
  ports.mark_done = [this](std::int32_t, std::int64_t offset) {
    // The commit comes later: a crash before it means that the record is read again.
    Mine(world_->Random(std::chrono::milliseconds(250)), [this, offset] {
      if (world_->owner_ == this) world_->done.insert(offset);
    });
  };
  core_ = std::make_unique<SenderCore>(options, this, std::move(ports), &metrics_);
}

base::MonotonicTime Process::Now() const { return world_->now; }

std::int64_t Process::WallMs() const { return world_->WallMs(); }

void Process::Mine(base::Duration delay, std::function<void()> task) {
  world_->At(world_->now + delay, [this, task = std::move(task)] {
    if (alive_) task();
  });
}

void Process::RunAfter(base::Duration delay, std::function<void()> task) { Mine(delay, std::move(task)); }

void Process::ReadLedgerOn() {
  if (!reading_) return;
  Mine(world_->Random(world_->delay_max), [this] {
    if (ledger_read_ < world_->ledger.size()) {
      const auto offset = static_cast<std::int64_t>(ledger_read_++);
      core_->OnLedgerRecord(0, offset, world_->ledger[static_cast<std::size_t>(offset)].second);
      ReadLedgerOn();
    } else {
      reading_ = false;  // the next append wakes it
    }
  });
}

void Process::AppendLedger(std::int32_t, const ledger::LedgerEntry& entry, const telemetry::TraceContext&,
                           Appended on_done) {
  producer_free_at_ = std::max(producer_free_at_, world_->now) + world_->Random(world_->delay_max) + base::Duration(1);
  if (const absl::Status refused = world_->refuse(bus::kSendLedger, entry.record.ByteSizeLong()); !refused.ok()) {
    return Mine(base::Duration(1), [refused, on_done] { on_done(refused); });
  }
  // What a producer has queued dies with it; what is on its way arrives.
  Mine(producer_free_at_ - world_->now, [this, entry, on_done = std::move(on_done)] {
    const bool fails = world_->broker_down() || world_->Chance(world_->append_failure_rate);
    const bool lands = !fails || (!world_->broker_down() && world_->Chance(0.5));
    const std::int64_t offset = lands ? world_->AppendToLedger(entry) : -1;
    Mine(world_->Random(world_->delay_max), [fails, offset, on_done] {
      if (fails) return on_done(absl::UnavailableError("delivery report lost"));
      on_done(offset);
    });
  });
}

void Process::Post(Send send, std::function<void(http::ClientResult)> on_done) {
  auto kept = std::make_shared<Send>(std::move(send));
  Mine(world_->Random(world_->client_delay_max), [this, kept, on_done = std::move(on_done)] {
    if (!kept->may_send()) {
      http::ClientResult result;
      result.failure = {absl::AbortedError("may not send"), http::SendCertainty::kNotSent};
      return Mine(base::Duration(1), [on_done, result] { on_done(result); });
    }
    const fakes::SmallMessage message = fakes::ParseSmallMessage(kept->request.body);
    if (world_->hosts_away.contains(world_->Conversation(message.user).account())) {
      return Mine(kConnectTimeout, [on_done] { on_done(fakes::ResultOf(GraphBehaviour::kUnreachable, "")); });
    }
    GraphBehaviour behaviour = world_->graph(world_->posts++);
    if (message.text == world_->refused_text) behaviour = GraphBehaviour::kFail;
    auto message_id = std::make_shared<std::string>();
    base::Duration transit{};
    if (fakes::IsShown(behaviour)) {
      // The bytes are on their way: they arrive whether or not this process lives.
      transit = world_->Random(world_->delay_max) + base::Duration(1);
      world_->At(world_->now + transit - base::Duration(1),
                 [world = world_, kept, message_id] { world->Show(*kept, message_id.get()); });
    }
    Mine(transit + world_->Random(world_->delay_max),
         [on_done, behaviour, message_id] { on_done(fakes::ResultOf(behaviour, *message_id)); });
  });
}

void Process::WriteDeadLetter(const bus::Record& origin, bus::DeadLetterReason reason, std::string_view, std::uint32_t,
                              Written on_done) {
  Write(
      world_->refuse(bus::kDeadLetter, origin.value.size()),
      [this, origin, reason] {
        world_->dead_letters.push_back({reason, origin});
      },
      std::move(on_done));
}

void Process::WriteParked(const bus::Record& origin, ParkReason reason, Appended on_done) {
  auto offset = std::make_shared<std::int64_t>(-1);
  Write(
      world_->refuse(bus::kParked, origin.value.size()),
      [this, origin, reason, offset] {
        *offset = static_cast<std::int64_t>(world_->parked.size());
        world_->parked.push_back(ParkedCopy(origin, reason));
      },
      [offset, on_done = std::move(on_done)](const absl::Status& status) {
        if (!status.ok()) return on_done(status);
        on_done(*offset);
      });
}

// As ParkedReader does: from the first copy wanted to the last one or to the end of the topic, whatever is not there.
void Process::ReadParked(std::int32_t, const std::vector<std::int64_t>& offsets,
                         std::function<void(absl::StatusOr<std::vector<bus::Record>>)> on_done) {
  if (parked_reading_.on_done != nullptr) {
    Mine(base::Duration(1), [replaced = parked_reading_.on_done] { replaced(absl::CancelledError("replaced")); });
  }
  const std::uint64_t number = ++parked_readings_;
  parked_reading_ = {offsets, std::move(on_done)};
  Mine(kParkedDeadline, [this, number] { EndReadingParked(number, absl::DeadlineExceededError("no broker")); });
  ReadParkedOn(number);
}

void Process::ReadParkedOn(std::uint64_t number) {
  Mine(world_->Random(world_->delay_max), [this, number] {
    if (number != parked_readings_ || parked_reading_.on_done == nullptr) return;
    if (world_->broker_down() || world_->parked_away) {
      return Mine(std::chrono::milliseconds(100), [this, number] { ReadParkedOn(number); });
    }
    const std::vector<std::int64_t>& wanted = parked_reading_.offsets;
    std::vector<bus::Record> copies;
    const auto end = static_cast<std::int64_t>(world_->parked.size());
    for (std::int64_t offset = wanted.front(); offset < end && offset <= wanted.back(); ++offset) {
      if (!std::binary_search(wanted.begin(), wanted.end(), offset)) continue;
      if (world_->parked_gone.contains(offset) || world_->parked_skipped.erase(offset) > 0) continue;
      copies.push_back(world_->parked.at(static_cast<std::size_t>(offset)));
      copies.back().offset = offset;
    }
    EndReadingParked(number, std::move(copies));
  });
}

void Process::EndReadingParked(std::uint64_t number, const absl::StatusOr<std::vector<bus::Record>>& copies) {
  if (number != parked_readings_ || parked_reading_.on_done == nullptr) return;
  std::exchange(parked_reading_, {}).on_done(copies);
}

void Process::WriteReply(const std::string& conversation_key, const mesh::bus::v1::ReplyRecord& record,
                         const telemetry::TraceContext&, Written on_done) {
  Write(
      world_->refuse(bus::kReplies, record.ByteSizeLong()),
      [this, conversation_key, record] { world_->AppendRaw(conversation_key, record.SerializeAsString()); },
      std::move(on_done));
}

void Process::WriteAudit(const mesh::bus::v1::AuditRecord& audit, const telemetry::TraceContext&, Written on_done) {
  Write(
      world_->refuse(bus::kAudit, audit.ByteSizeLong()),
      [this, audit] {
        if (audit.has_policy_drop()) world_->dropped.push_back(audit.policy_drop());
        if (audit.has_sent_after_all()) world_->sent_after_all.push_back(audit.sent_after_all());
      },
      std::move(on_done));
}

void Process::Write(const absl::Status& refused, std::function<void()> land, Written on_done) {
  if (!refused.ok()) return Mine(base::Duration(1), [refused, on_done] { on_done(refused); });
  Mine(world_->Random(world_->delay_max), [this, land = std::move(land), on_done = std::move(on_done)] {
    const bool fails = world_->broker_down() || world_->Chance(world_->append_failure_rate);
    if (!fails || (!world_->broker_down() && world_->Chance(0.5))) land();
    Mine(world_->Random(world_->delay_max),
         [fails, on_done] { on_done(fails ? absl::UnavailableError("delivery report lost") : absl::OkStatus()); });
  });
}

void Process::ReportOutcome(const mesh::session::v1::SetOutcomeRequest& report, const telemetry::TraceContext& trace,
                            std::function<void()> on_answered) {
  const base::Duration delay = world_->session_away ? std::chrono::seconds(30) : world_->Random(world_->delay_max);
  Mine(delay, [this, report, trace, on_answered = std::move(on_answered)] {
    if (world_->session_away) return ReportOutcome(report, trace, on_answered);
    world_->reported.push_back(report);
    Mine(world_->Random(world_->delay_max), on_answered);
  });
}

std::shared_ptr<const account::Account> Process::FindAccount(const mesh::bus::v1::ConversationId& conversation) const {
  if (!world_->account_configured) return nullptr;
  account::Account account = world_->account;
  const bool known = std::any_of(world_->account_of_user.begin(), world_->account_of_user.end(),
                                 [&](const auto& user) { return user.second == conversation.account(); });
  if (known) account.account_id = conversation.account();
  const auto book = std::make_shared<const account::AccountBook>(std::vector<account::Account>{std::move(account)});
  const account::Account* found = book->FindFor(conversation);
  return found == nullptr ? nullptr : std::shared_ptr<const account::Account>(book, found);
}

const channel::Codec* Process::FindCodec(mesh::bus::v1::Channel channel) const {
  static const fakes::SmallCodec codec;
  return channel == mesh::bus::v1::CHANNEL_WHATSAPP ? &codec : nullptr;
}

base::Duration Process::StatusesCoveredSince(std::int32_t, base::MonotonicTime since) {
  coverage_wanted_at_ = world_->now;
  if (!std::exchange(asking_, true)) AskAboutStatuses();
  return coverage_.CoveredSince(since);
}

// As StatusWatch does, once a second while a doubt asks.
void Process::AskAboutStatuses() {
  if (world_->now - coverage_wanted_at_ > std::chrono::seconds(10)) {
    asking_ = false;
    return;
  }
  const base::MonotonicTime asked_at = world_->now;
  Mine(world_->Random(world_->delay_max), [this, asked_at] {
    if (world_->broker_down()) {
      coverage_.OnNoAnswer();
    } else {
      coverage_.OnAnswer(asked_at, world_->statuses_end_, world_->statuses_committed_);
    }
    Mine(std::chrono::seconds(1), [this] { AskAboutStatuses(); });
  });
}

World::World(std::uint64_t seed) : rng_(seed) {
  account.tenant = "acme";
  account.channel = mesh::bus::v1::CHANNEL_WHATSAPP;
  account.account_id = "1001";
  account.access_token = crypto::Secret("token");
  account.notice_text = "sorry";
  account.sends_per_second_max = 1000;
  account.user_sends_per_second_max = 1000;
  account.user_burst_max = 1000;
}

World::~World() { events_.clear(); }  // they hold lanes, which refer to their process

Process& World::StartOwner() {
  processes_.push_back(std::make_unique<Process>(this, static_cast<int>(processes_.size()), options));
  return Reassign(*processes_.back());
}

Process& World::Reassign(Process& process) {
  owner_ = &process;
  ++assignment_;
  process.lease_ = std::make_shared<Lease>();
  // The loop hears of the loss before it hears of the new assignment.
  if (std::exchange(process.revoke_pending_, false)) process.core_->OnRevoked(0);
  process.core_->OnAssigned(0, process.lease_);
  Feed(process);
  return process;
}

void World::Revoke(Process& process) {
  process.lease_->revoked = true;  // the poll thread learns it first
  process.revoke_pending_ = true;
  process.Mine(Random(delay_max), [&process] {
    if (std::exchange(process.revoke_pending_, false)) process.core_->OnRevoked(0);
  });
  if (owner_ == &process) owner_ = nullptr;
}

void World::Kill(Process& process) {
  process.alive_ = false;
  if (owner_ == &process) owner_ = nullptr;
}

void World::Feed(Process& process) {
  for (std::size_t index = 0; index < replies.size(); ++index) {
    if (!done.contains(static_cast<std::int64_t>(index))) Deliver(process, static_cast<std::int64_t>(index));
  }
}

void World::Deliver(Process& process, std::int64_t offset) {
  // The same delay for all keeps them in order.
  process.Mine(delay_max, [this, &process, offset, assignment = assignment_] {
    if (owner_ == &process && assignment_ == assignment)
      process.core_->OnReply(replies[static_cast<std::size_t>(offset)]);
  });
}

mesh::bus::v1::ConversationId World::Conversation(const std::string& user) const {
  mesh::bus::v1::ConversationId conversation;
  conversation.set_tenant("acme");
  conversation.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  const auto other = account_of_user.find(user);
  conversation.set_account(other == account_of_user.end() ? "1001" : other->second);
  conversation.set_user(user);
  return conversation;
}

std::string World::TurnId(const std::string& turn) { return std::string(crypto::AsBytes(crypto::Sha256(turn))); }

std::int64_t World::Say(const std::string& user, const std::string& turn, const std::string& text,
                        std::uint32_t generation, mesh::bus::v1::ReplyKind kind) {
  mesh::bus::v1::Reply reply;
  reply.set_text(text);
  reply.set_generation(generation);
  reply.set_kind(kind);
  if (kind == mesh::bus::v1::REPLY_KIND_ANSWER) reply.set_finish_reason(mesh::bus::v1::FINISH_REASON_END_OF_TURN);
  return Say(user, turn, std::move(reply));
}

std::int64_t World::Say(const std::string& user, const std::string& turn, mesh::bus::v1::Reply reply) {
  reply.set_turn_id(TurnId(turn));
  *reply.mutable_conversation() = Conversation(user);
  mesh::bus::v1::ReplyRecord record;
  *record.mutable_reply() = std::move(reply);
  return AppendRaw(identity::KeyOf(Conversation(user)).value(), record.SerializeAsString());
}

std::int64_t World::WallMs() const { return kWallStartMs + base::ToMs(now.time_since_epoch()); }

std::int64_t World::Withdraw(const std::string& user, const std::string& turn, mesh::bus::v1::DropPolicy policy) {
  mesh::bus::v1::ReplyRecord record;
  record.mutable_supersede()->set_turn_id(TurnId(turn));
  record.mutable_supersede()->set_by_turn_id(TurnId(turn + "+"));
  record.mutable_supersede()->set_policy(policy);
  *record.mutable_supersede()->mutable_conversation() = Conversation(user);
  return AppendRaw(identity::KeyOf(Conversation(user)).value(), record.SerializeAsString());
}

std::int64_t World::AppendRaw(const std::string& key, const std::string& value) {
  bus::Record record;
  record.topic = "mesh.replies";
  record.offset = static_cast<std::int64_t>(replies.size());
  record.key = key;
  record.value = value;
  replies.push_back(record);
  if (owner_ != nullptr) Deliver(*owner_, record.offset);
  return record.offset;
}

std::int64_t World::AppendToLedger(const ledger::LedgerEntry& entry) {
  ledger.emplace_back(entry.key, entry.record);
  observer_.Apply(static_cast<std::int64_t>(ledger.size()) - 1, entry.record);
  for (const auto& process : processes_) {
    if (!process->alive_ || process->reading_) continue;
    process->reading_ = true;
    process->ReadLedgerOn();
  }
  return static_cast<std::int64_t>(ledger.size()) - 1;
}

void World::Show(const Effects::Send& send, std::string* message_id) {
  const fakes::SmallMessage message = fakes::ParseSmallMessage(send.request.body);
  *message_id = "wamid." + std::to_string(shown.size());
  shown.push_back({message.reply_id_hex, message.user, message.text, *message_id});
  if (statuses_flow) TellStatus(shown.back(), mesh::bus::v1::DELIVERY_STATE_DELIVERED);
}

void World::TellStatus(const Shown& message, mesh::bus::v1::DeliveryState state) {
  mesh::bus::v1::DeliveryStatus status;
  *status.mutable_conversation() = Conversation(message.user);
  status.set_reply_id_hex(message.reply_id_hex);
  status.set_message_id(message.message_id);
  status.set_state(state);
  Webhook(status);
}

void World::Webhook(const mesh::bus::v1::DeliveryStatus& status) {
  At(now + Random(std::chrono::seconds(10)), [this, status] {
    if (broker_down()) return Webhook(status);  // refused by the gateway and repeated by the platform
    ++statuses_end_;
    statuses_unread_.push_back(status);
    if (statuses_unread_.size() == 1) ReadStatuses();
  });
}

// Some sender's status consumer: one status after the other, each done once its evidence is in the log.
void World::ReadStatuses() {
  const base::MonotonicTime at = std::max({now, statuses_stalled_until_, broker_down_until_}) + Random(delay_max);
  At(at, [this] {
    if (now < std::max(statuses_stalled_until_, broker_down_until_)) return ReadStatuses();
    AppendToLedger(ledger::MakeEvidence(statuses_unread_.front(), 0));
    statuses_unread_.pop_front();
    // The commit follows, some time.
    At(now + Random(std::chrono::seconds(1)),
       [this, next = statuses_end_ - static_cast<std::int64_t>(statuses_unread_.size())] {
         statuses_committed_ = std::max(statuses_committed_, next);
       });
    if (!statuses_unread_.empty()) ReadStatuses();
  });
}

base::Duration World::Random(base::Duration max) {
  return base::Duration(std::uniform_int_distribution<std::int64_t>(0, max.count())(rng_));
}

bool World::Chance(double probability) { return std::uniform_real_distribution<double>(0, 1)(rng_) < probability; }

bool World::RunOne() {
  if (events_.empty()) return false;
  now = std::max(now, events_.begin()->first);
  const std::function<void()> task = std::move(events_.begin()->second);
  events_.erase(events_.begin());
  task();
  return true;
}

bool World::RunUntil(const std::function<bool()>& until, base::Duration limit) {
  const base::MonotonicTime end = now + limit;
  while (!until()) {
    if (events_.empty() || events_.begin()->first > end) return false;
    RunOne();
  }
  return true;
}

void World::RunFor(base::Duration duration) {
  const base::MonotonicTime end = now + duration;
  while (!events_.empty() && events_.begin()->first <= end) RunOne();
  now = end;
}

void World::RunEvents(int count) {
  for (int index = 0; index < count && RunOne(); ++index) {
  }
}

std::vector<std::string> World::TextsOf(const std::string& user) const {
  std::vector<std::string> texts;
  for (const Shown& message : shown) {
    if (message.user == user) texts.push_back(message.text);
  }
  return texts;
}

std::vector<mesh::session::v1::Outcome> World::OutcomesOf(const std::string& turn) const {
  std::vector<mesh::session::v1::Outcome> outcomes;
  for (const auto& report : reported) {
    if (report.outcome() == mesh::session::v1::OUTCOME_UNSPECIFIED) continue;  // tells words alone
    if (report.turn_id() == TurnId(turn)) outcomes.push_back(report.outcome());
  }
  return outcomes;
}

std::string World::HistoryTextOf(const std::string& turn) const {
  const mesh::session::v1::SetOutcomeRequest* first = nullptr;
  for (const auto& report : reported) {
    if (report.turn_id() != TurnId(turn) || report.reply_text().empty()) continue;
    const bool newer = first != nullptr && report.generation() > first->generation();
    const bool earlier = first != nullptr && report.generation() == first->generation() &&
                         report.replies_offset() < first->replies_offset();
    if (first == nullptr || newer || earlier) first = &report;
  }
  return first == nullptr ? "" : first->reply_text();
}

std::vector<mesh::bus::v1::LedgerRecord> World::Ledger() const {
  std::vector<mesh::bus::v1::LedgerRecord> records;
  for (const auto& [key, record] : ledger) records.push_back(record);
  return records;
}

double World::InDoubtCount(std::string_view resolution) const {
  double count = 0;
  for (const auto& process : processes_) count += process->metrics().doubts.at(std::string(resolution)).Value();
  return count;
}

}  // namespace sender
