-- KEYS: meta, order, turns, early, control, unsent.
-- Returns {floor or empty, forgot or empty, {turn id, order, record, ...}, {turn id, early outcome, ...},
-- {handoff, its order, consent, its order} each or empty, {unsent turn id, when that was learned, ...}}.
local turns = {}
local ids = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for i = 1, #ids, 2 do
  turns[#turns + 1] = ids[i]
  turns[#turns + 1] = ids[i + 1]
  turns[#turns + 1] = redis.call('HGET', KEYS[3], ids[i])
end
local control = redis.call('HMGET', KEYS[5], 'handoff', 'handoff_at', 'consent', 'consent_at')
for i = 1, 4 do control[i] = control[i] or '' end
return {redis.call('HGET', KEYS[1], 'floor') or '', redis.call('HGET', KEYS[1], 'forgot') or '', turns,
  redis.call('HGETALL', KEYS[4]), control, redis.call('ZRANGE', KEYS[6], 0, -1, 'WITHSCORES')}
