/** Evaluates conditions and arithmetic over the columns of a slice, without DuckDB. */
import type { Direct } from "@caudal/pipeline/sql";
import type { Column, NumberColumn } from "./columns.ts";
import { NULL_CODE } from "./dictionary.ts";

/** 1 for true, 0 for false, NaN for NULL; the number itself where one is compared. */
type Term = (row: number) => number;

export interface DirectValue {
  readonly direct: Direct;
  readonly column: NumberColumn;
}

export class DirectEvaluation {
  readonly #fields: ReadonlyMap<string, Column>;
  readonly #where: Direct | undefined;
  readonly #values: readonly DirectValue[];
  /** Whether a result is DuckDB's to compute after all. */
  #unsure = false;

  /** @param fields columns of all fields that are read */
  constructor(where: Direct | undefined, values: readonly DirectValue[], fields: ReadonlyMap<string, Column>) {
    this.#fields = fields;
    this.#where = where;
    this.#values = values;
  }

  /** Fills the values' columns. @returns the rows for which the condition is true; undefined where DuckDB has to say */
  run(rows: Int32Array): Int32Array | undefined {
    // Numbers that a double cannot hold are not compared here.
    for (const column of this.#fields.values()) if (column.kind === "number" && column.bigs.size > 0) return undefined;
    this.#unsure = false;
    // Columns and dictionaries may be others than at the last slice.
    const where = this.#where === undefined ? undefined : this.#term(this.#where);
    const passed = where === undefined ? rows : those(rows, where);
    for (const { direct, column } of this.#values) {
      const term = this.#term(direct);
      const { values } = column;
      for (const row of passed) values[row] = term(row);
    }
    return this.#unsure ? undefined : passed;
  }

  #term(direct: Direct): Term {
    switch (direct.kind) {
      case "constant":
        return () => direct.value;
      case "field": {
        const { values } = this.#column(direct.field);
        return (row) => values[row] as number;
      }
      case "text":
        return this.#text(direct);
      case "isNull":
        return this.#isNull(direct);
      case "not": {
        const term = this.#term(direct.term);
        return (row) => 1 - term(row);
      }
      case "and":
      case "or":
        return joined(
          direct.terms.map((term) => this.#term(term)),
          direct.kind === "and" ? 0 : 1,
        );
      case "compare":
        return compared(direct.operator, this.#term(direct.left), this.#term(direct.right));
      case "arithmetic":
        return this.#arithmetic(direct);
    }
  }

  #arithmetic({ operator, below, ...sides }: Extract<Direct, { kind: "arithmetic" }>): Term {
    const left = this.#term(sides.left);
    const right = this.#term(sides.right);
    const compute = operations[operator];
    return (row) => {
      const a = left(row);
      const b = right(row);
      if (Number.isNaN(a) || Number.isNaN(b)) return NaN;
      const result = compute(a, b);
      if (!(Math.abs(result) < below) || (operator === "/" && b === 0)) this.#unsure = true;
      // A whole number has no zero below zero.
      return below === Infinity ? result : result + 0;
    };
  }

  #text({ field, equal, text }: Extract<Direct, { kind: "text" }>): Term {
    const column = this.#column(field);
    if (column.kind !== "text") throw new TypeError(`${field} is no text`);
    // Memory may grow while the text is added: the column's array is asked for after it.
    const code = column.dictionary.code(text);
    const { values } = column;
    const [same, other] = equal ? [1, 0] : [0, 1];
    return (row) => {
      const value = values[row] as number;
      return value === code ? same : value === NULL_CODE ? NaN : other;
    };
  }

  #isNull({ field, not }: Extract<Direct, { kind: "isNull" }>): Term {
    const { kind, values } = this.#column(field);
    const [yes, no] = not ? [0, 1] : [1, 0];
    return kind === "text"
      ? (row) => (values[row] === NULL_CODE ? yes : no)
      : (row) => (Number.isNaN(values[row]) ? yes : no);
  }

  #column(field: string): Column {
    const column = this.#fields.get(field);
    if (column === undefined) throw new TypeError(`no column of ${field}`);
    return column;
  }
}

/** Rows for which the term is true. */
function those(rows: Int32Array, term: Term): Int32Array {
  const passed = new Int32Array(rows.length);
  let count = 0;
  for (const row of rows) if (term(row) === 1) passed[count++] = row;
  return passed.subarray(0, count);
}

/** @param decides 0: one that is false makes it false; 1: one that is true makes it true. Otherwise NULL makes it NULL */
function joined(terms: readonly Term[], decides: number): Term {
  return (row) => {
    let result = 1 - decides;
    for (const term of terms) {
      const value = term(row);
      if (value === decides) return decides;
      if (Number.isNaN(value)) result = NaN;
    }
    return result;
  };
}

function compared(operator: Extract<Direct, { kind: "compare" }>["operator"], left: Term, right: Term): Term {
  const test = tests[operator];
  return (row) => {
    const a = left(row);
    const b = right(row);
    return Number.isNaN(a) || Number.isNaN(b) ? NaN : test(a, b) ? 1 : 0;
  };
}

const tests = {
  "=": (a: number, b: number) => a === b,
  "<>": (a: number, b: number) => a !== b,
  "<": (a: number, b: number) => a < b,
  "<=": (a: number, b: number) => a <= b,
  ">": (a: number, b: number) => a > b,
  ">=": (a: number, b: number) => a >= b,
} as const;

const operations = {
  "+": (a: number, b: number) => a + b,
  "-": (a: number, b: number) => a - b,
  "*": (a: number, b: number) => a * b,
  "/": (a: number, b: number) => a / b,
} as const;
