-- KEYS: meta, order, turns, early.
-- ARGV: floor or empty, forgot or empty, turns_max, bytes_max, history_ttl_s, marker_ttl_s, early_ttl_s, count of turns,
--       then (turn id, order, record) of each, then (turn id, early outcome) pairs
-- Returns how many turns were taken.
local floor = floor_of(KEYS[1])
local taken = 0
local at = 9
for _ = 1, tonumber(ARGV[8]) do
  local turn_id, order, value = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  at = at + 3
  local stored = redis.call('HGET', KEYS[3], turn_id)
  if not (floor and order <= floor) and not (stored and not beats(unpack_record(value), unpack_record(stored))) then
    store_turn(KEYS[1], KEYS[2], KEYS[3], turn_id, order, value, stored)
    taken = taken + 1
  end
end
while ARGV[at] do
  redis.call('HSETNX', KEYS[4], ARGV[at], ARGV[at + 1])
  redis.call('EXPIRE', KEYS[4], ARGV[7])
  at = at + 2
end
if ARGV[1] ~= '' then raise_floor(KEYS[1], tonumber(ARGV[1])) end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'forgot', ARGV[2]) end
trim(KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[3]), tonumber(ARGV[4]))
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[5])
return taken
