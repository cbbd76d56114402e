#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;      // as received; methods are upper case by convention and compared exactly
  std::string path;        // percent-decoded, without query; "*" for OPTIONS *
  std::string raw_target;  // as received
  HeaderList headers;      // names in lower case, in order; trailers of chunked bodies are not among them
  std::string body;        // raw bytes as received, chunked framing removed
  std::string peer;        // ip address of the other end of the connection

  std::string_view Header(std::string_view lower_case_name) const;  // first value, or empty
  std::size_t HeaderCount(std::string_view lower_case_name) const;
  // Decoded as a form field: %XX and '+'. The first of equal names; nullopt when absent. A malformed escape stays as it
  // is.
  std::optional<std::string> Query(std::string_view name) const;
};

struct Response {
  int status = 200;
  // Server: further fields to send. Framing fields (content-length, transfer-encoding, connection) are the server's own
  // and ignored here. Client: all fields received, names in lower case.
  HeaderList headers = {};
  std::string body = {};
  std::string content_type = "text/plain; charset=utf-8";  // Client: as received, empty when absent
  bool hang_up =
      false;  // Server: close the connection in the answer's place, without a byte of it. For fault injection

  std::string_view Header(std::string_view lower_case_name) const;  // first value, or empty
};

// %XX decoded; '+' becomes a space when `plus_is_space`. nullopt when an escape is malformed.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space);

// The standard phrase of a status code; "Unknown" for others.
std::string_view ReasonPhrase(int status);

}  // namespace http
