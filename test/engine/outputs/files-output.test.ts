/** The output to files against a real S3 server, a folder and PostgreSQL: each event is in exactly one file. */
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { FileStore } from "../../../workloads/src/transform/files/file-store.ts";
import { FilesOutput } from "../../../workloads/src/transform/files/files-output.ts";
import { FolderStore } from "../../../workloads/src/transform/files/folder-store.ts";
import { FileLedger } from "../../../workloads/src/transform/files/ledger.ts";
import { S3Store } from "../../../workloads/src/transform/files/s3-store.ts";
import { jsonLinesWriter } from "../../../workloads/src/transform/files/write-json-lines.ts";
import { ParquetWriter } from "../../../workloads/src/transform/files/write-parquet.ts";
import type { Output } from "../../../workloads/src/transform/output.ts";
import { startCommitCutter } from "../aggregator/commit-cutter.ts";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";
import { type S3, startS3 } from "../s3.ts";
import { batchOf, column, type Row } from "./batches.ts";
import { readLake } from "./lake.ts";

let s3: S3;
let server: Postgres;
let count = 0;
const open: Output[] = [];
beforeAll(async () => {
  [s3, server] = await Promise.all([startS3(), startPostgres()]);
});
afterEach(async () => {
  for (const output of open.splice(0)) await output.close();
});
afterAll(async () => await Promise.all([s3.stop(), server.stop()]));

const columns = [
  column("id", "BIGINT"),
  column("name", "VARCHAR"),
  column("amount", "DECIMAL(12,2)"),
  column("at", "TIMESTAMP WITH TIME ZONE"),
];
const source = { topic: "customers", topicId: "t1" };
const assignee = { memberId: "m", generation: 1 };
const START = Date.UTC(2026, 0, 31, 23, 59, 58);

/** Events a second apart: those from the second on are of February. */
const rows = (partition: number, from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, i) => {
    const id = from + i;
    const time = START + id * 1000;
    return { partition, offset: id, time, values: [id, id % 3 === 0 ? null : `n${id}`, id * 100, time * 1000] };
  });
const batch = (partition: number, from: number, to: number) =>
  batchOf(columns, [{ partition, from, to, fromEpoch: from === 0 ? -1 : 0, toEpoch: 0 }], rows(partition, from, to));

interface Lake {
  readonly database: Database;
  /** Where the files lie on this machine. */
  readonly folder: string;
  readonly store: () => FileStore;
}

async function lake(kind: "s3" | "folder"): Promise<Lake> {
  const name = `lake${++count}`;
  const database = await server.database(name);
  if (kind === "folder") {
    const folder = mkdtempSync(join(tmpdir(), "caudal-lake-"));
    return { database, folder, store: () => new FolderStore(folder) };
  }
  const folder = join(s3.bucket(name), "raw");
  mkdirSync(folder);
  const options = { bucket: name, prefix: "raw/", endpoint: s3.endpoint, region: "us-east-1", secret: s3.secret };
  return { database, folder, store: () => new S3Store(options) };
}

interface Options {
  readonly uid?: string;
  readonly plan?: string;
  readonly format?: "parquet" | "jsonl";
  readonly secret?: string;
  readonly store?: () => FileStore;
}

function outputTo({ database, store }: Lake, options: Options = {}): FilesOutput {
  const owner = { pipeline: "shop/crm", stage: "store", uid: options.uid ?? "u1" };
  const output = new FilesOutput({
    writer: { pipeline: owner.pipeline, stage: owner.stage, output: "lake" },
    gather: { ms: 1_000, events: 1_000 },
    openLedger: async () =>
      await FileLedger.open({
        secret: options.secret ?? database.secret,
        owner,
        output: "store/lake",
        plan: options.plan ?? "p1",
        onCall: () => undefined,
      }),
    openStore: options.store ?? store,
    openWriter: async (folder) =>
      options.format === "jsonl" ? jsonLinesWriter : await ParquetWriter.open(columns, folder),
    wants: options.format === "jsonl" ? "json" : "columns",
  });
  open.push(output);
  return output;
}

const place = async (output: Output, partition = 0): Promise<number> => {
  const [position] = await output.positions(source, assignee, new Map([[partition, 0]]));
  return position?.offset ?? -1;
};

const ids = async ({ folder }: Lake): Promise<number[]> =>
  (await readLake<{ id: string }>(`select id from read_parquet('${folder}/**/*.parquet') order by id`)).map(({ id }) =>
    Number(id),
  );
/** As a server does that was put back: what the ledger had after these commits, and nothing of what came later. */
const putBack = async ({ database }: Lake, offset: number) =>
  await database.query("update caudal.progress set next_offset = $1", [offset]);
