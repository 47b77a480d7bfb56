/**
 * A process that evaluates an expression over texts, as a stage does, and prints what became of each:
 * `node evaluate.ts FILE LIMIT_MS EXPRESSION TEXT…`, with the file where its next life finds what it died of.
 */
import { createLog } from "../../runtime/log.ts";
import { boundAllocations } from "../../runtime/allocations.ts";
import { compileTransformPlan } from "@caudal/pipeline/duckdb";
import { Flights } from "../flights.ts";
import { Projection } from "../projection.ts";
import { topicOf } from "@caudal/pipeline/testing";
import { blockOf } from "./block.ts";

const [file = "", limit = "", expression = "", ...texts] = process.argv.slice(2);
// What is printed is the answer alone.
await boundAllocations(createLog({ role: "transform" }, "info", process.stderr));
const topic = topicOf({ s: "string", n: "integer" });
const select = [`case when n >= 0 then ${expression} end as v`];
const plan = await compileTransformPlan({ topic, lookups: [], deadLetterTopic: "d", to: [], replicas: 1, select });
const flights = new Flights(file);
const limits = { eventMs: Number(limit), runMs: Number(limit), graceMs: Number(limit) };
const wanted = { wants: new Set(["json"] as const) };
const projection = await Projection.open(plan, topic, wanted, undefined, { flights, limits });
const { bad } = await projection.add(blockOf(texts.map((s, n) => ({ s, n }))), { from: 0, to: texts.length });
const { json, count } = projection.take();
const written = Array.from({ length: count }, (_, row) =>
  json?.bytes.toString("utf8", json.starts[row], json.ends[row]),
);
await projection.close();
flights.close();
process.stdout.write(JSON.stringify({ bad, written }));
