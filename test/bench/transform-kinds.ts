/** The transforms that are measured, from cheap to dear: each as its SQL, and as plain JavaScript for the exact answer. Pure. */

/** An event as it is in the topic. */
export interface Row {
  readonly event_id: string;
  readonly user_id: string;
  readonly event_type: string;
  readonly event_ts: number;
  readonly waiting_time_ms: number;
}

export interface TransformKind {
  readonly name: string;
  /** For people. */
  readonly what: string;
  readonly where?: string;
  /** Without it events go on as they are. */
  readonly select?: readonly string[];
  /** Columns of the output with their types in Flink; the last of `select` may be computed. */
  readonly columns: Readonly<Record<string, string>>;
  passes(event: Row): boolean;
  /** An event's columns, in their order. */
  values(event: Row): readonly (string | number | boolean)[];
}

const FIELDS = { user_id: "STRING", event_type: "STRING", event_ts: "BIGINT", waiting_time_ms: "DOUBLE" } as const;
const SLOW = "waiting_time_ms > 500 or event_type = 'purchase'";
const fields = ({ user_id, event_type, event_ts, waiting_time_ms }: Row) =>
  [user_id, event_type, event_ts, waiting_time_ms] as const;
const withSlow = (event: Row) => [...fields(event), event.waiting_time_ms > 500 || event.event_type === "purchase"];
const most = ({ waiting_time_ms }: Row): boolean => waiting_time_ms > 100;

export const transformKinds: readonly TransformKind[] = [
  {
    name: "filter",
    what: "a condition that two thirds pass, whole events",
    where: "waiting_time_ms > 100",
    columns: { event_id: "STRING", ...FIELDS },
    passes: most,
    values: (event) => [event.event_id, ...fields(event)],
  },
  {
    name: "rare",
    what: "a condition that one in a hundred passes, four fields",
    where: "waiting_time_ms > 1150",
    select: Object.keys(FIELDS),
    columns: FIELDS,
    passes: ({ waiting_time_ms }) => waiting_time_ms > 1150,
    values: fields,
  },
  {
    name: "fields",
    what: "no condition, four fields",
    select: Object.keys(FIELDS),
    columns: FIELDS,
    passes: () => true,
    values: fields,
  },
  {
    name: "conditions",
    what: "a condition that two thirds pass, four fields, and a condition as a column",
    where: "waiting_time_ms > 100",
    select: [...Object.keys(FIELDS), `${SLOW} as slow`],
    columns: { ...FIELDS, slow: "BOOLEAN" },
    passes: most,
    values: withSlow,
  },
  {
    name: "functions",
    what: "a condition that two thirds pass, two fields, a function of a text and a quotient",
    where: "waiting_time_ms > 100",
    select: ["user_id", "event_ts", "upper(event_type) as kind", "waiting_time_ms / 1000 as waiting_s"],
    columns: { user_id: "STRING", event_ts: "BIGINT", kind: "STRING", waiting_s: "DOUBLE" },
    passes: most,
    values: ({ user_id, event_ts, event_type, waiting_time_ms }) => [
      ...[user_id, event_ts, event_type.toUpperCase(), waiting_time_ms / 1000],
    ],
  },
];

export const transformKindNames = transformKinds.map(({ name }) => name);

/** What an output holds: a sum over its records that does not depend on their order. */
export class OutputSum {
  records = 0;
  #hash = 0;

  add(values: readonly unknown[]): void {
    this.records++;
    // FNV-1a of the values' text.
    let hash = 0x811c9dc5;
    const text = values.join(" ");
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.#hash = (this.#hash + (hash >>> 0)) % 2 ** 48;
  }

  equals(other: OutputSum): boolean {
    return this.records === other.records && this.#hash === other.#hash;
  }
}
