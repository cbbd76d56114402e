-- KEYS: link, meta, turns, early, unsent.  ARGV: turn id, marker_ttl_s, markers_max
-- Deletes what is stored of the turn's words, and leaves a marker for what is projected later.
-- Returns {'moved', conversation} or {'ok', a text was stored}.
local to = moved_to(KEYS[1])
if to then return {'moved', to} end

local turn_id = ARGV[1]
local time = redis.call('TIME')
redis.call('ZADD', KEYS[5], tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), turn_id)
redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -tonumber(ARGV[3]) - 1)  -- bounded: the oldest go
redis.call('EXPIRE', KEYS[5], ARGV[2])

local deleted = 0
local stored_value = redis.call('HGET', KEYS[3], turn_id)
if stored_value and #stored_value > RECORD_BYTES then
  local turn = unpack_record(stored_value)
  remove_texts(turn)
  local value = pack_record(turn)
  redis.call('HSET', KEYS[3], turn_id, value)
  redis.call('HINCRBY', KEYS[2], 'bytes', #value - #stored_value)
  deleted = 1
end
local early_value = redis.call('HGET', KEYS[4], turn_id)
if early_value and #early_value > EARLY_BYTES then
  local early = unpack_early(early_value)
  early.reply_text, early.reply_tokens = '', 0
  redis.call('HSET', KEYS[4], turn_id, pack_early(early))
  deleted = 1
end
return {'ok', deleted}
