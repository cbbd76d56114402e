#pragma once

#include <cstddef>
#include <string_view>

#include "libs/http/internal/refusal.h"

namespace http::internal {

struct HeaderLimits {
  std::size_t header_bytes_max = 0;
  std::size_t fields_max = 0;
  std::size_t target_bytes_max = 0;
};

// Looks at the raw bytes of a request header before the parser normalises them. Beast 1.81 accepts what another parser
// on the way may read differently (an unknown transfer coding as "no body", obs-fold, a repeated equal
// Content-Length, 1.1 without Host), and a difference between two readers is how requests are smuggled (RFC 9112,
// sections 5.2, 6.1, 6.3 and 3.2). So this scan allows one reading only and refuses the rest; Beast then parses what is
// left.
//
// Pure functions; the same bytes always give the same answer, in however many pieces they arrived.

struct HeaderEnd {
  Refusal refusal = Refusal::kNone;
  std::size_t size = 0;  // of the header block with its empty line; 0: not complete yet
};

// `bytes` starts at the request line. Refuses early what can only get worse: a bare line feed, a header or request line
// that is already too long. `scanned` is how many of the bytes an earlier call has looked at.
HeaderEnd FindHeaderEnd(std::string_view bytes, std::size_t scanned, const HeaderLimits& limits);

// REQUIRES: `block` is what FindHeaderEnd delimited: ends with an empty line.
Refusal ScanHeader(std::string_view block, const HeaderLimits& limits);

bool IsTokenChar(char c);  // RFC 9110, section 5.6.2
bool IsToken(std::string_view text);
bool IsFieldValue(std::string_view text);  // no control characters but HTAB

}  // namespace http::internal
