/** The output to Redis against a real one: rows and progress come and go together. */
import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { RedisOutput, type RedisOutputOptions } from "../../../workloads/src/transform/redis/redis-output.ts";
import { type Redis, startRedis } from "../redis.ts";
import { startTcpProxy } from "../tcp-proxy.ts";
import { batchOf, column, type Row } from "./batches.ts";

let redis: Redis;
let count = 0;
const open: RedisOutput[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  for (const output of open.splice(0)) await output.close();
});
afterAll(async () => await redis.stop());

const columns = [
  column("id", "VARCHAR"),
  column("amount", "DECIMAL(12,2)"),
  column("paid", "BOOLEAN"),
  column("at", "TIMESTAMP WITH TIME ZONE"),
];
const source = { topic: "payments", topicId: "t1" };
const assignee = { memberId: "m", generation: 1 };

function output(options: Partial<RedisOutputOptions> = {}): RedisOutput {
  const made = new RedisOutput({
    owner: { pipeline: "shop/bank", stage: "store", uid: "u1" },
    name: `hot${count}`,
    plan: "p1",
    columns,
    key: `p${count}:{id}`,
    as: "hash",
    ttlMs: 0,
    connection: { secret: redis.secret, onCall: () => undefined },
    ...options,
  });
  open.push(made);
  return made;
}

function secretWith(uri: string): string {
  const folder = mkdtempSync(join(tmpdir(), "caudal-redis-secret-"));
  writeFileSync(join(folder, "uri"), uri);
  return folder;
}

const row = (partition: number, offset: number, id: string | null, amount: number | null = 1250): Row => ({
  partition,
  offset,
  time: 0,
  values: [id, amount, 1, 1_767_225_630_000_000],
});
const move = (partition: number, from: number, to: number, fromEpoch = 0, toEpoch = 0) => ({
  partition,
  from,
  to,
  fromEpoch: from === 0 && fromEpoch === 0 ? -1 : fromEpoch,
  toEpoch,
});
const starts = new Map([[0, 0]]);
const fresh = (): void => void count++;
const places = async (of: RedisOutput) => (await of.positions(source, assignee, starts)).map(({ offset }) => offset);

it("keeps each event under its key, with a field for each column that is not NULL", async () => {
  fresh();
  const one = output();
  expect(
    await one.positions(
      source,
      assignee,
      new Map([
        [0, 0],
        [1, 7],
      ]),
    ),
  ).toEqual([
    { partition: 0, offset: 0, epoch: -1 },
    { partition: 1, offset: 7, epoch: -1 },
  ]);
  const rows = [row(0, 0, "a"), row(1, 7, "b", null), row(0, 1, "a", -5)];
  await one.commit(source, batchOf(columns, [move(0, 0, 2), { ...move(1, 7, 9), fromEpoch: -1 }], rows));
  expect(await redis.command("HGETALL", `p${count}:a`)).toEqual([
    "id",
    "a",
    "amount",
    "-0.05",
    "paid",
    "true",
    "at",
    "2026-01-01T00:00:30Z",
  ]);
  expect(await redis.command("HKEYS", `p${count}:b`)).toEqual(["id", "paid", "at"]);
  expect(
    await output().positions(
      source,
      assignee,
      new Map([
        [0, 0],
        [1, 0],
      ]),
    ),
  ).toEqual([
    { partition: 0, offset: 2, epoch: 0 },
    { partition: 1, offset: 9, epoch: 0 },
  ]);
});

it("keeps JSON, and lets keys go after their time to live", async () => {
  fresh();
  const one = output({ as: "json", ttlMs: 60_000 });
  await places(one);
  await one.commit(source, batchOf(columns, [move(0, 0, 1)], [row(0, 0, "a")]));
  expect(JSON.parse(String(await redis.command("GET", `p${count}:a`)))).toMatchObject({ id: "a", amount: 1250 });
  const ttl = Number(await redis.command("PTTL", `p${count}:a`));
  expect(ttl).toBeGreaterThan(0);
  expect(ttl).toBeLessThanOrEqual(60_000);
  const progress = `caudal:progress:shop/bank/store/hot${count}:payments:0`;
  expect(await redis.command("PTTL", progress)).toBe(-1);
});

