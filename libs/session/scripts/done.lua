-- Put before mark_done.lua and is_done.lua. A shard is a ring of strings, one for every two days, each a list of the
-- 16-byte digests of the turns that were finished in them. Which string is written follows from Redis's clock; all are read,
-- so a clock that jumps forgets nothing.
local DIGEST_BYTES = 16

local function holds(packed, digest)
  local at = 1
  while true do
    local found = string.find(packed, digest, at, true)
    if not found then return false end
    if (found - 1) % DIGEST_BYTES == 0 then return true end
    at = found + 1  -- bytes of two neighbours that look like the digest
  end
end

local function is_known(keys, digest)
  for _, key in ipairs(keys) do
    local packed = redis.call('GET', key)
    if packed and holds(packed, digest) then return true end
  end
  return false
end

