/** Records that can become no event, one of every kind. */
import type { BAD_ROW_REASONS } from "../../../pipeline/src/sql/bad-rows.ts";

export interface Poison {
  readonly what: string;
  readonly value: string | Buffer | null;
  readonly reason: keyof typeof BAD_ROW_REASONS;
}

export const good = {
  event_id: "00000000-0000-4000-8000-000000000000",
  user_id: "u1",
  event_type: "view",
  event_ts: "2026-01-01T00:00:30Z",
  points: 1,
};
export const event = (change: object): string => JSON.stringify({ ...good, ...change });

export const poison: readonly Poison[] = [
  { what: "text that is no JSON", value: "{oops", reason: "MalformedJson" },
  { what: "JSON that ends early", value: event({}).slice(0, -1), reason: "MalformedJson" },
  {
    what: "NaN",
    value: `{"event_id":"${good.event_id}","event_ts":"${good.event_ts}","waiting_time_ms":NaN}`,
    reason: "MalformedJson",
  },
  { what: "null", value: "null", reason: "NotAnObject" },
  { what: "an array", value: "[1,2]", reason: "NotAnObject" },
  { what: "1.7 for an integer", value: event({ points: 1.7 }), reason: "WrongType" },
  { what: "true for a number", value: event({ waiting_time_ms: true }), reason: "WrongType" },
  { what: "1e400", value: event({}).replace("}", ',"waiting_time_ms":1e400}'), reason: "OutOfRange" },
  { what: "a required field that is missing", value: event({ event_id: undefined }), reason: "MissingField" },
  { what: "no event time", value: event({ event_ts: null }), reason: "MissingField" },
  { what: "NUL in a text", value: event({ user_id: "a\u0000b" }), reason: "NulInText" },
  { what: "bytes that are no UTF-8", value: Buffer.from(event({ user_id: "\xff" }), "latin1"), reason: "InvalidText" },
  { what: "a group key of 5 KB", value: event({ user_id: "x".repeat(5_000) }), reason: "GroupKeyTooLong" },
  { what: "an event of the year 3000", value: event({ event_ts: "3000-01-01T00:00:00Z" }), reason: "TooFarAhead" },
  { what: "no bytes", value: "", reason: "EmptyValue" },
  { what: "a tombstone", value: null, reason: "Tombstone" },
  { what: "1 MB that is no JSON", value: "x".repeat(1_000_000), reason: "MalformedJson" },
];
