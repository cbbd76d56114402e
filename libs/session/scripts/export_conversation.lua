-- KEYS: meta, order, turns, early.
-- Returns {floor or empty, forgot or empty, {turn id, order, record, ...}, {turn id, early outcome, ...}}.
local turns = {}
local ids = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for i = 1, #ids, 2 do
  turns[#turns + 1] = ids[i]
  turns[#turns + 1] = ids[i + 1]
  turns[#turns + 1] = redis.call('HGET', KEYS[3], ids[i])
end
return {redis.call('HGET', KEYS[1], 'floor') or '', redis.call('HGET', KEYS[1], 'forgot') or '', turns,
  redis.call('HGETALL', KEYS[4])}
