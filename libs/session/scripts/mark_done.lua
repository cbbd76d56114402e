-- KEYS: shard.  ARGV: digest, hours to keep.  Returns 1 when it was not known before.
local packed = redis.call('GET', KEYS[1]) or ''
if holds(packed, ARGV[1]) then return 0 end
local hours = tonumber(ARGV[2])
local now = math.floor(tonumber(redis.call('TIME')[1]) / 3600) % 65536
local keep_from = 1
while keep_from < #packed do
  local age = (now - struct.unpack('>I2', packed, keep_from)) % 65536
  -- More than half the circle is the future: the clock went back, and the entry is not old.
  if age <= hours or age >= 32768 then break end
  keep_from = keep_from + ENTRY_BYTES
end
-- SET and not APPEND, which would double the memory it reserves.
redis.call('SET', KEYS[1], string.sub(packed, keep_from) .. struct.pack('>I2', now) .. ARGV[1], 'EX', (hours + 1) * 3600)
return 1
