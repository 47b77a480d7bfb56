import type { Condition } from "../../core/conditions.ts";
import { caSecretName, postgresImage, serverSecretName } from "./build.ts";
import { instanceName } from "./types.ts";
import type { Cluster } from "./types.ts";

/** The status of a Cluster, its conditions not yet stamped with times. */
export function clusterStatus(
  cluster: Cluster,
  ready: boolean,
  initialized: boolean,
): { conditions: Condition[] } & Record<string, unknown> {
  const name = cluster.metadata.name;
  const instance = instanceName(cluster);
  const conditions: Condition[] = [
    initialized
      ? { type: "Initialized", status: "True", reason: "BootstrapCompleted", message: "the first database is there" }
      : {
          type: "Initialized",
          status: "False",
          reason: "BootstrapPending",
          message: "the first database is being made",
        },
    ready
      ? { type: "Ready", status: "True", reason: "ClusterIsReady", message: "the instance answers" }
      : { type: "Ready", status: "False", reason: "ClusterIsNotReady", message: "the instance does not answer" },
    ...(initialized
      ? [{ type: "ConsistentSystemID", status: "True", reason: "Unique", message: "there is one instance" } as const]
      : []),
  ];
  return {
    conditions,
    phase: ready
      ? "Cluster in healthy state"
      : initialized
        ? "Waiting for the instances to become active"
        : "Setting up primary",
    image: postgresImage,
    instances: 1,
    instanceNames: [instance],
    readyInstances: ready ? 1 : 0,
    ...(initialized ? { currentPrimary: instance } : {}),
    targetPrimary: instance,
    certificates: { serverCASecret: caSecretName(name), serverTLSSecret: serverSecretName(name) },
    writeService: `${name}-rw`,
    readService: `${name}-r`,
  };
}

/** The status of a Cluster that does not run here. */
export function refusedStatus(message: string): { conditions: Condition[] } & Record<string, unknown> {
  return {
    conditions: [{ type: "Ready", status: "False", reason: "NotHonoured", message }],
    phase: "Not honoured by this stand-in",
    phaseReason: message,
  };
}
