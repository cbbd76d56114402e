#include "libs/account/account_book.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "tests/libs/account/account_folder.h"

namespace account {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr auto kWhatsApp = mesh::bus::v1::CHANNEL_WHATSAPP;

class AccountBookTest : public AccountFolderTest {
 protected:
  std::string MistakesOf(const std::string& yaml) {
    const auto book = AccountBook::Load(Write("accounts.yaml", yaml));
    if (book.ok()) return "no mistakes";
    EXPECT_EQ(book.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(book.status().message());
  }
  std::string Line(int line) const { return Path("accounts.yaml") + ":" + std::to_string(line) + ": "; }
};

TEST_F(AccountBookTest, FindsAccountsByChannelAndId) {
  const auto book =
      AccountBook::Load(Write("accounts.yaml", "accounts:\n" + WhatsApp("2", "display_name: Second") + WhatsApp("1") +
                                                   "  - tenant: other\n    channel: messenger\n    account_id: \"1\"\n"
                                                   "    app_secret_file: secrets/app\n"
                                                   "    verify_token_file: secrets/verify\n"
                                                   "    access_token_file: secrets/access\n"));
  ASSERT_TRUE(book.ok()) << book.status();
  EXPECT_EQ((*book)->accounts().size(), 3u);
  EXPECT_EQ((*book)->accounts()[0].account_id, "2");  // file order
  ASSERT_NE((*book)->Find(kWhatsApp, "2"), nullptr);
  EXPECT_EQ((*book)->Find(kWhatsApp, "2")->display_name, "Second");
  EXPECT_EQ((*book)->Find(kWhatsApp, "1")->tenant, "acme");
  EXPECT_EQ((*book)->Find(mesh::bus::v1::CHANNEL_MESSENGER, "1")->tenant, "other");
  EXPECT_EQ((*book)->Find(mesh::bus::v1::CHANNEL_INSTAGRAM, "1"), nullptr);
  EXPECT_EQ((*book)->Find(kWhatsApp, "3"), nullptr);
  EXPECT_EQ((*book)->Find(kWhatsApp, ""), nullptr);
}

TEST_F(AccountBookTest, FindsTheAccountOfAConversationForItsOwnTenantAlone) {
  const auto book = AccountBook::Load(Write("accounts.yaml", "accounts:\n" + WhatsApp("1")));
  ASSERT_TRUE(book.ok()) << book.status();
  mesh::bus::v1::ConversationId conversation;
  conversation.set_tenant("acme");
  conversation.set_channel(kWhatsApp);
  conversation.set_account("1");
  conversation.set_user("ann");
  EXPECT_EQ((*book)->FindFor(conversation), &(*book)->accounts()[0]);
  conversation.set_tenant("other");
  EXPECT_EQ((*book)->FindFor(conversation), nullptr) << "its number was the other's once";
  conversation.set_tenant("acme");
  conversation.set_account("2");
  EXPECT_EQ((*book)->FindFor(conversation), nullptr);
}

TEST_F(AccountBookTest, ReadsSecretsFromFilesBesideIt) {
  const std::string absolute = Write("elsewhere", "absolute-secret");
  const auto book = AccountBook::Load(
      Write("accounts.yaml",
            "accounts:\n  - tenant: acme\n    channel: messenger\n    account_id: \"7\"\n    app_secret_file: "
            "[secrets/app, " +
                absolute + "]\n    verify_token_file: secrets/verify\n    access_token_file: secrets/access\n"));
  ASSERT_TRUE(book.ok()) << book.status();
  const Account& account = (*book)->accounts()[0];
  ASSERT_EQ(account.app_secrets.size(), 2u);
  EXPECT_EQ(account.app_secrets[0].Reveal(), "app-secret");
  EXPECT_EQ(account.app_secrets[1].Reveal(), "absolute-secret");
  EXPECT_EQ(account.verify_token.Reveal(), "verify-secret");
  EXPECT_EQ(account.access_token.Reveal(), "access-secret");
}

TEST_F(AccountBookTest, ATokenIsAsOldAsItsFile) {
  const std::string file = Write("secrets/access", "access-secret\n");
  const timespec written[] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), written, 0), 0);
  const auto book = AccountBook::Load(Write("accounts.yaml", "accounts:\n" + WhatsApp("1")));
  ASSERT_TRUE(book.ok()) << book.status();
  EXPECT_EQ((*book)->accounts()[0].access_token_written_s, 1'700'000'000);
}

