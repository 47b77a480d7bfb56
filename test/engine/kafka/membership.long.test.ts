import type { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { type Assignment, Membership } from "@caudal/workloads/kafka/membership";
import { addPartitions, createTopic } from "@caudal/workloads/kafka/topics";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { poll } from "../../cluster/host/poll.ts";
import { type Broker, startBroker } from "../broker.ts";
import { kafkajs, log, metrics, newCluster } from "./fixtures.ts";

let broker: Broker;
let cluster: KafkaCluster;

beforeAll(async () => {
  broker = await startBroker();
  cluster = newCluster(broker.bootstrap);
});

afterAll(async () => {
  await cluster?.close();
  await broker?.stop();
});

interface TestMember {
  readonly membership: Membership;
  readonly seen: Assignment[];
  readonly problems: unknown[];
  partitions(): readonly number[];
  stop(): Promise<void>;
  /** Ends the member's connections without leaving the group, as SIGKILL would. */
  vanish(): Promise<void>;
}

function join(groupId: string, topic: string, sessionMs = 6_000): TestMember {
  const own = newCluster(broker.bootstrap);
  const seen: Assignment[] = [];
  const problems: unknown[] = [];
  const membership = new Membership(own, {
    groupId,
    topic,
    log,
    metrics,
    sessionMs,
    heartbeatMs: 200,
    onAssigned: (assignment) => void seen.push(assignment),
    onProblem: (error) => void problems.push(error),
  });
  membership.start();
  let over = false;
  const stop = async (): Promise<void> => {
    if (over) return;
    over = true;
    await membership.stop();
    await own.close();
  };
  onTestFinished(stop);
  return {
    membership,
    seen,
    problems,
    partitions: () => seen.at(-1)?.partitions ?? [],
    stop,
    vanish: async () => {
      over = true;
      await own.close();
      await membership.stop();
    },
  };
}

async function until(condition: () => boolean, seconds: number, what: string): Promise<void> {
  await poll(async () => (condition() ? true : undefined), { seconds, everyMs: 50, onTimeout: () => what });
}

const all = (members: readonly TestMember[]): number[] => members.flatMap((one) => [...one.partitions()]).sort();

describe("a group", () => {
  it("spreads all partitions, and moves few when a member comes or goes", async () => {
    await createTopic(cluster, { name: "spread", partitions: 6 });
    const one = join("spread", "spread");
    await until(() => one.partitions().length === 6, 10, "one member did not get all");
    const two = join("spread", "spread");
    await until(() => one.partitions().length === 3 && two.partitions().length === 3, 10, "not three each");
    expect(all([one, two])).toEqual([0, 1, 2, 3, 4, 5]);
    const kept = one.partitions();
    const three = join("spread", "spread");
    await until(() => three.partitions().length === 2 && one.partitions().length === 2, 10, "not two each");
    expect(all([one, two, three])).toEqual([0, 1, 2, 3, 4, 5]);
    expect(one.partitions().every((partition) => kept.includes(partition))).toBe(true);
    await two.stop();
    await until(() => one.partitions().length === 3 && three.partitions().length === 3, 5, "not taken over at once");
    expect(all([one, three])).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("gives the partitions of a silent member away when its session is over", async () => {
    await createTopic(cluster, { name: "silent", partitions: 4 });
    const one = join("silent", "silent", 2_000);
    const two = join("silent", "silent", 2_000);
    await until(() => one.partitions().length === 2 && two.partitions().length === 2, 10, "not two each");
    await two.vanish();
    await until(() => one.partitions().length === 4, 15, "the silent member kept its partitions");
  });

  it("notices more partitions, and a group with more members than partitions leaves some without", async () => {
    await createTopic(cluster, { name: "grows", partitions: 1 });
    const one = join("grows", "grows");
    const two = join("grows", "grows");
    await until(() => one.seen.length > 0 && two.seen.length > 0, 10, "not both assigned");
    await until(() => all([one, two]).join() === "0", 10, "one partition was not given to one member");
    await addPartitions(cluster, "grows", 3);
    await until(() => all([one, two]).join() === "0,1,2", 30, "the new partitions were not spread");
  });

  it("outlives the broker, and keeps its offsets for tools to see", async () => {
    await createTopic(cluster, { name: "outlives", partitions: 2 });
    const one = join("outlives", "outlives", 20_000);
    await until(() => one.partitions().length === 2, 10, "not assigned");
    await one.membership.commit([{ partition: 1, offset: 41, metadata: "before" }]);
    await broker.kill();
    await until(() => one.problems.length > 0, 15, "the outage was not noticed");
    await broker.restart();
    await poll(
      async () => {
        try {
          await one.membership.commit([{ partition: 1, offset: 42, metadata: "after" }]);
          return true;
        } catch {
          return undefined;
        }
      },
      { seconds: 120, everyMs: 500, onTimeout: () => `offsets could not be committed: ${String(one.problems.at(-1))}` },
    );
    expect((await one.membership.committed([0, 1])).get(1)).toEqual({ partition: 1, offset: 42, metadata: "after" });
    const admin = kafkajs(broker.bootstrap).admin();
    await admin.connect();
    const offsets = await admin.fetchOffsets({ groupId: "outlives", topics: ["outlives"] });
    await admin.disconnect();
    expect(offsets[0]?.partitions.find(({ partition }) => partition === 1)?.offset).toBe("42");
  });
});
