/** What the docs show is accepted as it is shown. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type StreamPipeline, withDefaults } from "@caudal/crds";
import { checkAll } from "../sql/check-all.ts";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { findSqlProblems } from "./sql.ts";
import { validate } from "./validate.ts";

const root = join(import.meta.dirname, "../../..");
const blocks = [...readFileSync(join(root, "docs/transforms.md"), "utf8").matchAll(/^```yaml\n(.*?)^```/gms)].map(
  ([, text]) => parse(text ?? "") as Partial<StreamPipeline> & Partial<StreamPipeline["spec"]>,
);
const metadata = { name: "payments", namespace: "ns", uid: "u1", generation: 1, resourceVersion: "1" };
const problemsOf = async (pipeline: StreamPipeline) => [
  ...validate({ pipeline }),
  ...(await findSqlProblems(pipeline, checkAll)).problems,
];
const payments = (more: Partial<StreamPipeline["spec"]> = {}): StreamPipeline => {
  const [first] = blocks;
  const spec = { ...first?.spec, ...more };
  return withDefaults({ apiVersion: first?.apiVersion ?? "", kind: first?.kind ?? "", metadata, spec });
};

test("the pipeline of the page about transforms, with the columns that it says", async () => {
  expect(await problemsOf(payments())).toEqual([]);
  const { columns } = await findSqlProblems(payments(), checkAll);
  expect(columns?.get("large")?.map(({ name, type }) => `${name} ${type}`)).toEqual([
    ...["payment_id uuid", "account_id text", "amount numeric(12,2)", "paid_at timestamptz", "instant boolean"],
  ]);
});

test("its lookup, beside the same topics", async () => {
  const [, lookup] = blocks;
  const topics = [...(payments().spec.topics ?? []), { name: "decided-payments", managed: true }];
  const { transforms } = lookup ?? {};
  expect(transforms?.length).toBe(1);
  expect(await problemsOf(payments({ topics, ...(transforms === undefined ? {} : { transforms }) }))).toEqual([]);
});