TEST_F(AccountBookTest, KeepsDefaultsForWhatIsAbsent) {
  const auto book = AccountBook::Load(Write("accounts.yaml", "accounts:\n" + WhatsApp("1")));
  ASSERT_TRUE(book.ok()) << book.status();
  const Account& account = (*book)->accounts()[0];
  EXPECT_EQ(account.graph_base_url, "https://graph.facebook.com");
  EXPECT_EQ(account.turn_deadline_s, 120);
  EXPECT_FALSE(account.development);
  EXPECT_EQ(account.in_doubt_policy, "resend");
  EXPECT_EQ(account.queue_mode, "followup");
  EXPECT_EQ(account.debounce_ms, 1500);
  EXPECT_EQ(account.presence, "typing");
  EXPECT_TRUE(account.overflow_text.empty());
  EXPECT_FALSE(account.unreadable_text.empty()) << "a user who waits for an answer in vain is worse off";
  EXPECT_TRUE(account.waba_id.empty());
  EXPECT_TRUE(account.subscription_repair) << "a page that Meta switched off must not stay off";
}

TEST_F(AccountBookTest, ATextWithoutAValueIsSilence) {
  const auto book = AccountBook::Load(Write("accounts.yaml", "accounts:\n" + WhatsApp("1", "unreadable_text:") +
                                                                 WhatsApp("2", "unreadable_text: Write, please.")));
  ASSERT_TRUE(book.ok()) << book.status();
  EXPECT_EQ((*book)->Find(kWhatsApp, "1")->unreadable_text, "");
  EXPECT_EQ((*book)->Find(kWhatsApp, "2")->unreadable_text, "Write, please.");
}

TEST_F(AccountBookTest, FindsTheNumbersOfABusinessAccount) {
  const auto book = AccountBook::Load(Write(
      "accounts.yaml", "accounts:\n" + WhatsApp("2", "waba_id: \"900\"") + WhatsApp("1", "subscription_repair: false") +
                           WhatsApp("3", "waba_id: \"900\"") + WhatsApp("4", "waba_id: \"90\"")));
  ASSERT_TRUE(book.ok()) << book.status();
  const std::vector<const Account*> numbers = (*book)->FindByWaba("900");
  ASSERT_EQ(numbers.size(), 2u);
  EXPECT_EQ(numbers[0]->account_id, "2");
  EXPECT_EQ(numbers[1]->account_id, "3");
  EXPECT_TRUE((*book)->FindByWaba("").empty()) << "a number that names none belongs to none";
  EXPECT_TRUE((*book)->FindByWaba("901").empty());
  EXPECT_FALSE((*book)->Find(kWhatsApp, "1")->subscription_repair);
}

TEST_F(AccountBookTest, OnlyWhatsAppHasABusinessAccount) {
  EXPECT_THAT(MistakesOf("accounts:\n  - {tenant: t, channel: messenger, account_id: w, waba_id: \"900\"}\n"),
              HasSubstr("waba_id: belongs to channel whatsapp"));
}

TEST_F(AccountBookTest, WordsAreKeptAsTheyAreCompared) {
  const auto book = AccountBook::Load(
      Write("accounts.yaml", "accounts:\n" + WhatsApp("1",
                                                      "handoff_words: [Human, \" Talk to  a PERSON! \"]\n"
                                                      "    return_words: Bot\n"
                                                      "    opt_out_words: [СТОП, stop]\n"
                                                      "    country_prefixes_off: [39, \"55\"]")));
  ASSERT_TRUE(book.ok()) << book.status();
  const Account& account = (*book)->accounts()[0];
  EXPECT_THAT(account.handoff_words, testing::ElementsAre("human", "talk to a person"));
  EXPECT_THAT(account.return_words, testing::ElementsAre("bot")) << "one word needs no list";
  EXPECT_THAT(account.opt_out_words, testing::ElementsAre("стоп", "stop"));
  EXPECT_THAT(account.opt_in_words, testing::ElementsAre("start")) << "the default";
  EXPECT_THAT(account.country_prefixes_off, testing::ElementsAre("39", "55"));
}

