/**
 * What an output of a transform promises. It keeps its own progress where its rows go, and moves it together with them:
 * after any crash each row is there exactly once.
 */
import type { JsonPath } from "@caudal/crds";
import type { Member } from "../kafka/group.ts";
import type { Rows, Want } from "../kernel/rows.ts";
import type { ProjectedColumn } from "@caudal/pipeline/sql";
import type { Position } from "../stage/ports.ts";

export type { EncodedRecords, Rows, Values, Want } from "../kernel/rows.ts";
export type { Position } from "../stage/ports.ts";

/** A column of what the transform selects, as it is inferred from its SQL. */
export type OutputColumn = Pick<ProjectedColumn, "name" | "duckdbType" | "postgresType" | "nullable">;

/** The log that a transform reads. */
export interface Source {
  readonly topic: string;
  /** Another id under the name means another topic. */
  readonly topicId: string;
  /** Ids of topics of this name of which a person has said that they are gone: places in them are given up. */
  readonly lost?: readonly string[];
}

/** A step on one partition: from where progress stands to where it stands after the batch. */
export interface OutputMove {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly fromEpoch: number;
  readonly toEpoch: number;
}

/**
 * Rows from unbroken runs of offsets, in the order in which they were read: of one partition always in offset order. It may
 * hold moves and no rows, where all events were filtered out or bad.
 */
export interface OutputBatch extends Rows {
  /** One a partition, ascending. */
  readonly moves: readonly OutputMove[];
}

export interface Output {
  /** What of a batch the output reads. */
  readonly wants: ReadonlySet<Want>;

  /** Name of the column whose text becomes the key of records; without it they keep their source's. */
  readonly recordKey?: string;
  /** Where in the JSON of the rows a column's value is; undefined for one that is not in it. */
  readonly placeOf?: (column: string) => JsonPath | undefined;

  /** How long, in milliseconds, and how many events a batch gathers before it is committed; without it, as they come. */
  readonly gather?: { readonly ms: number; readonly events: number };

  /** What tells the output from one of the same name that was begun anew, once its positions are known; without it, nothing does. */
  readonly incarnation?: string;

  /**
   * Asks whether this definition of the output may be written, before any partition is taken.
   *
   * @param starts offset at which each partition of the source begins
   * @throws OutputStandsBy, or what needs a person and is not retryable, when it may not
   */
  accept?(source: Source, starts: ReadonlyMap<number, number>): Promise<void>;

  /**
   * Where progress stands now, without taking anything over.
   *
   * @returns by partition; one that has no progress of this output and definition is not in the map
   */
  stored(source: Source, partitions: readonly number[]): Promise<ReadonlyMap<number, number>>;

  /**
   * Where it goes on in partitions that are assigned now. What an earlier process has begun is over when this returns: it
   * is written or never will be.
   *
   * @param assignee who reads the partitions, in the output's consumer group: an older generation must not write any more
   * @param starts offset at which each of the partitions begins: where one without progress starts
   * @throws TopicRecreated when the progress is of another topic; what needs a person is not retryable
   */
  positions(source: Source, assignee: Member, starts: ReadonlyMap<number, number>): Promise<readonly Position[]>;

  /**
   * Writes the rows and moves progress in one step, or neither. Calls come one after the other.
   *
   * @throws OutputRefused when it can never take some of the rows: they are found by halving and go to the dead letters.
   * After any other error the outcome may be unknown: the output is closed, opened anew, and its positions say it
   */
  commit(source: Source, batch: OutputBatch): Promise<void>;

  /**
   * Does all that a commit does but for its rows, and undoes it: the answer to a row that was refused alone. An output that
   * knows what it refuses has none.
   *
   * @throws what stands in the way of every row
   */
  rehearse?(source: Source, batch: OutputBatch): Promise<void>;

  /** Lets go of connections; it never rejects. */
  close(): Promise<void>;
}
