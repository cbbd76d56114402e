#include "libs/account/internal/account_reader.h"

#include <sys/stat.h>

#include <map>
#include <string_view>
#include <utility>

#include "absl/strings/str_join.h"
#include "libs/account/internal/field_reader.h"
#include "libs/base/str_cat.h"
#include "libs/config/host_name.h"
#include "libs/config/yaml.h"
#include "libs/identity/identity.h"
#include "libs/unicode/plain_words.h"

namespace account::internal {
namespace {

using config::YamlNode;

// Names go into record keys, log lines and metrics of operators; nothing in them may need quoting there.
constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
constexpr std::size_t kSystemPromptBytesMax = 16 * 1024;
constexpr std::size_t kWordsMax = 64;
constexpr std::size_t kWordBytesMax = 64;
constexpr std::size_t kCallingCodesMax = 300;  // there are about 250
constexpr std::size_t kCallingCodeDigitsMax = 7;
constexpr std::size_t kAnswerTextBytesMax = 1000;  // the least that a channel takes in one message (Instagram)

bool IsGraphVersion(std::string_view text) {
  const std::size_t dot = text.find('.');
  constexpr std::string_view kDigits = "0123456789";
  return text.starts_with('v') && dot != std::string_view::npos && dot > 1 && dot + 1 < text.size() &&
         text.substr(1, dot - 1).find_first_not_of(kDigits) == std::string_view::npos &&
         text.substr(dot + 1).find_first_not_of(kDigits) == std::string_view::npos;
}

void ReadGraph(FieldReader& fields, Account& account) {
  constexpr std::string_view kFacebookUrl = "https://graph.facebook.com", kInstagramUrl = "https://graph.instagram.com";
  fields.Text("login", &account.login, {.choices = {"instagram", "facebook"}});
  if (account.login == "instagram") account.graph_base_url = std::string(kInstagramUrl);
  fields.Text("graph_base_url", &account.graph_base_url, {.required = true, .bytes_max = 1024});
  if (account.login == "instagram" && account.channel != mesh::bus::v1::CHANNEL_INSTAGRAM) {
    fields.Mistake("login", "instagram belongs to channel instagram");
  }
  // Neither host knows the other's tokens.
  if ((account.login == "instagram" && account.graph_base_url == kFacebookUrl) ||
      (account.login == "facebook" && account.graph_base_url == kInstagramUrl)) {
    fields.Mistake("graph_base_url", base::StrCat("is not that of login ", account.login));
  }
  // Access tokens leave in clear over http; only an account made for development may do that.
  const bool is_allowed = account.graph_base_url.starts_with("https://") ||
                          (account.development && account.graph_base_url.starts_with("http://"));
  if (!is_allowed) fields.Mistake("graph_base_url", "must begin with https:// (http:// is for development accounts)");
  if (account.graph_base_url.ends_with('/')) fields.Mistake("graph_base_url", "must not end with /");
  fields.Text("graph_version", &account.graph_version, {.required = true});
  if (!IsGraphVersion(account.graph_version)) fields.Mistake("graph_version", "must look like v25.0");
  fields.Text("app_id", &account.app_id, {.bytes_max = 64, .characters = kNameCharacters});
  fields.Bool("subscription_repair", &account.subscription_repair);
}

std::int64_t WrittenAt(const std::string& file) {
  struct stat info = {};
  return stat(file.c_str(), &info) == 0 ? info.st_mtim.tv_sec : 0;
}

void ReadSecrets(FieldReader& fields, Account& account, std::vector<std::string>& files) {
  const bool required = identity::IsMetaChannel(account.channel);
  std::vector<crypto::Secret> verify_token;
  std::vector<crypto::Secret> access_token;
  fields.Secrets("app_secret_file", required, /*count_max=*/2, &account.app_secrets, &files);
  fields.Secrets("verify_token_file", required, /*count_max=*/1, &verify_token, &files);
  fields.Secrets("access_token_file", required, /*count_max=*/1, &access_token, &files);
  if (!verify_token.empty()) account.verify_token = std::move(verify_token.front());
  if (!access_token.empty()) {
    account.access_token = std::move(access_token.front());
    account.access_token_written_s = WrittenAt(files.back());
  }
}

bool IsCallingCode(std::string_view text) {
  return text.size() <= kCallingCodeDigitsMax && text.front() != '0' &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Who answers. A word in two lists would ask for two things at once.
void ReadControl(FieldReader& fields, Account& account) {
  std::map<std::string, std::string_view> lists;  // word -> where it stands
  for (const auto& [key, words] :
       {std::pair("handoff_words", &account.handoff_words), std::pair("return_words", &account.return_words),
        std::pair("opt_out_words", &account.opt_out_words), std::pair("opt_in_words", &account.opt_in_words)}) {
    fields.Texts(key, words, kWordsMax, kWordBytesMax);
    for (std::string& word : *words) {
      std::string plain = unicode::PlainWords(word);
      const auto [first, is_new] = lists.try_emplace(plain, key);
      if (plain.empty()) fields.Mistake(key, base::StrCat("\"", word, "\" has neither letter nor digit"));
      if (!is_new && first->second != key) {
        fields.Mistake(key, base::StrCat("\"", word, "\" stands in ", first->second, " already"));
      }
      word = std::move(plain);
    }
  }
  if (!account.opt_out_words.empty() && account.opt_in_words.empty()) {
    fields.Mistake("opt_in_words", "must not be empty: who opts out by a word must have one to come back");
  }
  for (const auto& [key, text] :
       {std::pair("handoff_text", &account.handoff_text), std::pair("return_text", &account.return_text),
        std::pair("opt_out_text", &account.opt_out_text), std::pair("opt_in_text", &account.opt_in_text),
        std::pair("disclosure_text", &account.disclosure_text),
        std::pair("country_off_text", &account.country_off_text)}) {
    fields.Text(key, text, {.bytes_max = kAnswerTextBytesMax});
  }
  fields.Int("disclosure_gap_h", &account.disclosure_gap_h, 1, 8760);
  fields.Texts("country_prefixes_off", &account.country_prefixes_off, kCallingCodesMax, /*bytes_max=*/16);
  for (const std::string& prefix : account.country_prefixes_off) {
    if (!IsCallingCode(prefix)) {
      fields.Mistake("country_prefixes_off", base::StrCat("\"", prefix, "\" must be 1 to ", kCallingCodeDigitsMax,
                                                          " digits of a number, from its country code on, without +"));
    }
  }
  if (!account.country_prefixes_off.empty() && account.channel != mesh::bus::v1::CHANNEL_WHATSAPP) {
    fields.Mistake("country_prefixes_off", "is for WhatsApp alone: no other channel tells its users' countries");
  }
}

void ReadOutbound(FieldReader& fields, Account& account) {
  fields.Bool("rich_answers", &account.rich_answers);
  fields.Texts("rich_link_hosts", &account.rich_link_hosts, /*count_max=*/32, /*bytes_max=*/253);
  for (const std::string& host : account.rich_link_hosts) {
    if (config::IsHostName(host)) continue;
    fields.Mistake("rich_link_hosts", base::StrCat("\"", host, "\" must be a host's whole name in lower case, such as ",
                                                   "cdn.acme.example: no wildcard, address, scheme or port"));
  }
  fields.Int("window_h", &account.window_h, 0, 168);
  fields.Map("reengage_template", [&account](FieldReader& wanted) {
    wanted.Text("name", &account.reengage_template_name,
                {.required = true, .bytes_max = 512, .characters = kNameCharacters});
    wanted.Text("language", &account.reengage_template_language,
                {.required = true, .bytes_max = 16, .characters = kNameCharacters});
  });
  if (!account.reengage_template_name.empty() && account.channel != mesh::bus::v1::CHANNEL_WHATSAPP) {
    fields.Mistake("reengage_template", "is for whatsapp");
  }
}

// `web` and `api` have their names in records. Until a gateway serves them nothing would come, and nobody could read a
// reply.
void ReadChannel(FieldReader& fields, Account& account) {
  std::string name;
  fields.Text("channel", &name, {.required = true});
  account.channel = identity::ParseChannelName(name).value_or(mesh::bus::v1::CHANNEL_UNSPECIFIED);
  if (name.empty() || identity::IsMetaChannel(account.channel)) return;
  const bool is_known = account.channel != mesh::bus::v1::CHANNEL_UNSPECIFIED;
  fields.Mistake("channel", base::StrCat("\"", name, "\" ", is_known ? "has no gateway yet; it " : "",
                                         "must be whatsapp | messenger | instagram"));
}

Account ReadAccount(FieldReader& fields, std::vector<std::string>& files) {
  Account account;
  fields.Text("tenant", &account.tenant, {.required = true, .bytes_max = 64, .characters = kNameCharacters});
  ReadChannel(fields, account);
  fields.Text("account_id", &account.account_id, {.required = true, .characters = kNameCharacters});
  fields.Text("waba_id", &account.waba_id, {.characters = kNameCharacters});
  if (!account.waba_id.empty() && account.channel != mesh::bus::v1::CHANNEL_WHATSAPP) {
    fields.Mistake("waba_id", "belongs to channel whatsapp");
  }
  fields.Text("display_name", &account.display_name, {});
  fields.Bool("development", &account.development);

  ReadSecrets(fields, account, files);
  ReadGraph(fields, account);
  fields.Text("system_prompt", &account.system_prompt, {.bytes_max = kSystemPromptBytesMax});

  fields.Int("turn_deadline_s", &account.turn_deadline_s, 1, 86'400);
  fields.Text("notice_text", &account.notice_text, {.required = true, .bytes_max = kAnswerTextBytesMax});
  fields.Text("busy_text", &account.busy_text, {.required = true, .bytes_max = kAnswerTextBytesMax});
  fields.Text("too_long_text", &account.too_long_text, {.required = true, .bytes_max = kAnswerTextBytesMax});
  fields.Text("in_doubt_policy", &account.in_doubt_policy, {.choices = {"resend", "park"}});
  fields.Text("queue_mode", &account.queue_mode, {.choices = {"followup", "interrupt", "collect"}});
  fields.Int("debounce_ms", &account.debounce_ms, 1, 60'000);
  fields.Text("presence", &account.presence, {.choices = {"off", "read", "typing"}});
  fields.Text("overflow_text", &account.overflow_text, {.bytes_max = kAnswerTextBytesMax});
  fields.Text("unsupported_text", &account.unsupported_text, {.bytes_max = kAnswerTextBytesMax});
  fields.Text("unreadable_text", &account.unreadable_text, {.bytes_max = kAnswerTextBytesMax});
  ReadControl(fields, account);

  ReadOutbound(fields, account);

  fields.Int("answer_tokens_max", &account.answer_tokens_max, 1, 32'768);
  fields.Int("history_tokens_max", &account.history_tokens_max, 0, 1'000'000);
  fields.Number("temperature", &account.temperature, 0, 2);
  fields.Number("top_p", &account.top_p, 0.01, 1);
  fields.Int("top_k", &account.top_k, 0, 100'000);
  fields.Number("repetition_penalty", &account.repetition_penalty, 0.5, 2);

  fields.Number("sends_per_second_max", &account.sends_per_second_max, 0.001, 100'000);
  fields.Number("user_sends_per_second_max", &account.user_sends_per_second_max, 0.001, 100'000);
  fields.Int("user_burst_max", &account.user_burst_max, 1, 100'000);
  fields.RefuseUnknownKeys();
  return account;
}

std::vector<Account> ReadList(const YamlNode& list, const std::string& folder, Mistakes& mistakes,
                              std::vector<std::string>& files) {
  std::vector<Account> accounts;
  std::map<std::pair<int, std::string>, int> lines;  // (channel, account id) -> line of the first
  for (const YamlNode& node : list.items) {
    if (node.kind != YamlNode::Kind::kMap) {
      mistakes.Add(node.line, "an account must be a map");
      continue;
    }
    FieldReader fields(node, folder, mistakes);
    Account account = ReadAccount(fields, files);
    const auto [first, is_new] = lines.try_emplace({account.channel, account.account_id}, node.line);
    if (!is_new && !account.account_id.empty()) {
      mistakes.Add(node.line, base::StrCat(identity::ChannelName(account.channel), " account ", account.account_id,
                                           " stands at line ", first->second, " already"));
    }
    accounts.push_back(std::move(account));
  }
  return accounts;
}

}  // namespace

ReadResult ReadAccounts(const std::string& path) {
  ReadResult result;
  result.files.push_back(path);
  absl::StatusOr<YamlNode> root = config::ParseYamlFile(path);
  if (!root.ok()) {
    result.status = root.status();
    return result;
  }
  Mistakes mistakes(path);
  std::vector<Account> accounts;
  const YamlNode* const list = root->Find("accounts");
  if (list == nullptr || (list->kind != YamlNode::Kind::kList && list->kind != YamlNode::Kind::kNull)) {
    mistakes.Add(list != nullptr ? list->line : 1, "must hold a list named accounts; see docs/accounts.md");
  } else {
    const std::string folder = path.substr(0, path.rfind('/') + 1);  // "" or with its slash
    accounts = ReadList(*list, folder, mistakes, result.files);
  }
  for (const auto& [key, node] : root->fields) {
    if (key != "accounts") mistakes.Add(node.line, base::StrCat("unknown key ", key, "; did you mean accounts?"));
  }
  if (mistakes.list().empty()) {
    result.book = std::make_shared<const AccountBook>(std::move(accounts));
  } else {
    result.status = absl::InvalidArgumentError(absl::StrJoin(mistakes.list(), "\n"));
  }
  return result;
}

}  // namespace account::internal
