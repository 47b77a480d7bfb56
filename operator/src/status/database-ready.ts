import { buildDatabaseCluster } from "../plan/database-cluster.ts";
import { buildDatabaseRole } from "../plan/database-role.ts";
import { buildDatabase } from "../plan/database.ts";
import { missingSecrets } from "../plan/missing-secrets.ts";
import { databaseSecretOf, databaseUses } from "@caudal/pipeline";
import { fails, failsFor, type Finding, holds } from "./condition.ts";
import { childrenOf, type Facts, failuresOf, missingOf } from "./facts.ts";
import { readinessOf } from "./readiness.ts";
import { findUnseen } from "./unseen.ts";

const KINDS = ["Cluster", "DatabaseRole", "Database"];

export function findDatabaseReady(facts: Facts): Finding {
  const { observation } = facts;
  const { database } = observation.pipeline.spec;
  if (database === undefined) return holds("NotNeeded", "no stage keeps tables");
  if (database.secretRef === undefined) {
    const waiting = findManaged(facts);
    if (waiting !== undefined) return waiting;
  }
  const secret = databaseSecretOf(observation.pipeline);
  const missing = missingSecrets(databaseUses(observation.pipeline, observation.databaseCluster), observation.secrets);
  if (missing !== undefined) return fails(missing.reason, missing.message);
  return holds("DatabaseReady", `workloads log in with Secret/${secret ?? ""}`);
}

/** What CloudNativePG still has to do, if anything. */
function findManaged(facts: Facts): Finding | undefined {
  const { pipeline, installed, sharedDatabaseCluster } = facts.observation;
  const unseen = findUnseen(facts, ...KINDS);
  if (unseen !== undefined) return unseen;
  if (!installed.cloudNativePg)
    return fails(
      "CloudNativePGNotInstalled",
      "CloudNativePG's kinds (postgresql.cnpg.io/v1: Cluster, Database, DatabaseRole) are not in this cluster: " +
        "install CloudNativePG, or use spec.database.secretRef; it is noticed when it arrives",
    );
  const shared = pipeline.spec.database?.clusterRef;
  if (shared !== undefined && sharedDatabaseCluster === undefined)
    return fails(
      "ClusterNotFound",
      `Cluster/${shared.name} of CloudNativePG does not exist in namespace ${pipeline.metadata.namespace}: create it`,
    );
  const failures = failuresOf(facts, ...KINDS, "Secret");
  if (failures.length > 0) return failsFor(failures);
  const children = childrenOf(facts, ...KINDS);
  const all =
    shared === undefined || sharedDatabaseCluster === undefined ? children : [sharedDatabaseCluster, ...children];
  const waiting = all.map(readinessOf).filter(({ ready }) => !ready);
  if (waiting.length > 0) return failsFor(waiting);
  return missingOf(facts, [
    ...buildDatabaseCluster(pipeline),
    ...buildDatabaseRole(pipeline),
    ...buildDatabase(pipeline),
  ]);
}
