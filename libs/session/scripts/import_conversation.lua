-- KEYS: meta, order, turns, early, control, unsent.
-- ARGV: floor or empty, forgot or empty, turns_max, bytes_max, history_ttl_s, marker_ttl_s, early_ttl_s,
--       (handoff, its order, consent, its order) each or empty,
--       count of turns, then (turn id, order, record) of each, count of unsent ones, then (turn id, when that was learned)
--       of each, then (turn id, early outcome) pairs
-- Returns how many turns were taken.
local at = 1
local function take(count)
  at = at + count
  return unpack(ARGV, at - count, at - 1)
end

local floor_there, forgot_there, turns_max, bytes_max, history_ttl, marker_ttl, early_ttl = take(7)
for _, kind in ipairs({'handoff', 'consent'}) do
  local action, order = take(2)
  if action ~= '' then keep_later_action(KEYS[5], kind, action, tonumber(order)) end
end

local turns = {}
for _ = 1, tonumber((take(1))) do
  local turn_id, order, value = take(3)
  turns[#turns + 1] = {turn_id = turn_id, order = tonumber(order), value = value}
end
for _ = 1, tonumber((take(1))) do
  local turn_id, learned_at = take(2)
  redis.call('ZADD', KEYS[6], learned_at, turn_id)
end

local floor = floor_of(KEYS[1])
local taken = 0
for _, moved in ipairs(turns) do
  local stored = redis.call('HGET', KEYS[3], moved.turn_id)
  local turn = unpack_record(moved.value)
  if not (floor and moved.order <= floor) and not (stored and not beats(turn, unpack_record(stored))) then
    if is_unsent(KEYS[6], moved.turn_id) then remove_texts(turn) end
    store_turn(KEYS[1], KEYS[2], KEYS[3], moved.turn_id, moved.order, pack_record(turn), stored)
    taken = taken + 1
  end
end
while ARGV[at] do
  local turn_id, value = take(2)
  local early = unpack_early(value)
  if is_unsent(KEYS[6], turn_id) then early.reply_text, early.reply_tokens = '', 0 end
  redis.call('HSETNX', KEYS[4], turn_id, pack_early(early))
  redis.call('EXPIRE', KEYS[4], early_ttl)
end
if floor_there ~= '' then raise_floor(KEYS[1], tonumber(floor_there)) end
if forgot_there ~= '' then redis.call('HSET', KEYS[1], 'forgot', forgot_there) end
trim(KEYS[1], KEYS[2], KEYS[3], tonumber(turns_max), tonumber(bytes_max))
redis.call('EXPIRE', KEYS[1], marker_ttl)
redis.call('EXPIRE', KEYS[2], history_ttl)
redis.call('EXPIRE', KEYS[3], history_ttl)
redis.call('EXPIRE', KEYS[5], marker_ttl)
redis.call('EXPIRE', KEYS[6], marker_ttl)
return taken