it("writes nothing that someone else has written: neither again nor after it", async () => {
  fresh();
  const [zombie, heir] = [output(), output()];
  await places(zombie);
  await places(heir);
  await heir.commit(source, batchOf(columns, [move(0, 0, 2)], [row(0, 0, "a", 1), row(0, 1, "a", 2)]));
  await expect(zombie.commit(source, batchOf(columns, [move(0, 0, 1)], [row(0, 0, "a", 1)]))).rejects.toMatchObject({
    reason: "ProgressMoved",
    retryable: true,
  });
  expect(await redis.command("HGET", `p${count}:a`, "amount")).toBe("0.02");
  expect(await places(zombie)).toEqual([2]);
});

it("does many rows in several steps, each of which may be the last one before a crash", async () => {
  fresh();
  const one = output();
  await places(one);
  const rows = Array.from({ length: 5_000 }, (_, offset) => row(0, offset * 2, `k${offset}`));
  await one.commit(source, batchOf(columns, [move(0, 0, 10_000, 0, 4)], rows));
  expect(await one.positions(source, assignee, starts)).toEqual([{ partition: 0, offset: 10_000, epoch: 4 }]);
  expect(await redis.command("EXISTS", `p${count}:k0`, `p${count}:k2500`, `p${count}:k4999`)).toBe(3);
});

it("keeps rows and progress alike over a kill of Redis", async () => {
  fresh();
  const one = output();
  await places(one);
  await one.commit(source, batchOf(columns, [move(0, 0, 1)], [row(0, 0, "a")]));
  await redis.restart("SIGKILL");
  await expect(one.commit(source, batchOf(columns, [move(0, 1, 2)], [row(0, 1, "b")]))).resolves.toBeUndefined();
  expect(await places(output())).toEqual([2]);
  expect(await redis.command("EXISTS", `p${count}:a`, `p${count}:b`)).toBe(2);
});

it("says what progress is after a connection that was cut before or after the script", async () => {
  fresh();
  let cut: "before" | "after" | undefined;
  const proxy = await startTcpProxy(redis.port, () => ({
    fromClient: (bytes) =>
      cut === "before" && bytes.includes("EVALSHA") ? { bytes: Buffer.alloc(0), cut: true } : { bytes, cut: false },
    fromServer: (bytes) => (cut === "after" ? { bytes: Buffer.alloc(0), cut: true } : { bytes, cut: false }),
  }));
  const one = output({ connection: { secret: redis.secretFor(proxy.port), onCall: () => undefined } });
  await places(one);
  for (const [when, after] of [
    ["before", 0],
    ["after", 1],
  ] as const) {
    cut = when;
    const lost = one.commit(source, batchOf(columns, [move(0, 0, 1)], [row(0, 0, "a")]));
    await expect(lost).rejects.toMatchObject({ reason: "RedisUnavailable", retryable: true });
    cut = undefined;
    expect(await places(one)).toEqual([after]);
  }
  await proxy.close();
});

it("lets a pipeline that was made again take over, for good", async () => {
  fresh();
  const first = output();
  await places(first);
  const second = output({ owner: { pipeline: "shop/bank", stage: "store", uid: "u2" } });
  expect(await places(second)).toEqual([0]);
  const late = first.commit(source, batchOf(columns, [move(0, 0, 1)], [row(0, 0, "a")]));
  await expect(late).rejects.toMatchObject({ reason: "ProgressMoved" });
  await expect(places(first)).rejects.toThrow(/uid u2 has taken the place of this one, which has u1/);
});

it("refuses another topic of the name and another definition", async () => {
  fresh();
  await places(output());
  await expect(output().positions({ ...source, topicId: "t2" }, assignee, starts)).rejects.toMatchObject({
    reason: "TopicRecreated",
  });
  await expect(places(output({ plan: "p2" }))).rejects.toThrow(/another definition of it: put the definition back/);
});

it.each([
  ["a NULL", null, /the key .* needs id: one is NULL/],
  ["a key that is too long", "x".repeat(2_000), /is longer than 1024 bytes/],
])("refuses the row with %s, and writes nothing of its batch", async (_what, id, message) => {
  fresh();
  const one = output();
  await places(one);
  const batch = batchOf(columns, [move(0, 0, 2)], [row(0, 0, "a"), row(0, 1, id)]);
  await expect(one.commit(source, batch)).rejects.toMatchObject({
    reason: "RefusedByOutput",
    message: expect.stringMatching(message) as string,
  });
  expect(await places(one)).toEqual([0]);
  expect(await redis.command("EXISTS", `p${count}:a`)).toBe(0);
});

