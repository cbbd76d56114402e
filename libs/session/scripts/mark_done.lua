-- KEYS: the shard's strings.  ARGV: digest, hours a string stands for, seconds to keep it after its last entry
-- Returns 1 when the turn was not known before.
if is_known(KEYS, ARGV[1]) then return 0 end
local hours = math.floor(tonumber(redis.call('TIME')[1]) / 3600)
local key = KEYS[math.floor(hours / tonumber(ARGV[2])) % #KEYS + 1]
-- APPEND, so that the append-only file and replicas get these bytes and not the whole string again.
redis.call('APPEND', key, ARGV[1])
redis.call('EXPIRE', key, ARGV[3])
return 1
