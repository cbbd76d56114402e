#include "libs/http/message.h"

namespace http {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view FirstValue(const HeaderList& headers, std::string_view name) {
  for (const auto& [field, value] : headers) {
    if (field == name) return value;
  }
  return {};
}

// For query fields: what cannot be decoded is kept as it came, so that a sloppy sender's other fields still count.
std::string DecodeFormField(std::string_view text) {
  std::optional<std::string> decoded = PercentDecode(text, /*plus_is_space=*/true);
  return decoded ? *std::move(decoded) : std::string(text);
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexValue(text[i + 1]);
      const int low = HexValue(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

std::string_view Request::Header(std::string_view lower_case_name) const {
  return FirstValue(headers, lower_case_name);
}

std::size_t Request::HeaderCount(std::string_view lower_case_name) const {
  std::size_t count = 0;
  for (const auto& [field, value] : headers) count += field == lower_case_name ? 1 : 0;
  return count;
}

std::optional<std::string> Request::Query(std::string_view name) const {
  const std::size_t mark = raw_target.find('?');
  if (mark == std::string::npos) return std::nullopt;
  std::string_view rest = std::string_view(raw_target).substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view field = rest.substr(0, rest.find('&'));
    rest.remove_prefix(field.size() < rest.size() ? field.size() + 1 : field.size());
    const std::size_t equals = field.find('=');
    if (DecodeFormField(field.substr(0, equals)) != name) continue;
    return equals == std::string_view::npos ? std::string() : DecodeFormField(field.substr(equals + 1));
  }
  return std::nullopt;
}

std::string_view Response::Header(std::string_view lower_case_name) const {
  return FirstValue(headers, lower_case_name);
}

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace http
