/**
 * A transform's condition and values, each by the cheapest way that gives DuckDB's answer: without DuckDB where that is
 * certain, then by DuckDB once for each combination of texts, and by DuckDB for every event that is left.
 */
import type { TopicConfig } from "@caudal/crds";
import type { Finding, ProjectedColumn, TransformPlan } from "@caudal/pipeline/sql";
import type { Column } from "./columns.ts";
import { DirectEvaluation } from "./direct-evaluation.ts";
import { type Computed, Evaluation, type Joined } from "./evaluation.ts";
import type { EventReader } from "./event-reader.ts";

/** A column of the select that is computed. */
export interface ComputedColumn {
  readonly projected: ProjectedColumn;
  readonly computed: Computed;
}

export class SplitEvaluation {
  /** All of it, by DuckDB. */
  readonly #whole: Evaluation;
  /** What needs no DuckDB; undefined where the condition needs it. */
  readonly #direct: DirectEvaluation | undefined;
  /** What is left then. */
  readonly #rest: readonly Evaluation[];

  /** @param lookups tables that the SQL reads beside the events */
  constructor(
    events: EventReader,
    { where, directWhere, inputs }: TransformPlan,
    topic: TopicConfig,
    values: readonly ComputedColumn[],
    lookups: Joined | undefined,
  ) {
    const evaluation = (of: readonly ComputedColumn[], read: Iterable<string>, condition?: string, name?: string) => {
      const computation = { where: condition, conditions: [], values: of.map(({ computed }) => computed) };
      return new Evaluation(events, { ...computation, inputs: new Set(read) }, topic, events.columns, lookups, name);
    };
    this.#whole = evaluation(values, inputs, where);
    const [direct, others] = split(values);
    this.#direct =
      where === undefined || directWhere !== undefined
        ? new DirectEvaluation(directWhere, direct, events.columns)
        : undefined;
    // What reads lookups is evaluated together: they are joined once.
    const groups = lookups === undefined ? groupsOf(others, events.columns) : others.length === 0 ? [] : [others];
    const read = (group: readonly ComputedColumn[]) =>
      lookups === undefined ? group.flatMap(({ projected }) => projected.inputs) : inputs;
    this.#rest = groups.map((group, index) => evaluation(group, read(group), undefined, String(index)));
  }

  /** Columns of what is evaluated. */
  get columns(): readonly Column[] {
    return this.#whole.columns;
  }

  get needsDuckDB(): boolean {
    return this.#direct === undefined || this.#rest.length > 0;
  }

  /**
   * Evaluates over the events of the rows, which ascend.
   *
   * @param findings gets why some cannot be evaluated
   * @returns rows that pass, ascending
   */
  async run(rows: Int32Array, findings: Map<number, Finding>): Promise<Int32Array> {
    if (!this.#whole.needed) return rows;
    const passed = this.#direct?.run(rows);
    if (passed === undefined) return await evaluate(this.#whole, rows, findings);
    let left = passed;
    for (const evaluation of this.#rest) left = await evaluate(evaluation, left, findings);
    return left;
  }
}

async function evaluate(evaluation: Evaluation, rows: Int32Array, findings: Map<number, Finding>): Promise<Int32Array> {
  if (rows.length === 0) return rows;
  const evaluated = await evaluation.run(rows);
  for (const [row, found] of evaluated.findings) findings.set(row, found);
  return ascending(evaluated.rows);
}

/** A join may give events in another order than they came in. */
function ascending(rows: Int32Array): Int32Array {
  for (let i = 1; i < rows.length; i++) if ((rows[i - 1] as number) > (rows[i] as number)) return rows.slice().sort();
  return rows;
}

function split(values: readonly ComputedColumn[]) {
  const direct = values.flatMap(({ projected, computed: { column } }) =>
    projected.direct === undefined || column.kind === "text" ? [] : [{ direct: projected.direct, column }],
  );
  return [direct, values.filter(({ projected }) => projected.direct === undefined)] as const;
}

/** Values that read nothing but the same texts are together, for what they give is remembered; so are all others. */
function groupsOf(
  values: readonly ComputedColumn[],
  fields: ReadonlyMap<string, Column>,
): readonly (readonly ComputedColumn[])[] {
  const ofTexts = ({ projected: { inputs } }: ComputedColumn) =>
    inputs.length > 0 && inputs.every((field) => fields.get(field)?.kind === "text");
  const groups = Map.groupBy(values, (value) => (ofTexts(value) ? JSON.stringify(value.projected.inputs) : ""));
  return [...groups.values()];
}
