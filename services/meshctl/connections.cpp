#include "services/meshctl/connections.h"

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/app/app.h"
#include "libs/identity/identity.h"

namespace meshctl {
namespace {

constexpr char kRunConfig[] = ".run/meshctl.yaml";

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void RegisterConnections(config::OptionTable& table, Connections* connections) {
  table.Add("gateway-url", &connections->gateway_url, {.doc = "Where the gateway listens."});
  table.Add("graph-url", &connections->graph_url, {.doc = "Where the fake Graph API listens."});
  table.Add("accounts", &connections->accounts, {.doc = "Accounts file, for ids and secrets."});
  table.Add("session-target", &connections->session_target,
            {.doc = "gRPC address of the session service.", .unit = "host:port"});
  bus::RegisterBusOptions(table, &connections->bus);
}

std::optional<int> ParseCommand(config::OptionTable& table, int argc, const char* const* argv) {
  std::vector<const char*> arguments(argv, argv + argc);
  bool names_config = std::getenv("MESH_CONFIG") != nullptr;
  for (const char* argument : arguments) names_config |= std::string_view(argument).substr(0, 8) == "--config";
  std::string config_flag;
  if (!names_config && std::filesystem::exists(kRunConfig)) {
    config_flag = absl::StrCat("--config=", kRunConfig);
    arguments.insert(arguments.begin() + 1, config_flag.c_str());
  }
  return app::ParseOptions(table, "meshctl", static_cast<int>(arguments.size()), arguments.data());
}

std::string WebhookUrl(std::string_view gateway_url, std::string_view channel) {
  return absl::StrCat(View(gateway_url.substr(0, gateway_url.find_last_not_of('/') + 1)), "/webhooks/", View(channel));
}

int Fail(std::string_view what, const absl::Status& status) {
  std::fprintf(stderr, "meshctl: %s: %s\n", std::string(what).c_str(), std::string(status.message()).c_str());
  return 1;
}

absl::StatusOr<account::Account> FindAccount(const Connections& connections, std::string_view channel,
                                             std::string_view account_id) {
  const std::optional<mesh::bus::v1::Channel> wanted = identity::ParseChannelName(channel);
  if (!wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("--channel=", View(channel), " is none of whatsapp, messenger, instagram"));
  }
  const absl::StatusOr<std::shared_ptr<const account::AccountBook>> book =
      account::AccountBook::Load(connections.accounts);
  if (!book.ok()) return book.status();
  std::vector<std::string> found;
  const account::Account* match = nullptr;
  for (const account::Account& account : (*book)->accounts()) {
    if (account.channel != *wanted || (!account_id.empty() && account.account_id != account_id)) continue;
    found.push_back(account.account_id);
    match = &account;
  }
  if (found.size() == 1) return *match;
  if (found.empty()) {
    return absl::NotFoundError(
        account_id.empty()
            ? absl::StrCat("no ", View(channel), " account in ", connections.accounts)
            : absl::StrCat("no ", View(channel), " account ", View(account_id), " in ", connections.accounts));
  }
  return absl::InvalidArgumentError(absl::StrCat("several ", View(channel), " accounts in ", connections.accounts,
                                                 "; choose one with --account=", absl::StrJoin(found, "|")));
}

absl::Status NoSuchAccount(const account::AccountBook& book, const std::string& path, std::string_view account_id) {
  std::vector<std::string> known;
  for (const account::Account& account : book.accounts()) {
    if (!identity::IsMetaChannel(account.channel)) continue;
    const std::string_view channel = identity::ChannelName(account.channel);
    known.push_back(absl::StrCat(account.account_id, " (", View(channel), ")"));
  }
  if (known.empty()) return absl::NotFoundError(absl::StrCat(path, " has no account of a Meta channel"));
  return absl::NotFoundError(absl::StrCat(path, " has no account ", View(account_id), " of a Meta channel; it has ",
                                          absl::StrJoin(known, ", ")));
}

base::MonotonicTime In(base::Duration duration) { return base::Clock::Real().Now() + duration; }

}  // namespace meshctl
