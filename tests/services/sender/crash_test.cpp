// Sends through crashes, zombies and lost answers, in every order the seed finds (design.md, invariants I1 to I3).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <random>

#include "libs/base/hex.h"
#include "tests/services/sender/fake_world.h"

namespace sender {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;

std::uint64_t FirstSeed() {
  const char* seed = std::getenv("MESH_TEST_SEED");
  return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}
int Schedules(int usual) {
  const char* count = std::getenv("MESH_TEST_SCHEDULES");
  return count == nullptr ? usual : std::atoi(count);
}

// Goal: a crash between any two steps loses nothing and shows nothing twice, as long as statuses tell what arrived.
// Method: the same conversation again and again, killing the sender after one more event each time.
TEST(CrashTest, KillAfterEveryEventLosesNothingAndRepeatsNothing) {
  for (int events = 1; events < 400; ++events) {
    SCOPED_TRACE(testing::Message() << "killed after " << events << " events");
    World world(/*seed=*/static_cast<std::uint64_t>(events));
    Process& first = world.StartOwner();
    world.Say("ann", "t1", "one|two|three");
    world.Say("ann", "t2", "four");
    world.Say("bob", "t3", "five|six");
    world.RunEvents(events);
    world.Kill(first);
    world.StartOwner();
    ASSERT_TRUE(world.RunUntil([&] { return world.AllDone(); }));
    ASSERT_THAT(world.TextsOf("ann"), ElementsAre("one", "two", "three", "four"));
    ASSERT_THAT(world.TextsOf("bob"), ElementsAre("five", "six"));
  }
}

// Goal: whenever the sender dies, session learns what became of the reply and what its first record says.
// Method: as above; another record of the turn stands in the log too. The kill comes anywhere up to the commit.
TEST(CrashTest, KillAfterEveryEventLeavesNoReplyWithoutItsOutcome) {
  for (int events = 1; events < 250; ++events) {
    SCOPED_TRACE(testing::Message() << "killed after " << events << " events");
    World world(static_cast<std::uint64_t>(events));
    Process& first = world.StartOwner();
    world.Say("ann", "t1", "one|two");
    world.Say("ann", "t1", "other words");
    world.Say("ann", "t2", "three");
    world.RunEvents(events);
    world.Kill(first);
    world.StartOwner();
    ASSERT_TRUE(world.RunUntil([&] { return world.AllDone(); }));
    for (const char* turn : {"t1", "t2"}) {
      ASSERT_THAT(world.OutcomesOf(turn), testing::Contains(testing::AnyOf(mesh::session::v1::OUTCOME_SENT,
                                                                           mesh::session::v1::OUTCOME_DELIVERED)));
    }
    ASSERT_EQ(world.HistoryTextOf("t1"), "one|two");
    ASSERT_EQ(world.HistoryTextOf("t2"), "three");
  }
}

// As above without any status: the ledger knows all but what happened inside the POST, and says so by a doubt.
TEST(CrashTest, WithoutStatusesOnlyACountedResendCanRepeat) {
  for (int events = 1; events < 200; ++events) {
    SCOPED_TRACE(testing::Message() << "killed after " << events << " events");
    World world(static_cast<std::uint64_t>(events));
    world.statuses_flow = false;
    Process& first = world.StartOwner();
    world.Say("ann", "t1", "one|two");
    world.RunEvents(events);
    world.Kill(first);
    world.StartOwner();
    ASSERT_TRUE(world.RunUntil([&] { return world.AllDone(); }));
    const auto texts = world.TextsOf("ann");
    ASSERT_THAT(texts, testing::IsSupersetOf({"one", "two"}));
    ASSERT_LE(texts.size(), 2 + static_cast<std::size_t>(world.InDoubtCount("resend")));
  }
}

TEST(CrashTest, WithPolicyParkNothingIsEverShownTwice) {
  for (int events = 1; events < 200; ++events) {
    SCOPED_TRACE(testing::Message() << "killed after " << events << " events");
    World world(static_cast<std::uint64_t>(events));
    world.statuses_flow = false;
    world.account.in_doubt_policy = "park";
    Process& first = world.StartOwner();
    world.Say("ann", "t1", "one|two");
    world.RunEvents(events);
    Process& second = *(world.Kill(first), &world.StartOwner());
    // Its own life ends as well, somewhere between the doubt's end and the commit.
    world.RunFor(seconds(40));
    world.RunEvents(events);
    world.Kill(second);
    world.StartOwner();
    world.Say("ann", "t2", "three");
    ASSERT_TRUE(world.RunUntil([&] { return world.AllDone(); }));
    const auto texts = world.TextsOf("ann");
    // "one" may have been shown and be parked all the same; behind a parked part nothing of its turn is shown.
    ASSERT_THAT(texts,
                testing::AnyOf(ElementsAre("one", "two", "three"), ElementsAre("one", "three"), ElementsAre("three")));
    ASSERT_TRUE(texts.size() == 3 || !world.parked.empty()) << "neither shown nor parked";
  }
}

// One random life of a partition: several owners, some killed, some told that they lost it, some not told and going on
// as zombies; slow and failing appends; every behaviour of the Graph API.
class RandomLife {
 public:
  explicit RandomLife(std::uint64_t seed) : rng_(seed), world_(seed) {}

