/** Columns that every topic has when a query names one of them. */
export const RECORD_COLUMNS = ["_time", "_partition", "_offset", "_key", "_value"] as const;

/** Their types, as DuckDB names them. */
export const RECORD_TYPES = ["timestamptz", "integer", "bigint", "varchar", "varchar"] as const;
