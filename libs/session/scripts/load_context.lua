-- KEYS: link, order, turns.  ARGV: id of the turn that asks, tokens_max
-- Returns {'moved', conversation} or {'ok', turn is in the history, {turn id, record, ...}}, newest first.
local to = moved_to(KEYS[1])
if to then return {'moved', to} end

local found = {}
local tokens_left = tonumber(ARGV[2])
for _, turn_id in ipairs(redis.call('ZREVRANGE', KEYS[2], 0, -1)) do
  if turn_id ~= ARGV[1] then
    local value = redis.call('HGET', KEYS[3], turn_id)
    local _, outcome, _, _, _, _, user_tokens, reply_tokens = struct.unpack(RECORD, value)
    if outcome == FAILED or outcome == SUPERSEDED then reply_tokens = 0 end
    tokens_left = tokens_left - user_tokens - reply_tokens
    if tokens_left < 0 then break end
    found[#found + 1] = turn_id
    found[#found + 1] = value
  end
end
return {'ok', redis.call('HEXISTS', KEYS[3], ARGV[1]), found}
