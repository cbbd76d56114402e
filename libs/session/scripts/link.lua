-- KEYS: link.  ARGV: conversation that this one has become, or empty when it is the one to use; changed_at_ms, ttl_s
-- Returns 1, or 0 when a later change is known. Why no loop can arise: an edge into a conversation is only kept beside an
-- edge out of it when the latter is younger, so times grow along every path.
local known = redis.call('HGET', KEYS[1], 'at')
if known and tonumber(known) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'at', ARGV[2])
if ARGV[1] == '' then
  redis.call('HDEL', KEYS[1], 'to')
else
  redis.call('HSET', KEYS[1], 'to', ARGV[1])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
