#include "loadtest/fake_channel_api/upload.h"

#include <gtest/gtest.h>

#include <string>

// What is taken is in tests/foreign, where others make the requests.
namespace fake_channel_api {
namespace {

int Status(mesh::bus::v1::Channel channel, std::string_view edge, std::string body,
           const std::string& content_type = "multipart/form-data; boundary=b") {
  account::Account account;
  account.channel = channel;
  http::Request request;
  request.headers = {{"content-type", content_type}};
  request.body = std::move(body);
  return AnswerUpload(request, account, edge, 1).status;
}

TEST(UploadTest, WhatsAppWantsAFormWithTheFile) {
  constexpr auto kChannel = mesh::bus::v1::CHANNEL_WHATSAPP;
  const std::string form = R"(--b name="messaging_product" whatsapp --b name="file" x)";
  EXPECT_EQ(Status(kChannel, kMediaEdge, form), 200);
  EXPECT_EQ(Status(kChannel, kMediaEdge, form, "application/json"), 400);
  EXPECT_EQ(Status(kChannel, kMediaEdge, R"(--b name="file" x)"), 400);
  EXPECT_EQ(Status(kChannel, kMediaEdge, R"(--b name="messaging_product" whatsapp)"), 400);
  EXPECT_EQ(Status(kChannel, kMessageAttachmentsEdge, form), 400);
}

TEST(UploadTest, MessengerWantsTheAddressOfTheFile) {
  constexpr auto kChannel = mesh::bus::v1::CHANNEL_MESSENGER;
  const std::string body =
      R"({"message":{"attachment":{"type":"image","payload":{"url":"https://example.com/a.png"}}}})";
  EXPECT_EQ(Status(kChannel, kMessageAttachmentsEdge, body), 200);
  EXPECT_EQ(Status(kChannel, kMessageAttachmentsEdge, R"({"message":{"attachment":{"type":"image","payload":{}}}})"),
            400);
  EXPECT_EQ(Status(kChannel, kMessageAttachmentsEdge, "x"), 400);
  EXPECT_EQ(Status(kChannel, kMediaEdge, body), 400);
}

}  // namespace
}  // namespace fake_channel_api
