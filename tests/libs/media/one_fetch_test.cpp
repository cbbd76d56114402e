#include "libs/media/internal/one_fetch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "tests/libs/media/memory_store.h"

namespace media::internal {
namespace {

constexpr char kLookUpUrl[] = "https://graph.facebook.com/v25.0/4711?phone_number_id=100";
constexpr char kFileUrl[] = "https://lookaside.fbsbx.com/file/1";

// One attachment, with the other side scripted: each URL has answers, the last of which stays.
class OneFetchTest : public testing::Test {
 protected:
  OneFetchTest() : store_(&files_) {
    account_.tenant = "test";
    account_.account_id = "100";
    account_.channel = mesh::bus::v1::CHANNEL_WHATSAPP;
    account_.access_token = crypto::Secret("token-1");
    attachment_.set_type("image");
    attachment_.set_id("4711");
    attachment_.set_mime_type("image/png");
    AnswerLookUp(kFileUrl);
  }

  static http::ClientResult Answer(int status, std::string body, http::HeaderList headers = {}) {
    return {.ok = true, .response = {.status = status, .headers = std::move(headers), .body = std::move(body)}};
  }
  static http::ClientResult Failure(absl::Status status) { return {.failure = {.status = std::move(status)}}; }
  void AnswerLookUp(const std::string& url, const std::string& more = "") {
    answers_[kLookUpUrl] = {
        Answer(200, base::StrCat(R"({"messaging_product":"whatsapp","id":"4711","url":")", url, "\"", more, "}"))};
  }
  void AnswerFile(http::ClientResult result) { answers_[kFileUrl].push_back(std::move(result)); }

  Fetched Run() {
    const FetchTools tools{
        .send = [this](Route route, const http::ClientRequest& request) { return Send(route, request); },
        .wait = [](base::Duration) { return true; },
        .store = &store_,
        .options = &options_};
    const FetchRequest request{.account = &account_,
                               .attachment = attachment_,
                               .turn_id = kTurnId,
                               .index = 3,
                               .deadline = base::Clock::Real().Now() + std::chrono::minutes(1)};
    return OneFetch(tools, request).Run();
  }
  http::ClientResult Send(Route route, const http::ClientRequest& request) {
    asked_.push_back({route, request});
    const auto found = answers_.find(request.url);
    if (found == answers_.end()) return Answer(404, "");
    http::ClientResult result = found->second.front();
    if (found->second.size() > 1) found->second.pop_front();
    return result;
  }
  static std::string TokenIn(const http::ClientRequest& request) {
    for (const auto& [name, value] : request.headers) {
      if (name == "Authorization") return value;
    }
    return "";
  }
  std::vector<std::string> AskedUrls() const {
    std::vector<std::string> urls;
    for (const auto& [route, request] : asked_) urls.push_back(request.url);
    return urls;
  }

  std::string Path() const { return StoreKey{account_.tenant, kTurnId, 3}.Path().value(); }

