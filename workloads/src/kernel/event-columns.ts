/** Columns of DuckDB's tables of events besides the fields. No field can have these names. */
import { quote } from "@caudal/pipeline/sql";

/** The row in its slice. */
export const ROW = quote("#row");
/** Event time in microseconds. */
export const TIME = quote("#time");
/** Whether the line became an event. */
export const OK = quote("#ok");
