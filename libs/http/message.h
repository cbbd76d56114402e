#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;   // upper case
  std::string path;     // percent-decoded, without query
  std::string raw_target;
  HeaderList headers;   // names in lower case, in order
  std::string body;     // raw bytes as received
  std::string peer;     // ip address

  std::string_view Header(std::string_view lower_case_name) const;           // first value, or empty
  std::size_t HeaderCount(std::string_view lower_case_name) const;
  std::optional<std::string> Query(std::string_view name) const;             // percent-decoded; nullopt when absent
};

struct Response {
  int status = 200;
  HeaderList headers;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

}  // namespace http
