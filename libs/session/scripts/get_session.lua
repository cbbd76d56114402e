-- KEYS: link, order, turns, control.  ARGV: turns_max
-- Returns {'moved', conversation} or {'ok', {turn id, record, ...} newest first, handoff or empty, consent or empty}.
local to = moved_to(KEYS[1])
if to then return {'moved', to} end

local found = {}
for _, turn_id in ipairs(redis.call('ZREVRANGE', KEYS[2], 0, tonumber(ARGV[1]) - 1)) do
  found[#found + 1] = turn_id
  found[#found + 1] = redis.call('HGET', KEYS[3], turn_id)
end
local control = redis.call('HMGET', KEYS[4], 'handoff', 'consent')
return {'ok', found, control[1] or '', control[2] or ''}