TEST_F(AccountBookTest, AnEmptyListTurnsWordsOff) {
  const auto book = AccountBook::Load(
      Write("accounts.yaml", "accounts:\n" + WhatsApp("1", "opt_out_words:\n    opt_in_words: []\n    opt_out_text:")));
  ASSERT_TRUE(book.ok()) << book.status();
  EXPECT_TRUE((*book)->accounts()[0].opt_out_words.empty());
  EXPECT_TRUE((*book)->accounts()[0].opt_in_words.empty());
  EXPECT_TRUE((*book)->accounts()[0].opt_out_text.empty());
}

TEST_F(AccountBookTest, ListsTheMistakesOfWhoAnswers) {
  EXPECT_THAT(
      MistakesOf("accounts:\n"
                 "  - tenant: t\n"
                 "    channel: messenger\n"
                 "    account_id: \"1\"\n"
                 "    handoff_words: [\"???\", Stop]\n"
                 "    return_words: {a: b}\n"
                 "    opt_in_words: []\n"
                 "    handoff_text: [a]\n"
                 "    disclosure_gap_h: 0\n"
                 "    country_prefixes_off: [+39, 039, 12345678]\n"),
      AllOf(HasSubstr(Line(5) + "handoff_words: \"???\" has neither letter nor digit"),
            HasSubstr(Line(2) + "opt_out_words: \"stop\" stands in handoff_words already"),
            HasSubstr(Line(6) + "return_words: must be a list"), HasSubstr(Line(7) + "opt_in_words: must not be empty"),
            HasSubstr(Line(8) + "handoff_text: must be one value"),
            HasSubstr(Line(9) + "disclosure_gap_h: \"0\" must be a whole number, 1 to 8760"),
            HasSubstr(Line(10) + "country_prefixes_off: \"+39\" must be 1 to 7 digits"), HasSubstr("\"039\" must be"),
            HasSubstr("\"12345678\" must be"), HasSubstr(Line(10) + "country_prefixes_off: is for WhatsApp alone")));
  EXPECT_THAT(MistakesOf("accounts:\n" + WhatsApp("1", "handoff_words: [" + std::string(65, 'x') + "]")),
              HasSubstr("handoff_words: each entry must be a text of 1 to 64 bytes"));
  std::string many = "handoff_words: [";
  for (int i = 0; i < 65; ++i) many += "w" + std::to_string(i) + ", ";
  EXPECT_THAT(MistakesOf("accounts:\n" + WhatsApp("1", many + "z]")),
              HasSubstr("handoff_words: has more than 64 entries"));
}

TEST_F(AccountBookTest, ReadsWhatAnAnswerMaySend) {
  const auto book = AccountBook::Load(
      Write("accounts.yaml", "accounts:\n" +
                                 WhatsApp("1",
                                          "rich_answers: true\n    rich_link_hosts: [a.example, b.example]\n"
                                          "    window_h: 0\n"
                                          "    reengage_template: {name: come_back, language: en_US}") +
                                 WhatsApp("2", "rich_link_hosts: a.example")));
  ASSERT_TRUE(book.ok()) << book.status();
  const Account& account = (*book)->accounts()[0];
  EXPECT_TRUE(account.rich_answers);
  EXPECT_EQ(account.rich_link_hosts, (std::vector<std::string>{"a.example", "b.example"}));
  EXPECT_EQ(account.window_h, 0);
  EXPECT_EQ(account.reengage_template_name, "come_back");
  EXPECT_EQ(account.reengage_template_language, "en_US");
  const Account& other = (*book)->accounts()[1];
  EXPECT_FALSE(other.rich_answers);
  EXPECT_EQ(other.rich_link_hosts, std::vector<std::string>{"a.example"});
  EXPECT_EQ(other.window_h, 24);
}

