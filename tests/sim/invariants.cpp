#include "tests/sim/invariants.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "libs/base/str_cat.h"
#include "services/sender/effects.h"

namespace sim {
namespace {

constexpr std::array<KnownFinding, 0> kKnown = {};  // none at present

// What became of one turn.
struct Ending {
  const TurnFact* turn = nullptr;
  std::map<int, std::vector<const Screen::Message*>> parts;  // of its answer, as shown
  std::vector<const Screen::Message*> notices;
  std::int64_t first_reply = -1;  // in `replies`: what was said, answer or worker's notice
  std::string first_reply_text;
  bool given_up_by_worker = false;
  bool given_up_by_sender = false;
  bool parked = false;    // in doubt for good; of an account that cannot send it comes back
  bool requeued = false;  // by the operator, after all else

  bool answered() const { return !parts.empty(); }
  bool noticed() const { return !notices.empty(); }
  bool complete() const { return static_cast<int>(parts.size()) == turn->parts; }
  bool withdrawn() const { return turn->supersede_offset >= 0; }
  bool withdrawn_before_said() const {
    return withdrawn() && (first_reply < 0 || turn->supersede_offset < first_reply);
  }
};

class Checker {
 public:
  Checker(const World& world, bool at_rest) : world_(world), at_rest_(at_rest), endings_(world.turns.size()) {}

  std::vector<Violation> Run() {
    Gather();
    if (!at_rest_) Add("not_at_rest", "records are left undone hours after the faults ended");
    for (const Ending& ending : endings_) {
      CheckOnce(ending);
      if (!at_rest_) continue;
      CheckEnd(ending);
      if (!world_.store.lost_something()) CheckHistory(ending);
    }
    CheckOrder();
    return std::move(violations_);
  }

 private:
  void Add(std::string_view name, std::string detail) { violations_.push_back({name, std::move(detail)}); }

  void Gather() {
    for (std::size_t index = 0; index < endings_.size(); ++index) endings_[index].turn = &world_.turns[index];
    for (const Screen::Message& message : world_.screen.shown()) {
      Ending& ending = endings_[static_cast<std::size_t>(message.turn)];
      if (message.notice) {
        ending.notices.push_back(&message);
      } else {
        ending.parts[message.part].push_back(&message);
      }
    }
    for (const int turn : world_.requeued) endings_[static_cast<std::size_t>(turn)].requeued = true;
    for (const DeadLetterFact& dead : world_.dead_letters) {
      Ending& ending = endings_[static_cast<std::size_t>(dead.turn)];
      (dead.topic == NameOf(Topic::kTurns) ? ending.given_up_by_worker : ending.given_up_by_sender) = true;
    }
    for (int partition = 0; partition < world_.log.partitions(); ++partition) {
      for (const bus::Record& record : world_.log.records(Topic::kReplies, partition)) GatherReply(record);
      for (const bus::Record& record : world_.log.records(Topic::kParked, partition)) GatherParked(record);
    }
  }

  void GatherReply(const bus::Record& record) {
    mesh::bus::v1::ReplyRecord decoded;
    if (!decoded.ParseFromString(record.value) || !decoded.has_reply()) return;
    for (Ending& ending : endings_) {
      if (ending.turn->turn_id != decoded.reply().turn_id()) continue;
      if (decoded.reply().kind() == mesh::bus::v1::REPLY_KIND_FALLBACK || ending.first_reply >= 0) continue;
      ending.first_reply = record.offset;
      ending.first_reply_text = decoded.reply().text();
    }
  }

  void GatherParked(const bus::Record& record) {
    mesh::bus::v1::ReplyRecord decoded;
    const bool in_doubt =
        bus::FindHeader(record.headers, sender::kParkReasonHeader) == ToString(sender::ParkReason::kInDoubt);
    if (!in_doubt || !decoded.ParseFromString(record.value)) return;
    for (Ending& ending : endings_) ending.parked |= ending.turn->turn_id == decoded.reply().turn_id();
  }

  // I2, and that the first record is what was said.
  void CheckOnce(const Ending& ending) {
    for (const auto& [part, copies] : ending.parts) {
      CheckCopies(ending, copies);
      if (ending.first_reply_text.find(copies.front()->text) == std::string::npos) {
        Add("not_the_first_words",
            base::StrCat(copies.front()->text, " was shown, said was ", ending.first_reply_text));
      }
    }
    CheckCopies(ending, ending.notices);
  }

  void CheckCopies(const Ending& ending, const std::vector<const Screen::Message*>& copies) {
    for (std::size_t index = 1; index < copies.size(); ++index) {
      const Screen::Message& copy = *copies[index];
      const bool same_reply = copy.reply_id_hex == copies[0]->reply_id_hex;
      const std::string detail = base::StrCat(ending.turn->name, ": ", copies[0]->text, ", then ", copy.text);
      // An operator sends a reply again whole, also where a part of it is known to have been shown.
      if (!same_reply && ending.requeued && index == 1) continue;
      if (!same_reply) {
        Add("answered_twice", detail);
      } else if (copy.resend_while_evidence_waited) {
        Add("shown_twice_evidence_waited", detail);
      } else {
        Add("shown_twice", detail);
      }
    }
  }

