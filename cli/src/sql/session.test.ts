/** What the prompt prints of a pipeline that needs neither Kafka nor PostgreSQL to be told; the others are in test/cli/engine. */
import { describe, expect, test } from "vitest";
import { type StreamPipeline, withDefaults } from "@caudal/crds";
import type { Live } from "../live/live.ts";
import { Printer } from "../output/printer.ts";
import { runScripts } from "./command.ts";
import { META_HELP } from "./meta.ts";
import { Session } from "./session.ts";

const condition = { type: "Ready", status: "True", reason: "Ready", message: "", observedGeneration: 1 };
const pipeline = withDefaults({
  apiVersion: "caudal.dev/v1alpha1",
  kind: "StreamPipeline",
  metadata: { name: "shop", namespace: "default", uid: "u", generation: 1, resourceVersion: "1" },
  spec: {
    kafka: { clusterRef: { name: "platform", listener: "plain" } },
    topics: [
      {
        ...{ name: "app-events", key: "user", timestamp: "ts" },
        fields: [
          { name: "user", type: "string" },
          { name: "ts", type: "timestamp" },
          { name: "pod", type: "string", nullable: true, from: "$.kubernetes.pod" },
        ],
      },
      { name: "purchases", fields: [{ name: "user", type: "string" }] },
    ],
    sources: [
      { name: "people", topic: "app-events", postgres: { secretRef: { name: "s" }, table: "people", mode: "cdc" } },
    ],
    transforms: [{ name: "buy", topic: "app-events", select: ["user"], to: [{ name: "topic", topic: "purchases" }] }],
  },
  status: {
    conditions: [condition],
    stages: [{ name: "buy", role: "transform", state: "Running", replicas: 1, readyReplicas: 1 }],
  },
} as unknown as Parameters<typeof withDefaults>[0]) as unknown as StreamPipeline;
const other = {
  ...pipeline,
  metadata: { ...pipeline.metadata, name: "old", generation: 3 },
  status: { conditions: [{ ...condition, status: "False", message: "no Kafka", observedGeneration: 3 }] },
} as unknown as StreamPipeline;
const fresh = { ...other, metadata: { ...other.metadata, name: "new", generation: 4 } } as StreamPipeline;

const refuse = async (): Promise<never> => await Promise.reject(new Error("nothing here needs it"));
const live: Live = {
  pipeline: async () => await Promise.resolve(pipeline),
  pipelines: async () => await Promise.resolve([pipeline, other, fresh]),
  kafka: refuse,
  database: async () => await Promise.resolve(undefined),
  apply: refuse,
  managers: async () => await Promise.resolve([]),
  close: async () => await Promise.resolve(),
};

async function ask(...scripts: string[]): Promise<{ readonly printed: string; readonly said: string }> {
  let [printed, said] = ["", ""];
  const printer = new Printer(
    "table",
    (text) => (printed += text),
    (text) => (said += text),
  );
  await runScripts(new Session({ live, printer, write: false }), scripts);
  return { printed, said };
}

const LIST = `name             kind       what
───────────────  ─────────  ──────────────────────
app-events       topic
purchases        topic
shop-people-dlq  topic      dead letters of people
shop-buy-dlq     topic      dead letters of buy
buy              stream     reads app-events
people           connector  writes app-events
(6 rows)
`;

describe("lists and descriptions", () => {
  test.each<[script: string, printed: string]>([
    ["\\d", LIST],
    ["\\d+", LIST],
    [
      "\\d P??p*",
      `name    kind       what
──────  ─────────  ─────────────────
people  connector  writes app-events
(1 row)
`,
    ],
    ["\\d nothing*", "name  kind  what\n────  ────  ────\n(0 rows)\n"],
    [
      "\\d app-events",
      `field  type       nullable  is
─────  ─────────  ────────  ─────────────────────
user   string     no        key
ts     timestamp  no        event time
pod    string     yes       from $.kubernetes.pod
(3 rows)
`,
    ],
    [
      'describe "shop-buy-dlq"; ',
      `field       type         nullable  is
──────────  ───────────  ────────  ──────────────
_time       timestamptz  yes       of each record
_partition  integer      yes       of each record
_offset     bigint       yes       of each record
_key        varchar      yes       of each record
_value      varchar      yes       of each record
(5 rows)
`,
    ],
    [
      "\\l",
      `pipeline  current  ready    stages      message
────────  ───────  ───────  ──────────  ──────────────────────────────────────────────────
shop      yes      True     1 of 1 run
old                False    0 of 0 run  no Kafka
new                Unknown  0 of 0 run  the operator has not looked at it yet as it is now
(3 rows)
`,
    ],
    ["show tables", "table  stage  topic  window  key\n─────  ─────  ─────  ──────  ───\n(0 rows)\n"],
    [
      "list streams",
      `stream  from        to               state
──────  ──────────  ───────────────  ───────
buy     app-events  topic purchases  RUNNING
(1 row)
`,
    ],
    [
      "show connectors \\gx",
      `── row 1 ────────────
connector  people
type       postgres cdc
table      people
topic      app-events
status     PENDING
(1 row)
`,
    ],
  ])("%s", async (script, printed) => {
    expect(await ask(script)).toEqual({ printed, said: "" });
  });

  test.each([
    ["show pipelines", "\\l"],
    ["show tables", "\\dt"],
    ["describe buy", "\\d buy"],
    ["\\?", "\\h"],
  ])("%s is %s", async (one, same) => {
    expect((await ask(one)).printed).toBe((await ask(same)).printed);
  });

  test("in json and csv NULL is what it is there", async () => {
    const { printed } = await ask("\\o json", "\\d people*", "\\o csv", "\\d purchases*");
    expect(printed).toBe(
      '{"name":"people","kind":"connector","what":"writes app-events"}\nname,kind,what\npurchases,topic,\n',
    );
    expect((await ask("\\o json", "\\d purchases*")).printed).toBe('{"name":"purchases","kind":"topic","what":null}\n');
  });
});

