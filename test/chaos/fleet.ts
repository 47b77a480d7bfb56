/** The workers of a stage under test, each started again whenever it ends, as a kubelet does. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkloadConfig } from "@caudal/crds";
import { spawnWorker, type Worker } from "../engine/aggregator/stage.ts";
import { clockEnvironment, setClock } from "./clock.ts";

/** What a kubelet gives a pod before it kills it. */
const GRACE_MS = 30_000;
const DRAINED = 0;
const DRAIN_DEADLINE = 3;

/** One replica: a process, then its successor, for as long as it is wanted. */
export class Replica {
  readonly name: string;
  readonly #fleet: FleetOptions;
  readonly #config: () => WorkloadConfig;
  readonly clockFile: string;
  worker: Worker | undefined;
  stopped = false;
  #pod = 1;
  #wanted = true;
  /** The process that was sent a signal that ends it: it may end then. */
  #ending: Worker | undefined;
  readonly life: Promise<void>;

  constructor(name: string, folder: string, config: () => WorkloadConfig, fleet: FleetOptions) {
    this.name = name;
    this.#fleet = fleet;
    this.#config = config;
    this.clockFile = join(folder, `clock-${name}`);
    setClock(this.clockFile, 0);
    this.life = this.#live();
  }

  /** SIGKILL, or SIGTERM with SIGKILL after the grace period; a successor is started if it is wanted. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { worker } = this;
    if (worker === undefined) return;
    this.#ending = worker;
    worker.signal(signal);
    const timer = setTimeout(() => worker.signal("SIGKILL"), GRACE_MS);
    await worker.exited;
    clearTimeout(timer);
  }

  /** SIGKILL; what is started next is another pod. */
  async replace(): Promise<void> {
    this.#pod++;
    await this.end("SIGKILL");
  }

  /** SIGTERM, and no successor. */
  async retire(): Promise<void> {
    this.#wanted = false;
    await this.end("SIGTERM");
    await this.life;
  }

  async #live(): Promise<void> {
    while (this.#wanted) {
      const clock = this.#fleet.clocks ? clockEnvironment(this.clockFile) : {};
      // A container that is started again is of the same pod.
      const env = { ...clock.env, POD_NAME: `${this.name}-${this.#pod}`, ...this.#fleet.env };
      const worker = spawnWorker(this.#config(), { ...clock, env });
      this.worker = worker;
      this.stopped = false;
      const { code, signal } = await worker.exited;
      const asked = this.#ending === worker && (signal !== null || code === DRAINED || code === DRAIN_DEADLINE);
      const told = asked || this.#fleet.mayEnd?.(worker.log()) === true;
      if (!told) this.#fleet.onCrash(`${this.name} ended by itself (${signal ?? `code ${code}`})`, worker.log());
      if (this.#wanted && !asked) await sleep(1_000);
    }
    this.worker = undefined;
  }
}

export interface FleetOptions {
  readonly config: WorkloadConfig;
  /** Whether clocks can be set. */
  readonly clocks: boolean;
  /** Told of a process that ended though nobody had asked it to: that is never right. */
  readonly onCrash: (what: string, log: string) => void;
  /** Whether a process that ended by itself was right to do so, by its log. */
  readonly mayEnd?: (log: string) => boolean;
  readonly env?: Readonly<Record<string, string>>;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), "caudal-fleet-"));
  #config: WorkloadConfig;
  #replicas: Replica[] = [];
  #made = 0;
  /** Changes of the Deployment come one after the other. */
  #rollout: Promise<unknown> = Promise.resolve();

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** Of the stage. */
  get name(): string {
    return this.#options.config.stage.name;
  }

  get replicas(): readonly Replica[] {
    return this.#replicas;
  }

  get size(): number {
    return this.#replicas.length;
  }

  async scale(count: number): Promise<void> {
    await this.#change(async () => {
      while (this.#replicas.length < count)
        this.#replicas.push(
          new Replica(`${this.name}-${++this.#made}`, this.#folder, () => this.#config, this.#options),
        );
      await Promise.all(this.#replicas.splice(count).map(async (replica) => await replica.retire()));
    });
  }

  /** Ends one replica after the other, each when the successor of the one before has started. @param config a new one */
  async roll(config?: WorkloadConfig): Promise<void> {
    await this.#change(async () => {
      this.#config = config ?? this.#config;
      for (const replica of [...this.#replicas]) {
        await replica.end("SIGTERM");
        await sleep(50);
        await replica.worker?.started.catch(() => undefined);
      }
    });
  }

  /** Wakes those that are stopped, and sets clocks right. */
  heal(): void {
    for (const replica of this.#replicas) {
      replica.worker?.signal("SIGCONT");
      setClock(replica.clockFile, 0);
    }
  }

  /** What each says of itself and the end of its log, for a person who has to find out. */
  async describe(): Promise<string> {
    const all = this.#replicas.map(async ({ name, worker }) => {
      const status = await worker?.status().then(JSON.stringify, String);
      return `── ${name}: ${status}\n${worker?.log().slice(-4_000)}`;
    });
    return (await Promise.all(all)).join("\n");
  }

  async stop(): Promise<void> {
    await this.scale(0);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #change(work: () => Promise<void>): Promise<void> {
    const change = this.#rollout.then(work);
    this.#rollout = change.catch(() => undefined);
    await change;
  }
}
