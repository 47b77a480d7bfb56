/** Makes and removes topics, and asks how long they are. */
import { Admin } from "@platformatic/kafka";
import { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { listOffsets } from "@caudal/workloads/kafka/offsets";
import { createMetrics } from "@caudal/workloads/runtime/metrics";
import { poll } from "../cluster/host/poll.ts";

export interface Topics {
  create(name: string, partitions: number, config?: Readonly<Record<string, string>>): Promise<void>;
  /** Records in the topic, of all partitions. */
  length(name: string): Promise<number>;
  /** Removes the topics that the test is true for. */
  remove(which: (name: string) => boolean): Promise<void>;
  /** Has the broker make what the first consumer group of its life would wait for. */
  warmUp(): Promise<void>;
  close(): Promise<void>;
}

export async function connectTopics(bootstrap: string): Promise<Topics> {
  const metrics = createMetrics({ namespace: "bench", pipeline: "bench", stage: "topics", role: "bench" });
  const cluster = new KafkaCluster({ bootstrapServers: [bootstrap] }, { clientId: "bench-topics", metrics });
  const admin = new Admin({ clientId: "bench-admin", bootstrapBrokers: [bootstrap], timeout: 60_000 });
  const hasLeaders = async (name: string, partitions: number): Promise<boolean> => {
    if (!(await admin.listTopics()).includes(name)) return false;
    const topic = await cluster.topic(name);
    return topic.partitions.filter(({ leader }) => leader >= 0).length === partitions;
  };
  const answers = async (group: string): Promise<true | undefined> => {
    try {
      await admin.listConsumerGroupOffsets({ groups: [group] });
      return true;
    } catch (error) {
      if (error instanceof Error) return undefined; // not yet: poll() says so when it takes too long
      throw error;
    }
  };
  await admin.listTopics();
  return {
    create: async (name, partitions, config = {}) => {
      const configs = Object.entries(config).map(([key, value]) => ({ name: key, value }));
      await admin.createTopics({ topics: [name], partitions, replicas: 1, configs });
      await poll(async () => ((await hasLeaders(name, partitions)) ? true : undefined), {
        seconds: 60,
        onTimeout: () => `topic ${name} has no leaders`,
      });
    },
    length: async (name) => {
      const ends = await listOffsets(cluster, await cluster.topic(name), "latest");
      return [...ends.values()].reduce((sum, end) => sum + end, 0);
    },
    remove: async (which) => {
      const topics = (await admin.listTopics()).filter(which);
      if (topics.length > 0) await admin.deleteTopics({ topics });
    },
    warmUp: async () => {
      await poll(async () => await answers("bench-warm-up"), {
        seconds: 30,
        onTimeout: () => "the broker does not make its topic of consumer groups",
      });
    },
    close: async () => {
      await admin.close();
      await cluster.close();
    },
  };
}
