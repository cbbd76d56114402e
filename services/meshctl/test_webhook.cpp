#include "services/meshctl/test_webhook.h"

#include <cstdio>

#include "libs/base/check.h"
#include "libs/base/hex.h"
#include "libs/crypto/base64.h"
#include "libs/crypto/random.h"
#include "libs/json/writer.h"
#include "libs/unicode/utf8.h"

namespace meshctl {
namespace {

using mesh::bus::v1::Channel;

void WriteWhatsApp(const TestMessage& message, json::Writer& json) {
  const std::string seconds = std::to_string(message.now_ms / 1000);
  json.Field("object", "whatsapp_business_account");
  json.Key("entry"), json.BeginArray(), json.BeginObject();
  json.Field("id", "102290129340398");
  json.Key("changes"), json.BeginArray(), json.BeginObject();
  json.Field("field", "messages");
  json.Key("value"), json.BeginObject();
  json.Field("messaging_product", "whatsapp");
  json.Key("metadata"), json.BeginObject();
  json.Field("display_phone_number", "15550783881");
  json.Field("phone_number_id", message.account);
  json.EndObject();
  json.Key("contacts"), json.BeginArray(), json.BeginObject();
  json.Key("profile"), json.BeginObject(), json.Field("name", "Test User"), json.EndObject();
  json.Field("wa_id", message.user);
  json.EndObject(), json.EndArray();
  json.Key("messages"), json.BeginArray(), json.BeginObject();
  json.Field("from", message.user);
  json.Field("id", message.message_id);
  json.Field("timestamp", seconds);
  json.Field("type", "text");
  json.Key("text"), json.BeginObject(), json.Field("body", message.text), json.EndObject();
  json.EndObject(), json.EndArray();
  json.EndObject();                   // value
  json.EndObject(), json.EndArray();  // changes
  json.EndObject(), json.EndArray();  // entry
}

void WritePage(std::string_view object, const TestMessage& message, json::Writer& json) {
  json.Field("object", object);
  json.Key("entry"), json.BeginArray(), json.BeginObject();
  json.Field("id", message.account);
  json.Field("time", message.now_ms);
  json.Key("messaging"), json.BeginArray(), json.BeginObject();
  json.Key("sender"), json.BeginObject(), json.Field("id", message.user), json.EndObject();
  json.Key("recipient"), json.BeginObject(), json.Field("id", message.account), json.EndObject();
  json.Field("timestamp", message.now_ms);
  json.Key("message"), json.BeginObject();
  json.Field("mid", message.message_id);
  json.Field("text", message.text);
  json.EndObject();                   // message
  json.EndObject(), json.EndArray();  // messaging
  json.EndObject(), json.EndArray();  // entry
}

void AppendUnit(unsigned unit, std::string& out) {
  char escape[8];
  std::snprintf(escape, sizeof(escape), "\\u%04x", unit & 0xFFFFu);
  out += escape;
}

// JSON with every non-ASCII character as \uXXXX and every slash as \/.
std::string EscapeAsMetaDoes(std::string_view json) {
  std::string out;
  for (std::size_t at = 0; at < json.size();) {
    const unicode::Decoded decoded = unicode::DecodeUtf8(json, at);
    at += decoded.length;
    const auto code_point = static_cast<unsigned>(decoded.code_point);
    if (code_point >= 0x10000) {
      AppendUnit(0xD800 + ((code_point - 0x10000) >> 10), out);
      AppendUnit(0xDC00 + ((code_point - 0x10000) & 0x3FF), out);
    } else if (code_point >= 0x80) {
      AppendUnit(code_point, out);
    } else if (code_point == '/') {
      out += "\\/";
    } else {
      out += static_cast<char>(code_point);
    }
  }
  return out;
}

std::string RandomDigits(std::size_t count) {
  std::string digits;
  for (const char byte : crypto::RandomBytes(count)) {
    digits.push_back(static_cast<char>('0' + static_cast<unsigned char>(byte) % 10));
  }
  return digits;
}

}  // namespace

std::string TextWebhook(Channel channel, const TestMessage& message) {
  json::Writer json;
  json.BeginObject();
  switch (channel) {
    case Channel::CHANNEL_WHATSAPP:
      WriteWhatsApp(message, json);
      break;
    case Channel::CHANNEL_MESSENGER:
      WritePage("page", message, json);
      break;
    case Channel::CHANNEL_INSTAGRAM:
      WritePage("instagram", message, json);
      break;
    default:
      CHECK_MSG(false, "a channel without webhooks");
  }
  json.EndObject();
  return EscapeAsMetaDoes(std::move(json).Take());
}

std::string NewMessageId(Channel channel) {
  if (channel == Channel::CHANNEL_WHATSAPP) return "wamid." + crypto::Base64Encode(crypto::RandomBytes(24));
  return "m_" + base::ToHex(crypto::RandomBytes(24));
}

std::string NewUserId(Channel channel) {
  // WhatsApp: a number of the range that is kept free for fiction; the others: ids scoped to the page.
  return channel == Channel::CHANNEL_WHATSAPP ? "1555" + RandomDigits(7) : "7" + RandomDigits(15);
}

}  // namespace meshctl