  void Run() {
    SetKnobs();
    std::vector<Process*> running = {&world_.StartOwner()};
    for (int step = 0; step < 60; ++step) {
      world_.RunFor(milliseconds(rng_() % (rng_() % 4 == 0 ? 20000 : 300)));
      switch (rng_() % 11) {
        case 10:
          TurnToken();
          break;
        case 8:
          world_.StallStatuses(seconds(rng_() % 180));
          break;
        case 9:
          if (rng_() % 3 == 0) world_.BreakBroker(seconds(rng_() % 120));
          break;
        case 0:
          HandOver(&running);
          break;
        case 1:
          Withdraw();
          break;
        default:
          Say();
          break;
      }
    }
    Heal();
    ASSERT_TRUE(world_.RunUntil([&] { return world_.NothingLeft(); }, std::chrono::hours(12)))
        << "records are left undone";
    world_.RunFor(minutes(2));
    Check();
  }

 private:
  void SetKnobs() {
    world_.append_failure_rate = static_cast<double>(rng_() % 3) * 0.05;
    world_.delay_max = milliseconds(5 + rng_() % 200);
    if (rng_() % 2 == 0) world_.options.sends_in_flight_max = 1;
    world_.client_delay_max = rng_() % 2 == 0 ? base::Duration(milliseconds(10)) : base::Duration(seconds(8));
    world_.account.turn_deadline_s = rng_() % 3 == 0 ? 5 : 100000;
    if (rng_() % 4 == 0) world_.account.in_doubt_policy = "park";
    world_.graph = [this](int) {
      if (healed_) return GraphBehaviour::kAccept;
      if (world_.account.access_token.Reveal() == dead_token_) return GraphBehaviour::kPark;
      switch (rng_() % 13) {
        case 12:
          return GraphBehaviour::kFail;
        case 0:
          return GraphBehaviour::kAcceptAndDrop;
        case 1:
          return GraphBehaviour::kDrop;
        case 2:
          return GraphBehaviour::kRefuse;
        case 3:
          return GraphBehaviour::kUnreachable;
        case 4:
          return rng_() % 4 == 0 ? GraphBehaviour::kPark : GraphBehaviour::kAccept;
        default:
          return GraphBehaviour::kAccept;
      }
    };
  }

  void Say() {
    const std::string turn = "t" + std::to_string(said_.size());
    const std::string user = "u" + std::to_string(rng_() % 3);
    std::string text = turn + ".0";
    for (std::uint64_t part = 1; part <= rng_() % 3; ++part) text += "|" + turn + "." + std::to_string(part);
    // A worker gives up and its re-run answers, or the other way round: the first record is what is said.
    const auto kind = rng_() % 4 == 0 ? mesh::bus::v1::REPLY_KIND_NOTICE : mesh::bus::v1::REPLY_KIND_ANSWER;
    mesh::bus::v1::Reply reply;
    reply.set_kind(kind);
    reply.set_text(text);
    if (rng_() % 3 == 0) MakeRich(reply);
    world_.Say(user, turn, std::move(reply));
    if (rng_() % 4 == 0) {
      const auto rerun = rng_() % 2 == 0 ? mesh::bus::v1::REPLY_KIND_NOTICE : mesh::bus::v1::REPLY_KIND_ANSWER;
      world_.Say(user, turn, "re-run of " + turn, 0, rerun);
    }
    said_.push_back(turn);
    users_[turn] = user;
  }

  // Its last part, which may be its only one, is a file or a question.
  void MakeRich(mesh::bus::v1::Reply& reply) {
    const std::string text = reply.text();
    const std::size_t cut = text.rfind('|');
    auto& part = *reply.add_rich_parts();
    const std::string last = cut == std::string::npos ? text : text.substr(cut + 1);
    rng_() % 2 == 0 ? part.mutable_media()->set_link(last) : part.mutable_choices()->set_text(last);
    reply.set_text(cut == std::string::npos ? "" : text.substr(0, cut));
    reply.set_history_text(text);
  }

