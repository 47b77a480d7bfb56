import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { acceptedPipeline } from "../pipeline/check.ts";
import { parsePipelines } from "../pipeline/read.ts";
import type { LookupFile } from "./lookups.ts";
import { report } from "./report.ts";
import { run, type Ran } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "caudal-run-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const clicks = {
  name: "clicks",
  timestamp: "ts",
  fields: [
    { name: "user", type: "string" },
    { name: "ts", type: "timestamp" },
    { name: "n", type: "integer" },
  ],
};
const finals = {
  name: "final",
  timestamp: "window_end",
  fields: [
    { name: "user", type: "string" },
    { name: "window_end", type: "timestamp" },
    { name: "total", type: "bigint" },
  ],
};
const minutes = {
  name: "minutes",
  window: { tumbling: { size: "1m" } },
  groupBy: ["user"],
  aggregates: ["sum(n) as total"],
};

/** Events `hh:mm:ss user n`, one a line. */
function events(...lines: readonly string[]): string {
  const file = join(mkdtempSync(join(folder, "case-")), "events.jsonl");
  const json = lines.map((line) => {
    const [time, user, n] = line.split(" ");
    return JSON.stringify({ ts: `2026-01-01T${time ?? ""}Z`, user, n: Number(n) });
  });
  writeFileSync(file, `${json.join("\n")}\n`);
  return file;
}

async function runOn(file: string, aggregators: readonly object[], topics: readonly object[] = [clicks]): Promise<Ran> {
  return await runSpec(file, { topics, aggregators });
}

async function runSpec(file: string, spec: object, lookups: readonly LookupFile[] = []): Promise<Ran> {
  const resource = {
    apiVersion: "caudal.dev/v1alpha1",
    kind: "StreamPipeline",
    metadata: { name: "test" },
    spec: {
      kafka: { clusterRef: { name: "platform", listener: "plain" } },
      database: { cluster: { storage: { size: "1Gi" } } },
      ...spec,
    },
  };
  const text = stringify(resource, { version: "1.1" });
  const pipeline = await acceptedPipeline(parsePipelines(text, "test")[0] ?? {}, "test");
  return await run(pipeline, { inputs: [file], lookups, events: 0, time: Date.parse("2026-01-02T00:00:00Z") });
}

const table = (ran: Ran, name: string) => report(ran, { output: "csv", table: name }).trim().split("\n").slice(1);

describe("late events", () => {
  const late = events("10:00:01 a 1", "10:02:00 a 2", "10:00:02 a 4", "10:01:59 b 8");
  const stage = { name: "s", topic: "clicks", watermark: { maxDelay: "30s" } };

  test("revise their row under Update", async () => {
    const ran = await runOn(late, [{ ...stage, tables: [minutes] }]);
    expect(table(ran, "minutes")).toEqual([
      "2026-01-01 10:00:00+00,2026-01-01 10:01:00+00,a,5",
      "2026-01-01 10:01:00+00,2026-01-01 10:02:00+00,b,8",
      "2026-01-01 10:02:00+00,2026-01-01 10:03:00+00,a,2",
    ]);
    expect(ran.letters).toEqual([]);
  });

  test("are dead letters with the tables that they missed, judged by what came before them", async () => {
    const ran = await runOn(late, [{ ...stage, lateEvents: "DeadLetter", tables: [minutes] }]);
    expect(table(ran, "minutes")).toContain("2026-01-01 10:00:00+00,2026-01-01 10:01:00+00,a,1");
    expect(ran.letters.map(({ place, reason, tables }) => [place, reason, tables])).toEqual([
      ["events.jsonl:3", "LateEvent", ["minutes"]],
    ]);
    expect(ran.notes).toEqual(["s read 4 records of clicks; 1 came late for minutes"]);
  });

  test("are left out under Drop, and counted", async () => {
    const ran = await runOn(late, [{ ...stage, lateEvents: "Drop", tables: [minutes] }]);
    expect(table(ran, "minutes")).toContain("2026-01-01 10:00:00+00,2026-01-01 10:01:00+00,a,1");
    expect(ran.letters).toEqual([]);
    expect(ran.notes[0]).toContain("1 came late for minutes");
  });

  test("a record that is no event does not move the watermark", async () => {
    const file = events("10:00:01 a 1", "11:00:00 a x", "10:00:02 a 4");
    const ran = await runOn(file, [{ ...stage, lateEvents: "DeadLetter", tables: [minutes] }]);
    expect(ran.letters.map(({ reason }) => reason)).toEqual(["MissingField"]);
    expect(table(ran, "minutes")).toEqual(["2026-01-01 10:00:00+00,2026-01-01 10:01:00+00,a,5"]);
  });
});