TEST_F(AccountBookTest, RefusesWhatAnAnswerCannotSend) {
  const auto mistakes = [this](const std::string& field) { return MistakesOf("accounts:\n" + WhatsApp("1", field)); };
  // Each would never be the host of a link, so that its files stayed text without a word.
  for (const char* host : {"A.example", "https://a.example", ".acme.example", "*.acme.example", "a..b", "10.0.0.1",
                           "a.example:443", "a.example.", "localhost"}) {
    EXPECT_THAT(mistakes("rich_link_hosts: [\"" + std::string(host) + "\"]"),
                HasSubstr("rich_link_hosts: \"" + std::string(host) + "\" must be a host's whole name"));
  }
  EXPECT_THAT(mistakes("rich_link_hosts: [.acme.example]"), HasSubstr("such as cdn.acme.example: no wildcard"));
  EXPECT_THAT(mistakes("rich_link_hosts: [[a]]"), HasSubstr("rich_link_hosts: each entry must be"));
  EXPECT_THAT(mistakes("window_h: 169"), HasSubstr("window_h"));
  EXPECT_THAT(mistakes("reengage_template: come_back"), HasSubstr("reengage_template: must be a map"));
  EXPECT_THAT(mistakes("reengage_template: {name: come_back}"), HasSubstr("language: is missing"));
  EXPECT_THAT(mistakes("reengage_template: {name: x, language: de, more: 1}"), HasSubstr("unknown key more"));
}

TEST_F(AccountBookTest, AnEmptyListIsABook) {
  EXPECT_EQ(MistakesOf("accounts: []\n"), "no mistakes");
  EXPECT_EQ(MistakesOf("accounts:\n"), "no mistakes");
}

