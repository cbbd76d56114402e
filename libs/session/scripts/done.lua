-- Put before mark_done.lua and is_done.lua. A shard is a string of 18-byte entries: the hour it was written (2 bytes,
-- counted modulo 65536), then 16 bytes of a finished turn's id; oldest first.
local ENTRY_BYTES = 18

local function holds(packed, digest)
  local at = 1
  while true do
    local found = string.find(packed, digest, at, true)
    if not found then return false end
    if (found - 1) % ENTRY_BYTES == 2 then return true end
    at = found + 1  -- bytes of two neighbours that look like the digest
  end
end

