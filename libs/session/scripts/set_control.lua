-- KEYS: link, control.  ARGV: kind ('handoff' or 'consent'), action, order, marker_ttl_s
-- Returns {'moved', conversation} or {'ok', applied}.
local to = moved_to(KEYS[1])
if to then return {'moved', to} end

local applied = keep_later_action(KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3]))
redis.call('EXPIRE', KEYS[2], ARGV[4])
return {'ok', applied and 1 or 0}