  void Withdraw() {
    if (said_.empty()) return;
    const std::string& turn = said_.back();
    const bool stale_first = rng_() % 4 == 0;
    if (stale_first) world_.Say(users_[turn], turn, "re-run of " + turn, 0, mesh::bus::v1::REPLY_KIND_NOTICE);
    world_.Withdraw(users_[turn], turn);
    withdrawn_.insert(turn);
    // By a worker that does not know yet, under an operator's requeue.
    if (rng_() % 2 == 0) world_.Say(users_[turn], turn, "re-run of " + turn, /*generation=*/1);
  }

  // The token dies, or the dead one is renewed.
  void TurnToken() {
    const std::string token(world_.account.access_token.Reveal());
    if (token != dead_token_) {
      dead_token_ = token;
    } else {
      world_.account.access_token = crypto::Secret(token + "+");
    }
  }

  void HandOver(std::vector<Process*>* running) {
    Process* old = running->back();
    switch (rng_() % 4) {
      case 0:
        world_.Kill(*old);
        break;
      case 1:
        world_.Revoke(*old);
        break;
      case 2:
        break;  // a zombie: it learns of its loss from the ledger alone
      default: {
        world_.Revoke(*old);
        world_.RunFor(milliseconds(rng_() % 500));
        world_.Reassign(*old);  // and back again
        return;
      }
    }
    if (rng_() % 2 == 0) world_.RunFor(milliseconds(rng_() % 2000));
    running->push_back(&world_.StartOwner());
  }

  void Heal() {
    healed_ = true;
    world_.append_failure_rate = 0;
    world_.client_delay_max = milliseconds(10);
  }

  void Check() {
    ledger::LedgerState state(/*settled_detail_max=*/1 << 20);
    for (std::size_t offset = 0; offset < world_.ledger.size(); ++offset) {
      state.Apply(static_cast<std::int64_t>(offset), world_.ledger[offset].second);
    }
    std::map<std::string, int> copies;
    for (const auto& message : world_.shown) ++copies[message.reply_id_hex];
    int repeated = 0;
    for (const auto& [reply, count] : copies) repeated += count - 1;
    EXPECT_EQ(repeated, 0) << "statuses flow within the reconciliation time, so no resend can be a second copy";
    for (const auto& message : world_.shown) {
      EXPECT_EQ(message.text.find("re-run"), std::string::npos) << "the first record is what was said";
    }
    CheckOrder();
    for (const std::string& turn : said_) CheckEnd(turn, state);
    CheckHistory();
    if (testing::Test::HasFailure()) Tell();
  }

  // Within a conversation, turns and parts leave as they stand in `replies`.
  void CheckOrder() const {
    std::map<std::string, std::pair<int, int>> last;
    for (const auto& message : world_.shown) {
      if (message.text == world_.account.notice_text) continue;  // stands where its own record does
      const std::pair<int, int> place = PlaceOf(message.text);
      const auto found = last.find(message.user);
      EXPECT_TRUE(found == last.end() || found->second < place) << message.text << " out of order for " << message.user;
      last[message.user] = place;
    }
  }

  // Each turn ends in one way: shown whole, given up with a dead letter, parked after two doubts, or withdrawn.
  void CheckEnd(const std::string& turn, const ledger::LedgerState& state) const {
    if (withdrawn_.contains(turn)) return;
    const ledger::PlannedTurn* planned = state.Find({World::TurnId(turn), 0});
    ASSERT_NE(planned, nullptr) << turn << " was never planned";
    const auto shown = [&](const identity::ReplyId& id) {
      return std::any_of(world_.shown.begin(), world_.shown.end(),
                         [&](const World::Shown& message) { return message.reply_id_hex == base::ToHex(id.value()); });
    };
    bool failed = false;
    bool any_failed = false;
    bool only_files = true;  // and all of them refused
    bool parked = false;
    bool nothing_shown = true;
    for (const ledger::Part& part : planned->parts) {
      failed |= part.state == ledger::PartState::kFailed && !part.failed_alone;
      any_failed |= part.state == ledger::PartState::kFailed;
      only_files &= part.failed_alone;
      if (part.failed_alone) continue;
      parked |= part.state == ledger::PartState::kParked;
      EXPECT_EQ(shown(part.id), !failed && !parked)
          << turn << " of " << users_.at(turn) << (failed || parked ? ": shown after" : ": lost before")
          << " a part that failed or was parked";
      nothing_shown &= !shown(part.id);
    }
    EXPECT_EQ(parked, Parked(turn)) << turn << " in the ledger and in `parked`";
    const auto dead = DeadLetterOf(turn);
    EXPECT_EQ(any_failed && !parked, dead.has_value()) << turn;
    const identity::ReplyId notice =
        identity::MakeReplyId(identity::TurnId(World::TurnId(turn)), 0, mesh::bus::v1::REPLY_KIND_FALLBACK, 0);
    const ledger::PlannedTurn* planned_notice = state.FindReply(notice, nullptr);
    if (planned_notice != nullptr && (planned_notice->GivenUp() || planned_notice->Parked())) return;
    const bool may_be_told = dead == bus::DeadLetterReason::kDeadline || (dead.has_value() && only_files);
    const bool owed = may_be_told && nothing_shown && planned->kind == mesh::bus::v1::REPLY_KIND_ANSWER;
    EXPECT_EQ(shown(notice), owed) << "notice of " << turn;
  }

