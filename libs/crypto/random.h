#pragma once

#include <cstddef>
#include <string>

namespace crypto {

std::string RandomBytes(std::size_t count);  // from the operating system; a failure ends the process

}  // namespace crypto
