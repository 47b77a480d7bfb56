/** Every type × the ends of its values × every way that a value takes through the kernel. */
import type { TransformConfig } from "@caudal/crds";
import { describe, expect, test } from "vitest";
import { compileTransformPlan } from "@caudal/pipeline/duckdb";
import { LookupTables } from "../transform/lookup-tables.ts";
import { columnText } from "./delta-text.ts";
import { Projection } from "./projection.ts";
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, textOf } from "./testing/block.ts";
import {
  EXTREME_ROWS,
  EXTREMES,
  type ExtremeType,
  extremeAt,
  extremeEvent,
  extremeFields,
  fieldJson,
} from "./testing/values.ts";

const topic = topicOf(extremeFields());
const types = EXTREMES.map((type, index) => ({ ...type, index }));
const fields = types.filter(({ field }) => field !== undefined);
const rows = Array.from({ length: EXTREME_ROWS }, (_, row) => row);
const FAILING = `{"n":-1,"fail":"many"}`;

interface Expected {
  readonly name: string;
  readonly type: ExtremeType;
  /** Whether it goes on as it was written. */
  readonly asWritten?: boolean;
}

async function project(change: Partial<TransformConfig>, values: readonly string[], lookups: readonly string[] = []) {
  const plan = await compileTransformPlan({ topic, lookups: [], deadLetterTopic: "d", to: [], replicas: 1, ...change });
  const tables = new LookupTables(
    plan.lookups.map((lookup, i) => ({ plan: lookup, table: "t", rows: lookups[i] ?? "" })),
  );
  const joined = plan.lookups.length === 0 ? undefined : tables;
  const projection = await Projection.open(plan, topic, { wants: new Set(["columns", "json"]) }, joined);
  try {
    const { bad } = await projection.add(blockOf(values), { from: 0, to: values.length });
    const { json, columns, count } = projection.take();
    const written = Array.from({ length: count }, (_, row) =>
      json?.bytes.toString("utf8", json.starts[row], json.ends[row]),
    );
    const texts = columns.map((column, index) => columnText(column, plan.columns[index]?.duckdbType ?? ""));
    return { bad: bad.map(({ row, reason }) => [row, reason]), written, texts };
  } finally {
    await projection.close();
  }
}

/** What is expected of the events, in the form of {@link project}. */
const exactly = (columns: readonly Expected[]) => ({
  written: rows.map((row) => {
    const members = columns.map(({ name, type, asWritten }) => {
      const value = extremeAt(type, row);
      return `"${name}":${asWritten === true ? fieldJson(value) : value.json}`;
    });
    return `{${members.join(",")}}`;
  }),
  texts: columns.map(({ type }) => rows.map((row) => extremeAt(type, row).text)),
});

describe("computed values of every type", () => {
  // What an expression makes of a text is evaluated once for each; beside a number, for every event.
  test.each([
    ["by texts", (sql: string) => sql, []],
    ["in one statement", (sql: string) => `case when n >= 0 then ${sql} end`, []],
    ["beside events that fail", (sql: string) => `case when fail is null then ${sql} end`, [FAILING]],
  ])("are exact, %s", async (_way, guarded, failing) => {
    const columns = types.map((type) => ({ name: `c${type.index}`, type }));
    const select = types.map(({ index, duckdbType }) => `${guarded(`r${index}::${duckdbType}`)} as c${index}`);
    const { bad, written, texts } = await project(
      { where: "n is not null", select: [...select, ...failing.map(() => "fail::integer as f")] },
      [...failing, ...rows.map((row) => extremeEvent(row)), ...failing],
    );
    expect(bad).toEqual(failing.length === 0 ? [] : [0, EXTREME_ROWS + 1].map((row) => [row, "EvaluationFailed"]));
    const expected = exactly(columns);
    expect(texts.slice(0, columns.length)).toEqual(expected.texts);
    expect(written.map((text) => text?.replace(',"f":null', ""))).toEqual(expected.written);
  });
});

