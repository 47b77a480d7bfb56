/** What the table's trigger has noted, what the sources have sent of it, and what the outputs hold of that. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LoggedRecord, Topic } from "../../engine/aggregator/topic.ts";
import type { Database } from "../../engine/postgres.ts";
import { recordsOf, sentOf } from "../../engine/source/scene.ts";
import type { Verdict } from "../scenario.ts";
import type { Servers } from "../servers.ts";
import { judgeLetters } from "../src/laws.ts";
import type { CustomersRound } from "../src/schedule.ts";
import { judgeChanges, judgeVersions, type Noted, type Stretch } from "../src/source-laws.ts";
import type { Stores } from "./customers.ts";
import { type CustomersTable, labelOf, type Note } from "./customers-table.ts";
import { lettersOf, poisonOf } from "./letters.ts";
import { compareRows, duckRows, lastBy, redisKeys, type Row, valuesOf } from "./rows.ts";
import type { SlotTime } from "./slot.ts";

export interface CustomersScene {
  readonly table: CustomersTable;
  readonly topics: Readonly<
    Record<"cdc" | "cdcLetters" | "timestamp" | "timestampLetters" | "out" | "outLetters", Topic>
  >;
  readonly slots: readonly SlotTime[];
  readonly database: Database;
  readonly servers: Servers;
  readonly stores: Stores;
}

/** @param ends of the cdc source's topic */
export async function judgeCustomers(
  round: CustomersRound,
  scene: CustomersScene,
  ends: ReadonlyMap<number, number>,
): Promise<Verdict> {
  const { table, topics } = scene;
  const log = await topics.cdc.readTo(ends);
  const cdc = log.filter(({ key }) => key !== "end");
  const cdcLetters = await recordsOf(topics.cdcLetters);
  const versions = await recordsOf(topics.timestamp);
  const versionLetters = await recordsOf(topics.timestampLetters);
  const notes = await table.notes();
  const delivered = await judgeDelivery(round, scene, log);
  return {
    violations: [
      ...judgeCdc(notes, cdc, cdcLetters, scene.slots),
      ...judgeTimestamp(notes, versions, versionLetters, await table.rows()),
      ...delivered.violations,
    ],
    counts: {
      changes: notes.length,
      records: cdc.length + versions.length,
      letters: cdcLetters.length + versionLetters.length,
      slots: scene.slots.length,
      ...delivered.counts,
    },
  };
}

function judgeCdc(
  notes: readonly Note[],
  records: readonly LoggedRecord[],
  letters: readonly LoggedRecord[],
  slots: readonly SlotTime[],
): string[] {
  const noted = Map.groupBy(notes, ({ id }) => String(id));
  const sent = Map.groupBy(inOrder(records), ({ key }) => key ?? "");
  const buried = Map.groupBy(letters, ({ key }) => key ?? "");
  return [...new Set([...noted.keys(), ...sent.keys(), ...buried.keys()])].flatMap((key) => {
    const changes = (noted.get(key) ?? []).map(({ op, change, bad, xid }): Noted => ({
      label: bad ? String(change) : labelOf(op, change),
      ...{ bad, gone: op === "delete", xid: BigInt(xid) },
    }));
    const stretches = slots.map((slot, index): Stretch => {
      const before = slots[index - 1];
      const during = (ends: "records" | "letters") => (record: LoggedRecord) =>
        isBetween(record, before?.[ends], slot[ends]);
      return {
        sent: (sent.get(key) ?? []).filter(during("records")).map(changeOf),
        letters: (buried.get(key) ?? []).filter(during("letters")).map(letterOf),
        from: slot.from,
      };
    });
    return judgeChanges(`cdc ${key}`, changes, stretches);
  });
}

/** @param from, to by partition: the first offset that is in, and the first one that is not */
function isBetween(
  { partition, offset }: LoggedRecord,
  from: ReadonlyMap<number, number> | undefined,
  to: ReadonlyMap<number, number> | undefined,
): boolean {
  return offset >= (from?.get(partition) ?? 0) && offset < (to?.get(partition) ?? Infinity);
}

function changeOf(record: LoggedRecord): Stretch["sent"][number] {
  const { value } = sentOf(record);
  const op = value?.["op"];
  const change = value?.["change"] as number | null | undefined;
  return { label: labelOf(op === "delete" ? "delete" : "row", change ?? null), snapshot: op === "snapshot" };
}

/** A dead letter holds the row's values as text, and not what was done to it. */
function letterOf(letter: LoggedRecord): string {
  return String(sentOf(letter).value?.["change"]);
}

