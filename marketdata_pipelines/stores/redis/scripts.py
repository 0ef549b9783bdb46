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
