#pragma once

#include <cstdint>

namespace kvcache {

enum class BlockId : std::uint32_t {};  // index into the pool, in [0, blocks_total)

}  // namespace kvcache
