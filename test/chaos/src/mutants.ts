/**
 * Mutants of the workload, each without one of the guards that keep it exact. A guard is taken out of the source while it
 * is loaded: the product has nothing in it for this, and the mutant lacks nothing else.
 */

export interface Edit {
  /** Below workloads/src. */
  readonly file: string;
  /** Text that is in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const mutants = {
  /** Progress is moved from wherever it is, and nobody looks where it is meanwhile. */
  "compare-and-set": [
    {
      file: "postgres/schema.ts",
      find: "and p.next_offset = m.from_offset and p.leader_epoch = m.from_epoch;",
      replace: ";",
    },
    { file: "aggregator/worker.ts", find: ">= looksEvery(now - this.#sealedAt)", replace: ">= Infinity" },
  ],
  /** Progress of another definition of the table is moved too. */
  "plan-hash": [{ file: "postgres/schema.ts", find: " and p.plan = m.plan", replace: "" }],
  /** A topic that was made again is taken for the one that was read. */
  "topic-id": [
    { file: "postgres/schema.ts", find: " and p.topic_id = topic_id_", replace: "" },
    { file: "postgres/places.ts", find: "if (topicId !== topic.topicId)", replace: "if (false)" },
  ],
  /** A log that was cut is taken for the one that was read. */
  "leader-epoch": [
    { file: "kafka/offsets.ts", find: "if (epoch < 0) return;", replace: "return;" },
    { file: "kafka/fetch-protocol.ts", find: "lastFetchedEpoch: position.epoch", replace: "lastFetchedEpoch: -1" },
  ],
  /** SIGTERM ends the process at once. */
  drain: [{ file: "runtime/run.ts", find: "drain.request(signal);", replace: "process.exit(0);" }],
  /** Rows are written in any order. */
  "lock-order": [
    {
      file: "postgres/core/upsert.ts",
      find: 'as d(${given.join(", ")})',
      replace: 'as d(${given.join(", ")}) order by random()',
    },
  ],
  /** A COMMIT whose answer was lost is taken for done. */
  "unknown-commit": [
    {
      file: "aggregator/ledger.ts",
      find: "if (!(error instanceof TransactionConflict)",
      replace:
        'if (error.reason === "DatabaseUnavailable") return;\n        if (!(error instanceof TransactionConflict)',
    },
  ],
  /** Fetches give what is not committed, and what never will be. */
  "read-committed": [
    { file: "kafka/fetch-protocol.ts", find: "const READ_COMMITTED = 1;", replace: "const READ_COMMITTED = 0;" },
  ],
  /** A partition without commits is idle, whether or not its owner has seen its end. */
  idleness: [
    {
      file: "postgres/watermarks.ts",
      find: "max_event_time as event_time, idle_at from caudal.progress",
      replace:
        "max_event_time as event_time, case when now() - moved_at > interval '1 s' then now() end as idle_at from caudal.progress",
    },
  ],
  /** Late is what is late by the watermark of now, not by the one that is stored for whoever reads the event. */
  "stored-judgement": [
    {
      file: "aggregator/worker.ts",
      find: 'latePolicy === "DeadLetter" ? judgedBy(lane) : current',
      replace: "current",
    },
    {
      file: "aggregator/worker.ts",
      find: 'if (this.#parts.latePolicy === "DeadLetter") await this.#judgeAnew();',
      replace: "",
    },
  ],
  /** Timestamp mode takes transactions that are still open for ended. */
  "late-commit": [
    {
      file: "source/timestamp/horizon.ts",
      find: "select pg_snapshot_xmin(s)::text,",
      replace: "select pg_snapshot_xmax(s)::text,",
    },
  ],
  /** Cdc mode forgets how much of a transaction has been sent. */
  "part-of-transaction": [{ file: "source/cdc/replicate.ts", find: "? part.changes : 0;", replace: "? 0 : 0;" }],
  /** The group takes offsets of whoever writes them in a transaction, and nobody looks where they are. */
  generation: [
    {
      file: "kafka/transactions.ts",
      find: '"member" in place ? place.member : NO_MEMBER',
      replace: "NO_MEMBER",
    },
    { file: "transform/worker.ts", find: ">= looksEvery(now - this.#sealedAt)", replace: ">= Infinity" },
  ],
  /** Not a guard: a transaction of the database takes many of Kafka, so that one can be stopped in it. */
  "small-parts": [{ file: "source/cdc/replicate.ts", find: "MOST_ENTRIES = 2_000", replace: "MOST_ENTRIES = 10" }],
  /** Not a guard: the group gives up a silent member sooner, so that tests need not wait 15 s. */
  "short-session": [{ file: "kafka/membership.ts", find: "sessionMs = 15_000", replace: "sessionMs = 6_000" }],
} as const satisfies Readonly<Record<string, readonly Edit[]>>;

export type Mutant = keyof typeof mutants;

export function isMutant(name: string): name is Mutant {
  return name in mutants;
}

/** Names of mutants, separated by blanks. */
export const MUTANTS_VARIABLE = "CAUDAL_TEST_MUTANTS";

/** @throws RangeError when the text is not there, or more than once: then the guard has moved, and the mutant has to follow */
export function applyEdit(source: string, { file, find, replace }: Edit): string {
  const parts = source.split(find);
  if (parts.length !== 2)
    throw new RangeError(
      `the text of a mutant is ${parts.length - 1} times in workloads/src/${file}, and should be once: ${find}`,
    );
  return parts.join(replace);
}
