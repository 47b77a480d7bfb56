/** What only a source meets: each needs a person, and says what to write. */
import { WorkloadError } from "../runtime/errors.ts";

/** The table and the topic's fields do not go together. */
export class SourceMismatch extends WorkloadError {
  readonly code = "SOURCE_MISMATCH";
  readonly reason = "SourceMismatch";
  readonly retryable = false;
}

/** The table does not exist, or not yet. */
export class SourceTableMissing extends WorkloadError {
  readonly code = "SOURCE_TABLE_MISSING";
  readonly reason = "SourceTableMissing";
  readonly retryable = true;
}

/** The database, or the table, is another one than the one that was read: what was sent of it says nothing of this one. */
export class SourceReplaced extends WorkloadError {
  readonly code = "SOURCE_REPLACED";
  readonly reason = "SourceReplaced";
  readonly retryable = false;
}

/** Something has changed rows, or what is sent of them, and nothing tells which: only the whole table says it. */
export class SourceChanged extends WorkloadError {
  readonly code = "SOURCE_CHANGED";
  readonly reason = "SourceChanged";
  readonly retryable = false;
}

/** The server does not replicate, or not to us. */
export class ReplicationNotAllowed extends WorkloadError {
  readonly code = "REPLICATION_NOT_ALLOWED";
  readonly reason = "ReplicationNotAllowed";
  readonly retryable = false;
}

/** The replication slot is gone or of no use any more: changes since its end are not known. */
export class SlotLost extends WorkloadError {
  readonly code = "SLOT_LOST";
  readonly reason = "SlotLost";
  readonly retryable = false;
}

/** The table was truncated, and nobody can tell which rows it had. */
export class TableTruncated extends WorkloadError {
  readonly code = "TABLE_TRUNCATED";
  readonly reason = "TableTruncated";
  readonly retryable = false;
}

/** The server speaks in a way that we do not know. */
export class ReplicationUnreadable extends WorkloadError {
  readonly code = "REPLICATION_UNREADABLE";
  readonly reason = "ReplicationUnreadable";
  readonly retryable = false;
}
