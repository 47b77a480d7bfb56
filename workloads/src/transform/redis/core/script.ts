/**
 * The two scripts with which everything is done in Redis. Each is atomic there, and in its append-only file and on its
 * replicas: rows and progress come and go together.
 */

/**
 * Reads where a partition stands, and begins it where nothing is stored.
 *
 * KEYS  progress
 * ARGV  uid, topic id, plan, first offset, then ids of topics that are gone: a place in one is given up
 * →     { next, epoch, uid, topic id, plan, whether this pipeline was replaced by the other uid }
 *
 * A pipeline that was made again under the same name goes on with another uid, and the uid before it is retired: a
 * worker that is left of it can neither write nor take the partition back.
 */
export const BEGIN = `
local key = KEYS[1]
local uid = redis.call('HGET', key, 'uid')
if not uid then
  redis.call('HSET', key, 'next', ARGV[4], 'epoch', '-1', 'uid', ARGV[1], 'topic_id', ARGV[2], 'plan', ARGV[3])
elseif uid ~= ARGV[1] then
  if redis.call('HEXISTS', key, 'retired:' .. ARGV[1]) == 1 then
    return {'', '', uid, '', '', 1}
  end
  redis.call('HSET', key, 'retired:' .. uid, '1', 'uid', ARGV[1])
end
local topic = redis.call('HGET', key, 'topic_id')
for i = 5, #ARGV do
  if topic == ARGV[i] and topic ~= ARGV[2] then
    redis.call('HSET', key, 'next', ARGV[4], 'epoch', '-1', 'topic_id', ARGV[2])
  end
end
local now = redis.call('HMGET', key, 'next', 'epoch', 'uid', 'topic_id', 'plan')
now[6] = 0
return now
`;

/**
 * Compares a partition's progress, moves it, and writes rows. 1 when it has, 0 when progress is not as expected.
 *
 * KEYS  progress
 * ARGV  uid, topic id, plan, from, from epoch, to, to epoch, form (hash or json), time to live in ms (0: none),
 *       then for each row: json: key, text; hash: key, number of arguments that follow, fields and values in turn
 *
 * What a script has done stays when a later command of it fails, and a server without memory refuses only the first write
 * of a script. So the first write changes nothing and the last one moves progress: rows of a script that failed are
 * written once more, as they are.
 */
export const WRITE = `
local key = KEYS[1]
local now = redis.call('HMGET', key, 'uid', 'topic_id', 'plan', 'next', 'epoch')
for i = 1, 5 do
  if now[i] ~= ARGV[i] then return 0 end
end
redis.call('HSET', key, 'next', ARGV[4])
local ttl = ARGV[9]
local i = 10
if ARGV[8] == 'json' then
  while i < #ARGV do
    if ttl == '0' then redis.call('SET', ARGV[i], ARGV[i + 1])
    else redis.call('SET', ARGV[i], ARGV[i + 1], 'PX', ttl) end
    i = i + 2
  end
else
  while i < #ARGV do
    local row, count = ARGV[i], tonumber(ARGV[i + 1])
    redis.call('UNLINK', row)
    redis.call('HSET', row, unpack(ARGV, i + 2, i + 1 + count))
    if ttl ~= '0' then redis.call('PEXPIRE', row, ttl) end
    i = i + 2 + count
  end
end
redis.call('HSET', key, 'next', ARGV[6], 'epoch', ARGV[7])
return 1
`;