/** What a row of data may be called, and whether it is a key: those of progress are nobody's. */
const named: readonly (readonly [what: string, key: string, id: (own: string) => string, taken: boolean])[] = [
  ["the output's own progress", "{id}", (own) => own, false],
  ["another partition's", "{id}", (own) => own.replace(/0$/, "7"), false],
  ["another pipeline's", "{id}", () => "caudal:progress:other/pipeline/stage/out:topic:0", false],
  ["the bare beginning of it", "{id}", () => "caudal:progress:", false],
  ["progress that a template and a value make together", "caudal:{id}", (own) => own.slice("caudal:".length), false],
  ["progress that a value before another one makes", "{id}{amount}", () => "caudal:progress:", false],
  ["less than the beginning of it", "{id}", () => "caudal:progress", true],
  ["another case of it", "{id}", () => "CAUDAL:PROGRESS:x", true],
  ["a key that holds it", "k:{id}", (own) => own, true],
  ["no text at all", "{id}", () => "", true],
];
it.each(named)("a row that is named as %s", async (_what, key, idOf, taken) => {
  fresh();
  const own = `caudal:progress:shop/bank/store/hot${count}:payments:0`;
  const others = "caudal:progress:other/pipeline/stage/out:topic:0";
  await redis.command("HSET", others, "next", "77", "uid", "theirs");
  for (const as of ["hash", "json"] as const) {
    const one = output({ key, as, name: `hot${count}`, plan: as });
    if (as === "json") await redis.command("DEL", own);
    await places(one);
    const commit = one.commit(source, batchOf(columns, [move(0, 0, 1)], [row(0, 0, idOf(own))]));
    if (taken) await commit;
    else await expect(commit).rejects.toMatchObject({ reason: "RefusedByOutput" });
    expect(await places(output({ key, as, name: `hot${count}`, plan: as }))).toEqual([taken ? 1 : 0]);
  }
  expect(await redis.command("HGETALL", others)).toEqual(["next", "77", "uid", "theirs"]);
});

it.each([
  ["tx:{nobody}", /nobody is no column of the select: use one of id, amount, paid, at/],
  ["tx", /the same key for every row: name a column in it/],
  ["tx:{id", /a brace without its other half/],
  ["tx:{}", /braces without a column/],
  ["caudal:progress:{id}", /under which is kept how far outputs have come: let it begin with something else/],
])("refuses the template %s", (key, message) => {
  expect(() => output({ key })).toThrow(message);
});

it("refuses a Redis that may evict its progress, and says what to set", async () => {
  fresh();
  await redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  try {
    await expect(places(output())).rejects.toThrow(
      /may evict any key \(maxmemory-policy allkeys-lru\).*set maxmemory-policy to noeviction/,
    );
  } finally {
    await redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction");
  }
});

it("waits for a Redis without memory, and has written nothing", async () => {
  fresh();
  const one = output();
  await places(one);
  await redis.command("CONFIG", "SET", "maxmemory", "1");
  try {
    await expect(one.commit(source, batchOf(columns, [move(0, 0, 1)], [row(0, 0, "a")]))).rejects.toMatchObject({
      reason: "RedisExhausted",
      retryable: true,
    });
  } finally {
    await redis.command("CONFIG", "SET", "maxmemory", "0");
  }
  expect(await redis.command("EXISTS", `p${count}:a`)).toBe(0);
  expect(await places(one)).toEqual([0]);
});

it("moves no progress when it may not write a row, and says so", async () => {
  fresh();
  const user = `writer${count}`;
  await redis.command("ACL", "SETUSER", user, "on", ">secret", "+@all", "~caudal:*");
  const secret = secretWith(`redis://${user}:secret@127.0.0.1:${redis.port}`);
  const one = output({ connection: { secret, onCall: () => undefined } });
  await places(one);
  await expect(one.commit(source, batchOf(columns, [move(0, 0, 1)], [row(0, 0, "a")]))).rejects.toMatchObject({
    reason: "RedisRefused",
    retryable: false,
  });
  expect(await places(one)).toEqual([0]);
});

it("says that a password is wrong, and reads it again at each try", async () => {
  fresh();
  const secret = secretWith(`redis://:wrong@127.0.0.1:${redis.port}`);
  const one = output({ connection: { secret, onCall: () => undefined } });
  await expect(places(one)).rejects.toMatchObject({ reason: "RedisRefused" });
  cpSync(redis.secret, secret, { recursive: true });
  expect(await places(one)).toEqual([0]);
});