function judgeTimestamp(
  notes: readonly Note[],
  records: readonly LoggedRecord[],
  letters: readonly LoggedRecord[],
  rows: readonly { readonly id: number; readonly change: number; readonly bad: boolean }[],
): string[] {
  const versions = notes.flatMap(({ id, op, change, bad }) =>
    op === "delete" || change === null ? [] : [{ key: String(id), change, bad }],
  );
  const noted = Map.groupBy(versions, ({ key }) => key);
  const numbers = (of: readonly LoggedRecord[]) =>
    Map.groupBy(
      inOrder(of).map((record) => ({ key: record.key ?? "", change: Number(sentOf(record).value?.["change"]) })),
      ({ key }) => key,
    );
  const [sent, buried] = [numbers(records), numbers(letters)];
  const last = new Map(rows.map((row) => [String(row.id), row]));
  return [...new Set([...noted.keys(), ...sent.keys(), ...buried.keys()])].flatMap((key) => {
    const [own, its] = [sent.get(key) ?? [], buried.get(key) ?? []].map((list) => list.map(({ change }) => change));
    return judgeVersions(`timestamp ${key}`, own ?? [], its ?? [], noted.get(key) ?? [], last.get(key));
  });
}

interface Sent {
  readonly id: number;
  readonly change: number;
  readonly op: string;
  readonly name: string | null;
  readonly points: number | null;
  readonly happened: string;
}

/** The transform by hand: one pass over what the cdc source has sent. */
function expectedRows(log: readonly LoggedRecord[]): Row[] {
  return valuesOf<Sent>(log)
    .filter(({ op, points }) => op !== "delete" && points !== 7)
    .map(({ id, change, op, name, points, happened }) => {
      return { id, change, op, name, worth: (points ?? 0) * 2.5, day: happened.slice(0, 10) };
    });
}

async function judgeDelivery(
  round: CustomersRound,
  scene: CustomersScene,
  log: readonly LoggedRecord[],
): Promise<Verdict> {
  const { topics, database, servers, stores } = scene;
  const expected = expectedRows(log);
  const last = lastBy(expected, "id");
  const out = valuesOf<Row>(await recordsOf(topics.out));
  const history = await database.query<Row>("select * from history");
  const current = await database.query<Row>("select * from current");
  const keys = servers.redis === undefined ? [] : await redisKeys(servers.redis.server, stores.prefix);
  const hot = [...keys.values()].map((value) => JSON.parse(String(value)) as Row);
  const lake = await lakeRows(stores.lake.folder);
  const disk = diskRows(stores.volume);
  const letters = await lettersOf(topics.outLetters);
  const undone = await database.query("select name from caudal.files");
  const misplaced = [...lake, ...disk].filter(({ day, folder }) => round.wholeRows && day !== folder);
  return {
    violations: [
      ...compareRows("topic", out, expected, "id", "in order"),
      ...compareRows("history", history, expected, "id", "in any order"),
      ...compareRows("current", current, last, "id", "in order"),
      ...compareRows("Redis", hot, last, "id", "in order"),
      ...compareRows("Redis beside PostgreSQL", hot, current, "id", "in order"),
      ...compareRows("lake", lake.map(withoutFolder), expected, "id", "in any order"),
      ...compareRows("volume", disk.map(withoutFolder), expected, "id", "in any order"),
      ...misplaced.map(
        ({ id, day, folder }) => `row ${String(id)} of ${String(day)} is in the folder ${String(folder)}`,
      ),
      ...undone.map(({ name }) => `the file ${String(name)} is committed or begun, and not published`),
      ...judgeLetters(poisonOf(log), letters).violations,
    ],
    counts: {
      rows: out.length + history.length + current.length,
      keys: hot.length,
      fileRows: lake.length + disk.length,
    },
  };
}

/** Rows of all files, each with the date of the folder that it is in. */
async function lakeRows(folder: string): Promise<Row[]> {
  if (globSync("date=*/*.parquet", { cwd: folder }).length === 0) return [];
  return await duckRows(`select * exclude (date), date::varchar as folder
    from read_parquet('${folder}/date=*/*.parquet', hive_partitioning = true, hive_types_autocast = false)`);
}

function diskRows(volume: string): Row[] {
  return globSync("date=*/*.jsonl", { cwd: volume }).flatMap((name) => {
    const lines = readFileSync(join(volume, name), "utf8").trimEnd().split("\n");
    const folder = name.slice("date=".length, name.indexOf("/"));
    return lines.map((line) => ({ ...(JSON.parse(line) as Row), folder }));
  });
}

function withoutFolder({ folder: _, ...row }: Row): Row {
  return row;
}

function inOrder(records: readonly LoggedRecord[]): readonly LoggedRecord[] {
  return records.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset);
}