const upTo = (end: number): number[] => Array.from({ length: end }, (_, id) => id);
const files = ({ folder }: Lake): string[] => globSync("**/*.*", { cwd: folder }).sort();
const leftover = ({ folder }: Lake): string[] => globSync("_staged/*", { cwd: folder });

describe.each(["s3", "folder"] as const)("files in %s", (kind) => {
  it("whose commits were lost are removed before their events are written again; others' files stay", async () => {
    const one = await lake(kind);
    const output = outputTo(one);
    await place(output);
    await place(output, 1);
    await output.commit(source, batch(0, 0, 4));
    const kept = files(one);
    await output.commit(source, batch(0, 4, 9));
    await one.store().put("date=2026-01-31/customers-0-100-200-deadbeef.parquet", join(one.folder, kept[0] ?? ""));
    await putBack(one, 4);
    const after = outputTo(one);
    expect(await place(after)).toBe(4);
    expect(files(one)).toEqual([...kept, "date=2026-01-31/customers-0-100-200-deadbeef.parquet"].sort());
    await one.store().remove("date=2026-01-31/customers-0-100-200-deadbeef.parquet");
    await after.commit(source, batch(0, 4, 7));
    await after.commit(source, batch(0, 7, 12));
    expect(await ids(one)).toEqual(upTo(12));
  });

  it("lie by event date and are read by one query, with the types of the columns", async () => {
    const one = await lake(kind);
    const output = outputTo(one);
    expect(await place(output)).toBe(0);
    await output.commit(source, batch(0, 0, 4));
    expect(files(one).map((name) => name.replace(/-[0-9a-f]{8}\./, "."))).toEqual([
      "date=2026-01-31/customers-0-0-4.parquet",
      "date=2026-02-01/customers-0-0-4.parquet",
    ]);
    expect(leftover(one)).toEqual([]);
    const query = `from read_parquet('${one.folder}/**/*.parquet', hive_partitioning = true)`;
    expect(
      await readLake(
        `select date::varchar as date, count(*) as n, min("at")::varchar as first ${query} group by all order by 1`,
      ),
    ).toEqual([
      { date: "2026-01-31", n: "2", first: "2026-01-31 23:59:58+00" },
      { date: "2026-02-01", n: "2", first: "2026-02-01 00:00:00+00" },
    ]);
    expect(await readLake(`select id, name, amount, typeof(amount) as type ${query} order by id`)).toEqual([
      { id: "0", name: null, amount: "0.00", type: "DECIMAL(12,2)" },
      { id: "1", name: "n1", amount: "1.00", type: "DECIMAL(12,2)" },
      { id: "2", name: "n2", amount: "2.00", type: "DECIMAL(12,2)" },
      { id: "3", name: null, amount: "3.00", type: "DECIMAL(12,2)" },
    ]);
  });

  it("may be lines of JSON", async () => {
    const one = await lake(kind);
    const output = outputTo(one, { format: "jsonl" });
    await place(output);
    await output.commit(source, batch(0, 0, 3));
    const query = `select id, name from read_json('${one.folder}/**/*.jsonl', hive_partitioning = true) order by id`;
    expect(await readLake(query)).toEqual([
      { id: "0", name: null },
      { id: "1", name: "n1" },
      { id: "2", name: "n2" },
    ]);
  });

  it.each(["put", "put and lost the answer", "publish", "publish and lost the answer"])(
    "hold each event once after a crash at: %s",
    async (step) => {
      const one = await lake(kind);
      const crashing = outputTo(one, { store: () => crashAt(one.store(), step) });
      await place(crashing);
      // January's file and February's: the crash is at the second one.
      await expect(crashing.commit(source, batch(0, 0, 4))).rejects.toThrow("crashed");
      await crashing.close();
      const next = outputTo(one);
      const offset = await place(next);
      expect(offset).toBe(step.startsWith("put") ? 0 : 4);
      expect(await ids(one).catch(() => [])).toEqual(upTo(offset));
      await next.commit(source, batch(0, offset, 6));
      expect(await ids(one)).toEqual(upTo(6));
      expect(await one.database.query("select * from caudal.files")).toEqual([]);
      expect(leftover(one)).toEqual([]);
    },
  );

  it.each(["before", "after"] as const)(
    "hold each event once after a connection that was cut %s COMMIT",
    async (when) => {
      const one = await lake(kind);
      await place(outputTo(one));
      let cuts = 0;
      const cutter = await startCommitCutter(server.port, () => (cuts++ === 1 ? when : "pass"));
      const secret = mkdtempSync(join(tmpdir(), "caudal-secret-"));
      cpSync(one.database.secret, secret, { recursive: true });
      writeFileSync(join(secret, "port"), String(cutter.port));
      const output = outputTo(one, { secret });
      await place(output);
      await expect(output.commit(source, batch(0, 0, 4))).rejects.toMatchObject({ reason: "DatabaseUnavailable" });
      const offset = await place(output);
      expect(offset).toBe(when === "before" ? 0 : 4);
      await output.commit(source, batch(0, offset, 6));
      expect(await ids(one)).toEqual(upTo(6));
      expect(leftover(one)).toEqual([]);
      await cutter.close();
    },
  );

  it("refuse a zombie that wakes with a file in its hands", async () => {
    const one = await lake(kind);
    let wake: () => void = () => undefined;
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    const zombie = outputTo(one, {
      store: () => ({
        ...bound(one.store()),
        put: async (name, file) => {
          await asleep;
          await one.store().put(name, file);
        },
      }),
    });
    await place(zombie);
    const late = zombie.commit(source, batch(0, 0, 2));
    late.catch(() => undefined);
    await expect.poll(async () => (await one.database.query("select * from caudal.files")).length).toBe(1);
    const heir = outputTo(one);
    expect(await place(heir)).toBe(0);
    wake();
    // Its file is no longer in the ledger, though nothing has moved.
    await expect(late).rejects.toMatchObject({ reason: "ProgressMoved" });
    await heir.commit(source, batch(0, 0, 4));
    expect(await ids(one)).toEqual(upTo(4));
  });
});

