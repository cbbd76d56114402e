-- KEYS: shard.  ARGV: digest.  Returns 1 or 0.
local packed = redis.call('GET', KEYS[1])
return packed and holds(packed, ARGV[1]) and 1 or 0
