#include "libs/http/internal/message_parser.h"

#include <limits>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "libs/base/check.h"
#include "libs/http/internal/ascii.h"

namespace http::internal {
namespace {

namespace beast_http = boost::beast::http;

constexpr std::uint32_t kResponseHeaderBytesMax = 64 * 1024;
constexpr int kInterimResponsesMax = 8;

template <typename Fields>
HeaderList CopyFields(const Fields& fields) {
  HeaderList headers;
  for (const auto& field : fields) {
    const auto name = field.name_string();
    const auto value = field.value();
    headers.emplace_back(ToLower(std::string_view(name.data(), name.size())), std::string(value.data(), value.size()));
  }
  return headers;
}

BodyState StateOf(const boost::beast::error_code& error) {
  if (error == beast_http::error::need_more) return BodyState::kNeedMore;
  if (error == beast_http::error::body_limit) return BodyState::kTooLarge;
  return BodyState::kMalformed;
}

}  // namespace

struct RequestParser::Rep {
  beast_http::request_parser<beast_http::string_body> parser;
};

RequestParser::RequestParser(std::size_t header_bytes_max) : rep_(std::make_unique<Rep>()) {
  rep_->parser.header_limit(static_cast<std::uint32_t>(header_bytes_max));
  rep_->parser.body_limit(boost::none);  // the route's is set once the header has named the route
}

RequestParser::~RequestParser() = default;

std::optional<RequestHead> RequestParser::PutHeader(std::string_view block) {
  auto& parser = rep_->parser;
  boost::beast::error_code error;
  const std::size_t used = parser.put(boost::asio::buffer(block.data(), block.size()), error);
  if (error || used != block.size() || !parser.is_header_done()) return std::nullopt;
  const auto& message = parser.get();
  RequestHead head;
  head.method = std::string(message.method_string());
  head.target = std::string(message.target());
  head.headers = CopyFields(message.base());
  head.is_http_10 = message.version() == 10;
  head.keep_alive = parser.keep_alive();
  if (const auto length = parser.content_length()) {
    if (*length > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    head.content_length = static_cast<std::int64_t>(*length);
  }
  head.has_body = parser.chunked() || head.content_length.value_or(0) > 0;
  head.expects_continue =
      !head.is_http_10 && ToLower(std::string(message[beast_http::field::expect])) == "100-continue";
  parser.eager(true);
  return head;
}

void RequestParser::SetBodyMax(std::int64_t body_bytes_max) {
  rep_->parser.body_limit(static_cast<std::uint64_t>(body_bytes_max));
}

BodyState RequestParser::PutBody(std::string_view bytes, std::size_t* consumed) {
  boost::beast::error_code error;
  *consumed = rep_->parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (error) return StateOf(error);
  return rep_->parser.is_done() ? BodyState::kDone : BodyState::kNeedMore;
}

std::size_t RequestParser::body_size() const { return rep_->parser.get().body().size(); }

std::string RequestParser::TakeBody() { return std::move(rep_->parser.get().body()); }

struct ResponseParser::Rep {
  Rep(std::int64_t max, bool head) : body_bytes_max(max), is_head(head) { Restart(); }

  void Restart() {
    parser = std::make_unique<beast_http::response_parser<beast_http::string_body>>();
    parser->header_limit(kResponseHeaderBytesMax);
    parser->body_limit(static_cast<std::uint64_t>(body_bytes_max));
    parser->eager(true);
    parser->skip(is_head);
  }

  std::int64_t body_bytes_max;
  bool is_head;
  int interim_responses = 0;
  std::unique_ptr<beast_http::response_parser<beast_http::string_body>> parser;
};

ResponseParser::ResponseParser(std::int64_t body_bytes_max, bool is_head)
    : rep_(std::make_unique<Rep>(body_bytes_max, is_head)) {}

ResponseParser::~ResponseParser() = default;

BodyState ResponseParser::Put(std::string_view bytes, std::size_t* consumed) {
  *consumed = 0;
  while (*consumed < bytes.size()) {
    boost::beast::error_code error;
    *consumed += rep_->parser->put(boost::asio::buffer(bytes.data() + *consumed, bytes.size() - *consumed), error);
    if (error) return StateOf(error);
    if (!rep_->parser->is_done()) return BodyState::kNeedMore;
    const int status = rep_->parser->get().result_int();
    if (status == 101) return BodyState::kMalformed;
    if (status >= 200) return BodyState::kDone;
    if (++rep_->interim_responses > kInterimResponsesMax) return BodyState::kMalformed;
    rep_->Restart();
  }
  return BodyState::kNeedMore;
}

BodyState ResponseParser::PutEnd() {
  if (!rep_->parser->is_header_done()) return BodyState::kMalformed;
  boost::beast::error_code error;
  rep_->parser->put_eof(error);
  return !error && rep_->parser->is_done() ? BodyState::kDone : BodyState::kMalformed;
}

bool ResponseParser::keep_alive() const { return rep_->parser->keep_alive(); }

Response ResponseParser::Take() {
  CHECK_MSG(rep_->parser->is_done(), "a response is taken when it is whole");
  auto message = rep_->parser->release();
  Response response;
  response.status = static_cast<int>(message.result_int());
  response.headers = CopyFields(message.base());
  response.content_type = std::string(response.Header("content-type"));
  response.body = std::move(message.body());
  return response;
}

}  // namespace http::internal