TEST_F(AccountBookTest, SaysWhenThereIsNoFileOrNoList) {
  EXPECT_EQ(AccountBook::Load(Path("absent.yaml")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MistakesOf(""), HasSubstr("must hold a list named accounts"));
  EXPECT_THAT(MistakesOf("accounts: 3\n"), HasSubstr("must hold a list named accounts"));
  EXPECT_THAT(MistakesOf("acounts: []\n"), HasSubstr("unknown key acounts; did you mean accounts?"));
  EXPECT_THAT(MistakesOf("accounts: [\n"), HasSubstr("accounts.yaml: line"));
  EXPECT_THAT(MistakesOf("accounts: [text]\n"), HasSubstr("an account must be a map"));
}

TEST_F(AccountBookTest, ListsEveryMistakeWithItsLine) {
  EXPECT_THAT(
      MistakesOf("accounts:\n"
                 "  - tenant: acme corp\n"
                 "    channel: telegram\n"
                 "    account_id:\n"
                 "    temprature: 1\n"
                 "    turn_deadline_s: soon\n"
                 "    top_p: 1.5\n"
                 "    in_doubt_policy: ignore\n"
                 "    development: yes\n"
                 "    graph_version: 25\n"
                 "    answer_tokens_max: [1]\n"
                 "    notice_text: \"\"\n"
                 "    queue_mode: steer\n"
                 "    debounce_ms: 0\n"
                 "    app_id: an app\n"
                 "    presence: online\n"),
      AllOf(HasSubstr(Line(2) + "tenant: may only hold"), HasSubstr(Line(3) + "channel: \"telegram\" must be whatsapp"),
            HasSubstr(Line(4) + "account_id: must not be empty"),
            HasSubstr(Line(5) + "unknown key temprature; did you mean temperature?"),
            HasSubstr(Line(6) + "turn_deadline_s: \"soon\" must be a whole number, 1 to 86400"),
            HasSubstr(Line(7) + "top_p: \"1.5\" must be a number, 0.01 to 1"),
            HasSubstr(Line(8) + "in_doubt_policy: \"ignore\" must be resend | park"),
            HasSubstr(Line(9) + "development: must be true | false"),
            HasSubstr(Line(10) + "graph_version: must look like v25.0"),
            HasSubstr(Line(11) + "answer_tokens_max: must be one value"),
            HasSubstr(Line(12) + "notice_text: must not be empty"),
            HasSubstr(Line(13) + "queue_mode: \"steer\" must be followup | interrupt | collect"),
            HasSubstr(Line(14) + "debounce_ms: \"0\" must be a whole number, 1 to 60000"),
            HasSubstr(Line(15) + "app_id: may only hold"),
            HasSubstr(Line(16) + "presence: \"online\" must be off | read | typing")));
}

TEST_F(AccountBookTest, AccountsNeedTheirSecrets) {
  EXPECT_THAT(MistakesOf("accounts:\n  - {tenant: t, channel: instagram, account_id: \"1\"}\n"),
              AllOf(HasSubstr("app_secret_file: is missing"), HasSubstr("verify_token_file: is missing"),
                    HasSubstr("access_token_file: is missing")));
}

// Their turns were taken from nowhere, and a reply to one was reported as sent.
TEST_F(AccountBookTest, AChannelWithoutAGatewayIsRefused) {
  for (const std::string channel : {"web", "api"}) {
    EXPECT_EQ(MistakesOf("accounts:\n  - {tenant: t, channel: " + channel + ", account_id: main}\n"),
              Line(2) + "channel: \"" + channel + "\" has no gateway yet; it must be whatsapp | messenger | instagram");
  }
}

TEST_F(AccountBookTest, SecretMistakesNameTheFileAndNeverItsText) {
  Write("secrets/empty", "");
  const std::string mistakes = MistakesOf(
      "accounts:\n  - tenant: t\n    channel: whatsapp\n    account_id: \"1\"\n"
      "    app_secret_file: [secrets/app, secrets/verify, secrets/access]\n"
      "    verify_token_file: secrets/absent\n"
      "    access_token_file: secrets/empty\n");
  EXPECT_THAT(mistakes, AllOf(HasSubstr(Line(5) + "app_secret_file: must name one or two files"),
                              HasSubstr("secrets/absent does not exist"), HasSubstr("secrets/empty is empty"),
                              Not(HasSubstr("-secret\n"))));
}

TEST_F(AccountBookTest, AnAccountMayStandOnce) {
  EXPECT_THAT(MistakesOf("accounts:\n" + WhatsApp("1") + WhatsApp("2") + WhatsApp("1")),
              HasSubstr(Line(14) + "whatsapp account 1 stands at line 2 already"));
}

TEST_F(AccountBookTest, TokensLeaveInClearForDevelopmentAccountsOnly) {
  EXPECT_THAT(MistakesOf("accounts:\n" + WhatsApp("1", "graph_base_url: http://127.0.0.1:8090")),
              HasSubstr("graph_base_url: must begin with https://"));
  EXPECT_EQ(MistakesOf("accounts:\n" + WhatsApp("1", "development: true\n    graph_base_url: http://127.0.0.1:8090")),
            "no mistakes");
  EXPECT_THAT(MistakesOf("accounts:\n" + WhatsApp("1", "graph_base_url: https://graph.facebook.com/")),
              HasSubstr("must not end with /"));
  EXPECT_THAT(MistakesOf("accounts:\n" + WhatsApp("1", "graph_base_url: file:///etc/passwd")),
              HasSubstr("must begin with"));
}

TEST_F(AccountBookTest, LongTextsAreRefused) {
  EXPECT_EQ(MistakesOf("accounts:\n" + WhatsApp("1", "system_prompt: " + std::string(16'384, 'x'))), "no mistakes");
  EXPECT_THAT(MistakesOf("accounts:\n" + WhatsApp("1", "system_prompt: " + std::string(16'385, 'x'))),
              HasSubstr("system_prompt: is longer than 16384 bytes"));
}

TEST(AccountBookDeathTest, RefusesTheSameAccountTwice) {
  Account account;
  account.channel = kWhatsApp;
  account.account_id = "1";
  EXPECT_DEATH(AccountBook({account, account}), "two accounts with one channel and account id");
}

}  // namespace
}  // namespace account
