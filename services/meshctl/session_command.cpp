#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/hex.h"
#include "libs/bus/producer.h"
#include "libs/json/writer.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"
#include "services/meshctl/forget.h"
#include "services/meshctl/operator_record.h"
#include "services/meshctl/user_id.h"

namespace meshctl {
namespace {

struct SessionOptions {
  Connections connections;
  std::string channel = "whatsapp";
  std::string from;
  std::string account;
};

// A mistyped id names a conversation like any other; what is done to it is done in vain.
void NoteIfUnknown(bool is_known, const mesh::bus::v1::ConversationId& conversation) {
  if (is_known) return;
  std::fprintf(stderr, "note: session knows no conversation of %s with account %s; is --from right, and --account?\n",
               conversation.user().c_str(), conversation.account().c_str());
}

int Show(session::Client& client, const mesh::bus::v1::ConversationId& conversation) {
  mesh::session::v1::GetSessionRequest request;
  *request.mutable_conversation() = conversation;
  const auto stored = client.GetSession(request, {});
  if (!stored.ok()) return Fail("session show", stored.status());
  for (const mesh::session::v1::HistoryTurn& turn : stored->turns()) {
    json::Writer json;
    json.BeginObject();
    json.Field("turn_id", base::ToHex(turn.turn_id()));
    json.Field("accepted_at_ms", turn.accepted_at_ms());
    json.Field("user", turn.user_text());
    json.Field("reply", turn.reply_text());
    json.Field("outcome", mesh::session::v1::Outcome_Name(turn.outcome()));
    json.Field("tokens", turn.user_tokens() + turn.reply_tokens());
    json.EndObject();
    std::printf("%s\n", std::move(json).Take().c_str());
  }
  NoteIfUnknown(IsKnown(*stored), conversation);
  std::fprintf(stderr, "%d turns%s%s\n", stored->turns_size(), stored->paused() ? ", paused: a person answers" : "",
               stored->opted_out() ? ", opted out: nothing is said" : "");
  return 0;
}

struct ControlWord {
  std::string_view word;
  mesh::bus::v1::ControlAction action;
};
constexpr ControlWord kControlWords[] = {{"pause", mesh::bus::v1::CONTROL_ACTION_PAUSE},
                                         {"resume", mesh::bus::v1::CONTROL_ACTION_RESUME},
                                         {"opt-out", mesh::bus::v1::CONTROL_ACTION_OPT_OUT},
                                         {"opt-in", mesh::bus::v1::CONTROL_ACTION_OPT_IN}};

mesh::bus::v1::ControlAction FindControl(std::string_view word) {
  for (const ControlWord& known : kControlWords) {
    if (known.word == word) return known.action;
  }
  return mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED;
}

// To the log alone: the worker applies it, behind what the user has said before. It holds also while session is away,
// and for a user who has not written yet.
int Control(const Connections& connections, session::Client& client, const mesh::bus::v1::ConversationId& conversation,
            mesh::bus::v1::ControlAction action) {
  telemetry::Registry metrics;
  const auto producer = bus::Producer::Create(connections.bus, {}, "meshctl", metrics);
  if (!producer.ok()) return Fail("session", producer.status());
  mesh::session::v1::GetSessionRequest stored;
  *stored.mutable_conversation() = conversation;
  if (const auto history = client.GetSession(stored, {}); history.ok()) NoteIfUnknown(IsKnown(*history), conversation);
  const absl::StatusOr<bus::RecordPosition> written =
      (*producer)->ProduceAndWait(ControlRecord(conversation, action, connections.bus, base::Clock::Real().WallMs()));
  if (!written.ok()) return Fail("session: nothing is changed", written.status());
  std::printf("noted at turns %d/%lld; it holds for what is answered from now on\n", written->partition,
              static_cast<long long>(written->offset));
  return 0;
}

int Forget(const Connections& connections, session::Client& client, const mesh::bus::v1::ConversationId& conversation) {
  telemetry::Registry metrics;
  const auto producer = bus::Producer::Create(connections.bus, {}, "meshctl", metrics);
  if (!producer.ok()) return Fail("session forget", producer.status());
  const absl::StatusOr<Forgotten> forgotten =
      ForgetConversation(**producer, client, conversation, connections.bus, base::Clock::Real().WallMs());
  if (!forgotten.ok()) return Fail("session forget", forgotten.status());
  NoteIfUnknown(forgotten->was_known, conversation);
  std::printf("forgot %lld turns; %s\n", static_cast<long long>(forgotten->turns_count),
              forgotten->leaves_files_to_their_age
                  ? "what was stored is damaged, so all their files go by age (--media-keep-hours)"
                  : "a worker deletes their files; those of turns that the history had dropped before go by age "
                    "(--media-keep-hours)");
  return 0;
}

}  // namespace

int RunSession(int argc, const char* const* argv) {
  // It has options of its own, and so a --help of its own.
  if (argc > 1 && std::string_view(argv[1]) == "rebuild") return RunSessionRebuild(argc - 1, argv + 1);
  SessionOptions options;
  std::vector<std::string> words;
  config::OptionTable table("meshctl session",
                            "Shows or deletes the stored conversation of one user, or says who answers it.");
  table.Add("channel", &options.channel,
            {.doc = "The user's channel.", .choices = {"whatsapp", "messenger", "instagram"}});
  table.Add("from", &options.from,
            {.doc = "The user's id; on WhatsApp the number with its country code, or a business-scoped id."});
  table.Add("account", &options.account, {.doc = "Which account, when the channel has several."});
  table.AllowPositionals(
      &words, "show | forget | pause | resume | opt-out | opt-in | rebuild",
      "What to do. Forgetting is final; it ends a pause and leaves an opt-out. While a conversation is "
      "paused a person answers it, and the mesh is silent until resume; after an opt-out until opt-in. "
      "Of rebuild, see meshctl session rebuild --help.");
  RegisterConnections(table, &options.connections);
  table.AddExample("meshctl session show --channel=whatsapp --from=15551234567", "one JSON line a turn, oldest first");
  table.AddExample("meshctl session forget --channel=whatsapp --from=15551234567",
                   "deletes what was said so far, for good");
  table.AddExample("meshctl session pause --channel=messenger --from=1254459154682919",
                   "a person takes over, until meshctl session resume");
  table.AddExample("meshctl session rebuild --from=beginning", "all conversations, after Redis was lost");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  const mesh::bus::v1::ControlAction control =
      words.size() == 1 ? FindControl(words[0]) : mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED;
  const bool is_control = control != mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED;
  const bool known = words.size() == 1 && (is_control || words[0] == "show" || words[0] == "forget");
  if (!known || options.from.empty()) {
    std::fprintf(stderr,
                 "meshctl: session show|forget|pause|resume|opt-out|opt-in needs --from; see meshctl session --help\n");
    return 2;
  }
  const absl::StatusOr<account::Account> account = FindAccount(options.connections, options.channel, options.account);
  if (!account.ok()) return Fail("session", account.status());
  const absl::StatusOr<std::string> user = UserFrom(account->channel, options.from);
  if (!user.ok()) return Fail("session", user.status());
  mesh::bus::v1::ConversationId conversation;
  conversation.set_tenant(account->tenant);
  conversation.set_channel(account->channel);
  conversation.set_account(account->account_id);
  conversation.set_user(*user);
  const std::unique_ptr<session::Client> client = session::Client::Create(options.connections.session_target);
  if (is_control) return Control(options.connections, *client, conversation, control);
  return words[0] == "show" ? Show(*client, conversation) : Forget(options.connections, *client, conversation);
}

}  // namespace meshctl
