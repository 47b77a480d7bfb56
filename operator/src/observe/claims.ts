/** Which tables other pipelines of the namespace keep in the same database: the older pipeline has the claim. */
import type { StreamPipeline } from "@caudal/crds";
import { databaseName, tablesOf } from "@caudal/pipeline";

export function claimsOf(pipeline: StreamPipeline, others: readonly StreamPipeline[]): Map<string, string> {
  const claims = new Map<string, string>();
  const place = placeOf(pipeline);
  if (place === undefined) return claims;
  const older = others
    .filter(
      ({ metadata }) => metadata.uid !== pipeline.metadata.uid && metadata.namespace === pipeline.metadata.namespace,
    )
    .filter((other) => placeOf(other) === place && ageOf(other) < ageOf(pipeline))
    .sort((a, b) => (ageOf(a) < ageOf(b) ? -1 : 1));
  for (const other of older) {
    for (const table of tablesOf(other))
      if (!claims.has(table.name)) claims.set(table.name, `${other.metadata.namespace}/${other.metadata.name}`);
  }
  return claims;
}

/** Equal where two pipelines use one database; undefined where it is the pipeline's own. */
function placeOf({ metadata, spec }: StreamPipeline): string | undefined {
  const { database } = spec;
  if (database?.secretRef !== undefined) return `secret ${database.secretRef.name}`;
  if (database?.clusterRef === undefined) return undefined;
  return `cluster ${database.clusterRef.name} ${databaseName(metadata.name, database.name)}`;
}

function ageOf({ metadata }: StreamPipeline): string {
  return `${metadata.creationTimestamp ?? ""} ${metadata.name}`;
}
