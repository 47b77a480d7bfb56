/** What may grow: one thing at a time, beside the usual. Pure. */
import type { EventShape } from "./events.ts";

export interface Scenario {
  readonly name: string;
  /** What grows, in words. */
  readonly what: string;
  readonly shape?: Partial<EventShape>;
  readonly partitions?: number;
  /** Of the events that are asked for: large events are fewer. */
  readonly share?: number;
  readonly aggregators?: number;
  /** Rows that a table has already. */
  readonly rows?: number;
}

/** Bytes of an event's JSON without its id, and of one with its id and with an empty padding. */
const BARE = 91;
const PADDED = 154;

export const scenarios: readonly Scenario[] = [
  { name: "usual", what: "10,000 keys, 12 partitions, events of 140 bytes, one aggregator" },
  { name: "keys", what: "1,000,000 keys, all alike", shape: { users: 1e6, skew: 0, spanMs: 180_000 } },
  { name: "partitions", what: "1,000 partitions", partitions: 1_000 },
  { name: "bytes-100", what: `events of ${BARE} bytes`, shape: { identified: false } },
  { name: "bytes-1k", what: "events of 1 KB", shape: { padding: 1_000 - PADDED }, share: 1 / 3 },
  { name: "bytes-10k", what: "events of 10 KB", shape: { padding: 10_000 - PADDED }, share: 1 / 30 },
  { name: "aggregators-2", what: "2 aggregators", aggregators: 2 },
  { name: "aggregators-3", what: "3 aggregators", aggregators: 3 },
  { name: "aggregators-4", what: "4 aggregators", aggregators: 4 },
  { name: "hour-of-lag", what: "a backlog of an hour, six times the events", shape: { spanMs: 3_600_000 }, share: 6 },
  { name: "hundred-million-rows", what: "a table that has 100,000,000 rows already", rows: 100_000_000 },
];

export const scenarioNames: readonly string[] = scenarios.map(({ name }) => name);

/** Those of these names; without any, all but the one that takes a quarter of an hour and 20 GB of disk. */
export function scenariosOf(names: readonly string[]): readonly Scenario[] {
  return scenarios.filter(({ name, rows }) => (names.length === 0 ? rows === undefined : names.includes(name)));
}
