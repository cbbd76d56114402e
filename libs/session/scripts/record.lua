-- Put before every other script of this folder: the stored forms, as libs/session/internal/turn_record.h documents them.
local RECORD = '>BBI4i8i8i8i4i4I4'
local RECORD_BYTES = 42
local EARLY = '>BBI4i8i4i8'
local EARLY_BYTES = 26
local FAILED = 2
local SUPERSEDED = 3
-- sent < delivered < read, whatever the numbers of the enum say.
local RANK = {[0] = 0, [1] = 1, [4] = 2, [5] = 3}

local function unpack_record(value)
  local r = {}
  local user_size
  r.version, r.outcome, r.generation, r.replies_offset, r.turns_offset, r.accepted_at_ms, r.user_tokens, r.reply_tokens,
    user_size = struct.unpack(RECORD, value)
  r.user_text = string.sub(value, RECORD_BYTES + 1, RECORD_BYTES + user_size)
  r.reply_text = string.sub(value, RECORD_BYTES + user_size + 1)
  return r
end

local function pack_record(r)
  return struct.pack(RECORD, r.version, r.outcome, r.generation, r.replies_offset, r.turns_offset, r.accepted_at_ms,
    r.user_tokens, r.reply_tokens, #r.user_text) .. r.user_text .. r.reply_text
end

-- An outcome that came before its turn. replies_offset < 0: it brought no text.
local function unpack_early(value)
  local e = {}
  e.version, e.outcome, e.generation, e.replies_offset, e.reply_tokens, e.arrived_at_ms = struct.unpack(EARLY, value)
  e.reply_text = string.sub(value, EARLY_BYTES + 1)
  return e
end

local function pack_early(e)
  return struct.pack(EARLY, e.version, e.outcome, e.generation, e.replies_offset, e.reply_tokens, e.arrived_at_ms) ..
    e.reply_text
end

-- The first record of the newest generation is what was said.
local function beats(a, b)
  if a.generation ~= b.generation then return a.generation > b.generation end
  return a.replies_offset < b.replies_offset
end

local function merge_outcome(known, new)
  if known == FAILED or known == SUPERSEDED then return known end
  if new == FAILED or new == SUPERSEDED then return new end
  if RANK[new] > RANK[known] then return new end
  return known
end

-- Text and offset of `from` take the place of those of `to`, when it brings any and comes first.
local function take_text(to, from)
  if from.replies_offset < 0 or (to.replies_offset >= 0 and from.replies_offset >= to.replies_offset) then return false end
  to.replies_offset = from.replies_offset
  to.reply_tokens = from.reply_tokens
  to.reply_text = from.reply_text
  return true
end

-- The conversation that this one has become, or nil.
local function moved_to(link_key)
  return redis.call('HGET', link_key, 'to') or nil
end

-- Everything at or below this order is trimmed or forgotten and must not come back.
local function floor_of(meta_key)
  local floor = redis.call('HGET', meta_key, 'floor')
  return floor and tonumber(floor)
end

local function raise_floor(meta_key, order)
  local floor = floor_of(meta_key)
  if not floor or order > floor then redis.call('HSET', meta_key, 'floor', string.format('%.0f', order)) end
end

local function store_turn(meta_key, order_key, turns_key, turn_id, order, value, replaced)
  redis.call('HSET', turns_key, turn_id, value)
  redis.call('ZADD', order_key, string.format('%.0f', order), turn_id)
  local added = #value - (replaced and #replaced or -#turn_id)
  redis.call('HINCRBY', meta_key, 'bytes', added)
end

-- Oldest turns go first, and the floor follows them: so what remains is the newest part of the log whatever the order of
-- the writes was. The newest turn always stays.
local function trim(meta_key, order_key, turns_key, turns_max, bytes_max)
  local count = redis.call('ZCARD', order_key)
  local bytes = tonumber(redis.call('HGET', meta_key, 'bytes') or '0')
  while count > 1 and (count > turns_max or bytes > bytes_max) do
    local oldest = redis.call('ZPOPMIN', order_key)
    local size = redis.call('HSTRLEN', turns_key, oldest[1]) + #oldest[1]
    redis.call('HDEL', turns_key, oldest[1])
    redis.call('HINCRBY', meta_key, 'bytes', -size)
    raise_floor(meta_key, tonumber(oldest[2]))
    count = count - 1
    bytes = bytes - size
  end
end

-- The user took the message back: whoever projects it, whenever, no text of its turn is kept.
local function is_unsent(unsent_key, turn_id)
  return redis.call('ZSCORE', unsent_key, turn_id) and true or false
end

local function remove_texts(turn)
  turn.user_text, turn.user_tokens = '', 0
  turn.reply_text, turn.reply_tokens = '', 0
end

-- Of several actions of one kind ('handoff', 'consent') that with the highest order stands. Whether it is this one.
local function keep_later_action(control_key, kind, action, order)
  local known = redis.call('HGET', control_key, kind .. '_at')
  if known and tonumber(known) > order then return false end
  redis.call('HSET', control_key, kind, action, kind .. '_at', string.format('%.0f', order))
  return true
end

