/** Every type × the ends of its values in tables of PostgreSQL, with a key and without. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { projectExtremes } from "../../../workloads/src/kernel/testing/project-extremes.ts";
import { EXTREME_ROWS, EXTREMES, extremeAt } from "../../../workloads/src/kernel/testing/values.ts";
import { createRowsTable, insertRows, rowsTable } from "../../../workloads/src/postgres/core/rows-table.ts";
import { type Postgres, startPostgres } from "../postgres.ts";

let server: Postgres;
beforeAll(async () => (server = await startPostgres()));
afterAll(async () => await server.stop());

it.each([
  ["without a key", "plain", []],
  ["by a key", "keyed", ["n"]],
  ["by a key of times", "timed", [`c${EXTREMES.length - 1}`]],
])("values of every type are exact %s", async (_way, name, key) => {
  const database = await server.database(`extremes_${name}`);
  const { plan, rows } = await projectExtremes();
  const table = rowsTable(name, key, plan.columns);
  for (const statement of createRowsTable(table)) await database.query(statement);
  const { text, values } = insertRows(table, rows.columns);
  await database.query(text, values);
  // What PostgreSQL itself makes of the same text; it writes numbers and spaces of JSON in its own way.
  const types = plan.columns.slice(1).map(({ postgresType }) => postgresType);
  const list = EXTREMES.map((__, index) => `c${index}::text`).join(", ");
  const casts = types.map((type, index) => `$${index + 1}::text::${type}::text as c${index}`).join(", ");
  const found = await database.query(`select ${list} from ${name} order by n`);
  for (let row = 0; row < EXTREME_ROWS; row++) {
    const texts = EXTREMES.map((type) => extremeAt(type, row).text);
    expect([found[row]]).toEqual(await database.query(`select ${casts}`, texts));
  }
  expect(found).toHaveLength(EXTREME_ROWS);
});
