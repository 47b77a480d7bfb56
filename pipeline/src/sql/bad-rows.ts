/** Why a record cannot become an event: the closed list of reasons. */
export const BAD_ROW_REASONS = {
  EmptyValue: "The record's value has no bytes.",
  Tombstone: "The record's value is null.",
  InvalidText: "The value is not UTF-8, or holds half of a surrogate pair.",
  MalformedJson: "The value is not JSON.",
  NotAnObject: "The value is JSON, but not an object.",
  MissingField: "A field that is not nullable is missing or null.",
  WrongType: "A field's value is not of the declared type.",
  OutOfRange: "A field's value is of the declared type, but too large, too small or too precise.",
  NulInText: "A text holds the character NUL, which PostgreSQL cannot keep.",
  GroupKeyTooLong: "The texts of a table's group columns have more than 1024 bytes together.",
  TooFarAhead: "The event time is further ahead of the record's own time than watermark.maxAhead.",
  EvaluationFailed: "An expression of the pipeline fails on this event, or gives a number that is not finite.",
  RefusedByDatabase: "PostgreSQL refuses what the event would write.",
  RefusedByOutput: "An output can never take what the event became, such as a key that is NULL.",
  RecordTooLarge: "The topic that gets the event does not take a record of its size.",
} as const;
export type BadRowReason = keyof typeof BAD_ROW_REASONS;

export interface Finding {
  readonly reason: BadRowReason;
  /** For people; at most 512 characters. */
  readonly detail: string;
}

const MAX_DETAIL = 512;

/** A finding whose detail is cut to what a dead letter's header may hold. */
export function finding(reason: BadRowReason, detail: string): Finding {
  return { reason, detail: detail.length <= MAX_DETAIL ? detail : `${detail.slice(0, MAX_DETAIL - 1)}…` };
}

/** Of a record without a time, where no field of its event is the time either. */
export const NO_TIME = finding("OutOfRange", "the record has no time, and the topic no timestamp field");
