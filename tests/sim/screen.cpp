#include "tests/sim/screen.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include "libs/base/hex.h"
#include "tests/fakes/small_codec.h"
#include "tests/sim/world.h"

namespace sim {
namespace {

using fakes::GraphBehaviour;
using std::chrono::seconds;

// As long as http::Client waits, so that an answer lost on the way is found out late (LaneOptions::post_timeout).
constexpr base::Duration kPostTimeout = seconds(10);
constexpr base::Duration kWebhookMax = seconds(12);  // from showing a message to the first try of its status

}  // namespace

GraphBehaviour Screen::Choose() {
  if (world_->TokenDead()) return GraphBehaviour::kPark;
  if (world_->healed() || !world_->random.Chance(world_->rates.graph)) return GraphBehaviour::kAccept;
  switch (world_->random.Below(12)) {
    case 0:
    case 1:
    case 2:
      return GraphBehaviour::kDrop;
    case 3:
    case 4:
      return GraphBehaviour::kRefuse;
    case 5:
      return GraphBehaviour::kUnreachable;
    case 6:
      return GraphBehaviour::kPark;
    case 7:
      return GraphBehaviour::kFail;
    default:
      return GraphBehaviour::kAcceptAndDrop;
  }
}

void Screen::Post(Process& caller, const channel::OutboundRequest& request,
                  std::function<void(http::ClientResult)> answer) {
  const GraphBehaviour behaviour = Choose();
  const base::Duration transit = world_->Latency();
  const base::Duration back = transit + world_->Latency();
  auto message_id = std::make_shared<std::string>();
  // The bytes are on their way: they arrive whether or not this process lives.
  if (fakes::IsShown(behaviour)) ShowLater(caller, request, transit, message_id);
  const bool times_out = !fakes::IsAnswered(behaviour) && world_->random.Chance(0.5);  // else the connection is reset
  caller.After((times_out ? kPostTimeout : back) + base::Duration(1),
               [answer, behaviour, message_id] { answer(fakes::ResultOf(behaviour, *message_id)); });
}

void Screen::ShowLater(const Process& by, const channel::OutboundRequest& request, base::Duration transit,
                       std::shared_ptr<std::string> message_id) {
  world_->time.After(transit, [this, &by, body = request.body, message_id] { Show(by, body, message_id.get()); });
}

void Screen::Show(const Process& by, const std::string& body, std::string* message_id) {
  fakes::SmallMessage sent = fakes::ParseSmallMessage(body);
  Message message;
  message.reply_id_hex = std::move(sent.reply_id_hex);
  message.user = std::move(sent.user);
  message.text = std::move(sent.text);
  message.notice = message.text == world_->account->notice_text;
  // "t3.1#7", the second part of the answer to t3 in the words of run 7; a notice has no words of its own.
  message.turn = std::atoi((message.notice ? sent.in_reply_to : message.text).c_str() + 1);
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
