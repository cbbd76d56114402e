#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libs/http/message.h"

namespace http::internal {

struct RequestHead {
  std::string method;
  std::string target;
  HeaderList headers;  // names in lower case
  bool is_http_10 = false;
  bool keep_alive = false;
  bool expects_continue = false;
  bool has_body = false;
  std::optional<std::int64_t> content_length;  // nullopt: chunked, or no body
};

enum class BodyState { kNeedMore, kDone, kTooLarge, kMalformed };

// One request or response through Beast's parser, without I/O, so that it can be tested and fuzzed from bytes alone and
// that Beast's headers are compiled once. Make a new one for each message.
// Threading: none.
class RequestParser {
 public:
  explicit RequestParser(std::size_t header_bytes_max);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // `block` is a whole header that passed ScanHeader. nullopt: Beast refuses it.
  std::optional<RequestHead> PutHeader(std::string_view block);

  // Takes what it can use of `bytes`. REQUIRES: PutHeader succeeded and the head has a body.
  BodyState PutBody(std::string_view bytes, std::size_t* consumed);
  void SetBodyMax(std::int64_t body_bytes_max);  // before the first PutBody
  std::size_t body_size() const;
  std::string TakeBody();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

class ResponseParser {
 public:
  // `is_head`: the response of a HEAD request has no body, whatever its fields say.
  ResponseParser(std::int64_t body_bytes_max, bool is_head);
  ~ResponseParser();
  ResponseParser(const ResponseParser&) = delete;
  ResponseParser& operator=(const ResponseParser&) = delete;

  // Takes what it can use of `bytes`. Interim responses (1xx) are skipped; 101 is kMalformed, for nothing was upgraded.
  BodyState Put(std::string_view bytes, std::size_t* consumed);
  // The peer closed: kDone when that ends the body, else kMalformed.
  BodyState PutEnd();

  bool keep_alive() const;  // REQUIRES: kDone
  Response Take();          // REQUIRES: kDone

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace http::internal