it("events that were all filtered out move progress and make no file", async () => {
  const one = await lake("folder");
  const output = outputTo(one);
  await place(output);
  const { moves } = batch(0, 0, 5);
  await output.commit(source, batchOf(columns, moves, []));
  expect(await place(output)).toBe(5);
  expect(files(one)).toEqual([]);
});

it("a pipeline that was made again goes on where the first one was, which cannot come back", async () => {
  const one = await lake("folder");
  const first = outputTo(one);
  await place(first);
  await first.commit(source, batch(0, 0, 2));
  const second = outputTo(one, { uid: "u2" });
  expect(await place(second)).toBe(2);
  await expect(first.commit(source, batch(0, 2, 3))).rejects.toMatchObject({ reason: "ProgressMoved" });
  await expect(place(outputTo(one))).rejects.toThrow(/uid u2 has taken the place of this one, which has u1/);
  await expect(place(outputTo(one, { uid: "u2", plan: "p2" }))).rejects.toThrow(
    /of another format or path: put it back/,
  );
});

it("waits for a store that is away, and publishes when it is back", async () => {
  const one = await lake("s3");
  const output = outputTo(one, { store: () => publishesNot(one.store()) });
  await place(output);
  await expect(output.commit(source, batch(0, 0, 2))).rejects.toThrow("crashed");
  await s3.kill();
  const next = outputTo(one);
  await expect(place(next)).rejects.toMatchObject({ reason: "FilesUnavailable", retryable: true });
  await s3.start();
  expect(await place(next)).toBe(2);
  expect(await ids(one)).toEqual(upTo(2));
});

it("says that a bucket is missing, and what committed files were removed by others", async () => {
  const one = await lake("s3");
  const missing = () =>
    new S3Store({ bucket: "nowhere", prefix: "", endpoint: s3.endpoint, region: "us-east-1", secret: s3.secret });
  await expect(place(outputTo(one, { store: missing }))).rejects.toMatchObject({
    reason: "FilesRefused",
    message: expect.stringMatching(/s3:\/\/nowhere\/.*NoSuchBucket/) as string,
  });
  const crashed = outputTo(one, { store: () => publishesNot(one.store()) });
  await place(crashed);
  await expect(crashed.commit(source, batch(0, 0, 2))).rejects.toThrow("crashed");
  rmSync(join(one.folder, "_staged"), { recursive: true });
  await expect(place(outputTo(one))).rejects.toMatchObject({ reason: "FilesRefused" });
  expect(existsSync(join(one.folder, "date=2026-01-31"))).toBe(false);
});

/** A store whose process dies at its second call of a step. */
function crashAt(store: FileStore, step: string): FileStore {
  const calls = { put: 0, publish: 0 };
  const at = async (name: "put" | "publish", work: () => Promise<void>): Promise<void> => {
    const second = ++calls[name] === 2;
    if (second && step === name) throw new RangeError("crashed");
    await work();
    if (second && step.startsWith(`${name} and`)) throw new RangeError("crashed");
  };
  return {
    ...bound(store),
    put: async (name, file) => await at("put", async () => await store.put(name, file)),
    publish: async (staged, name) => await at("publish", async () => await store.publish(staged, name)),
  };
}

function publishesNot(store: FileStore): FileStore {
  return { ...bound(store), publish: async () => await Promise.reject(new RangeError("crashed")) };
}

const bound = (store: FileStore): FileStore => ({
  put: async (name, file) => await store.put(name, file),
  publish: async (staged, name) => await store.publish(staged, name),
  remove: async (name) => await store.remove(name),
  list: async (start) => await store.list(start),
  close: () => store.close(),
});
