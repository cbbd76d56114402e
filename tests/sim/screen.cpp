#include "tests/sim/screen.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include "libs/base/hex.h"
#include "tests/sim/world.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// As long as http::Client waits, so that an answer lost on the way is found out late (LaneOptions::post_timeout).
constexpr base::Duration kPostTimeout = seconds(10);
constexpr base::Duration kWebhookMax = seconds(12);  // from showing a message to the first try of its status

http::ClientResult Answer(std::string body) {
  http::ClientResult result;
  result.ok = true;
  result.response.body = std::move(body);
  return result;
}

http::ClientResult Failure(absl::Status status, http::SendCertainty certainty) {
  http::ClientResult result;
  result.failure = {std::move(status), certainty};
  return result;
}

std::string TakeField(std::string_view* body) {
  const std::size_t comma = body->find(',');
  std::string field(body->substr(0, comma));
  body->remove_prefix(comma + 1);
  return field;
}

}  // namespace

Screen::Behaviour Screen::Choose() {
  if (world_->healed() || !world_->random.Chance(world_->rates.graph)) return Behaviour::kAccept;
  switch (world_->random.Below(12)) {
    case 0:
    case 1:
    case 2:
      return Behaviour::kDrop;
    case 3:
    case 4:
      return Behaviour::kRefuse;
    case 5:
      return Behaviour::kUnreachable;
    case 6:
      return Behaviour::kPark;
    case 7:
      return Behaviour::kFail;
    default:
      return Behaviour::kAcceptAndDrop;
  }
}

void Screen::Post(Process& caller, const channel::OutboundRequest& request,
                  std::function<void(http::ClientResult)> answer) {
  const Behaviour behaviour = Choose();
  const base::Duration transit = world_->Latency();
  const base::Duration back = transit + world_->Latency();
  switch (behaviour) {
    case Behaviour::kAccept:
    case Behaviour::kAcceptAndDrop: {
      // The bytes are on their way: they arrive whether or not this process lives.
      auto message_id = std::make_shared<std::string>();
      ShowLater(caller, request, transit, message_id);
      if (behaviour == Behaviour::kAccept) {
        return caller.After(back + base::Duration(1), [answer, message_id] { answer(Answer(*message_id)); });
      }
      break;
    }
    case Behaviour::kDrop:
      break;
    case Behaviour::kRefuse:
      return caller.After(back, [answer] { answer(Answer("refuse")); });
    case Behaviour::kPark:
      return caller.After(back, [answer] { answer(Answer("park")); });
    case Behaviour::kFail:
      return caller.After(back, [answer] { answer(Answer("fail")); });
    case Behaviour::kUnreachable:
      return caller.After(
          back, [answer] { answer(Failure(absl::UnavailableError("connect"), http::SendCertainty::kNotSent)); });
  }
  const base::Duration until = world_->random.Chance(0.5) ? kPostTimeout : back;  // a timeout, or a reset connection
  caller.After(until + base::Duration(1), [answer] {
    answer(Failure(absl::DeadlineExceededError("no answer"), http::SendCertainty::kMaybeSent));
  });
}

void Screen::ShowLater(const Process& by, const channel::OutboundRequest& request, base::Duration transit,
                       std::shared_ptr<std::string> message_id) {
  world_->time.After(transit, [this, &by, body = request.body, message_id] { Show(by, body, message_id.get()); });
}

void Screen::Show(const Process& by, const std::string& body, std::string* message_id) {
  std::string_view rest = body;
  Message message;
  message.reply_id_hex = TakeField(&rest);
  message.user = TakeField(&rest);
  const std::string in_reply_to = TakeField(&rest);
  message.text = rest;
  message.notice = message.text == world_->account->notice_text;
  // "t3.1#7", the second part of the answer to t3 in the words of run 7; a notice has no words of its own.
  message.turn = std::atoi((message.notice ? in_reply_to : message.text).c_str() + 1);
  if (!message.notice) message.part = std::atoi(message.text.c_str() + message.text.find('.') + 1);
  message.partition = world_->turns[static_cast<std::size_t>(message.turn)].partition;
  message.message_id = "wamid." + std::to_string(shown_.size());
  message.by = &by;
  message.resend_while_evidence_waited = ResendWhileEvidenceWaited(message);
  *message_id = message.message_id;
  shown_.push_back(message);
  world_->Trace([&] {
    return "SCREEN of " + message.user + ": " + message.text + " (reply " + message.reply_id_hex.substr(0, 8) + ")";
  });
  world_->time.After(world_->random.UpTo(kWebhookMax), [this, shown = shown_.size() - 1] {
    world_->SendStatus(shown, mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  });
}

void Screen::NoteStatus(std::size_t shown, std::int64_t offset) {
  if (shown_[shown].status_offset < 0) shown_[shown].status_offset = offset;
}

bool Screen::ResendWhileEvidenceWaited(const Message& message) const {
  const std::string reply_id = base::FromHex(message.reply_id_hex).value_or("");
  const mesh::bus::v1::LedgerClaim* claim = nullptr;  // under which this copy goes
  bool evidence_stands = false;
  for (const FakeLog::LedgerRow& row : world_->log.ledger(message.partition)) {
    if (row.record->has_claim() && row.record->claim().reply_id() == reply_id) {
      if (row.writer != message.by && claim != nullptr) return false;  // somebody else's came since: it was too late
      if (evidence_stands) return false;                               // it stood in front of the claim
      if (row.writer == message.by) claim = &row.record->claim();
    }
    if (row.record->has_evidence() && row.record->evidence().reply_id() == reply_id) evidence_stands = true;
  }
  if (claim == nullptr || claim->resends() == 0) return false;
  for (const Message& earlier : shown_) {  // read and done, and yet not told: not waiting but lost
    const bool told = earlier.status_offset >= world_->status_group.committed(message.partition) || evidence_stands;
    if (earlier.reply_id_hex == message.reply_id_hex && earlier.status_offset >= 0 && !told) return false;
  }
  return true;
}

}  // namespace sim