describe("how output is set", () => {
  test.each<[script: string, said: string]>([
    ["\\x", "expanded output is on\n"],
    ["\\x\n\\x", "expanded output is on\nexpanded output is off\n"],
    ["\\x auto", "expanded output is auto\n"],
    ["\\pset expanded OFF", "expanded output is off\n"],
    ["\\pset pager", "the pager is off\n"],
    ["\\pset pager always", "the pager is always\n"],
    ["\\o csv", "results are csv\n"],
    ["\\pset null '(none)'", 'NULL is shown as "(none)"\n'],
    ["\\pset", "format    table\nexpanded  off\npager     on\nnull      NULL\n"],
  ])("%s", async (script, said) => {
    expect(await ask(script)).toEqual({ printed: "", said });
  });

  test("help has a line for each command and each SHOW", async () => {
    const { printed } = await ask("\\?");
    for (const [form, does] of META_HELP)
      expect(printed).toMatch(
        new RegExp(`^  ${form.replace(/[\\[\]|?]/g, "\\$&")} +${does.replace(/[*?$|()\\]/g, "\\$&")}$`, "m"),
      );
    for (const what of ["TOPICS", "TABLES", "STREAMS", "CONNECTORS", "PIPELINES"])
      expect(printed).toContain(`SHOW ${what};`);
  });

  test("\\q ends all that follows", async () => {
    expect(await ask("\\x; \\q; \\x", "\\x")).toEqual({ printed: "", said: "expanded output is on\n" });
  });
});

describe("what is wrong is told with the line that was typed, and a caret", () => {
  test.each<[script: string, message: string]>([
    [
      "\\x sideways",
      "sideways has no meaning here: \\x takes one of on, off, auto\nline 1: \\x sideways\n           ^",
    ],
    ["\\o", "\\o takes one of table, json, csv\nline 1: \\o\n          ^"],
    ["\\o xml", "xml has no meaning here: \\o takes one of table, json, csv\nline 1: \\o xml\n           ^"],
    [
      "\\pset pagr off",
      "pagr has no meaning here: \\pset takes one of pager, expanded, format, null\nline 1: \\pset pagr off",
    ],
    ["\\dt counts", "\\dt takes nothing behind it\nline 1: \\dt counts\n            ^"],
    ["\n\n\\conninfo", "there is no \\conninfo: there are \\d"],
    ["show tables;\n\\conninfo", "\nline 2: \\conninfo\n        ^"],
    [
      "\\d  app-event",
      'the pipeline has no app-event; did you mean "app-events"?\nline 1: \\d  app-event\n            ^',
    ],
    ["describe byu", "the pipeline has no byu; did you mean buy?\nline 1: describe byu\n                 ^"],
    [
      "\\d customers",
      'the pipeline has no customers: it has "app-events", purchases, "shop-people-dlq", "shop-buy-dlq", buy, people\n',
    ],
    [
      "select * from app-event",
      'there is no topic or table app-event; did you mean "app-events"?\nline 1: select * from app-event\n                      ^',
    ],
    [
      "select * from buy",
      "buy is a stream, which is asked by what it writes: FROM purchases\nline 1: select * from buy",
    ],
    ["select * from t, purchase", "there is no topic or table t"],
    ["select 1", "the pipeline has no database, and the statement names no topic"],
    ["show topic", "there is no topic to show; did you mean SHOW TOPICS?\nline 1: show topic\n             ^"],
    ["show timezone", "there is no timezone to show: write SHOW TOPICS, SHOW TABLES"],
    ["set 'auto.offset.reset' = 'first'", "write SET 'auto.offset.reset' = 'earliest', or 'latest'\nline 1: set"],
    ["delete from app-events", 'app-events is a topic, which SQL only reads: write SELECT … FROM "app-events"'],
    [
      "create stream x as select * from app-event",
      'did you mean "app-events"?\nline 1: create stream x as select * from app-event\n                                         ^',
    ],
    ["create stream x as\nselect usr from app-events", "\nline 2: select usr from app-events\n               ^"],
  ])("%s", async (script, message) => {
    await expect(ask(script)).rejects.toThrow(message);
  });
});
