/** Reads the log, the tables and the dead letters back and says where they disagree. */
import { actualTables, differences, equal, expectedTables, keyed, type Row } from "../../engine/aggregator/expected.ts";
import type { LoggedRecord, Topic } from "../../engine/aggregator/topic.ts";
import type { Database } from "../../engine/postgres.ts";
import type { Verdict } from "../scenario.ts";
import { isPoison, lettersOf, poisonOf } from "./letters.ts";
import { judgeBetween, judgeLetters, placeOf } from "../src/laws.ts";
import type { AggregatesRound } from "../src/schedule.ts";

export interface Scene {
  readonly topic: Topic;
  readonly deadLetters: Topic;
  readonly database: Database;
}

/**
 * How long after the start of its minute the last window ends that holds an event. Sessions are not among them: one
 * event less may make two of one.
 */
const closesAfterMs: Readonly<Record<string, number>> = {
  event_counts: 60_000,
  user_counts: 60_000,
  user_waiting: 180_000,
};

export async function judge(round: AggregatesRound, scene: Scene, ends: ReadonlyMap<number, number>): Promise<Verdict> {
  const records = await scene.topic.readTo(ends);
  const poisoned = poisonOf(records);
  const letters = await lettersOf(scene.deadLetters);
  const judged = judgeLetters(poisoned, letters);
  const actual = await actualTables(scene.database);
  const all = await expectedTables(records, (record) => !isPoison(record));
  return {
    violations: [
      ...(await judgeTables(round, scene, records, { actual, all, late: judged.late })),
      ...judged.violations,
    ],
    counts: {
      records: records.length,
      rows: Object.values(actual).reduce((sum, rows) => sum + rows.length, 0),
      letters: letters.length,
      repeatedLetters: judged.repeated,
      lateEvents: judged.lateEvents,
    },
  };
}

type Tables = Readonly<Record<string, readonly Row[]>>;

interface Found {
  readonly actual: Tables;
  /** Rows of all events, late ones too. */
  readonly all: Tables;
  /** By table, places of events that are in the dead letters as late for it. */
  readonly late: ReadonlyMap<string, ReadonlySet<string>>;
}

async function judgeTables(
  { lateEvents }: AggregatesRound,
  { database }: Scene,
  records: readonly LoggedRecord[],
  { actual, all, late }: Found,
): Promise<readonly string[]> {
  const without = async (table: string, leftOut: (record: LoggedRecord) => boolean) =>
    (await expectedTables(records, (record) => !isPoison(record) && !leftOut(record)))[table] ?? [];
  switch (lateEvents) {
    case "Update":
      return differences(actual, all);
    case "DeadLetter": {
      const rows = Object.keys(all).map(async (table) => {
        const letters = late.get(table);
        return [table, await without(table, (record) => letters?.has(placeOf(record)) === true)] as const;
      });
      return differences(actual, Object.fromEntries(await Promise.all(rows)));
    }
    case "Drop": {
      const watermark = await lastWatermark(database);
      const between = Object.entries(closesAfterMs).map(async ([table, afterMs]) => {
        const most = keyed(all[table] ?? []);
        const least = keyed(await without(table, (record) => minuteOf(record) + afterMs <= watermark));
        return judgeBetween(table, keyed(actual[table] ?? []), least, most, equal);
      });
      return (await Promise.all(between)).flat();
    }
  }
}

async function lastWatermark(database: Database): Promise<number> {
  const [row] = await database.query<{ watermark: Date | null }>(
    "select max(watermark) as watermark from caudal.watermarks",
  );
  return row?.watermark?.getTime() ?? -Infinity;
}

function minuteOf({ value }: LoggedRecord): number {
  const { event_ts: time } = JSON.parse(String(value)) as { readonly event_ts: string };
  return Math.floor(Date.parse(time) / 60_000) * 60_000;
}
