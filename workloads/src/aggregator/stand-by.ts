/** What a worker does that may write nothing: it holds no partition, and tells what waits where nobody else can. */
import type { KafkaCluster } from "../kafka/cluster.ts";
import { listOffsets } from "../kafka/offsets.ts";
import { Connection } from "../postgres/connection.ts";
import { readWaiting } from "../postgres/places.ts";
import { pause } from "../runtime/retry.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import { Ledger, type LedgerOptions } from "./ledger.ts";
import { StandsBy } from "./refused.ts";

import type { Report } from "./report.ts";

/** Tells by partition what waits, from what progress and the log say now. */
export async function tellWaiting(
  cluster: KafkaCluster,
  { secret, owner, tables, onCall }: Pick<LedgerOptions, "secret" | "owner" | "tables" | "onCall">,
  topicName: string,
  report: Pick<Report, "standsBy">,
): Promise<void> {
  const topic = await cluster.topic(topicName);
  const [starts, ends] = await Promise.all([
    listOffsets(cluster, topic, "earliest"),
    listOffsets(cluster, topic, "latest"),
  ]);
  const applicationName = `caudal ${owner.pipeline} ${owner.stage} stands by`;
  const connection = await Connection.open({ secret, onCall, applicationName });
  try {
    const names = tables.map(({ name }) => name);
    report.standsBy(await readWaiting(connection, { owner, topic: topicName }, names, starts), ends);
  } finally {
    await connection.close();
  }
}

const AGAIN_MS = 5_000;

/** Looks again and again whether what may be written is still the same; aborts `over` when it is not. It never rejects. */
export async function watchRefused(
  options: LedgerOptions,
  tables: readonly TablePlan[],
  over: AbortController,
): Promise<void> {
  const names = tables.map(({ name }) => name).join("\n");
  while (!over.signal.aborted) {
    await pause(AGAIN_MS, over.signal).catch(() => undefined);
    if (over.signal.aborted) return;
    const now = await accepted(options);
    if (now !== undefined && now.join("\n") !== names) over.abort();
  }
}

/** Names of the tables that may be written now; undefined where PostgreSQL does not say. */
async function accepted(options: LedgerOptions): Promise<readonly string[] | undefined> {
  try {
    const ledger = await Ledger.open(options);
    try {
      return ledger.tables.map(({ name }) => name);
    } finally {
      await ledger.close();
    }
  } catch (error) {
    if (error instanceof StandsBy) return [];
    options.log.debug({ err: error }, "could not look again at the tables that are refused");
    return undefined;
  }
}
