-- KEYS: link, order, turns, control, unsent.  ARGV: id of the turn that asks, tokens_max
-- Returns {'moved', conversation} or {'ok', turn is in the history, {turn id, record, ...} newest first, handoff or empty,
-- consent or empty, accepted_at_ms of the answered turn before or '0', the asking turn is unsent}.
local to = moved_to(KEYS[1])
if to then return {'moved', to} end

-- What a chat template puts around a message, at most; and the shortest beginning that is worth its place.
local MESSAGE_TOKENS = 12
local CUT_BYTES_MIN = 16
local ELLIPSIS = '\226\128\166'

-- The beginning of `text` within `bytes`, never inside a code point.
local function cut(text, bytes)
  local size = bytes - #ELLIPSIS
  while size > 0 and string.byte(text, size + 1) >= 128 and string.byte(text, size + 1) < 192 do size = size - 1 end
  return string.sub(text, 1, size) .. ELLIPSIS
end

-- Brings a turn down to `tokens`, nil when too little would be left of it. Of a text that is cut so many bytes stay as
-- it may have tokens, because a token is at least a byte. The reply gets at most half, for the user's words say what it
-- was about.
local function cut_turn(r, tokens)
  local reply_max = math.floor(tokens / 2)
  if reply_max < MESSAGE_TOKENS + CUT_BYTES_MIN then return nil end
  if r.reply_tokens > reply_max and #r.reply_text > reply_max - MESSAGE_TOKENS then
    r.reply_text = cut(r.reply_text, reply_max - MESSAGE_TOKENS)
  end
  r.reply_tokens = math.min(r.reply_tokens, reply_max)
  local user_max = tokens - r.reply_tokens
  if r.user_tokens > user_max and #r.user_text > user_max - MESSAGE_TOKENS then
    r.user_text = cut(r.user_text, user_max - MESSAGE_TOKENS)
  end
  r.user_tokens = math.min(r.user_tokens, user_max)
  return r
end

-- When the newest turn before the one that asks was accepted of which the user may have seen a reply; '0' when there is
-- none, or none since who answers has changed last. It is mostly the newest of all, so a few are looked at at a time.
local LOOK_AT = 8
local function answered_before(turn_id)
  local own = redis.call('ZSCORE', KEYS[2], turn_id)
  local since = redis.call('HGET', KEYS[4], 'handoff_at')
  local skipped = 0
  while true do
    local ids = redis.call('ZREVRANGEBYSCORE', KEYS[2], own and '(' .. own or '+inf', since or '-inf', 'LIMIT', skipped,
      LOOK_AT)
    for _, id in ipairs(ids) do
      local value = redis.call('HGET', KEYS[3], id)
      local _, outcome, _, _, _, accepted_at_ms, _, _, user_size = struct.unpack(RECORD, value)
      if #value > RECORD_BYTES + user_size and outcome ~= FAILED and outcome ~= SUPERSEDED then
        return string.format('%.0f', accepted_at_ms)
      end
    end
    if #ids < LOOK_AT then return '0' end
    skipped = skipped + LOOK_AT
  end
end

local found = {}
local tokens_max = tonumber(ARGV[2])
local tokens_left = tokens_max
for _, turn_id in ipairs(redis.call('ZREVRANGE', KEYS[2], 0, -1)) do
  local value = redis.call('HGET', KEYS[3], turn_id)
  if turn_id ~= ARGV[1] and #value > RECORD_BYTES then  -- nothing is left of a turn that was unsent
    local _, outcome, _, _, _, _, user_tokens, reply_tokens = struct.unpack(RECORD, value)
    if outcome == FAILED or outcome == SUPERSEDED then reply_tokens = 0 end
    -- No budget holds this one whole, and all that is older would be hidden behind it for as long as it is the newest.
    if user_tokens + reply_tokens > tokens_max then
      local r = unpack_record(value)
      r.reply_tokens = reply_tokens
      if reply_tokens == 0 then r.reply_text = '' end
      r = cut_turn(r, math.floor(tokens_left / 2))
      if not r then break end
      value = pack_record(r)
      user_tokens, reply_tokens = r.user_tokens, r.reply_tokens
    end
    tokens_left = tokens_left - user_tokens - reply_tokens
    if tokens_left < 0 then break end
    found[#found + 1] = turn_id
    found[#found + 1] = value
  end
end
local control = redis.call('HMGET', KEYS[4], 'handoff', 'consent')
return {'ok', redis.call('HEXISTS', KEYS[3], ARGV[1]), found, control[1] or '', control[2] or '',
  answered_before(ARGV[1]), is_unsent(KEYS[5], ARGV[1]) and 1 or 0}
