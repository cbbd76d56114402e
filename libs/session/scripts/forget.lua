-- KEYS: link, meta, order, turns, early, control.
-- ARGV: order up to which to forget, or empty for all that is stored; marker_ttl_s; the action that ends a handoff
-- Deletes what is stored, also under a conversation that has moved, and leaves the floor as a marker. What was said after
-- the order that is named stays, so that a deletion may be repeated long afterwards, as a rebuild does. A handoff ends with
-- what it was about, and the user's wish to be left alone stays.
-- Returns {turns deleted, conversation it has become or empty}.
local up_to = ARGV[1] ~= '' and tonumber(ARGV[1])
local next_conversation = moved_to(KEYS[1]) or ''
local floor = floor_of(KEYS[2])
if up_to and floor and floor >= up_to and redis.call('HEXISTS', KEYS[2], 'forgot') == 1 then
  return {0, next_conversation}
end

local count
if up_to then
  local gone = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[1])
  count = #gone
  for _, turn_id in ipairs(gone) do
    local size = redis.call('HSTRLEN', KEYS[4], turn_id) + #turn_id
    redis.call('ZREM', KEYS[3], turn_id)
    redis.call('HDEL', KEYS[4], turn_id)
    redis.call('HINCRBY', KEYS[2], 'bytes', -size)
  end
  raise_floor(KEYS[2], up_to)
  keep_later_action(KEYS[6], 'handoff', ARGV[3], up_to)
else
  count = redis.call('ZCARD', KEYS[3])
  local newest = redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')
  if newest[2] then raise_floor(KEYS[2], tonumber(newest[2])) end
  redis.call('DEL', KEYS[3], KEYS[4])
  redis.call('HSET', KEYS[2], 'bytes', '0')
  local handed_off_at = redis.call('HGET', KEYS[6], 'handoff_at')
  if handed_off_at then keep_later_action(KEYS[6], 'handoff', ARGV[3], tonumber(handed_off_at) + 1) end
end
redis.call('DEL', KEYS[5])
redis.call('HSET', KEYS[2], 'forgot', '1')
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[6], ARGV[2])
return {count, next_conversation}
