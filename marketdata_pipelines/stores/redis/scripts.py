"""What the server decides by itself, in one step that nobody can come between. Lua of Redis 6.2, one key slot each.

They are sent whole with every call: a server that was restarted or failed over needs nothing loaded first.
"""

# Points a partition at a revision, unless one of a later horizon stands there.
# KEYS: revisions. ARGV: partition, revision, horizon, seconds to keep. Returns {moved, the revision there before}.
POINT = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
local horizon, revision
if held then horizon, revision = string.match(held, '^(-?%d+) (.*)$') end
if horizon and tonumber(horizon) > tonumber(ARGV[3]) then return {0, revision} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {1, revision or ''}
"""

# Takes a partition's pointer away where it stands at this revision. KEYS: revisions. ARGV: partition, revision.
UNPOINT = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.match(held, '^-?%d+ (.*)$') == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0
"""

# Puts last bars of one partition. What is there stays if it is of a later partition, or of this and a later horizon.
# Where nothing is there, a bar is only put if the caller knows that no later partition has one (ARGV[3] = '1').
# A record begins with its partition (16 bytes) and horizon (20 digits), then 'L' (a bar) or 'T' (the partition no
# longer has one). 'T' keeps what was read before out, and gives way to a bar that is known to be the last.
# With ARGV[4] = '1' the records are all of the partition: bars that other symbols had in it are marked 'T'.
# KEYS: latest. ARGV: seconds to keep, head (partition and horizon), newest, complete, then symbol, record, symbol …
PUT_LATEST = """
local head, newest, written, given = ARGV[2], ARGV[3] == '1', 0, {}
local partition, horizon = string.sub(head, 1, 16), string.sub(head, 17, 36)
local function yields(held)
  if not held or #held < 37 then return newest end
  local theirs, later = string.sub(held, 1, 16), string.sub(held, 17, 36) > horizon
  if theirs == partition then return not later end
  if theirs < partition then return true end
  return newest and not later and string.sub(held, 37, 37) == 'T'
end
for i = 5, #ARGV, 2 do
  given[ARGV[i]] = true
  if yields(redis.call('HGET', KEYS[1], ARGV[i])) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    written = written + 1
  end
end
if ARGV[4] == '1' then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local held = all[i + 1]
    if not given[all[i]] and string.sub(held, 1, 16) == partition and string.sub(held, 17, 36) <= horizon then
      redis.call('HSET', KEYS[1], all[i], head .. 'T' .. string.sub(held, 38))
    end
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return written
"""

# The records of some symbols as one text: a reply of a thousand parts costs the client more than the rest together.
# KEYS: latest. ARGV: length of a record, symbols parted by spaces. A missing record is as many zero bytes.
GET_LATEST = """
local symbols, none = {}, string.rep('\\0', tonumber(ARGV[1]))
for symbol in string.gmatch(ARGV[2], '[^ ]+') do symbols[#symbols + 1] = symbol end
local records = redis.call('HMGET', KEYS[1], unpack(symbols))
for i = 1, #records do
  if not records[i] or #records[i] ~= #none then records[i] = none end
end
return table.concat(records)
"""

# Adds to a group's account, forgets groups that have expired, and names those to drop so that the rest is within the
# budget: what would expire first goes first, the group itself never.
# KEYS: groups, sizes. ARGV: group, bytes, keys, expires at, now, budget (0: none). Returns the groups to drop.
CHARGE = """
local function forget(group)
  local bytes = tonumber(redis.call('HGET', KEYS[2], 'b ' .. group) or 0)
  redis.call('ZREM', KEYS[1], group)
  redis.call('HDEL', KEYS[2], 'b ' .. group, 'k ' .. group)
  redis.call('HINCRBY', KEYS[2], 'total', string.format('%.0f', 0 - bytes))
end
for _, group in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[5], 'LIMIT', 0, 100)) do forget(group) end
redis.call('ZADD', KEYS[1], 'GT', ARGV[4], ARGV[1])
redis.call('HINCRBY', KEYS[2], 'b ' .. ARGV[1], ARGV[2])
redis.call('HINCRBY', KEYS[2], 'k ' .. ARGV[1], ARGV[3])
local total, budget, dropped = redis.call('HINCRBY', KEYS[2], 'total', ARGV[2]), tonumber(ARGV[6]), {}
while budget > 0 and total > budget do
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 1)
  local group = oldest[1]
  if group == ARGV[1] then group = oldest[2] end
  if not group then break end
  forget(group)
  dropped[#dropped + 1] = group
  redis.call('HINCRBY', KEYS[2], 'evicted', 1)
  total = tonumber(redis.call('HGET', KEYS[2], 'total'))
end
return dropped
"""

# Closes a group's account. KEYS: groups, sizes. ARGV: group.
UNCHARGE = """
local bytes = tonumber(redis.call('HGET', KEYS[2], 'b ' .. ARGV[1]) or 0)
redis.call('HDEL', KEYS[2], 'b ' .. ARGV[1], 'k ' .. ARGV[1])
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[2], 'total', string.format('%.0f', 0 - bytes))
end
return bytes
"""
