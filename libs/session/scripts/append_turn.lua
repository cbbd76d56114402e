-- KEYS: link, meta, order, turns, early, control, unsent.
-- ARGV: turn id, order, record, turns_max, bytes_max, history_ttl_s, marker_ttl_s
-- Returns {'moved', conversation} or {'ok', applied}.
local to = moved_to(KEYS[1])
if to then return {'moved', to} end

local turn_id = ARGV[1]
local order = tonumber(ARGV[2])
local turn = unpack_record(ARGV[3])
local floor = floor_of(KEYS[2])
if floor and order <= floor then
  redis.call('HDEL', KEYS[5], turn_id)
  return {'ok', 0}
end

local stored_value = redis.call('HGET', KEYS[4], turn_id)
if stored_value then
  local stored = unpack_record(stored_value)
  -- A retried webhook stands twice in `turns`. The first record is the turn's place, whichever of them is projected first.
  local same_generation = stored.generation == turn.generation
  local stored_order = tonumber(redis.call('ZSCORE', KEYS[3], turn_id))
  if same_generation and stored_order < order then
    order = stored_order
    turn.turns_offset = stored.turns_offset
  end
  if not beats(turn, stored) then
    if same_generation and order < stored_order then
      stored.turns_offset = turn.turns_offset
      store_turn(KEYS[2], KEYS[3], KEYS[4], turn_id, order, pack_record(stored), stored_value)
    end
    return {'ok', beats(stored, turn) and 0 or 1}
  end
  if same_generation then turn.outcome = merge_outcome(stored.outcome, turn.outcome) end
end

local applied = 1
local early_value = redis.call('HGET', KEYS[5], turn_id)
if early_value then
  local early = unpack_early(early_value)
  if early.generation == turn.generation then
    turn.outcome = merge_outcome(turn.outcome, early.outcome)
    if take_text(turn, early) then applied = 0 end
  end
  if early.generation <= turn.generation then redis.call('HDEL', KEYS[5], turn_id) end
end

if is_unsent(KEYS[7], turn_id) then remove_texts(turn) end
store_turn(KEYS[2], KEYS[3], KEYS[4], turn_id, order, pack_record(turn), stored_value)
trim(KEYS[2], KEYS[3], KEYS[4], tonumber(ARGV[4]), tonumber(ARGV[5]))
redis.call('EXPIRE', KEYS[2], ARGV[7])
redis.call('EXPIRE', KEYS[3], ARGV[6])
redis.call('EXPIRE', KEYS[4], ARGV[6])
redis.call('EXPIRE', KEYS[6], ARGV[7])
return {'ok', applied}
