#include "libs/media/s3_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/http/server.h"

namespace media {
namespace {

// The example of Amazon's documentation ("Signature Calculations for the Authorization Header", GET Object).
TEST(AwsSignatureTest, IsThatOfAmazonsExample) {
  const http::HeaderList headers =
      internal::SignedHeaders({.method = "GET",
                               .host = "examplebucket.s3.amazonaws.com",
                               .path = "/test.txt",
                               .headers = {{"range", "bytes=0-9"}},
                               .body_digest = crypto::Sha256(""),
                               .region = "us-east-1",
                               .wall_ms = 1369353600'000},
                              {"AKIAIOSFODNN7EXAMPLE", crypto::Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")});
  ASSERT_EQ(headers.back().first, "Authorization");
  EXPECT_EQ(headers.back().second,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

// Against a server that keeps what is put as S3 does, and checks that each body is the one that was signed.
class S3StoreTest : public testing::Test {
 protected:
  S3StoreTest() : credentials_(testing::TempDir() + base::StrCat("s3-credentials-", ::getpid())) {
    std::ofstream(credentials_) << "the-key-id\nthe-secret\n";
    auto server = http::Server::Create({}, "s3", metrics_);
    EXPECT_TRUE(server.ok());
    server_ = *std::move(server);
    for (const char* method : {"PUT", "GET", "DELETE"}) {
      server_->Add({method, "/*", "object", 0, [this](const http::Request& request, const http::Responder& respond) {
                      respond(Answer(request));
                    }});
    }
    EXPECT_TRUE(server_->Start().ok());
  }
  ~S3StoreTest() override { std::filesystem::remove(credentials_); }

  http::Response Answer(const http::Request& request) {
    const std::lock_guard lock(mutex_);
    authorization_ = request.Header("authorization");
    const std::string digest = base::ToHex(crypto::AsBytes(crypto::Sha256(request.body)));
    if (request.Header("x-amz-content-sha256") != digest) return {.status = 400};
    if (status_ != 200) return {.status = status_};
    if (request.method == "PUT") {
      objects_[request.path] = request.body;
      return {};
    }
    if (request.method == "DELETE") return {.status = objects_.erase(request.path) > 0 ? 204 : 404};
    const auto found = objects_.find(request.path);
    if (found == objects_.end()) return {.status = 404};
    return {.body = found->second};
  }

  absl::StatusOr<std::unique_ptr<S3Store>> OpenAt(const std::string& path) {
    return S3Store::Open(
        {.url = base::StrCat("http://127.0.0.1:", server_->port(), path), .credentials_file = credentials_}, "test",
        metrics_);
  }
  std::unique_ptr<S3Store> Open(const std::string& path = "/bucket/kept/?region=eu-central-1") {
    auto store = OpenAt(path);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  static StoreKey KeyOf(std::string turn) {
    turn.resize(32);
    return {.tenant = "test", .turn_id = std::move(turn)};
  }

  const std::string credentials_;
  telemetry::Registry metrics_;
  std::mutex mutex_;
  std::map<std::string, std::string> objects_;  // these three protected by mutex_
  std::string authorization_;
  int status_ = 200;
  std::unique_ptr<http::Server> server_;
};

TEST_F(S3StoreTest, AFileIsAnObjectNamedByItsTurn) {
  const auto store = Open();
  ASSERT_TRUE(store->Put(KeyOf("a"), "a picture").ok());
  EXPECT_EQ(objects_.at(base::StrCat("/bucket/kept/t_test/61/61", std::string(62, '0'), "-0")), "a picture");
  EXPECT_TRUE(authorization_.starts_with("AWS4-HMAC-SHA256 Credential=the-key-id/")) << authorization_;
  EXPECT_NE(authorization_.find("/eu-central-1/s3/aws4_request,"), std::string::npos) << authorization_;
  EXPECT_EQ(store->Get(KeyOf("a")).value(), "a picture");
  EXPECT_EQ(store->Get(KeyOf("another")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(S3StoreTest, OneFileIsDeletedAndNoneIsNoError) {
  const auto store = Open();
  ASSERT_TRUE(store->Put(KeyOf("a"), "a picture").ok());
  ASSERT_TRUE(store->Put(KeyOf("b"), "a picture").ok());
  EXPECT_TRUE(store->Delete(KeyOf("a")).ok());
  EXPECT_TRUE(store->Delete(KeyOf("a")).ok());
  EXPECT_EQ(store->Get(KeyOf("a")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store->Get(KeyOf("b")).value(), "a picture");
  status_ = 403;
  EXPECT_EQ(store->Delete(KeyOf("b")).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(S3StoreTest, WhatTheServiceRefusesSaysWhatToLookAt) {
  const auto store = Open();
  status_ = 403;
  const absl::Status refused = store->Put(KeyOf("x"), "x");
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(std::string(refused.message()).find("--media-store-credentials-file"), std::string::npos);
  EXPECT_EQ(std::string(refused.message()).find("the-secret"), std::string::npos);
  status_ = 404;
  EXPECT_EQ(store->Put(KeyOf("x"), "x").code(), absl::StatusCode::kFailedPrecondition);
  status_ = 503;
  EXPECT_EQ(store->Put(KeyOf("x"), "x").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store->Get(KeyOf("x")).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(S3StoreTest, AUrlOrCredentialsThatCannotBeUsedAreSaidAtTheStart) {
  for (const char* path : {"", "/", "//bucket", "/bucket?versions", "/bucket?region=", "/buc%20ket"}) {
    EXPECT_EQ(OpenAt(path).status().code(), absl::StatusCode::kInvalidArgument) << path;
  }
  for (const char* content : {"", "one line", "\nsecret", "three\nlines\nhere"}) {
    std::ofstream(credentials_, std::ios::trunc) << content;
    EXPECT_EQ(OpenAt("/bucket").status().code(), absl::StatusCode::kInvalidArgument) << content;
  }
  EXPECT_NE(std::string(S3Store::Open({.url = "https://host/bucket"}, "test", metrics_).status().message())
                .find("--media-store-credentials-file"),
            std::string::npos);
  std::filesystem::remove(credentials_);
  EXPECT_EQ(OpenAt("/bucket").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace media
