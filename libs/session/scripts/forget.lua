-- KEYS: link, meta, order, turns, early.  ARGV: order up to which to forget, or empty; marker_ttl_s
-- Deletes what is stored, also under a conversation that has moved, and leaves the floor as a marker.
-- Returns {turns deleted, conversation it has become or empty}.
local count = redis.call('ZCARD', KEYS[3])
local newest = redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')
if newest[2] then raise_floor(KEYS[2], tonumber(newest[2])) end
if ARGV[1] ~= '' then raise_floor(KEYS[2], tonumber(ARGV[1])) end
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5])
redis.call('HSET', KEYS[2], 'forgot', '1', 'bytes', '0')
redis.call('EXPIRE', KEYS[2], ARGV[2])
return {count, moved_to(KEYS[1]) or ''}
