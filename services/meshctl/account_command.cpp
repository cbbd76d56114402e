#include <cstdio>
#include <string>
#include <vector>

#include "libs/identity/identity.h"
#include "libs/json/writer.h"
#include "services/meshctl/account_checks.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"

namespace meshctl {
namespace {

struct AccountOptions {
  Connections connections;
  std::string account;
  std::string waba;
  bool json = false;
};

std::string_view WordOf(Finding::Verdict verdict) {
  switch (verdict) {
    case Finding::Verdict::kGood:
      return "ok";
    case Finding::Verdict::kWarning:
      return "warning";
    case Finding::Verdict::kWrong:
      return "WRONG";
    case Finding::Verdict::kNotChecked:
      return "not checked";
  }
  return "";
}

void Print(const account::Account& account, const Finding& finding, bool as_json) {
  const std::string channel(identity::ChannelName(account.channel));
  if (as_json) {
    json::Writer json;
    json.BeginObject();
    json.Field("tenant", account.tenant);
    json.Field("channel", channel);
    json.Field("account", account.account_id);
    json.Field("check", finding.check);
    json.Field("verdict", WordOf(finding.verdict));
    json.Field("found", finding.found);
    json.Field("advice", finding.advice);
    json.EndObject();
    std::printf("%s\n", std::move(json).Take().c_str());
    return;
  }
  std::printf("  %-12s %-13s %s\n", std::string(WordOf(finding.verdict)).c_str(), finding.check.c_str(),
              finding.found.c_str());
  if (!finding.advice.empty()) std::printf("  %-12s %-13s   %s\n", "", "", finding.advice.c_str());
}

int Check(const AccountOptions& options) {
  const auto book = account::AccountBook::Load(options.connections.accounts);
  if (!book.ok()) return Fail("account check", book.status());
  telemetry::Registry metrics;
  const absl::StatusOr<std::unique_ptr<http::Client>> client = http::Client::Create({}, "meshctl", metrics);
  if (!client.ok()) return Fail("account check", client.status());
  const SendAndWait send = [&](http::ClientRequest request) { return (*client)->SendAndWait(std::move(request)); };
  int checked = 0, wrong = 0, warnings = 0;
  for (const account::Account& account : (*book)->accounts()) {
    if (!identity::IsMetaChannel(account.channel) ||
        (!options.account.empty() && account.account_id != options.account))
      continue;
    ++checked;
    if (!options.json) {
      std::printf("%s %s of %s\n", std::string(identity::ChannelName(account.channel)).c_str(),
                  account.account_id.c_str(), account.tenant.c_str());
    }
    for (const Finding& finding :
         CheckAccount(account, {.gateway_url = options.connections.gateway_url, .waba = options.waba}, send)) {
      Print(account, finding, options.json);
      wrong += finding.verdict == Finding::Verdict::kWrong;
      warnings += finding.verdict == Finding::Verdict::kWarning;
    }
  }
  if (checked == 0) {
    return Fail("account check", NoSuchAccount(**book, options.connections.accounts, options.account));
  }
  if (!options.json) std::printf("%d account(s), %d thing(s) wrong, %d warning(s)\n", checked, wrong, warnings);
  return wrong == 0 ? 0 : 1;
}

}  // namespace

int RunAccount(int argc, const char* const* argv) {
  AccountOptions options;
  std::vector<std::string> words;
  config::OptionTable table("meshctl account",
                            "Says what is wrong with a configured account; changes nothing. Warnings are "
                            "no failure.");
  table.AllowPositionals(
      &words, "check",
      "check: secrets, handshake, signature, token, permissions, expiry, number and subscription of each "
      "Meta account.");
  table.Add("account", &options.account, {.doc = "Only the account with this id."});
  table.Add("waba", &options.waba,
            {.doc = "WhatsApp Business Account whose webhook subscription is checked, in place of waba_id of the "
                    "accounts file."});
  table.Add("json", &options.json, {.doc = "One line of JSON for each check."});
  RegisterConnections(table, &options.connections);
  table.AddExample("meshctl account check", "every account of the file");
  table.AddExample("meshctl account check --account=106540352242922 --waba=102290129340398",
                   "one, with its subscription");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  if (words != std::vector<std::string>{"check"}) {
    std::fprintf(stderr, "meshctl: account knows only `check`; see meshctl account --help\n");
    return 2;
  }
  return Check(options);
}

}  // namespace meshctl
