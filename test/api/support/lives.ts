/** An operator that dies again and again: each of its lives ends at a write, and the next begins where it stopped. */
import type { KubeClient } from "../../../operator/src/kube/client.ts";
import { Crashed, faulty, type Write } from "./faults.ts";
import type { World } from "./world.ts";

export interface LivesOptions {
  /** Objects that a life writes before it ends. */
  readonly writes: number;
  /** Whether lives end by turns before and after their last write: where work lies between writes, such as SQL. */
  readonly alsoBefore?: boolean;
}

/** Of lives that end at a write of status one after another: the next one goes on until it writes an object. */
const STATUS_ENDS = 2;

export class Lives {
  readonly #world: World;
  readonly #client: KubeClient;
  readonly #options: LivesOptions;
  readonly #running: Promise<void>;
  #over = false;
  #wake: () => void = () => undefined;
  /** At which writes lives ended, as `after patch KafkaTopic`. */
  readonly ends: string[] = [];

  constructor(world: World, client: KubeClient, options: LivesOptions) {
    this.#world = world;
    this.#client = client;
    this.#options = options;
    this.#running = this.#run();
  }

  /** Ends the last life too. @throws what an operator threw */
  async stop(): Promise<void> {
    this.#over = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let life = 1; !this.#over; life++) {
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      this.#wake = end;
      const when = this.#options.alsoBefore === true && life % 2 === 1 ? "before" : "after";
      const operator = await this.#world.operator({
        client: this.#mortal(when, end),
        identity: `operator-${life}`,
        // Who was killed leaves its lease behind; waiting for it is another test's.
        leaderElection: false,
      });
      await ended;
      await operator.stop();
    }
  }

  #mortal(when: "before" | "after", end: () => void): KubeClient {
    let dead = false;
    let left = this.#options.writes;
    const live = () => {
      if (dead) throw new Crashed("the process has died");
    };
    const die = ({ verb, kind, isStatus }: Write) => {
      dead = true;
      this.ends.push(`${when} ${verb} ${kind}${isStatus ? " status" : ""}`);
      end();
      live();
    };
    const isLast = ({ isStatus }: Write) => {
      if (!isStatus) return --left <= 0;
      const last = this.ends.slice(-STATUS_ENDS);
      return last.length < STATUS_ENDS || !last.every((entry) => entry.endsWith("status"));
    };
    return faulty(this.#client, {
      read: live,
      before: (write) => {
        live();
        if (when === "before" && isLast(write)) die(write);
      },
      after: (write) => {
        if (when === "after" && !dead && isLast(write)) die(write);
      },
    });
  }
}