test("retention leaves out old windows, and what comes for them is a dead letter", async () => {
  const file = events("10:00:01 a 1", "10:30:00 a 2", "10:00:02 a 4", "10:25:00 b 8");
  const ran = await runOn(file, [{ name: "s", topic: "clicks", tables: [{ ...minutes, retention: "10m" }] }]);
  expect(table(ran, "minutes")).toEqual([
    "2026-01-01 10:25:00+00,2026-01-01 10:26:00+00,b,8",
    "2026-01-01 10:30:00+00,2026-01-01 10:31:00+00,a,2",
  ]);
  expect(ran.letters.map(({ place, reason }) => [place, reason])).toEqual([["events.jsonl:3", "RetentionPassed"]]);
});

test("sessions are joined by events that come between them", async () => {
  const file = events("10:00:00 u 5", "10:20:00 u 5", "10:50:00 u 5", "11:30:00 u 5", "11:10:00 u 5");
  const visits = { ...minutes, name: "visits", window: { session: { gap: "30m" } } };
  const ran = await runOn(file, [{ name: "s", topic: "clicks", tables: [visits] }]);
  expect(table(ran, "visits")).toEqual(["2026-01-01 10:00:00+00,2026-01-01 12:00:00+00,u,25"]);
});

test("final rows go to their topic, and the stages that read it run after", async () => {
  const file = events("10:00:01 a 1", "10:01:01 b 2", "10:05:00 a 4");
  const emitting = { ...minutes, emit: { final: { topic: "final" } } };
  const hours = {
    ...minutes,
    name: "hours",
    window: { tumbling: { size: "1h" } },
    aggregates: ["sum(total) as total"],
  };
  const stages = [
    { name: "second", topic: "final", tables: [hours] },
    { name: "first", topic: "clicks", lateEvents: "DeadLetter", tables: [emitting] },
  ];
  const ran = await runOn(file, stages, [clicks, finals]);
  expect(report(ran, { output: "json", topic: "final" })).toBe(
    `{"value":{"window_start":"2026-01-01T10:00:00.000Z","window_end":"2026-01-01T10:01:00.000Z","user":"a","total":"1","revision":0}}
{"value":{"window_start":"2026-01-01T10:01:00.000Z","window_end":"2026-01-01T10:02:00.000Z","user":"b","total":"2","revision":0}}
`,
  );
  expect(table(ran, "hours")).toEqual([
    "2026-01-01 10:00:00+00,2026-01-01 11:00:00+00,a,1",
    "2026-01-01 10:00:00+00,2026-01-01 11:00:00+00,b,2",
  ]);
});

