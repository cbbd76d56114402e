-- KEYS: link, meta, turns, early, unsent.
-- ARGV: turn id, early outcome (packed, arrival time zero), early_ttl_s, early_max
-- Returns {'moved', conversation} or {'ok'}.
local to = moved_to(KEYS[1])
if to then return {'moved', to} end

local turn_id = ARGV[1]
local new = unpack_early(ARGV[2])
if is_unsent(KEYS[5], turn_id) then new.reply_text, new.reply_tokens = '', 0 end
local stored_value = redis.call('HGET', KEYS[3], turn_id)
if stored_value then
  local stored = unpack_record(stored_value)
  if stored.generation > new.generation then return {'ok'} end
  -- A reply that was requeued: nobody appends its turn again, and the words are here.
  if stored.generation < new.generation and new.replies_offset >= 0 then
    stored.generation = new.generation
    stored.outcome = 0
    stored.replies_offset = -1
    local early_value = redis.call('HGET', KEYS[4], turn_id)
    local early = early_value and unpack_early(early_value)
    if early and early.generation <= new.generation then
      redis.call('HDEL', KEYS[4], turn_id)
      if early.generation == new.generation then
        new.outcome = merge_outcome(early.outcome, new.outcome)
        take_text(new, early)
      end
    end
  end
  if stored.generation == new.generation then
    stored.outcome = merge_outcome(stored.outcome, new.outcome)
    take_text(stored, new)
    local value = pack_record(stored)
    redis.call('HSET', KEYS[3], turn_id, value)
    redis.call('HINCRBY', KEYS[2], 'bytes', #value - #stored_value)
    return {'ok'}
  end
end

-- The turn, or this generation of it, is not here yet: keep the outcome for it. After a Forget the text is not kept:
-- nothing here tells whether it belongs to what was forgotten.
if redis.call('HEXISTS', KEYS[2], 'forgot') == 1 then
  new.replies_offset = -1
  new.reply_tokens = 0
  new.reply_text = ''
end
local early_value = redis.call('HGET', KEYS[4], turn_id)
if early_value then
  local early = unpack_early(early_value)
  if early.generation > new.generation then return {'ok'} end
  if early.generation == new.generation then
    new.outcome = merge_outcome(early.outcome, new.outcome)
    take_text(new, early)
  end
end
local time = redis.call('TIME')
new.arrived_at_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[4], turn_id, pack_early(new))
redis.call('EXPIRE', KEYS[4], ARGV[3])

-- Bounded: the one that has waited longest goes.
if redis.call('HLEN', KEYS[4]) > tonumber(ARGV[4]) then
  local all = redis.call('HGETALL', KEYS[4])
  local oldest_id, oldest_ms
  for i = 1, #all, 2 do
    local arrived = unpack_early(all[i + 1]).arrived_at_ms
    if all[i] ~= turn_id and (not oldest_ms or arrived < oldest_ms) then
      oldest_id, oldest_ms = all[i], arrived
    end
  end
  redis.call('HDEL', KEYS[4], oldest_id)
end
return {'ok'}
