/** Where tables stand on partitions of a topic: what progress says, or the log's start for those that begin. */
import { TopicRecreated } from "../kafka/errors.ts";
import type { Connection } from "./connection.ts";
import { TableRefused } from "./errors.ts";
import { insertFirstProgress, type MoveScope, type Progress, readProgress } from "./progress.ts";

/** A table by its name and the hash of its definition. */
interface Output {
  readonly name: string;
  readonly hash: string;
}

/**
 * Reads the progress of every table on the partitions; where there is none yet, it begins.
 *
 * @param starts by partition, the offset at which a table begins
 * @throws TopicRecreated; TableRefused when the progress is of another definition or of a newer pipeline
 */
export async function readPlaces(
  connection: Connection,
  scope: MoveScope,
  tables: readonly Output[],
  starts: ReadonlyMap<number, number>,
): Promise<readonly Progress[]> {
  const names = tables.map(({ name }) => name);
  const read = async () => await readProgress(connection, scope.owner, scope.topic, names, [...starts.keys()]);
  let progress = await read();
  const missing = firstPlaces(progress, tables, starts);
  if (missing.length > 0) {
    await insertFirstProgress(connection, scope, missing);
    progress = await read();
  }
  checkIdentity(progress, scope, tables);
  return progress;
}

function firstPlaces(progress: readonly Progress[], tables: readonly Output[], starts: ReadonlyMap<number, number>) {
  const known = new Set(progress.map(({ output, partition }) => `${partition} ${output}`));
  return [...starts].flatMap(([partition, offset]) =>
    tables
      .filter(({ name }) => !known.has(`${partition} ${name}`))
      .map(({ name, hash }) => ({ output: name, plan: hash, partition, offset })),
  );
}

function checkIdentity(progress: readonly Progress[], { owner, ...topic }: MoveScope, tables: readonly Output[]): void {
  const hashes = new Map(tables.map(({ name, hash }) => [name, hash]));
  for (const { output, uid, plan, topicId } of progress) {
    if (topicId !== topic.topicId) throw new TopicRecreated(topic.topic, topicId, topic.topicId);
    if (uid !== owner.uid)
      throw new TableRefused(
        "PipelineReplaced",
        `progress of table ${output} belongs to a pipeline ${owner.pipeline} with uid ${uid}, this one has ${owner.uid}`,
      );
    if (plan !== hashes.get(output))
      throw new TableRefused(
        "TableChanged",
        `progress of table ${output} is of another definition of it: put the definition back, or give the table another name`,
      );
  }
}