describe("transforms", () => {
  const decided = {
    name: "decided",
    key: "user",
    timestamp: "ts",
    fields: [...clicks.fields, { name: "ok", type: "boolean" }],
  };
  const approve = {
    name: "approve",
    topic: "clicks",
    where: "n > 0",
    select: ["*", "coalesce(n <= limits.most, false) as ok"],
    lookups: [
      {
        ...{ name: "limits", table: "public.limits", match: { id: "user" } },
        columns: [{ name: "most", type: "integer" }],
      },
    ],
    to: [{ name: "decided", topic: "decided" }],
  };
  const store = {
    name: "store",
    topic: "decided",
    to: [
      { name: "history", table: { name: "history" } },
      { name: "last", table: { name: "last", key: ["user"] } },
      { name: "hot", redis: { connectionSecretRef: { name: "r" }, key: "u:{user}", as: "json" } },
    ],
  };
  const tables = [{ ...minutes, where: "ok", name: "approved" }];
  const aggregator = { name: "sum", topic: "decided", tables };
  const spec = { topics: [clicks, decided], transforms: [store, approve], aggregators: [aggregator] };
  const file = events("10:00:01 a 1", "10:00:02 b 7", "10:00:03 a 9", "10:00:04 c 2", "10:00:05 a 0", "10:00:06 a x");
  const limits = join(folder, "limits.jsonl");
  writeFileSync(limits, '{"id":"a","most":5}\n{"id":"b","most":10}\n');

  test("run in the order of their topics, look into files, and write topics, tables and keys", async () => {
    const ran = await runSpec(file, spec, [{ lookup: "limits", file: limits }]);
    expect(
      table(ran, "history").map((row) =>
        row
          .split(",")
          .filter((_, column) => column !== 1)
          .join(" "),
      ),
    ).toEqual(["a 1 true", "b 7 true", "a 9 false", "c 2 false"]);
    expect(table(ran, "last").map((row) => row.split(",")[0])).toEqual(["a", "b", "c"]);
    expect(table(ran, "last")[0]).toContain(",9,false");
    expect(table(ran, "approved")).toEqual([
      "2026-01-01 10:00:00+00,2026-01-01 10:01:00+00,a,1",
      "2026-01-01 10:00:00+00,2026-01-01 10:01:00+00,b,7",
    ]);
    const { redis } = JSON.parse(report(ran, { output: "json" })) as { redis: Record<string, { key: string }[]> };
    expect(redis["store.hot"]?.map(({ key }) => key)).toEqual(["u:a", "u:b", "u:c"]);
    expect(ran.letters.map(({ stage, place, reason }) => [stage, place, reason])).toEqual([
      ["approve", "events.jsonl:6", "MissingField"],
    ]);
    expect(ran.notes).toEqual([
      "approve read 6 records of clicks; 4 passed",
      "store read 4 records of decided; 4 passed",
      "sum read 4 records of decided",
    ]);
  });

  test("a lookup without a file is asked for, with its columns", async () => {
    await expect(runSpec(file, spec)).rejects.toThrow(
      "the stage approve looks into public.limits: give its rows with --lookup limits=FILE, one JSON object a line with id, most",
    );
  });
});

describe("what is not clear is asked for", () => {
  const file = events("10:00:01 a 1");
  const stage = { name: "s", topic: "clicks", tables: [minutes] };

  test("which of two topics a file is for", async () => {
    const other = { name: "t", topic: "final", tables: [{ ...minutes, name: "x", aggregates: ["count(*) as c"] }] };
    await expect(runOn(file, [stage, other], [clicks, finals])).rejects.toThrow(
      `the pipeline reads clicks, final: write --input TOPIC=FILE, such as --input clicks=${file}`,
    );
  });

  test("which table, and of csv which one", async () => {
    const ran = await runOn(file, [stage]);
    expect(() => report(ran, { output: "table", table: "hours" })).toThrow(
      "the pipeline writes no table hours: choose one of minutes",
    );
    expect(() => report(ran, { output: "csv" })).toThrow("csv holds one table: write --table NAME, one of minutes");
  });

  test("a way out of stages that read what they write", async () => {
    const back = { name: "back", timestamp: "window_end", fields: finals.fields };
    const loop = (name: string, topic: string, to: string) => ({
      ...{ name, topic, lateEvents: "Drop" },
      tables: [{ ...minutes, name, aggregates: ["sum(total) as total"], emit: { final: { topic: to } } }],
    });
    await expect(
      runOn(file, [loop("one", "final", "back"), loop("two", "back", "final")], [finals, back]),
    ).rejects.toThrow("the topics go round, final → back → final");
  });
});

