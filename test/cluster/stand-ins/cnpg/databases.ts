import { namespaceOf } from "../core/objects.ts";
import { delayOf, Waiting } from "../core/delay.ts";
import { setFinalizer, writeStatus } from "../context.ts";
import type { Context } from "../context.ts";
import { databaseStatements, dropDatabase } from "./core/sql.ts";
import type { Cluster, Database } from "./core/types.ts";
import { databaseRefusal, rivalOf } from "./core/validate.ts";
import type { Superuser } from "./postgres.ts";

export const databaseFinalizer = "cnpg.io/deleteDatabase";

const waiting = new Waiting();

/**
 * Brings the databases of a Cluster to what their Databases say; one that fails does not stop the others.
 *
 * @returns after how many milliseconds the first that waits is due
 */
export async function reconcileDatabases(context: Context, cluster: Cluster, superuser: Superuser): Promise<number> {
  const all = context.databases
    .inNamespace(namespaceOf(cluster))
    .filter((database) => database.spec?.cluster.name === cluster.metadata.name);
  let next = Infinity;
  for (const database of all) {
    const left = waiting.left(database, delayOf(cluster), performance.now());
    if (database.metadata.deletionTimestamp !== undefined) await remove(context, database, superuser);
    else if (left > 0) next = Math.min(next, left);
    else if (!isApplied(database)) await apply(context, database, all, superuser);
  }
  return next;
}

/** As with CloudNativePG, what was applied is not looked at again before its generation changes. */
function isApplied({ metadata, status }: Database): boolean {
  return status?.applied === true && status.observedGeneration === metadata.generation;
}

async function apply(
  context: Context,
  database: Database,
  all: readonly Database[],
  superuser: Superuser,
): Promise<void> {
  const held = await setFinalizer(context, database, databaseFinalizer, true);
  const { spec, metadata, status } = held;
  if (spec === undefined) return;
  const rival = rivalOf(database, all);
  const problem =
    databaseRefusal(held) ??
    (rival === undefined ? undefined : `the database ${spec.name} is managed by the Database ${rival.metadata.name}`) ??
    (await problemOf(async () => superuser.run(databaseStatements(spec, await superuser.databaseExists(spec.name)))));
  await writeStatus(
    context,
    held,
    problem === undefined
      ? { applied: true, observedGeneration: metadata.generation }
      : { ...status, applied: false, message: problem },
  );
}

async function remove(context: Context, database: Database, superuser: Superuser): Promise<void> {
  const { metadata, spec, status } = database;
  if (!metadata.finalizers?.includes(databaseFinalizer)) return;
  const owns = (status?.observedGeneration ?? 0) > 0;
  if (spec?.databaseReclaimPolicy === "delete" && owns) {
    const problem = await problemOf(() => superuser.run([dropDatabase(spec.name)]));
    if (problem !== undefined) return writeStatus(context, database, { ...status, applied: false, message: problem });
  }
  await setFinalizer(context, database, databaseFinalizer, false);
}

/** What PostgreSQL says against a statement; anything else, such as a lost connection, is thrown on. */
export async function problemOf(run: () => Promise<void>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (error instanceof Error && "severity" in error) return error.message;
    throw error;
  }
}
