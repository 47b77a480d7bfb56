/** A compiled transform: which events pass, and what each of them becomes. Pure data, the same on every replica. */

/**
 * An expression that needs no DuckDB: conditions over numbers, truth values and equal texts, and arithmetic. A term is true,
 * false or NULL; a number or a text where it is compared, or a number.
 */
export type Direct =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "field"; readonly field: string }
  | {
      readonly kind: "compare";
      readonly operator: "=" | "<>" | "<" | "<=" | ">" | ">=";
      readonly left: Direct;
      readonly right: Direct;
    }
  | { readonly kind: "text"; readonly field: string; readonly equal: boolean; readonly text: string }
  | { readonly kind: "and" | "or"; readonly terms: readonly Direct[] }
  | { readonly kind: "not"; readonly term: Direct }
  | { readonly kind: "isNull"; readonly field: string; readonly not: boolean }
  | {
      readonly kind: "arithmetic";
      readonly operator: "+" | "-" | "*" | "/";
      readonly left: Direct;
      readonly right: Direct;
      /** A result that is not less, either way, is DuckDB's to compute. */
      readonly below: number;
    };

/** A column of what is passed on. */
export interface ProjectedColumn {
  readonly name: string;
  /** DuckDB expression over one event; the field's name where it is a field as it came. */
  readonly expression: string;
  readonly isField: boolean;
  readonly duckdbType: string;
  /** `text` is compared bytewise; a field of type json is jsonb. */
  readonly postgresType: string;
  readonly nullable: boolean;
  /** Fields that an expression reads; none where it is a field as it came. */
  readonly inputs: readonly string[];
  /** Only where it can be said so. */
  readonly direct?: Direct;
}

/** A table beside the events. In SQL it is a struct of its columns, NULL where no row belongs to the event. */
export interface LookupPlan {
  readonly name: string;
  readonly on: readonly { readonly column: string; readonly field: string; readonly duckdbType: string }[];
  readonly columns: readonly { readonly name: string; readonly duckdbType: string }[];
}

export interface TransformPlan {
  /** Events for which this is not true are left out. */
  readonly where?: string;
  readonly directWhere?: Direct;
  /** Whether events go on as they are, byte for byte. */
  readonly untouched: boolean;
  readonly columns: readonly ProjectedColumn[];
  /** Fields that the condition, the expressions and the lookups read: all but fields that stand alone. */
  readonly inputs: readonly string[];
  /** Those that the SQL reads. */
  readonly lookups: readonly LookupPlan[];
}
