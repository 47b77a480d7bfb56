/**
 * Membership in a consumer group whose only job is to spread the partitions of a topic. Nothing is fetched here, and
 * through a rebalance a worker may go on with what it had: what it commits is guarded elsewhere.
 */
import type { Logger } from "pino";
import { describeError } from "../runtime/errors.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { backoff } from "../runtime/retry.ts";
import { Bell } from "./bell.ts";
import type { KafkaCluster } from "./cluster.ts";
import { assignPartitions } from "./core/assignment.ts";
import { MembershipLost } from "./errors.ts";
import { Group, type GroupOffset, type Member } from "./group.ts";

export interface Assignment extends Member {
  /** All partitions that are this member's now, ascending. */
  readonly partitions: readonly number[];
}

export interface MembershipOptions {
  readonly groupId: string;
  readonly topic: string;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "rebalances" | "retries">;
  /** Called on each rebalance, also when nothing changed. */
  readonly onAssigned: (assignment: Assignment) => void;
  /** Told of each failure that is tried again. */
  readonly onProblem: (error: unknown, delayMs: number) => void;
  /** Milliseconds: 15,000. A worker that is silent for so long loses its partitions. */
  readonly sessionMs?: number;
  /** Milliseconds between heartbeats, within which a rebalance is noticed: 1,000 in the first half minute, then 3,000. */
  readonly heartbeatMs?: number;
}

const NOBODY: Member = { memberId: "", generation: -1 };
const REBALANCE_MS = 10_000;
/** How often a leader looks whether the topic has more partitions. */
const METADATA_MS = 15_000;
const LEAVE_MS = 2_000;
/** Rebalances come in rows: pods that start, or are replaced one by one. */
const HEARTBEAT_MS = 1_000;
const SETTLED_AFTER_MS = 30_000;
const SETTLED_HEARTBEAT_MS = 3_000;

export class Membership {
  readonly #cluster: KafkaCluster;
  readonly #options: MembershipOptions;
  readonly #group: Group;
  readonly #bell = new Bell();
  #member = NOBODY;
  #assignment: Assignment = { ...NOBODY, partitions: [] };
  #ended: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(cluster: KafkaCluster, options: MembershipOptions) {
    this.#cluster = cluster;
    this.#options = options;
    const { groupId, topic, sessionMs = 15_000 } = options;
    this.#group = new Group(cluster, { groupId, topic, sessionMs, rebalanceMs: REBALANCE_MS });
  }

  /** The last assignment; generation -1 before the first. */
  get assignment(): Assignment {
    return this.#assignment;
  }

  /** Joins, and stays a member through whatever comes, until {@link stop}. It returns at once. */
  start(): void {
    this.#ended = this.#live();
  }

  /**
   * Keeps offsets with the group, for lag tools and for roles that keep their progress there.
   *
   * @throws MembershipLost when another member may own the partitions by now; KafkaUnavailable
   */
  async commit(offsets: readonly GroupOffset[]): Promise<void> {
    if (this.#member.memberId === "") throw new MembershipLost("not a member of the group now");
    if (offsets.length > 0) await this.#group.commit(this.#member, offsets);
  }

  /** The group's offsets; a partition without one is not in the map. @throws KafkaUnavailable */
  async committed(partitions: readonly number[]): Promise<Map<number, GroupOffset>> {
    return await this.#group.committed(partitions);
  }

  /** Leaves the group, so that the others get the partitions at once. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#bell.ring();
    const member = this.#member;
    this.#member = NOBODY;
    if (member.memberId !== "") await this.#leave(member);
    await Promise.race([this.#ended, new Bell().wait(LEAVE_MS)]);
  }

  async #live(): Promise<void> {
    let failures = 0;
    while (!this.#stopping) {
      try {
        const { leads, all } = await this.#join();
        failures = 0;
        await this.#stay(leads ? all : undefined);
      } catch (error) {
        if (this.#stopping) return;
        if (error instanceof MembershipLost) this.#member = { memberId: "", generation: this.#member.generation };
        await this.#problem(error, ++failures);
      }
    }
  }

  /** @returns whether this member leads, and how many partitions the topic had */
  async #join(): Promise<{ readonly leads: boolean; readonly all: number }> {
    const { topic, log, metrics, onAssigned } = this.#options;
    // Asked first: a leader that cannot assign would hold up the whole group.
    const all = (await this.#cluster.topic(topic)).partitions.length;
    const { memberId, generation, claims } = await this.#group.join(this.#member, this.#assignment.partitions);
    this.#member = { memberId, generation };
    const leads = claims !== undefined;
    if (this.#stopping) {
      await this.#leave(this.#member);
      return { leads, all };
    }
    const partitions = await this.#group.sync(this.#member, leads ? assignPartitions(claims, all) : new Map());
    this.#assignment = { memberId, generation, partitions };
    metrics.rebalances.inc();
    log.info({ ...this.#assignment, leads }, "assigned partitions");
    onAssigned(this.#assignment);
    return { leads, all };
  }

  /**
   * Beats until the group wants to be joined again.
   *
   * @param all of the leader: how many partitions it spread; more of them make it call the group together
   */
  async #stay(all: number | undefined): Promise<void> {
    const joined = performance.now();
    let looked = joined;
    let failures = 0;
    while (!this.#stopping) {
      const settled = performance.now() - joined > SETTLED_AFTER_MS;
      await this.#bell.wait(this.#options.heartbeatMs ?? (settled ? SETTLED_HEARTBEAT_MS : HEARTBEAT_MS));
      if (this.#stopping) return;
      try {
        if (!(await this.#group.heartbeat(this.#member))) return;
        if (all !== undefined && performance.now() - looked > METADATA_MS) {
          looked = performance.now();
          if ((await this.#cluster.topic(this.#options.topic)).partitions.length !== all) return;
        }
        failures = 0;
      } catch (error) {
        // The coordinator may move or restart: the membership outlives it as long as the session does.
        if (error instanceof MembershipLost) throw error;
        await this.#problem(error, ++failures);
      }
    }
  }

  async #problem(error: unknown, failures: number): Promise<void> {
    const delay = backoff(failures, 100, 3_000, Math.random);
    this.#options.metrics.retries.inc({ target: "kafka" });
    this.#options.onProblem(error, delay);
    await this.#bell.wait(delay);
  }

  async #leave(member: Member): Promise<void> {
    const leaving = this.#group.leave(member).catch((error: unknown) => {
      this.#options.log.debug({ error: describeError(error) }, "could not leave the group; the session ends by itself");
    });
    await Promise.race([leaving, new Bell().wait(LEAVE_MS)]);
  }
}
