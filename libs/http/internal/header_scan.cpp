#include "libs/http/internal/header_scan.h"

#include <algorithm>
#include <string>

#include "libs/http/internal/ascii.h"

namespace http::internal {
namespace {

// What the longest sensible method, two spaces and the version add to the target.
constexpr std::size_t kRequestLineExtraBytes = 48;
// 18 digits always fit an int64; no limit of ours is near.
constexpr std::size_t kContentLengthDigitsMax = 18;

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string_view TrimOws(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Refusal ScanRequestLine(std::string_view line, const HeaderLimits& limits, bool* is_http_10) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Refusal::kBadRequestLine;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!IsToken(method)) return Refusal::kBadRequestLine;
  if (target.size() > limits.target_bytes_max) return Refusal::kTargetTooLong;
  const auto is_target_char = [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
  };
  if (target.empty() || !std::all_of(target.begin(), target.end(), is_target_char)) return Refusal::kBadTarget;
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.') return Refusal::kBadRequestLine;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return Refusal::kUnsupportedVersion;
  *is_http_10 = version == "HTTP/1.0";
  return Refusal::kNone;
}

bool IsHostValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return IsAlphanumeric(c) || std::string_view("-._~:[]%!$&'()*+,;=").find(c) != std::string_view::npos;
  });
}

// What the framing of the body depends on.
struct Framing {
  bool is_http_10 = false;
  int content_lengths = 0;
  int codings = 0;
  int hosts = 0;
};

Refusal ScanField(std::string_view line, Framing* framing) {
  if (line.front() == ' ' || line.front() == '\t') return Refusal::kObsoleteFold;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) return Refusal::kBadFieldName;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = TrimOws(line.substr(colon + 1));
  if (!IsFieldValue(value)) return Refusal::kBadFieldValue;
  if (EqualsIgnoreCase(name, "content-length")) {
    if (++framing->content_lengths > 1) return Refusal::kRepeatedContentLength;
    const bool digits = std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (value.empty() || value.size() > kContentLengthDigitsMax || !digits) return Refusal::kBadContentLength;
  } else if (EqualsIgnoreCase(name, "transfer-encoding")) {
    // One field, one coding: "chunked, chunked", "gzip, chunked" and empty values are all read differently by someone.
    if (++framing->codings > 1 || !EqualsIgnoreCase(value, "chunked")) return Refusal::kUnknownCoding;
  } else if (EqualsIgnoreCase(name, "host")) {
    if (++framing->hosts > 1 || !IsHostValue(value)) return Refusal::kBadHost;
  } else if (EqualsIgnoreCase(name, "expect")) {
    if (!EqualsIgnoreCase(value, "100-continue")) return Refusal::kUnknownExpectation;
  }
  return Refusal::kNone;
}

}  // namespace

bool IsTokenChar(char c) {
  return IsAlphanumeric(c) || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

bool IsToken(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenChar); }

bool IsFieldValue(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return IsControl(c) && c != '\t'; });
}

HeaderEnd FindHeaderEnd(std::string_view bytes, std::size_t scanned, const HeaderLimits& limits) {
  // The checks are ordered by position, so that bytes in one piece are judged like the same bytes one by one.
  const std::size_t line_max = limits.target_bytes_max + kRequestLineExtraBytes;
  if (bytes.size() > line_max && bytes.substr(0, line_max).find('\n') == std::string_view::npos) {
    return {.refusal = Refusal::kTargetTooLong};
  }
  // A terminator may straddle what was seen before.
  std::size_t at = scanned > 3 ? scanned - 3 : 0;
  while ((at = bytes.find('\n', at)) != std::string_view::npos && at < limits.header_bytes_max) {
    if (at == 0 || bytes[at - 1] != '\r') return {.refusal = Refusal::kBareLineFeed};
    if (at >= 3 && bytes.substr(at - 3, 4) == "\r\n\r\n") return {.size = at + 1};
    ++at;
  }
  if (bytes.size() > limits.header_bytes_max) return {.refusal = Refusal::kHeaderTooLarge};
  return {};
}

Refusal ScanHeader(std::string_view block, const HeaderLimits& limits) {
  Framing framing;
  std::size_t line_count = 0;
  while (!block.empty()) {
    const std::size_t end = block.find("\r\n");
    if (end == std::string_view::npos) return Refusal::kMalformed;
    const std::string_view line = block.substr(0, end);
    block.remove_prefix(end + 2);
    if (line.empty()) break;
    ++line_count;
    if (line_count > limits.fields_max + 1) return Refusal::kTooManyFields;
    const Refusal refusal =
        line_count == 1 ? ScanRequestLine(line, limits, &framing.is_http_10) : ScanField(line, &framing);
    if (refusal != Refusal::kNone) return refusal;
  }
  if (line_count == 0) return Refusal::kBadRequestLine;
  if (framing.codings > 0 && framing.content_lengths > 0) return Refusal::kLengthAndCoding;
  if (framing.codings > 0 && framing.is_http_10) return Refusal::kUnknownCoding;  // RFC 9112, 6.1: faulty framing
  if (framing.hosts == 0 && !framing.is_http_10) return Refusal::kMissingHost;
  return Refusal::kNone;
}

}  // namespace http::internal
