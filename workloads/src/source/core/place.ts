/**
 * Where a source has come: what the consumer group keeps beside the records of the same transaction. JSON, short enough
 * for Kafka's offset.metadata.max.bytes (4096), in which numbers of transactions and of the log are text.
 */
import { WorkloadError } from "../../runtime/errors.ts";

/** Nobody but a source of this form has written the group's place. */
export class PlaceInvalid extends WorkloadError {
  readonly code = "SOURCE_PLACE_INVALID";
  readonly reason = "SourcePlaceInvalid";
  readonly retryable = false;
}

/** Which database and table the rest is about. */
export interface Origin {
  /** Identifier that initdb gave the server; its copies have the same. */
  readonly system: string;
  readonly table: number;
  /** uid of the pipeline. */
  readonly pipeline: string;
}

/** See timestamp/round.ts. */
export interface TimestampPlace {
  readonly mode: "timestamp";
  /** Row versions of transactions below it have been sent. */
  readonly seen: string;
  /** The server's timeline in which `seen` was read. */
  readonly timeline: string;
  /** Rows with an older timestamp need not be looked at; null: all must be. */
  readonly from: string | null;
  /** Epoch microseconds: every transaction that was open then had begun after it. */
  readonly floor: number | null;
  readonly round: TimestampRound | null;
}

/** A look at the table that takes more than one page. */
export interface TimestampRound {
  /** Row versions of transactions below it are sent. */
  readonly to: string;
  readonly timeline: string;
  /** What follow as `from` and `floor`. */
  readonly next: string | null;
  readonly floor: number | null;
  /** Timestamp and key of the row that was sent last. */
  readonly cursor: readonly string[];
}

/** See cdc/replicate.ts. */
export interface CdcPlace {
  readonly mode: "cdc";
  /** Transactions whose commit begins before it have been sent. */
  readonly lsn: string;
  /** A transaction of which only the first changes have been sent: where its commit is, and how many. */
  readonly part: { readonly commit: string; readonly changes: number } | null;
  /** While the rows that were there at first are sent: whose versions they are, and the key that was sent last. */
  readonly snapshot: { readonly visible: string; readonly cursor: readonly string[] | null } | null;
}

/** What the table was made of when it was looked at last: see followed.ts. */
export interface FollowedTable {
  /** Of its partitions, as core/known-edges.ts writes them. */
  readonly edges: string;
  /** Hash of the columns that are read; null while one is missing. */
  readonly shape: string | null;
  /** cdc mode: of the publication. */
  readonly publication?: string;
}

export interface Place {
  /** Settings under which it is of use: with others the source begins anew. */
  readonly of: string;
  readonly origin: Origin;
  readonly at: TimestampPlace | CdcPlace;
  /** Undefined in places of releases that did not keep it. */
  readonly followed?: FollowedTable;
}

export function writePlace(place: Place): string {
  return JSON.stringify({ v: 1, ...place });
}

/** @throws PlaceInvalid */
export function readPlace(text: string, group: string): Place {
  const hint = `delete the consumer group ${group} to send the whole table again`;
  try {
    const place = JSON.parse(text) as Place & { v?: unknown };
    if (place.v === 1) return place;
  } catch (error) {
    throw new PlaceInvalid(`the group ${group} keeps the place of something else than a source; ${hint}`, {
      cause: error,
    });
  }
  throw new PlaceInvalid(`the group ${group} keeps a place that a newer release has written: use that one, or ${hint}`);
}