describe("fields of every type", () => {
  const ways = [
    ["as it is", "v", (sql: string) => sql],
    ["evaluated", "w", (sql: string) => `coalesce(${sql}, ${sql})`],
    ["beside a number", "x", (sql: string) => `case when n >= 0 then ${sql} end`],
  ] as const;
  const select = ways.flatMap(([, name, sql]) => fields.map(({ index }) => `${sql(`v${index}`)} as ${name}_${index}`));
  const columns = ways.flatMap(([, name]) =>
    fields.map((type) => ({ name: `${name}_${type.index}`, type, asWritten: name === "v" })),
  );

  test.each([
    ["the scanner", "n"],
    ["the strict reader", "\\u006e"],
  ])("are exact as %s reads them", async (_reader, key) => {
    const { bad, ...rest } = await project(
      { select },
      rows.map((row) => extremeEvent(row, key)),
    );
    expect(bad).toEqual([]);
    expect(rest).toEqual(exactly(columns));
  });

  test("are exact in conditions, without DuckDB and with it", async () => {
    const same = fields.map(({ index }) => `v${index} = v${index}`);
    const through = fields.map(
      ({ index, duckdbType }) => `v${index}::varchar::${duckdbType}::varchar = v${index}::varchar`,
    );
    const plain = fields.map(({ index }) => `v${index} as v_${index}`);
    const expected = exactly(columns.slice(0, fields.length));
    for (const where of [same, through].map((conditions) => conditions.join(" and ")))
      expect(
        await project(
          { where, select: plain },
          rows.map((row) => extremeEvent(row)),
        ),
      ).toEqual({ bad: [], ...expected });
  });

  test("are exact as keys and as columns of lookups", async () => {
    const lookups = fields.map(({ index, field = "" }) => ({
      ...{ name: `l${index}`, table: "t", match: { k: `v${index}` }, columns: [{ name: "value", type: field }] },
      ...{ maxRows: 1000, refreshMs: 1000, secret: "s" },
    }));
    const known = fields.map(({ values }) => JSON.stringify(values.map(({ text }) => [text, text])));
    const found = fields.map((type) => ({ name: `c${type.index}`, type }));
    expect(
      await project(
        { select: fields.map(({ index }) => `l${index}.value as c${index}`), lookups },
        rows.map((row) => extremeEvent(row)),
        known,
      ),
    ).toEqual({ bad: [], ...exactly(found) });
  });
});

describe("tables", () => {
  const sqls = types.map(({ index, duckdbType }) => `case when n >= 0 then r${index}::${duckdbType} end`);
  const fold = async (tables: Parameters<typeof configOf>[1]) => {
    const kernel = await kernelOf(configOf(topic, tables));
    try {
      const { bad } = await kernel.add(blockOf([...rows, ...rows].map((row) => extremeEvent(row))), {
        watermark: null,
      });
      expect(bad).toEqual([]);
      return (await kernel.take()).map(textOf);
    } finally {
      await kernel.close();
    }
  };

  test("of groups of every type are exact", async () => {
    const deltas = await fold(
      types.map(({ index }) => tableOf({ name: `t${index}`, groupBy: [`${sqls[index]} as v`] })),
    );
    for (const { index, values, duckdbType } of types) {
      const groups = new Set(deltas[index]?.groups[0]);
      expect(groups, duckdbType).toEqual(new Set(values.map(({ text }) => text)));
      expect(deltas[index]?.groups[0], duckdbType).toHaveLength(values.length);
    }
  });

  test.each([
    ["windows", { tumbling: { size: "1m" } }],
    ["sessions", { session: { gap: "1m" } }],
  ])("of %s have exact ends and counts of every type", async (_kind, window) => {
    const ordered = types.filter(({ duckdbType }) => duckdbType !== "BOOLEAN");
    const aggregates = ordered.flatMap(({ index }) => [
      ...[
        `min(${sqls[index]}) as least${index}`,
        `max(${sqls[index]}) as most${index}`,
        `count(${sqls[index]}) as c${index}`,
      ],
    ]);
    const [delta] = await fold([tableOf({ window, aggregates })]);
    expect(delta?.parts).toEqual(
      ordered.flatMap(({ values }) => [[values[0]?.text], [values.at(-1)?.text], [String(2 * EXTREME_ROWS)]]),
    );
  });

  test("of sums of whole numbers are exact at any size", async () => {
    const summed = types.filter(({ duckdbType }) => /^U?(TINY|SMALL|BIG)?INT|^DECIMAL\((5|10|15|18),/.test(duckdbType));
    const [delta] = await fold([
      tableOf({ aggregates: summed.map(({ index }) => `sum(${sqls[index]}) as s${index}`) }),
    ]);
    // Behind each sum comes its count.
    expect(delta?.parts.filter((_, index) => index % 2 === 0)).toEqual(
      summed.map((type) => {
        const texts = [...rows, ...rows].map((row) => extremeAt(type, row).text);
        const scale = texts[0]?.split(".")[1]?.length ?? 0;
        const total = texts.reduce((sum, text) => sum + BigInt(text.replace(".", "")), 0n);
        const digits = String(total < 0n ? -total : total).padStart(scale + 1, "0");
        const point = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
        return [`${total < 0n ? "-" : ""}${point}`];
      }),
    );
  });
});
