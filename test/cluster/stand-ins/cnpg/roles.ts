import { namespaceOf, secretText } from "../core/objects.ts";
import type { Secret } from "../core/objects.ts";
import { setFinalizer, writeStatus } from "../context.ts";
import type { Context } from "../context.ts";
import { dropRole, roleStatements } from "./core/sql.ts";
import { reloadLabel } from "./core/types.ts";
import type { Cluster, DatabaseRole } from "./core/types.ts";
import { rivalOf, roleRefusal } from "./core/validate.ts";
import { problemOf } from "./databases.ts";
import type { Superuser } from "./postgres.ts";

export const roleFinalizer = "cnpg.io/deleteRole";

/** Brings the roles of a Cluster to what their DatabaseRoles say; one that fails does not stop the others. */
export async function reconcileRoles(context: Context, cluster: Cluster, superuser: Superuser): Promise<void> {
  const all = context.roles
    .inNamespace(namespaceOf(cluster))
    .filter((role) => role.spec?.cluster.name === cluster.metadata.name);
  for (const role of all) {
    if (role.metadata.deletionTimestamp !== undefined) {
      await remove(context, role, superuser);
      continue;
    }
    const secret = await passwordSecret(context, role);
    if (!isApplied(role, secret)) await apply(context, role, all, secret, superuser);
  }
}

async function passwordSecret(context: Context, role: DatabaseRole): Promise<Secret | undefined> {
  const name = role.spec?.passwordSecret?.name;
  return name === undefined ? undefined : context.client.get<Secret>("Secret", namespaceOf(role), name);
}

/** A role is applied again when its generation changes, or its password's secret, if that asks to be watched. */
function isApplied({ metadata, spec, status }: DatabaseRole, secret: Secret | undefined): boolean {
  if (status?.applied !== true || status.observedGeneration !== metadata.generation) return false;
  if (spec?.passwordSecret === undefined || secret?.metadata.labels?.[reloadLabel] === undefined) return true;
  return status.secretResourceVersion === secret.metadata.resourceVersion;
}

async function apply(
  context: Context,
  role: DatabaseRole,
  all: readonly DatabaseRole[],
  secret: Secret | undefined,
  superuser: Superuser,
): Promise<void> {
  const held = await setFinalizer(context, role, roleFinalizer, true);
  const { spec, metadata, status } = held;
  if (spec === undefined) return;
  const rival = rivalOf(role, all);
  const problem =
    roleRefusal(held) ??
    (rival === undefined ? undefined : `the role ${spec.name} is managed by the DatabaseRole ${rival.metadata.name}`) ??
    secretProblem(held, secret) ??
    (await problemOf(async () => {
      const memberOf = await superuser.membershipsOf(spec.name);
      await superuser.run(roleStatements(spec, memberOf !== undefined, memberOf ?? [], secretText(secret, "password")));
    }));
  const version = secret?.metadata.resourceVersion;
  await writeStatus(
    context,
    held,
    problem === undefined
      ? {
          applied: true,
          observedGeneration: metadata.generation,
          ...(version === undefined ? {} : { secretResourceVersion: version }),
        }
      : { ...status, applied: false, message: problem },
  );
}

function secretProblem({ spec }: DatabaseRole, secret: Secret | undefined): string | undefined {
  if (spec?.passwordSecret === undefined) return undefined;
  const { name } = spec.passwordSecret;
  if (secret === undefined) return `the Secret ${name} with the password does not exist`;
  const username = secretText(secret, "username");
  if (username !== spec.name) return `the Secret ${name} is of the user ${username ?? "(none)"}, not of ${spec.name}`;
  return secretText(secret, "password") === undefined ? `the Secret ${name} has no password` : undefined;
}

async function remove(context: Context, role: DatabaseRole, superuser: Superuser): Promise<void> {
  const { metadata, spec, status } = role;
  if (!metadata.finalizers?.includes(roleFinalizer)) return;
  const owns = (status?.observedGeneration ?? 0) > 0;
  if (spec?.databaseRoleReclaimPolicy === "delete" && owns) {
    const problem = await problemOf(() => superuser.run([dropRole(spec.name)]));
    if (problem !== undefined) return writeStatus(context, role, { ...status, applied: false, message: problem });
  }
  await setFinalizer(context, role, roleFinalizer, false);
}
