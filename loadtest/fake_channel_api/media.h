#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "libs/account/account_book.h"
#include "libs/http/message.h"

namespace fake_channel_api {

// The files that users sent, as channels of Meta hand them out (channels.md 3.5), and ways in which a hostile or broken
// side would. What an id does stands in its name, so that a test needs no knob: media-{behaviour}[-anything].
//
//   png                            a picture of 1 x 1 pixel
//   expired                        the first URL that is asked for answers 404, the next one serves the picture
//   loopback, metadata, mapped     redirects to 127.0.0.1, 169.254.169.254 and [::ffff:10.0.0.1]
//   large                          6 MiB, which begin as a picture
//   html, gzip                     a page, and a compressed picture, where a picture was announced
//   bomb                           a picture of 4,294,836,225 pixels in 69 bytes
//   slow                           no answer within kSlowMs
//
// Threading: safe from any thread.
class Media {
 public:
  static bool IsMediaId(std::string_view id);  // of the form above
  static constexpr std::int64_t kSlowMs = 60'000;

  // GET /v{N}/{media id}: where its file is. The token must be an account's.
  http::Response Describe(const http::Request& request, const account::AccountBook& accounts);
  // GET /lookaside/{media id}/{n}, with a token (WhatsApp), or GET /cdn/{media id} (Messenger, Instagram).
  http::Response File(const http::Request& request, const account::AccountBook& accounts, std::int64_t* delay_ms);

 private:
  std::mutex mutex_;
  std::map<std::string, std::int64_t> described_;  // how often, by id; protected by mutex_; kIdsMax at most
};

}  // namespace fake_channel_api
