/** Reads the log, the tables and the dead letters back and says where they disagree. */
import { actualTables, differences, equal, expectedTables, keyed, type Row } from "../engine/aggregator/expected.ts";
import type { LoggedRecord, Topic } from "../engine/aggregator/topic.ts";
import type { Database } from "../engine/postgres.ts";
import { EXPECTED_REASON } from "./load.ts";
import { type ExpectedLetter, judgeBetween, judgeLetters, type Letter, placeOf } from "./src/laws.ts";
import type { Round } from "./src/schedule.ts";

export interface Verdict {
  readonly violations: readonly string[];
  /** Records that committed reads give. */
  readonly records: number;
  readonly events: number;
  /** Rows of all tables that were compared. */
  readonly rows: number;
  readonly letters: number;
  readonly repeatedLetters: number;
  /** DeadLetter: rows with events that are among the late letters too. */
  readonly rowsWithMore: readonly string[];
}

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

export async function judge(round: Round, scene: Scene, ends: ReadonlyMap<number, number>): Promise<Verdict> {
  const records = await scene.topic.readTo(ends);
  const poisoned = records.filter(isPoison);
  const letters = (await scene.deadLetters.readTo(await scene.deadLetters.seal())).flatMap(toLetter);
  const judged = judgeLetters(poisoned.map(toExpected), letters);
  const actual = await actualTables(scene.database);
  const all = await expectedTables(records, (record) => !isPoison(record));
  const tables =
    round.lateEvents === "Update"
      ? { violations: differences(actual, all), more: [] }
      : await judgeLate(actual, all, records, await mustCount(round, scene, judged.late));
  return {
    violations: [...tables.violations, ...judged.violations],
    records: records.length,
    events: records.length - poisoned.length,
    rows: Object.values(all).reduce((sum, rows) => sum + rows.length, 0),
    letters: letters.length,
    repeatedLetters: judged.repeated,
    rowsWithMore: round.lateEvents === "DeadLetter" ? tables.more : [],
  };
}

type Tables = Readonly<Record<string, readonly Row[]>>;
type MustCount = (table: string, record: LoggedRecord) => boolean;

async function judgeLate(actual: Tables, all: Tables, records: readonly LoggedRecord[], must: MustCount) {
  const violations: string[] = [];
  const more: string[] = [];
  for (const table of Object.keys(closesAfterMs)) {
    const least = await expectedTables(records, (record) => !isPoison(record) && must(table, record));
    const found = judgeBetween(
      table,
      ...([actual, least, all].map((of) => keyed(of[table] ?? [])) as [Keyed, Keyed, Keyed]),
      equal,
    );
    violations.push(...found.violations);
    more.push(...found.more);
  }
  return { violations, more };
}

type Keyed = ReturnType<typeof keyed>;

/**
 * Which events must be in a table. DeadLetter: those that are not in the letters as late for it. Drop: those whose
 * windows the watermark has not passed even now.
 */
async function mustCount(
  { lateEvents }: Round,
  { database }: Scene,
  late: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<MustCount> {
  if (lateEvents === "DeadLetter") return (table, record) => late.get(table)?.has(placeOf(record)) !== true;
  const [row] = await database.query<{ watermark: Date | null }>(
    "select max(watermark) as watermark from caudal.watermarks",
  );
  const watermark = row?.watermark?.getTime() ?? -Infinity;
  return (table, { value }) => {
    const { event_ts: time } = JSON.parse(String(value)) as { readonly event_ts: string };
    const minute = Math.floor(Date.parse(time) / 60_000) * 60_000;
    return minute + (closesAfterMs[table] ?? 0) > watermark;
  };
}

/** Tombstones are poison too: those that end the log. */
function isPoison({ headers, value }: LoggedRecord): boolean {
  return value === null || headers[EXPECTED_REASON] !== undefined;
}

function toExpected({ partition, offset, headers, value }: LoggedRecord): ExpectedLetter {
  return { partition, offset, value, reason: headers[EXPECTED_REASON] ?? "Tombstone" };
}

/** The dead-letter topic's own seal has no origin. */
function toLetter({ headers, value }: LoggedRecord): Letter[] {
  if (headers["caudal-offset"] === undefined) return [];
  return [
    {
      topicId: headers["caudal-topic-id"] ?? "",
      partition: Number(headers["caudal-partition"]),
      offset: Number(headers["caudal-offset"]),
      reason: headers["caudal-reason"] ?? "",
      tables: headers["caudal-tables"]?.split(",") ?? [],
      value,
    },
  ];
}
