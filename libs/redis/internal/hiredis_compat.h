#pragma once

// The one place that sees hiredis.h. Debian 12 has 0.14.1, newer systems 1.x; only what both have is used:
// redisConnectWithTimeout, redisAppendCommandArgv, redisBufferWrite, redisBufferRead, redisGetReplyFromReader,
// redisSetTimeout, redisReply. In 1.x redisReply has more members and `integer`, `str`, `len`, `elements` keep their
// meaning.
#include <hiredis/hiredis.h>

static_assert(HIREDIS_MAJOR == 0 ? HIREDIS_MINOR >= 14 : HIREDIS_MAJOR == 1,
              "libs/redis was written against hiredis 0.14 and 1.x; check the functions named above");