  FetcherOptions options_;
  account::Account account_;
  mesh::bus::v1::Attachment attachment_;
  std::map<std::string, std::string> files_;
  MemoryStore store_;
  std::map<std::string, std::deque<http::ClientResult>> answers_;
  std::vector<std::pair<Route, http::ClientRequest>> asked_;
};

TEST_F(OneFetchTest, WhatsAppsIdBecomesAUrlAndTheUrlAFile) {
  AnswerFile(Answer(200, TinyPng()));
  const Fetched fetched = Run();
  ASSERT_EQ(fetched.result, Result::kStored) << fetched.detail;
  EXPECT_EQ(fetched.type, "image/png");
  EXPECT_EQ(fetched.bytes, static_cast<std::int64_t>(TinyPng().size()));
  EXPECT_EQ(files_.at(Path()), TinyPng());
  ASSERT_EQ(AskedUrls(), (std::vector<std::string>{kLookUpUrl, kFileUrl}));
  EXPECT_EQ(asked_[0].first, Route::kGraph);
  EXPECT_EQ(asked_[1].first, Route::kPublic) << "by the client that refuses private addresses";
  for (const auto& [route, request] : asked_) EXPECT_EQ(TokenIn(request), "Bearer token-1") << request.url;
}

TEST_F(OneFetchTest, AUrlInTheWebhookSavesTheFirstStep) {
  attachment_.set_url(kFileUrl);
  AnswerFile(Answer(200, TinyPng()));
  EXPECT_EQ(Run().result, Result::kStored);
  EXPECT_EQ(AskedUrls(), (std::vector<std::string>{kFileUrl}));
}

// It is a shortcut: whatever is wrong with it or its host, the media id is asked.
TEST_F(OneFetchTest, AUrlInTheWebhookThatLeadsNowhereIsNotTheEnd) {
  const std::string shortcut = "https://cdn.fbsbx.com/shortcut";
  AnswerFile(Answer(200, TinyPng()));
  for (const http::ClientResult& answer :
       {Answer(404, ""), Answer(500, ""), Answer(302, "", {{"location", "https://evil.example/"}}),
        Failure(absl::UnavailableError("cannot connect")), Failure(absl::PermissionDeniedError("private address"))}) {
    answers_[shortcut] = {answer};
    attachment_.set_url(shortcut);
    files_.clear();
    EXPECT_EQ(Run().result, Result::kStored);
  }
  attachment_.set_url("https://evil.example/");
  asked_.clear();
  files_.clear();
  EXPECT_EQ(Run().result, Result::kStored);
  EXPECT_EQ(AskedUrls(), (std::vector<std::string>{kLookUpUrl, kFileUrl})) << "what is refused is not asked";
}

TEST_F(OneFetchTest, WhatTheGraphApiNamesIsNotAskedForAgainUnlessItIsGone) {
  attachment_.set_url("https://evil.example/");
  answers_[kFileUrl] = {Failure(absl::PermissionDeniedError("private address"))};
  EXPECT_EQ(Run().result, Result::kRefused);
  EXPECT_EQ(AskedUrls(), (std::vector<std::string>{kLookUpUrl, kFileUrl}));
}

TEST_F(OneFetchTest, AFileThatIsNotWhatItShouldBeIsTheSameElsewhere) {
  attachment_.set_url(kFileUrl);
  AnswerFile(Answer(200, "<html>you are blocked</html>"));
  EXPECT_EQ(Run().result, Result::kWrongType);
  EXPECT_EQ(AskedUrls(), (std::vector<std::string>{kFileUrl}));
}

TEST_F(OneFetchTest, AUrlThatHasExpiredIsAskedForOnceMore) {
  AnswerFile(Answer(404, ""));
  AnswerFile(Answer(200, TinyPng()));
  EXPECT_EQ(Run().result, Result::kStored);
  EXPECT_EQ(AskedUrls(), (std::vector<std::string>{kLookUpUrl, kFileUrl, kLookUpUrl, kFileUrl}));
}

TEST_F(OneFetchTest, AnIdWhoseUrlsAllExpireIsGone) {
  AnswerFile(Answer(401, ""));
  EXPECT_EQ(Run().result, Result::kGone);
  EXPECT_EQ(asked_.size(), 4u) << "two URLs, not more";
}

TEST_F(OneFetchTest, AnUnknownIdIsGoneAndADeadTokenIsTheOperatorsMatter) {
  answers_[kLookUpUrl] = {Answer(400, R"({"error":{"code":100,"error_subcode":33}})")};
  EXPECT_EQ(Run().result, Result::kGone);
  answers_[kLookUpUrl] = {Answer(401, R"({"error":{"code":190}})")};
  EXPECT_EQ(Run().result, Result::kUnavailable);
}

TEST_F(OneFetchTest, AnIdThatIsNoPathSegmentIsNeverAskedFor) {
  for (const char* id : {"", "../me", "a/b", "a?b", "a#b", "a b", "a%2fb"}) {
    attachment_.set_id(id);
    EXPECT_EQ(Run().result, Result::kGone) << id;
  }
  EXPECT_TRUE(asked_.empty());
}

TEST_F(OneFetchTest, MessengersUrlIsFetchedWithoutTokenAndWithoutGraphApi) {
  account_.channel = mesh::bus::v1::CHANNEL_MESSENGER;
  attachment_.set_url("https://scontent.xx.fbcdn.net/v/1.png");
  attachment_.clear_mime_type();
  answers_["https://scontent.xx.fbcdn.net/v/1.png"] = {Answer(200, TinyPng())};
  EXPECT_EQ(Run().result, Result::kStored);
  EXPECT_EQ(TokenIn(asked_.at(0).second), "");
  answers_.clear();
  files_.clear();
  EXPECT_EQ(Run().result, Result::kGone) << "no id to ask for another URL";
  EXPECT_EQ(asked_.size(), 2u);
}

TEST_F(OneFetchTest, RedirectsAreJudgedEachAndLoseTheToken) {
  AnswerFile(Answer(302, "", {{"location", "https://scontent.fbcdn.net/a"}}));
  answers_["https://scontent.fbcdn.net/a"] = {Answer(307, "", {{"location", "/b"}})};
  answers_["https://scontent.fbcdn.net/b"] = {Answer(200, TinyPng())};
  EXPECT_EQ(Run().result, Result::kStored);
  ASSERT_EQ(asked_.size(), 4u);
  EXPECT_EQ(TokenIn(asked_[1].second), "Bearer token-1");
  EXPECT_EQ(TokenIn(asked_[2].second), "");
  EXPECT_EQ(TokenIn(asked_[3].second), "");
}

TEST_F(OneFetchTest, ARedirectElsewhereIsRefusedUnasked) {
  for (const char* location : {"http://127.0.0.1/", "https://127.0.0.1/", "http://169.254.169.254/latest/meta-data/",
                               "https://[::ffff:10.0.0.1]/", "https://evil.example/", "http://lookaside.fbsbx.com/",
                               "file:///etc/passwd", "//evil.example", ""}) {
    asked_.clear();
    answers_[kFileUrl] = {Answer(302, "", {{"location", location}})};
    EXPECT_EQ(Run().result, Result::kRefused) << location;
    EXPECT_EQ(AskedUrls(), (std::vector<std::string>{kLookUpUrl, kFileUrl})) << location;
  }
}

TEST_F(OneFetchTest, ALoopOfRedirectsEnds) {
  AnswerFile(Answer(301, "", {{"location", kFileUrl}}));
  EXPECT_EQ(Run().result, Result::kRefused);
  EXPECT_EQ(asked_.size(), 1u + 3u) << "the URL and two redirects";
}

TEST_F(OneFetchTest, AUrlThatTheGraphApiNamesIsJudgedToo) {
  AnswerLookUp("https://169.254.169.254/latest/meta-data/");
  EXPECT_EQ(Run().result, Result::kRefused);
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(OneFetchTest, AFileMustHaveTheDigestThatWasTold) {
  const crypto::Sha256Digest right = crypto::Sha256(TinyPng());
  const crypto::Sha256Digest wrong = crypto::Sha256("something else");
  AnswerFile(Answer(200, TinyPng()));
  attachment_.set_sha256(std::string(crypto::AsBytes(wrong)));
  EXPECT_EQ(Run().result, Result::kWrongHash);
  attachment_.set_sha256(std::string(crypto::AsBytes(right)));
  EXPECT_EQ(Run().result, Result::kStored);
  files_.clear();
  attachment_.clear_sha256();
  AnswerLookUp(kFileUrl, base::StrCat(R"(,"sha256":")", base::ToHex(crypto::AsBytes(wrong)), "\""));
  EXPECT_EQ(Run().result, Result::kWrongHash) << "told by the Graph API alone";
  EXPECT_TRUE(files_.empty());
}

// A turn that is run again: Messenger's URL has expired by then, and there is no id to ask for another.
TEST_F(OneFetchTest, WhatIsInTheStoreIsNotFetchedAgain) {
  account_.channel = mesh::bus::v1::CHANNEL_MESSENGER;
  attachment_.set_url("https://scontent.xx.fbcdn.net/v/1.png");
  files_[Path()] = TinyPng();
  const Fetched fetched = Run();
  EXPECT_EQ(fetched.result, Result::kStored);
  EXPECT_EQ(fetched.type, "image/png");
  EXPECT_EQ(fetched.bytes, static_cast<std::int64_t>(TinyPng().size()));
  EXPECT_TRUE(asked_.empty());
  account_.tenant = "another";
  EXPECT_EQ(Run().result, Result::kGone) << "another tenant's file says nothing";
}

TEST_F(OneFetchTest, WhatIsInTheStoreMustBeWhatItShouldBeToo) {
  AnswerFile(Answer(200, TinyPng()));
  files_[Path()] = "<html>";
  EXPECT_EQ(Run().result, Result::kStored);
  EXPECT_EQ(files_.at(Path()), TinyPng()) << "fetched anew";
}

TEST_F(OneFetchTest, BytesThatAreNotWhatWasAnnouncedAreNotKept) {
  for (const std::string& body : {std::string("<html>you are blocked</html>"), std::string("\x1F\x8B\x08gzip"),
                                  std::string(), TinyPng().substr(0, 20), std::string("GIF89a")}) {
    answers_[kFileUrl] = {Answer(200, body)};
    EXPECT_EQ(Run().result, Result::kWrongType) << body.size();
  }
  answers_[kFileUrl] = {Answer(200, TinyPng(), {{"content-encoding", "gzip"}})};
  EXPECT_EQ(Run().result, Result::kWrongType) << "nothing is decompressed";
  EXPECT_TRUE(files_.empty());
}

TEST_F(OneFetchTest, AnImageOfTooManyPixelsIsTooLargeHoweverFewItsBytes) {
  std::string bomb = TinyPng();
  bomb.replace(16, 8, std::string("\0\0\xFF\xFF\0\0\xFF\xFF", 8));
  AnswerFile(Answer(200, bomb));
  EXPECT_EQ(Run().result, Result::kTooLarge);
  EXPECT_TRUE(files_.empty());
}

TEST_F(OneFetchTest, SizesAreBoundedByChannelAndOption) {
  AnswerFile(Answer(200, TinyPng()));
  Run();
  EXPECT_EQ(asked_.back().second.response_bytes_max, 5 << 20) << "an image on WhatsApp";
  files_.clear();
  options_.bytes_max = 1000;
  Run();
  EXPECT_EQ(asked_.back().second.response_bytes_max, 1000);
  AnswerLookUp(kFileUrl, R"(,"file_size":"1001")");
  asked_.clear();
  files_.clear();
  EXPECT_EQ(Run().result, Result::kTooLarge);
  EXPECT_EQ(asked_.size(), 1u) << "not even begun";
  AnswerLookUp(kFileUrl);
  answers_[kFileUrl] = {Failure(absl::OutOfRangeError("larger"))};
  EXPECT_EQ(Run().result, Result::kTooLarge);
}

TEST_F(OneFetchTest, WhatMayPassIsTriedAgainAFewTimes) {
  AnswerFile(Answer(503, ""));
  AnswerFile(Failure(absl::UnavailableError("connection broke")));
  AnswerFile(Answer(200, TinyPng()));
  EXPECT_EQ(Run().result, Result::kStored);
  asked_.clear();
  files_.clear();
  answers_[kFileUrl] = {Answer(500, "")};
  EXPECT_EQ(Run().result, Result::kUnavailable);
  EXPECT_EQ(asked_.size(), 1u + 3u);
}

TEST_F(OneFetchTest, WhatWillNotPassIsNot) {
  for (const auto& [status, result] : {std::pair(absl::PermissionDeniedError("private address"), Result::kRefused),
                                       std::pair(absl::FailedPreconditionError("certificate"), Result::kRefused),
                                       std::pair(absl::DeadlineExceededError("late"), Result::kLate)}) {
    asked_.clear();
    answers_[kFileUrl] = {Failure(status)};
    EXPECT_EQ(Run().result, result) << status;
    EXPECT_EQ(asked_.size(), 2u);
  }
}

TEST_F(OneFetchTest, AStoreThatTakesNothingIsSaid) {
  AnswerFile(Answer(200, TinyPng()));
  store_.put_status = absl::FailedPreconditionError("disk full");
  EXPECT_EQ(Run().result, Result::kNotStored);
}

}  // namespace
}  // namespace media::internal
