/** A consumer group's coordinator: one function a request, each with typed errors. */
import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  heartbeatV4,
  joinGroupV9,
  leaveGroupV5,
  offsetCommitV8,
  offsetFetchV8,
  protocolErrorsCodesById,
  syncGroupV5,
} from "@platformatic/kafka";
import type { KafkaCluster } from "./cluster.ts";
import { Coordinator } from "./coordinator.ts";
import type { Claim } from "./core/assignment.ts";
import { MembershipLost } from "./errors.ts";
import { Code, protocolError } from "./protocol-errors.ts";

const PROTOCOL_TYPE = "consumer";
/** Members that spread partitions in another way are refused by the coordinator. */
const PROTOCOL = "caudal-sticky";

export interface GroupOptions {
  readonly groupId: string;
  readonly topic: string;
  /** Milliseconds without a heartbeat after which the coordinator gives a member's partitions away. */
  readonly sessionMs: number;
  /** Milliseconds that members have to join again when the group changes; below the requests' timeout. */
  readonly rebalanceMs: number;
}

/** Who we are in the group. */
export interface Member {
  readonly memberId: string;
  /** It grows with each rebalance. */
  readonly generation: number;
}

export interface Joined extends Member {
  /** What all members claim, when this one leads and has to assign; undefined otherwise. */
  readonly claims: readonly Claim[] | undefined;
}

export interface GroupOffset {
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string;
}

export class Group {
  readonly #options: GroupOptions;
  readonly #coordinator: Coordinator;

  constructor(cluster: KafkaCluster, options: GroupOptions) {
    this.#options = options;
    this.#coordinator = new Coordinator(cluster, "group", options.groupId, "group");
  }

  /**
   * Waits until all members have joined.
   *
   * @param owned what this member had before, to keep it where possible
   */
  async join(before: Member, owned: readonly number[]): Promise<Joined> {
    const { groupId, topic, sessionMs, rebalanceMs } = this.#options;
    const metadata = encodeConsumerProtocolSubscription({
      version: 2,
      topics: [topic],
      ownedPartitions: [{ topic, partitions: [...owned] }],
      generationId: before.generation,
    });
    const protocols = [{ name: PROTOCOL, metadata }];
    let { memberId } = before;
    for (;;) {
      const id = memberId;
      const answer = await this.#coordinator.ask(
        "join_group",
        async (connection) =>
          await joinGroupV9.api.async(connection, groupId, sessionMs, rebalanceMs, id, null, PROTOCOL_TYPE, protocols),
      );
      if (answer.errorCode === Code.MemberIdRequired && answer.memberId !== id) {
        memberId = answer.memberId;
        continue;
      }
      this.#check(answer.errorCode, "joining the group");
      const { generationId: generation, leader, members } = answer;
      const leads = leader === answer.memberId && !answer.skipAssignment;
      return {
        memberId: answer.memberId,
        generation,
        claims: leads ? members.map((member) => this.#claim(member.memberId, member.metadata)) : undefined,
      };
    }
  }

  /** Hands in the assignment, if this member leads, and waits for its own part. */
  async sync(member: Member, assignment: ReadonlyMap<string, readonly number[]>): Promise<number[]> {
    const { groupId, topic } = this.#options;
    const all = [...assignment].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeConsumerProtocolAssignment({
        version: 2,
        assignedPartitions: [{ topic, partitions: [...partitions] }],
      }),
    }));
    const { memberId, generation } = member;
    const answer = await this.#coordinator.ask(
      "sync_group",
      async (connection) =>
        await syncGroupV5.api.async(connection, groupId, generation, memberId, null, PROTOCOL_TYPE, PROTOCOL, all),
    );
    this.#check(answer.errorCode, "syncing the group");
    return decodeConsumerProtocolAssignment(answer.assignment)
      .assignedPartitions.filter((assigned) => assigned.topic === topic)
      .flatMap(({ partitions }) => partitions)
      .sort((one, other) => one - other);
  }

  /** @returns false when the group rebalances: join again */
  async heartbeat({ memberId, generation }: Member): Promise<boolean> {
    const answer = await this.#coordinator.ask(
      "heartbeat",
      async (connection) => await heartbeatV4.api.async(connection, this.#options.groupId, generation, memberId, null),
    );
    if (answer.errorCode === Code.RebalanceInProgress) return false;
    this.#check(answer.errorCode, "heartbeat");
    return true;
  }

  async leave({ memberId }: Member): Promise<void> {
    const members = [{ memberId, groupInstanceId: null, reason: "the process drains" }];
    const answer = await this.#coordinator.ask(
      "leave_group",
      async (connection) => await leaveGroupV5.api.async(connection, this.#options.groupId, members),
    );
    this.#check(answer.errorCode, "leaving the group");
  }

  /** Keeps offsets with the group. @throws MembershipLost when this member's generation is over */
  async commit({ memberId, generation }: Member, offsets: readonly GroupOffset[]): Promise<void> {
    const { groupId, topic } = this.#options;
    const partitions = offsets.map(({ partition, offset, metadata }) => ({
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: -1,
      committedMetadata: metadata,
    }));
    const answer = await this.#coordinator.ask(
      "offset_commit",
      async (connection) =>
        await offsetCommitV8.api.async(connection, groupId, generation, memberId, null, [{ name: topic, partitions }]),
    );
    for (const { errorCode } of answer.topics.flatMap((one) => one.partitions))
      this.#check(errorCode, "committing offsets to the group");
  }

  /** The group's offsets; a partition without one is not in the map. */
  async committed(partitions: readonly number[]): Promise<Map<number, GroupOffset>> {
    const { groupId, topic } = this.#options;
    const wanted = {
      groupId,
      memberId: null,
      memberEpoch: -1,
      topics: [{ name: topic, partitionIndexes: [...partitions] }],
    };
    const answer = await this.#coordinator.ask(
      "offset_fetch",
      async (connection) => await offsetFetchV8.api.async(connection, [wanted], true),
    );
    const offsets = new Map<number, GroupOffset>();
    for (const group of answer.groups) {
      this.#check(group.errorCode, "reading the group's offsets");
      for (const one of group.topics.flatMap((each) => each.partitions)) {
        this.#check(one.errorCode, "reading the group's offsets");
        const offset = Number(one.committedOffset);
        if (offset >= 0)
          offsets.set(one.partitionIndex, { partition: one.partitionIndex, offset, metadata: one.metadata ?? "" });
      }
    }
    return offsets;
  }

  #claim(memberId: string, metadata: Buffer): Claim {
    const { ownedPartitions, generationId } = decodeConsumerProtocolSubscription(metadata);
    const owned = (ownedPartitions ?? [])
      .filter(({ topic }) => topic === this.#options.topic)
      .flatMap(({ partitions }) => partitions);
    return { memberId, owned, generation: generationId ?? -1 };
  }

  #check(code: number, what: string): void {
    if (code === Code.None) return;
    if (code === Code.UnknownMemberId || code === Code.IllegalGeneration || code === Code.RebalanceInProgress)
      throw new MembershipLost(`${what}: ${protocolErrorsCodesById[code] ?? code}; joining again`);
    this.#coordinator.forget();
    throw protocolError(code, what);
  }
}
