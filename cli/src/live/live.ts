/** A pipeline that runs, and the ways to what it reads and writes. */
import type { KafkaConnection, StreamPipeline } from "@caudal/crds";
import type { Way } from "@caudal/workloads/kafka/cluster";
import type { DatabaseSecret } from "@caudal/workloads/postgres/secret";

export interface KafkaWay {
  readonly connection: KafkaConnection;
  /** Undefined where its brokers are reached as they call themselves. */
  readonly way?: Way;
}

export interface Live {
  /** As it is now, with its status. @throws ClusterFailed */
  pipeline(): Promise<StreamPipeline>;
  /** All of its namespace, with it. @throws ClusterFailed */
  pipelines(): Promise<readonly StreamPipeline[]>;
  /** @throws ClusterFailed where the way cannot be told or gone */
  kafka(): Promise<KafkaWay>;
  /** Where its database is reached from here; undefined for a pipeline without one. @throws ClusterFailed */
  database(): Promise<DatabaseSecret | undefined>;
  /**
   * Writes a part of the spec by server-side apply.
   *
   * @param manager whose part it is: what it wrote before and leaves out now goes
   * @throws ClusterFailed
   */
  apply(manager: string, spec: Readonly<Record<string, unknown>>): Promise<void>;
  /** Field managers that have a part of the spec. */
  managers(): Promise<readonly string[]>;
  close(): Promise<void>;
}
