/** A seat in a consumer group: taken only while what is read may be written, so that no partition waits for a worker in vain. */
import type { GroupOffset } from "../kafka/group.ts";
import { MembershipLost } from "../kafka/errors.ts";
import type { Membership } from "../kafka/membership.ts";
import type { Assignments } from "./assignments.ts";

export class Seat {
  readonly #join: () => Membership;
  readonly #assignments: Assignments;
  #membership: Membership | undefined;

  /** @param join makes a membership, whose assignments go to `assignments` */
  constructor(join: () => Membership, assignments: Assignments) {
    this.#join = join;
    this.#assignments = assignments;
  }

  /** Joins the group, unless it is joined. */
  take(): void {
    if (this.#membership !== undefined) return;
    this.#membership = this.#join();
    this.#membership.start();
  }

  /** Leaves the group, if it is joined: the others get the partitions at once. */
  async leave(): Promise<void> {
    const membership = this.#membership;
    this.#membership = undefined;
    await membership?.stop();
    this.#assignments.forget();
  }

  /** Partitions of the last assignment. */
  get partitions(): readonly number[] {
    return this.#membership?.assignment.partitions ?? [];
  }

  /** As {@link Membership.commit}. */
  async commit(offsets: readonly GroupOffset[]): Promise<void> {
    if (this.#membership === undefined) throw new MembershipLost("not a member of the group now");
    await this.#membership.commit(offsets);
  }
}