  std::optional<bus::DeadLetterReason> DeadLetterOf(const std::string& turn) const {
    for (const World::Dead& dead : world_.dead_letters) {
      mesh::bus::v1::ReplyRecord decoded;
      if (decoded.ParseFromString(dead.origin.value) && decoded.reply().turn_id() == World::TurnId(turn)) {
        return dead.reason;
      }
    }
    return std::nullopt;
  }

  // I5: session was told of every reply what became of it, and the words of its first record.
  void CheckHistory() const {
    for (const std::string& turn : said_) {
      if (Parked(turn)) continue;
      const auto outcomes = world_.OutcomesOf(turn);
      EXPECT_FALSE(outcomes.empty()) << "nobody knows what became of " << turn;
      const bool shown = std::any_of(world_.shown.begin(), world_.shown.end(),
                                     [&](const World::Shown& message) { return message.text.starts_with(turn + "."); });
      if (shown) {
        EXPECT_TRUE(world_.HistoryTextOf(turn).starts_with(turn + ".")) << turn << ": " << world_.HistoryTextOf(turn);
      } else {
        EXPECT_THAT(outcomes, testing::Contains(testing::AnyOf(mesh::session::v1::OUTCOME_SUPERSEDED,
                                                               mesh::session::v1::OUTCOME_FAILED)))
            << turn;
      }
    }
  }

  // What the screen and the ledger show, for whoever replays a failing seed.
  void Tell() const {
    for (const auto& message : world_.shown) {
      std::cerr << "shown to " << message.user << ": " << message.text << " as " << message.reply_id_hex.substr(0, 8)
                << "\n";
    }
    for (std::size_t offset = 0; offset < world_.ledger.size(); ++offset) {
      const mesh::bus::v1::LedgerRecord& record = world_.ledger[offset].second;
      std::cerr << offset << " ";
      if (record.has_plan())
        std::cerr << "plan " << record.plan().conversation().user() << " " << record.plan().ShortDebugString();
      if (record.has_claim())
        std::cerr << "claim " << base::ToHex(record.claim().reply_id()).substr(0, 8) << " term "
                  << record.claim().term();
      if (record.has_sent()) {
        std::cerr << "outcome " << record.sent().outcome() << " of "
                  << base::ToHex(record.sent().reply_id()).substr(0, 8) << " claim " << record.sent().claim_offset();
      }
      if (record.has_evidence()) std::cerr << "evidence " << base::ToHex(record.evidence().reply_id()).substr(0, 8);
      if (record.has_supersede()) std::cerr << "supersede " << base::ToHex(record.supersede().turn_id()).substr(0, 8);
      if (record.has_takeover()) std::cerr << "takeover " << record.takeover().owner();
      std::cerr << "\n";
    }
  }

  static std::pair<int, int> PlaceOf(const std::string& text) {  // "t12.1" -> (12, 1)
    const std::size_t dot = text.find('.');
    return {std::stoi(text.substr(1, dot - 1)), std::stoi(text.substr(dot + 1))};
  }

  bool Parked(const std::string& turn) const {  // in doubt for good
    return std::any_of(world_.parked.begin(), world_.parked.end(), [&](const bus::Record& record) {
      mesh::bus::v1::ReplyRecord decoded;
      return bus::FindHeader(record.headers, kParkReasonHeader) == ToString(ParkReason::kInDoubt) &&
             decoded.ParseFromString(record.value) && decoded.reply().turn_id() == World::TurnId(turn) &&
             !ledger::IsFallback(decoded.reply().kind());
    });
  }

  std::mt19937_64 rng_;
  World world_;
  bool healed_ = false;
  std::string dead_token_;
  std::vector<std::string> said_;
  std::map<std::string, std::string> users_;
  std::set<std::string> withdrawn_;
};

// Goal: I1, I2 and I3 hold through any mix of crashes, hand-overs, zombies, lost answers and broker trouble.
// Method: random lives from consecutive seeds; replay one with MESH_TEST_SEED=n MESH_TEST_SCHEDULES=1.
TEST(CrashTest, RandomLivesShowEveryReplyOnceAndInOrder) {
  const std::uint64_t first = FirstSeed();
  const int schedules = Schedules(150);
  for (int schedule = 0; schedule < schedules; ++schedule) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(schedule);
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomLife life(seed);
    life.Run();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace sender