  // I1.
  void CheckEnd(const Ending& ending) {
    const std::string& name = ending.turn->name;
    if (ending.answered() && ending.noticed()) Add("answer_and_notice", name);
    if (ending.answered() && ending.given_up_by_worker) Add("answered_and_dead_lettered", name);
    if (ending.noticed() && !ending.given_up_by_worker && !ending.given_up_by_sender) {
      Add("notice_without_dead_letter", name);
    }
    if (ending.parked && !ending.requeued && (ending.complete() || ending.given_up_by_sender)) {
      Add("parked_and_sent", name);
    }
    const bool came_back = ending.complete() || ending.noticed() || ending.given_up_by_sender || ending.withdrawn();
    if (ending.parked && !came_back) {
      Add("left_parked", name);
    }
    // `audit`: what was withdrawn before it was said is dropped; a parked reply may be sent later all the same.
    const bool shown = ending.answered() || ending.noticed();
    const bool sent_after_all = world_.sent_after_all.contains(ending.turn->number);
    const bool dropped = world_.dropped.contains(ending.turn->number) && !sent_after_all;
    if (sent_after_all && !shown) Add("audit_says_sent", name);
    if (dropped && shown && !ending.parked) Add("audit_says_dropped", name);
    if (dropped && !ending.withdrawn()) Add("audit_says_dropped", name);
    if (!dropped && !shown && ending.withdrawn() && !ending.parked && !ending.given_up_by_sender) {
      Add("dropped_without_audit", name);
    }
    if (ending.withdrawn_before_said()) {
      if (ending.answered()) Add("withdrawn_but_answered", name);
      if (ending.noticed()) Add("withdrawn_but_noticed", name);
    }
    if (ending.answered() && !ending.complete() && !ending.parked) {
      const bool front_missing = ending.parts.rbegin()->first + 1 != static_cast<int>(ending.parts.size());
      if (front_missing) {
        Add(ending.withdrawn() && !ending.given_up_by_sender ? "part_after_withdrawal" : "part_after_refusal", name);
      } else if (!ending.given_up_by_sender) {
        Add("part_lost", name);
      }
    }
    if (ending.answered() || ending.noticed() || ending.parked || ending.withdrawn() || ending.given_up_by_sender)
      return;
    if (ending.given_up_by_worker) return Add("dead_letter_without_notice", name);
    Add("lost", name);
  }

  // I5 where nothing was lost by the store.
  void CheckHistory(const Ending& ending) {
    const std::string& name = ending.turn->name;
    const FakeStore::Turn* stored = world_.store.Find(ending.turn->turn_id);
    if (ending.first_reply >= 0 && !ending.withdrawn_before_said()) {
      if (stored == nullptr || !stored->appended || stored->text != ending.first_reply_text) {
        Add("history_not_first_reply", base::StrCat(name, ": said was ", ending.first_reply_text, ", stored ",
                                                    stored == nullptr ? "" : stored->text));
      }
    }
    if (!ending.complete() || ending.parked) return;
    const auto outcome = stored == nullptr ? mesh::session::v1::OUTCOME_UNSPECIFIED : stored->outcome;
    if (outcome == mesh::session::v1::OUTCOME_SENT || outcome == mesh::session::v1::OUTCOME_DELIVERED ||
        outcome == mesh::session::v1::OUTCOME_READ) {
      return;
    }
    Add("outcome_wrong", base::StrCat(name, " was shown, outcome is ", mesh::session::v1::Outcome_Name(outcome)));
  }

  // I3. A sender's own notice comes when it can: it stands behind what was in the log by then. Of a turn that was shown
  // twice in one way or another the first counts, for the rest is told above.
  void CheckOrder() {
    std::map<std::string, const TurnFact*> last;
    std::map<int, int> parts_seen;
    for (const Screen::Message& message : world_.screen.shown()) {
      const Ending& ending = endings_[static_cast<std::size_t>(message.turn)];
      if (message.notice && ending.given_up_by_sender) continue;
      if (ending.answered() && ending.noticed()) continue;
      if (ending.requeued) continue;  // stands where the operator's record does
      if (!message.notice && ending.parts.at(message.part).front() != &message) continue;
      if (message.notice && ending.notices.front() != &message) continue;
      const TurnFact*& previous = last[message.user];
      const bool turns_rise = previous == nullptr || previous->turns_offset <= ending.turn->turns_offset;
      const bool parts_rise = message.notice || message.part >= std::exchange(parts_seen[message.turn], message.part);
      if (!turns_rise || !parts_rise) Add(ending.parked ? "parked_and_sent" : "out_of_order", message.text);
      previous = ending.turn;
    }
  }

  const World& world_;
  const bool at_rest_;
  std::vector<Ending> endings_;
  std::vector<Violation> violations_;
};

}  // namespace

std::vector<Violation> Check(const World& world, bool at_rest) { return Checker(world, at_rest).Run(); }

std::span<const KnownFinding> KnownFindings() { return kKnown; }

bool IsKnown(const Violation& violation) {
  return std::any_of(std::begin(kKnown), std::end(kKnown),
                     [&](const KnownFinding& known) { return known.name == violation.name; });
}

}  // namespace sim
