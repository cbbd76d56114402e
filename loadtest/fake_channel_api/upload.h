#pragma once

#include <cstdint>
#include <string_view>

#include "libs/account/account_book.h"
#include "libs/http/message.h"

namespace fake_channel_api {

inline constexpr std::string_view kMediaEdge = "media";                             // of a WhatsApp number
inline constexpr std::string_view kMessageAttachmentsEdge = "message_attachments";  // of a page or Instagram account

// The answer to POST /v{N}/{account id}/{edge}, after the checks that Meta makes of the request's shape. The file is
// not kept: the id of a WhatsApp upload stands for the picture of media.h, that of an attachment can only be sent.
//   number : of the upload, for an id that does not repeat
http::Response AnswerUpload(const http::Request& request, const account::Account& account, std::string_view edge,
                            std::uint64_t number);

}  // namespace fake_channel_api
