/** All that one reconcile knows: gathered first, then never added to. */
import type { StreamPipeline } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import type { StageAnswer } from "./stages.ts";

/** Which dependencies' kinds the API server serves. */
export interface Installed {
  readonly strimzi: boolean;
  readonly cloudNativePg: boolean;
  readonly podMonitors: boolean;
}

/** A kind of which the operator does not know now what exists in the pipeline's namespace. */
export interface Unseen {
  readonly kind: string;
  readonly plural: string;
  readonly why: string;
}

/** A secret by its keys: an HMAC of each value, never the value. */
export interface SecretObservation {
  readonly name: string;
  readonly exists: boolean;
  readonly type?: string | undefined;
  readonly keys: Readonly<Record<string, string>>;
  /** Why it could not be read, when it is not that it is missing. */
  readonly error?: string | undefined;
}

export interface PodObservation {
  readonly name: string;
  readonly stage: string;
  /** Hash of the configuration that it was started with. */
  readonly configHash: string | undefined;
  readonly ready: boolean;
  readonly terminating: boolean;
  readonly restarts: number;
  /** Why its container does not run: ImagePullBackOff, CrashLoopBackOff, Unschedulable and so on, with the message. */
  readonly blocked?: { readonly reason: string; readonly message: string } | undefined;
  /** Its last answer on /status, and when it came. */
  readonly status?: StageAnswer;
  /** Why its last answer is missing or old. */
  readonly askError?: string | undefined;
}

export interface Observation {
  /** Epoch milliseconds. */
  readonly now: number;
  /** The same moment on the monotonic clock of the answers of pods: ages are measured by it. */
  readonly clock: number;
  readonly pipeline: StreamPipeline;
  readonly installed: Installed;
  /** Of the kinds that this pipeline needs; while there are any nothing is decided on what is known of the others. */
  readonly unseen: readonly Unseen[];
  /** The Strimzi Kafka that spec.kafka.clusterRef names. */
  readonly kafka: KubeObject | undefined;
  /** The CloudNativePG Cluster that spec.database.clusterRef names. */
  readonly sharedDatabaseCluster: KubeObject | undefined;
  /** That one, or the pipeline's own. */
  readonly databaseCluster: KubeObject | undefined;
  /** By name. */
  readonly secrets: ReadonlyMap<string, SecretObservation>;
  /** Every object of the kinds that we write whose label names this pipeline, by `Kind/name`. */
  readonly children: ReadonlyMap<string, KubeObject>;
  readonly pods: readonly PodObservation[];
  /** Tables that other pipelines keep in the same database: name of the table to `namespace/name` of the older pipeline. */
  readonly claims: ReadonlyMap<string, string>;
}
