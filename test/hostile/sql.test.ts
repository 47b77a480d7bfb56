/** SQL of a tenant who means harm, in every place of a spec where SQL may stand: it reads no file, no address and no variable. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TransformConfig } from "@caudal/crds";
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { compile } from "../../pipeline/src/sql/compile.ts";
import { compileTransform } from "../../pipeline/src/sql/compile-transform.ts";
import type { SqlProblem } from "../../pipeline/src/sql/sql-error.ts";

const SECRET = "canary-7f3a";
let folder = "";
let server: Server;
let asked = 0;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "caudal-hostile-"));
  writeFileSync(join(folder, "secret.csv"), `${SECRET}\n${SECRET}\n`);
  process.env["CAUDAL_CANARY"] = SECRET;
  server = createServer((_request, response) => (asked++, response.end(SECRET)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  delete process.env["CAUDAL_CANARY"];
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const topic = topicOf({ id: "string", qty: "integer", ts: "timestamp", doc: "json" }, "ts");
const transform: TransformConfig = {
  ...{ topic, lookups: [], deadLetterTopic: "dlq", replicas: 1 },
  to: [{ name: "out", topic: { name: "out", fields: [] } }],
};
const tables = async (change: (sql: string) => Parameters<typeof tableOf>[0], all: readonly string[]) =>
  (
    await compile(
      configOf(
        topic,
        all.map((sql, index) => tableOf({ name: `t${index}`, ...change(sql) })),
      ),
    )
  ).problems;

/** Checks many at once, and tells of each by its index. */
const places: Readonly<Record<string, (all: readonly string[]) => Promise<readonly SqlProblem[]>>> = {
  select: async (all) =>
    (await compileTransform({ ...transform, select: all.map((sql, index) => `${sql} as x${index}`) })).problems,
  "where of a table": async (all) => await tables((sql) => ({ where: sql }), all),
  groupBy: async (all) => await tables((sql) => ({ groupBy: [`${sql} as x`] }), all),
  aggregates: async (all) => await tables((sql) => ({ aggregates: [`max(${sql}) as x`] }), all),
};
/** One condition each. */
const conditions: Readonly<Record<string, (sql: string) => Promise<readonly SqlProblem[]>>> = {
  "where of a transform": async (sql) => (await compileTransform({ ...transform, where: sql })).problems,
  "where of an aggregator": async (sql) => (await compile(configOf(topic, [tableOf()], { where: sql }))).problems,
};

/** FILE, URL and FOLDER stand for the canary's. */
const expressions = [
  // Files and addresses.
  "(select content from read_text('FILE'))",
  "(select * from read_csv('FILE'))",
  "(select * from read_csv_auto('FILE'))",
  "(select * from 'FILE')",
  '(select * from "FILE")',
  "(select * from read_blob('FILE'))",
  "(select * from read_json('FILE'))",
  "(select * from read_parquet('FILE'))",
  "(select * from glob('FOLDER/*'))",
  "(select * from read_text('URL'))",
  "(select * from 'URL/x.parquet')",
  "(select * from sniff_csv('FILE'))",
  "exists (from 'FILE')",
  "id in (from read_csv('FILE'))",
  "read_text('FILE')",
  "getenv('CAUDAL_CANARY')",
  // What the engine holds of itself.
  "(select value from duckdb_settings() limit 1)",
  "(select 1 from duckdb_secrets())",
  "(select 1 from which_secret('s3://x', 's3'))",
  "(select 1 from pragma_database_list())",
  "(select 1 from information_schema.tables)",
  "current_setting('secret_directory')",
  "(select sql from sqlite_master)",
  "(select 1 from duckdb_extensions())",
  "query('select 1')",
  "(from query('copy (select 1) to ''FOLDER/made'''))",
  "(from query_table('event'))",
  // What changes something: state, or what comes after it.
  "nextval('s')",
  "setseed(0.5)",
  "pg_sleep(100)",
  "write_log('x')",
  "parse_duckdb_log_message('x', 'y')",
  "random()",
  "uuid()",
  "now()",
  // Statements, in place of an expression and behind one.
  "1; copy (select 1) to 'FOLDER/made'",
  "1); copy (select 1) to 'FOLDER/made'; select (1",
  "1; attach 'FOLDER/made' as stolen",
  "1; install httpfs",
  "1; load httpfs",
  "1; pragma version",
  "1; set memory_limit = '100GB'",
  "1; create table x as select 1",
  "1; create secret s (type s3, key_id 'x')",
  "1; call pragma_version()",
  "1; export database 'FOLDER/made'",
  "copy (select 1) to 'FOLDER/made'",
  "attach 'FOLDER/made'",
  "1 -- ",
  "1 /* ",
  "1) union all select (1",
  "1 from event union all select 1",
  "1, 2",
  "case when true then 1 end) from (select * from 'FILE'",
  "x'); select 1; --",
  "\u0000",
  "1\u0000; select 1",
];

const filled = (text: string): string =>
  text
    .replaceAll("FILE", join(folder, "secret.csv"))
    .replaceAll("FOLDER", folder)
    .replaceAll("URL", `http://127.0.0.1:${(server.address() as { port: number }).port}`);

function saysNothing(problems: readonly SqlProblem[]): void {
  expect(JSON.stringify(problems)).not.toContain(SECRET);
  expect(existsSync(join(folder, "made"))).toBe(false);
}

test.each(Object.entries(places))(
  "in %s each is refused, and says nothing of what it is not to know",
  async (_place, check) => {
    const problems = await check(expressions.map(filled));
    const refused = new Set(problems.map(({ path }) => Number(/(?:tables\[t|select\[)(\d+)\]/.exec(path)?.[1])));
    expect(expressions.filter((_sql, index) => !refused.has(index))).toEqual([]);
    saysNothing(problems);
  },
);

describe.each(Object.entries(conditions))("in %s", (_place, check) => {
  test.each(expressions.filter((_sql, index) => index % 5 === 0))("%s is refused", async (sql) => {
    const problems = await check(filled(sql));
    expect(problems.length).toBeGreaterThan(0);
    saysNothing(problems);
  });
});

test("nobody was asked over the network", () => expect(asked).toBe(0));
