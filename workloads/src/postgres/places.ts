/** Where tables stand on partitions of a topic: what progress says, or the log's start for those that begin. */
import { TopicRecreated } from "../kafka/errors.ts";
import type { Connection } from "./connection.ts";
import type { Definition } from "./core/table-decision.ts";
import { ProgressMoved, TableRefused } from "./errors.ts";
import { forgetLostTopics, insertFirstProgress, type MoveScope, type Progress, readProgress } from "./progress.ts";

/**
 * Reads the progress of every table on the partitions; where there is none yet, it begins.
 *
 * @param starts by partition, the offset at which a table begins
 * @throws TopicRecreated; ProgressMoved when a table is not claimed any more; TableRefused when the progress is of another definition or of a newer pipeline
 */
export async function readPlaces(
  connection: Connection,
  scope: MoveScope,
  tables: readonly Definition[],
  starts: ReadonlyMap<number, number>,
): Promise<readonly Progress[]> {
  const names = tables.map(({ name }) => name);
  const read = async () => await readProgress(connection, scope.owner, scope.topic, names, [...starts.keys()]);
  await forgetLostTopics(connection, scope, names, [...starts.keys()]);
  let progress = await read();
  const missing = firstPlaces(progress, tables, starts);
  if (missing.length > 0) {
    await insertFirstProgress(connection, scope, missing);
    progress = await read();
    const [gone] = firstPlaces(progress, tables, starts);
    if (gone !== undefined)
      throw new ProgressMoved(`table ${gone.output} was forgotten, or has another definition now: looking again`);
  }
  checkIdentity(progress, scope, tables);
  return progress;
}

/** Where the tables of which nothing is written wait, as progress says: the last of them, by partition. */
export async function readWaiting(
  connection: Connection,
  { owner, topic }: Pick<MoveScope, "owner" | "topic">,
  tables: readonly string[],
  starts: ReadonlyMap<number, number>,
): Promise<ReadonlyMap<number, number>> {
  if (tables.length === 0) return new Map();
  const stored = await readProgress(connection, owner, topic, tables, [...starts.keys()]);
  return new Map(
    [...starts].map(([partition, start]) => {
      const own = stored.filter((place) => place.partition === partition);
      return [partition, own.length < tables.length ? start : Math.min(...own.map(({ nextOffset }) => nextOffset))];
    }),
  );
}

function firstPlaces(
  progress: readonly Progress[],
  tables: readonly Definition[],
  starts: ReadonlyMap<number, number>,
) {
  const known = new Set(progress.map(({ output, partition }) => `${partition} ${output}`));
  return [...starts].flatMap(([partition, offset]) =>
    tables
      .filter(({ name }) => !known.has(`${partition} ${name}`))
      .map(({ name, hash }) => ({ output: name, plan: hash, partition, offset })),
  );
}

function checkIdentity(
  progress: readonly Progress[],
  { owner, ...topic }: MoveScope,
  tables: readonly Definition[],
): void {
  const hashes = new Map(tables.map(({ name, hash }) => [name, hash]));
  for (const { output, uid, plan, topicId } of progress) {
    if (topicId !== topic.topicId) throw new TopicRecreated(topic.topic, topicId, topic.topicId, progress);
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
