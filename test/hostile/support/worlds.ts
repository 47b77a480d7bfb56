/** A tenant who means harm and one who does not, under one operator that looks after both. */
import { Writable } from "node:stream";
import { pino } from "pino";
import { resources } from "../../../operator/src/kube/object.ts";
import type { Operator, OperatorOptions } from "../../../operator/src/operator.ts";
import type { TestServer } from "../../api/support/server.ts";
import { World } from "../../api/support/world.ts";

export interface Tenants {
  readonly mallory: World;
  readonly alice: World;
  readonly operator: Operator;
  /** What the operator has logged, a line each. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

export async function tenants(server: TestServer, options: Partial<OperatorOptions>): Promise<Tenants> {
  const [mallory, alice] = [await World.create(server), await World.create(server)];
  const log: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      log.push(...String(chunk).trimEnd().split("\n"));
      done();
    },
  });
  const operator = await mallory.operator({
    namespaces: [mallory.namespace, alice.namespace],
    log: pino({ level: "info" }, stream),
    ...options,
  });
  return { mallory, alice, operator, log, stop: async () => await mallory.stop() };
}

/** What a reconcile says that met what nobody had thought of. */
export const unexpected = (log: readonly string[]): string[] =>
  log.filter((line) => line.includes('"reason":"Unexpected"') || line.includes('"level":60'));

/** Characters that a terminal, or a reader of lines, would take for more than text. */
export const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** What a person is shown of a pipeline: its status, and the events of its namespace. */
export async function shown(world: World, name: string): Promise<string[]> {
  const texts = (value: unknown): string[] =>
    typeof value === "string"
      ? [value]
      : typeof value === "object" && value !== null
        ? Object.values(value).flatMap(texts)
        : [];
  const { status } = await world.pipeline(name);
  const events = await world.list(resources.event);
  return [...texts(status), ...events.flatMap((event) => texts([event["note"], event["reason"]]))];
}
