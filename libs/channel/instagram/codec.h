#pragma once

#include "libs/channel/codec.h"

namespace channel::instagram {

const Codec& GetCodec();  // Instagram messaging; lives for the whole process

}  // namespace channel::instagram
