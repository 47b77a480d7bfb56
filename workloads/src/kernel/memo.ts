/**
 * What expressions over texts gave, by the texts: events have few kinds, countries or pages beside their number, so that
 * each combination is evaluated once and then looked up.
 */
import type { Finding } from "@caudal/pipeline/sql";
import { BIG, type Column, type TextColumn } from "./columns.ts";
import type { Dictionary } from "./dictionary.ts";
import { grown } from "./arrays.ts";

export interface Evaluated {
  /** Rows that are in some table's reach. */
  readonly rows: Int32Array;
  /** Why others cannot be evaluated. */
  readonly findings: ReadonlyMap<number, Finding>;
}

/** More combinations than this are forgotten and begun anew. */
const MAX_COMBINATIONS = 65_536;
/** Codes are below it: two of them, from NULL's on, make one whole number. */
const CODES = 2 ** 26;

export class Memo {
  readonly #inputs: readonly TextColumn[];
  readonly #outputs: readonly Column[];
  readonly #results: readonly { values: Float64Array; readonly bigs: Map<number, bigint> }[];
  /** By input: the number of (number so far, code). */
  readonly #numbers: readonly Map<number, number>[];
  #dictionaries: readonly Dictionary[] = [];
  /** By combination, whether its events are in some table's reach. */
  #passed: boolean[] = [];
  readonly #findings = new Map<number, Finding>();

  /** @param inputs columns that the expressions read, at least one @param outputs columns that they fill */
  constructor(inputs: readonly TextColumn[], outputs: readonly Column[]) {
    this.#inputs = inputs;
    this.#outputs = outputs;
    this.#results = outputs.map(() => ({ values: new Float64Array(64), bigs: new Map() }));
    this.#numbers = inputs.map(() => new Map());
  }

  /** @param evaluate fills the outputs for rows that stand for new combinations */
  async run(rows: Int32Array, evaluate: (rows: Int32Array) => Promise<Evaluated>): Promise<Evaluated> {
    if (this.#passed.length > MAX_COMBINATIONS || !this.#isCurrent()) this.#reset();
    const combinations = this.#combine(rows);
    const first = this.#passed.length;
    const fresh: number[] = [];
    for (let i = 0; i < rows.length; i++)
      if ((combinations[i] as number) === first + fresh.length) fresh.push(rows[i] as number);
    if (fresh.length > 0)
      try {
        this.#learn(first, fresh, await evaluate(Int32Array.from(fresh)));
      } catch (error) {
        // Combinations that have a number and no result would leave their events out without a word.
        this.#reset();
        throw error;
      }
    return this.#spread(rows, combinations);
  }

  /** The combination of each row; new ones are numbered in the order in which they come. */
  #combine(rows: Int32Array): Float64Array {
    const combined = new Float64Array(rows.length);
    for (const [index, { values }] of this.#inputs.entries()) {
      const numbers = this.#numbers[index] as Map<number, number>;
      for (let i = 0; i < rows.length; i++) {
        const key = (combined[i] as number) * CODES + (values[rows[i] as number] as number) + 1;
        let number = numbers.get(key);
        if (number === undefined) numbers.set(key, (number = numbers.size));
        combined[i] = number;
      }
    }
    return combined;
  }

  #learn(first: number, rows: readonly number[], { rows: passed, findings }: Evaluated): void {
    const reached = new Set(passed);
    for (const [i, row] of rows.entries()) {
      const combination = first + i;
      this.#passed.push(reached.has(row));
      const found = findings.get(row);
      if (found !== undefined) this.#findings.set(combination, found);
      for (const [index, column] of this.#outputs.entries()) {
        const result = this.#results[index];
        if (result === undefined) continue;
        if (combination >= result.values.length)
          result.values = grown(result.values, combination + 1, (length) => new Float64Array(length));
        result.values[combination] = column.values[row] as number;
        const big = column.kind === "number" ? column.bigs.get(row) : undefined;
        if (big !== undefined) result.bigs.set(combination, big);
      }
    }
    // An output of texts may have begun its dictionary with these.
    this.#dictionaries = this.#currentDictionaries();
  }

  #spread(rows: Int32Array, combinations: Float64Array): Evaluated {
    const left: number[] = [];
    const findings = new Map<number, Finding>();
    for (let i = 0; i < rows.length; i++) {
      const combination = combinations[i] as number;
      const row = rows[i] as number;
      if (this.#passed[combination] === true) left.push(row);
      else if (this.#findings.size > 0) {
        const found = this.#findings.get(combination);
        if (found !== undefined) findings.set(row, found);
      }
    }
    for (const [index, column] of this.#outputs.entries()) {
      const { values, bigs } = this.#results[index] ?? { values: new Float64Array(0), bigs: new Map<number, bigint>() };
      for (let i = 0; i < rows.length; i++) {
        const combination = combinations[i] as number;
        const value = values[combination] as number;
        column.values[rows[i] as number] = value;
        if (value === BIG && column.kind === "number") column.bigs.set(rows[i] as number, bigs.get(combination) ?? 0n);
      }
    }
    return { rows: Int32Array.from(left), findings };
  }

  #isCurrent(): boolean {
    const now = this.#currentDictionaries();
    return now.length === this.#dictionaries.length && now.every((one, index) => one === this.#dictionaries[index]);
  }

  #currentDictionaries(): readonly Dictionary[] {
    return [...this.#inputs, ...this.#outputs].flatMap((column) => (column.kind === "text" ? [column.dictionary] : []));
  }

  #reset(): void {
    for (const numbers of this.#numbers) numbers.clear();
    for (const { bigs } of this.#results) bigs.clear();
    this.#passed = [];
    this.#findings.clear();
    this.#dictionaries = this.#currentDictionaries();
  }
}
