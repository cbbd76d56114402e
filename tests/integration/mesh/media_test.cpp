// Files that users send: into the store where they are what they say, into a sentence of the prompt where not, and an
// answer in time in each case. The fake Graph API's media ids say how it behaves (loadtest/fake_channel_api/media.h);
// the echo engine says its prompt again.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/media_mesh.h"
#include "tests/integration/mesh/webhook_body.h"

namespace mesh_test {
namespace {

// The picture that the fake Graph API serves.
constexpr char kDigestBase64[] = "sf+cjqOngLrQmzRsQj0tDkaBWSaHmxjoQdkoN2qUZkA=";
constexpr char kOtherDigestBase64[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

std::size_t StoredFilesCount(const Mesh& mesh) {
  std::size_t count = 0;
  std::error_code none_yet;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(mesh.MediaFolder(), none_yet)) {
    count += entry.is_regular_file() ? 1 : 0;
  }
  return count;
}

// What the model was told of one message.
std::string Told(Mesh& mesh, const std::string& user, const std::string& channel, const std::string& body) {
  EXPECT_EQ(mesh.PostSigned(channel, body), 200);
  const std::vector<Send> screen = mesh.WaitForScreen(user, 1);
  EXPECT_EQ(screen.size(), 1u) << mesh.LogEnds();
  return screen.empty() ? "" : screen[0].text;
}

std::string ToldOfImage(Mesh& mesh, const std::string& user, const std::string& media_id,
                        std::string_view sha256 = "") {
  return Told(mesh, user, "whatsapp",
              WhatsAppImageBody(Mesh::AccountId("whatsapp"), user, "wamid." + media_id, media_id, sha256));
}

// The test that sees an empty store is the first; each test has users of its own.
TEST(MediaTest, WhatIsNotWhatItSaysIsNeverStoredAndBecomesASentence) {
  Mesh& mesh = MediaMesh();
  struct Sample {
    const char* media_id;
    const char* reason;
  };
  int user = 0;
  for (const Sample& sample : {Sample{"media-loopback", "it is not available"},
                               {"media-metadata", "it is not available"},
                               {"media-mapped", "it is not available"},
                               {"media-large", "it is too large"},
                               {"media-bomb", "it is too large"},
                               {"media-html", "not of the announced type"},
                               {"media-gzip", "not of the announced type"},
                               {"media-unheard-of", "it has expired"},
                               {"media-slow", "it did not arrive in time"},
                               {"not-an-id-of-the-fake", "it has expired"}}) {
    const std::string told = ToldOfImage(mesh, absl::StrCat("49180000000", user++), sample.media_id);
    EXPECT_NE(told.find("[The user sent an image that could not be loaded: "), std::string::npos) << told;
    EXPECT_NE(told.find(sample.reason), std::string::npos) << sample.media_id << ": " << told;
  }
  const std::string told = ToldOfImage(mesh, "491800000020", "media-png-other", kOtherDigestBase64);
  EXPECT_NE(told.find("not of the announced type"), std::string::npos) << told;
  EXPECT_EQ(StoredFilesCount(mesh), 0u);
  EXPECT_EQ(mesh.Metric("worker", R"(worker_media_fetches_total{channel="whatsapp",result="refused"})"), 3);
  EXPECT_EQ(mesh.Metric("worker", R"(worker_media_fetches_total{channel="whatsapp",result="wrong_hash"})"), 1);
  EXPECT_TRUE(mesh.process("worker").IsRunning());
}

TEST(MediaTest, APictureIsInTheStoreUnderItsTurn) {
  Mesh& mesh = MediaMesh();
  const std::string told = ToldOfImage(mesh, "491810000001", "media-png-1", kDigestBase64);
  EXPECT_NE(told.find("[The user sent an image (image/png, 1 KB); its content is not visible to you]"),
            std::string::npos)
      << told;
  const std::string path = FileOf(mesh, "whatsapp", "wamid.media-png-1");
  ASSERT_TRUE(std::filesystem::exists(path)) << mesh.LogEnds();
  EXPECT_EQ(std::filesystem::file_size(path), 69u);
}

TEST(MediaTest, AUrlThatHasExpiredIsFetchedAnew) {
  Mesh& mesh = MediaMesh();
  const std::string told = ToldOfImage(mesh, "491810000002", "media-expired-1");
  EXPECT_NE(told.find("(image/png, 1 KB)"), std::string::npos) << told;
}

TEST(MediaTest, MessengerAndInstagramGiveUrls) {
  Mesh& mesh = MediaMesh();
  for (const std::string channel : {"messenger", "instagram"}) {
    const std::string user = channel == "messenger" ? "4818101" : "4818102";
    const std::string url = mesh.AdminUrl("fake_channel_api") + "/cdn/media-png-" + channel;
    const std::string told =
        Told(mesh, user, channel, ImageUrlBody(channel, Mesh::AccountId(channel), user, "m." + channel, url));
    EXPECT_NE(told.find("(image/png, 1 KB)"), std::string::npos) << told;
    EXPECT_TRUE(std::filesystem::exists(FileOf(mesh, channel, "m." + channel)))
        << channel << ": by what the records say";
  }
  const std::string user = "4818199";
  const std::string elsewhere = mesh.AdminUrl("worker") + "/metrics";
  const std::string told =
      Told(mesh, user, "messenger", ImageUrlBody("messenger", Mesh::AccountId("messenger"), user, "m.ssrf", elsewhere));
  EXPECT_NE(told.find("it is not available"), std::string::npos) << told;
}

// Two users sent the same picture: what one takes back, and what is forgotten of the other, is each one's own.
TEST(MediaTest, FilesAreDeletedWithTheirMessages) {
  Mesh& mesh = MediaMesh();
  const std::string account = Mesh::AccountId("whatsapp");
  ToldOfImage(mesh, "491810000011", "media-png-11", kDigestBase64);
  ToldOfImage(mesh, "491810000012", "media-png-12", kDigestBase64);
  const std::string first = FileOf(mesh, "whatsapp", "wamid.media-png-11");
  const std::string second = FileOf(mesh, "whatsapp", "wamid.media-png-12");
  ASSERT_TRUE(std::filesystem::exists(first) && std::filesystem::exists(second));
  ASSERT_EQ(mesh.PostSigned("whatsapp", RevokeBody(account, "491810000011", "wamid.revoke", "wamid.media-png-11")),
            200);
  EXPECT_TRUE(harness::WaitUntil([&] { return !std::filesystem::exists(first); })) << mesh.LogEnds();
  EXPECT_TRUE(std::filesystem::exists(second));
  const Mesh::CommandResult forgotten =
      mesh.Meshctl({"session", "forget", "--channel=whatsapp", "--from=491810000012"});
  EXPECT_EQ(forgotten.code, 0) << forgotten.output;
  EXPECT_TRUE(harness::WaitUntil([&] { return !std::filesystem::exists(second); })) << mesh.LogEnds();
  // Meta retries both webhooks: the files are fetched before anybody knows that their turns are finished.
  const auto already_done = [&] { return mesh.Metric("worker", R"(worker_turns_total{outcome="already_done"})"); };
  const double known = already_done();
  for (const std::string number : {"11", "12"}) {
    const std::string media_id = "media-png-" + number;
    ASSERT_EQ(mesh.PostSigned("whatsapp", WhatsAppImageBody(account, "4918100000" + number, "wamid." + media_id,
                                                            media_id, kDigestBase64)),
              200);
  }
  ASSERT_TRUE(harness::WaitUntil([&] { return already_done() >= known + 2; })) << mesh.LogEnds();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // whatever is on its way has come
  EXPECT_FALSE(std::filesystem::exists(first)) << mesh.LogEnds();
  EXPECT_FALSE(std::filesystem::exists(second)) << mesh.LogEnds();
}

}  // namespace
}  // namespace mesh_test