test("times at the ends of the calendar, and events that SQL fails on, stop nothing", async () => {
  const file = join(mkdtempSync(join(folder, "case-")), "ends.jsonl");
  const times = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-01-01T00:00:00Z"];
  const lines = times.map((ts, n) => JSON.stringify({ user: n === 2 ? "many" : `${n}`, ts, n }));
  writeFileSync(file, `${lines.join("\n")}\n`);
  const select = ["user", "ts + interval 0 second as at", "user::integer as k"];
  const ran = await runSpec(file, {
    topics: [clicks, { name: "out", fields: [{ name: "at", type: "timestamp", nullable: true }] }],
    transforms: [
      {
        ...{ name: "t", topic: "clicks", select },
        to: [
          { name: "rows", table: { name: "rows", key: ["k"] } },
          { name: "hot", redis: { connectionSecretRef: { name: "r" }, key: "u:{k}", as: "json" } },
          { name: "out", topic: "out" },
        ],
      },
    ],
    aggregators: [
      {
        ...{ name: "a", topic: "clicks", watermark: { maxAhead: "10000000d" } },
        tables: [{ ...minutes, window: { hopping: { size: "2m", advance: "1m" } }, aggregates: ["count(*) as c"] }],
      },
    ],
  });
  expect(ran.letters.map(({ stage, place, reason }) => [stage, place, reason])).toEqual([
    ["t", "ends.jsonl:3", "EvaluationFailed"],
  ]);
  expect(table(ran, "rows")).toEqual(["0,0001-01-01 00:00:00+00,0", "1,9999-12-31 23:59:59.999999+00,1"]);
  const json = report(ran, { output: "json" });
  expect(json).toContain("9999-12-31T23:59:59.999999Z");
  expect(table(ran, "minutes")).toEqual(
    expect.arrayContaining([
      "0001-12-31 23:59:00+00 BC,0001-01-01 00:01:00+00,0,1",
      "9999-12-31 23:59:00+00,10000-01-01 00:01:00+00,1,1",
    ]),
  );
});

test("fields are read and written where they are, also by the stage behind, and tables have any name", async () => {
  const file = join(mkdtempSync(join(folder, "case-")), "places.jsonl");
  writeFileSync(file, '{"user":{"user-id":"u1"},"n":5}\n{"user":{"user-id":"u2"}}\n');
  const field = (name: string, type: string, from: string) => ({ name, type, from, nullable: true });
  const flat = [
    field("user-id", "string", '$.user."user-id"'),
    field("n", "integer", "$.n"),
    field("o", "bigint", "offset"),
  ];
  const nested = [
    field("user-id", "string", "key"),
    field("n", "integer", "$.deep.list[1]"),
    field("twice", "bigint", "$.deep.twice"),
  ];
  const ran = await runSpec(file, {
    topics: [
      { name: "in", fields: flat },
      { name: "mid", key: "user-id", fields: nested },
    ],
    transforms: [
      { name: "move", topic: "in", select: ["*", "n * 2 as twice"], to: [{ name: "mid", topic: "mid" }] },
      { name: "keep", topic: "mid", to: [{ name: "t", table: { name: '"Sales"."Order Details"', key: ["user-id"] } }] },
    ],
  });
  expect(ran.letters).toEqual([]);
  expect(
    ran.topics.map(({ sections }) =>
      sections.map(({ block }) => [0, 1].map((row) => String(block.original(row).value))),
    ),
  ).toEqual([[['{"deep":{"list":[null,5],"twice":10},"o":0}', '{"deep":{"list":[null,null],"twice":null},"o":1}']]]);
  expect(table(ran, '"Sales"."Order Details"')).toEqual(["u1,5,10", "u2,,"]);
});
