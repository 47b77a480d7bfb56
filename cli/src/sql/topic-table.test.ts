import { expect, it } from "vitest";
import { valuesSection } from "../run/log.ts";
import { describeQuery, openQueries, runQuery } from "./duck-query.ts";
import { exactQuery } from "./exact-query.ts";
import { TopicTable } from "./topic-table.ts";

it("a topic's fields are read where they are, whatever their names", async () => {
  const field = (name: string, type = "string", from?: string) => ({
    ...{ name, type, nullable: true },
    ...(from === undefined ? {} : { from }),
  });
  const fields = [
    ...[field("user-id"), field('a"b'), field("kubernetes.pod_name"), field("preço", "double")],
    ...[field("pod", "string", "$.kubernetes.pod_name"), field("sku", "bigint", "$.items[1].sku")],
    ...[field("k", "string", "key"), field("trace", "string", "header:trace-id"), field("p", "integer", "partition")],
    ...[field("o", "bigint", "offset"), field("t", "timestamp", "timestamp")],
  ];
  const values = [
    '{"user-id":"u1","a\\"b":"x","kubernetes.pod_name":"dotted","preço":1.5,"kubernetes":{"pod_name":"web"},"items":[{},{"sku":7}]}',
    "{}",
    '{"items":[0,{"sku":"no number"}]}',
  ];
  const beside = (row: number) =>
    row === 0
      ? { key: Buffer.from('k"1'), headers: [["trace-id", Buffer.from("t1")] as const] }
      : { key: null, headers: [] };
  const { block } = valuesSection(values, String, { topic: "logs", offset: 40, time: () => 0, beside });
  const duckdb = await openQueries();
  try {
    const table = new TopicTable(duckdb, { name: "logs", fields }, { withRecord: false });
    expect(await table.replace([block])).toBe(1);
    const sql = `select "user-id", "a""b", "kubernetes.pod_name", "preço", pod, sku, k, trace, p, o, epoch_ms(t) from logs order by o`;
    const { rows } = await runQuery(duckdb, sql, await describeQuery(duckdb, sql));
    expect(rows).toEqual([
      ["u1", "x", "dotted", "1.5", "web", "7", 'k"1', "t1", "0", "40", "0"],
      [null, null, null, null, null, null, null, null, "0", "41", "0"],
    ]);
  } finally {
    duckdb.close();
  }
});

it("a record means what it means to a stage, and digits in JSON stay as they were written", async () => {
  const fields = [
    { name: "id", type: "string", nullable: false },
    { name: "amount", type: "decimal(20,4)", nullable: true },
    { name: "doc", type: "json", nullable: true },
  ];
  const values = [
    '{"id":"a","amount":10,"am\\u006funt":1234567890123456.7891,"doc":{"w":0.1000,"w":0.2000,"l":[1.10]}}',
    '{"id":"\ufeffb","amount":1e2}',
    '{"id":"c",}',
    '{"id":"d","amount":NaN}',
  ];
  const beside = () => ({ key: null, headers: [] });
  const { block } = valuesSection(values, String, { topic: "event", offset: 0, time: () => 0, beside });
  const duckdb = await openQueries();
  try {
    const table = new TopicTable(duckdb, { name: "event", fields }, { withRecord: true });
    expect(await table.replace([block])).toBe(2);
    const query = `select id, amount, doc->>'w' as w, (doc->'w')::decimal(9,4) as d, sum((doc->'l'->>0)::decimal(9,2)) over () as l, _offset from event order by _offset limit 5`;
    const sql = await exactQuery(duckdb, query);
    const { rows } = await runQuery(duckdb, sql, await describeQuery(duckdb, sql));
    expect(rows).toEqual([
      ["a", "1234567890123456.7891", "0.2000", "0.2000", "1.10", "0"],
      ["\ufeffb", "100.0000", null, null, "1.10", "1"],
    ]);
    // Whatever writes JSON anew is exact, or refused with what to write; also in groups, in parts, and by an alias.
    for (const rounding of [
      ...["json_merge_patch(doc, doc)", "json_group_array(doc)", "json_group_array(e.doc->'w')", "list(doc)::json"],
      ...[
        "json_group_object(id, doc)",
        "[doc]::json",
        "{a: doc}::json",
        "to_json(list(doc))",
        "to_json(map([id], [doc]))",
      ],
      ...["to_json(e)", "json_array(amount, doc)", "(select json_group_array(doc) from event)"],
    ])
      await expect(exactQuery(duckdb, `select ${rounding} from event e`), rounding).rejects.toThrow(/would round/);
    for (const from of ["json_each(e.doc)", "json_tree(e.doc)", "json_each('{}')"])
      await expect(exactQuery(duckdb, `select value from event e, ${from}`), from).rejects.toThrow(/would round/);
    const values = async (asked: string) => {
      const exact = await exactQuery(duckdb, asked);
      return (await runQuery(duckdb, exact, await describeQuery(duckdb, exact))).rows;
    };
    expect(await values("select json_group_array(e.id) as ids, count(*) from event e where id = 'a'")).toEqual([
      ['["a"]', "1"],
    ]);
    expect(await values("select ('[' || string_agg((doc->'w')::varchar, ',') || ']')::json as w from event")).toEqual([
      ["[0.2000]"],
    ]);
    expect(
      await values(
        `select ('{' || string_agg(to_json(id) || ':' || amount::varchar, ',' order by id) || '}')::json as o from event where id = 'a'`,
      ),
    ).toEqual([['{"a":1234567890123456.7891}']]);
    expect(
      await values("with w as (select doc->'w' as n from event) select w.n::decimal(9,4) from w where n is not null"),
    ).toEqual([["0.2000"]]);
    const plain = "select id from event limit 1";
    expect(await exactQuery(duckdb, plain)).toBe(plain);
  } finally {
    duckdb.close();
  }
});
