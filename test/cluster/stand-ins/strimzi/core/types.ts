import type { Condition } from "../../core/conditions.ts";
import type { KubeObject } from "../../core/objects.ts";

export const apiVersion = "kafka.strimzi.io/v1";
export const clusterLabel = "strimzi.io/cluster";

export interface Listener {
  name: string;
  port: number;
  type: string;
  tls: boolean;
  authentication?: { type: string };
}

export interface Status {
  conditions?: Condition[];
  observedGeneration?: number;
}

export type Kafka = KubeObject<
  {
    kafka: {
      version?: string;
      listeners: Listener[];
      config?: Record<string, unknown>;
      authorization?: { type: string; superUsers?: string[] };
      jvmOptions?: JvmOptions;
    };
    entityOperator?: { topicOperator?: object; userOperator?: object };
  },
  Status & {
    listeners?: ListenerStatus[];
    clusterId?: string;
    kafkaVersion?: string;
    kafkaNodePools?: { name: string }[];
  }
>;

export interface ListenerStatus {
  name: string;
  bootstrapServers: string;
  addresses: { host: string; port: number }[];
  certificates?: string[];
}

export interface JvmOptions {
  "-Xmx"?: string;
  "-Xms"?: string;
  "-XX"?: Record<string, string>;
}

export interface Volume {
  type: string;
  id?: number;
  size?: string;
  sizeLimit?: string;
  class?: string;
  deleteClaim?: boolean;
}

export type KafkaNodePool = KubeObject<
  {
    replicas: number;
    roles: string[];
    storage: Volume & { volumes?: Volume[] };
    resources?: object;
    jvmOptions?: JvmOptions;
  },
  Status & { nodeIds?: number[]; clusterId?: string; roles?: string[]; replicas?: number; labelSelector?: string }
>;

export type KafkaTopic = KubeObject<
  { topicName?: string; partitions?: number; replicas?: number; config?: Record<string, unknown> },
  Status & { topicName?: string; topicId?: string }
>;

export interface UserAcl {
  type?: "allow" | "deny";
  resource: { type: string; name?: string; patternType?: "literal" | "prefix" };
  operations: string[];
  host?: string;
}

export type KafkaUser = KubeObject<
  {
    authentication?: {
      type: string;
      password?: { valueFrom?: { secretKeyRef?: { name?: string; key?: string } } };
    };
    authorization?: { type: string; acls?: UserAcl[] };
  },
  Status & { username?: string; secret?: string }
>;

/** What the broker pod says it has; made known to the stand-ins by the image's tag. */
export const kafkaVersion = "4.3.1";
