/** What the benchmark has to know of an engine to run it and to read its tables. */
import type { Client } from "pg";
import type { Progress } from "../../cluster/host/progress.ts";
import type { EngineName } from "../options.ts";
import type { Database } from "../../engine/postgres.ts";
import type { Loaded } from "../load.ts";

/** The three tables of the workload, which every engine keeps. */
export const tableNames = ["event_counts", "user_event_counts", "user_avg_waiting_time"] as const;
export type TableName = (typeof tableNames)[number];

export interface Stage {
  /** Of this run alone: names groups, applications and folders. */
  readonly id: string;
  /** Of this run alone; what is in it goes when the run is over. */
  readonly folder: string;
  readonly bootstrap: string;
  readonly topic: Pick<Loaded, "topic" | "partitions" | "records" | "events" | "shape">;
  readonly database: Database;
  /** How the engine is asked for rows: soon, or as many as it can. */
  readonly mode: "throughput" | "latency";
  /** Folder for CPU profiles, where the engine can write them. */
  readonly profile?: string;
}

export interface Command {
  /** Where it runs: what it leaves there goes with the run. */
  readonly cwd: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A question to PostgreSQL whose answer tells that (a part of) the work is done. */
export interface DoneWhen {
  readonly sql: string;
  readonly values?: readonly unknown[];
  /** Milliseconds between questions: a question about large tables is asked less often. */
  readonly everyMs: number;
  done(row: readonly number[], expected: Expected): boolean;
}

/** Of the exact answer: what the tables add up to. */
export interface Expected {
  readonly events: number;
  readonly records: number;
  /** Rows and sum of user_avg_waiting_time. */
  readonly averages: { readonly rows: number; readonly sum: number };
}

export interface Engine {
  readonly name: EngineName;
  /** Versions, guarantees and the settings that matter, in words. */
  configuration(mode: Stage["mode"]): string;
  /** Gets and builds what it needs; slow the first time. */
  prepare(progress: Progress): Promise<void>;
  /** Makes topics, tables and files that the engine expects, and says how to start it. */
  setUp(stage: Stage, client: Client, createTopic: (name: string) => Promise<void>): Promise<Command>;
  /** What its output says when it begins its work: what came before (the start of Node or Java) is not measured. */
  readonly begins: RegExp;
  /** Questions that are asked in this order; when the last one is answered, the work is done. */
  doneWhen(stage: Stage): readonly DoneWhen[];
  /** Reads a table as (window start in epoch ms, group, value), without the sentinels. */
  readonly rows: Readonly<Record<TableName, string>>;
}
