/** Makes the faults of a schedule happen, each to the real thing, and counts those that did. */
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkloadConfig } from "@caudal/crds";
import { poll } from "../cluster/host/poll.ts";
import type { CommitCutter } from "../engine/aggregator/commit-cutter.ts";
import type { Topic } from "../engine/aggregator/topic.ts";
import type { Broker } from "../engine/broker.ts";
import type { Postgres } from "../engine/postgres.ts";
import type { TcpProxy } from "../engine/tcp-proxy.ts";
import { setClock } from "./clock.ts";
import type { Fleet } from "./fleet.ts";
import { Dice } from "./src/dice.ts";
import type { Fault, Round } from "./src/schedule.ts";

export interface Targets {
  readonly fleet: Fleet;
  readonly broker: Broker;
  readonly server: Postgres;
  readonly topic: Topic;
  /** What the workers' connections to Kafka and to PostgreSQL go through. */
  readonly kafka: TcpProxy;
  readonly postgres: CommitCutter;
  /** Cuts of COMMIT that are still to be made. */
  readonly cuts: { before: number; after: number };
  /** The stage with all its tables. */
  readonly allTables: WorkloadConfig;
}

/** Time within which a fault must show: a commit comes, a disk is needed, a clock is read. */
const SHOWS_SECONDS = 15;

export class Injector {
  readonly #targets: Targets;
  readonly #dice: Dice;
  readonly #turns = new Map<"broker" | "postgres", Promise<unknown>>();
  #partitions: number;

  constructor(round: Round, targets: Targets) {
    this.#targets = targets;
    this.#dice = new Dice(round.seed, "inject");
    this.#partitions = round.partitions;
  }

  /** @returns whether it happened: a worker may be gone already, a connection not be there */
  async inject(fault: Fault): Promise<boolean> {
    const { fleet, kafka, postgres, cuts, server, broker } = this.#targets;
    const chosen = (share: number) => () => this.#dice.chance(share);
    switch (fault.kind) {
      case "worker-kill":
        return await ended(fleet.victim(fault.victim)?.end("SIGKILL"));
      case "worker-drain":
        return await ended(fleet.victim(fault.victim)?.end("SIGTERM"));
      case "worker-zombie":
      case "worker-pause":
        return await this.#stop(fault.victim, fault.ms);
      case "rolling-restart":
        return await ended(fleet.roll());
      case "scale":
        if (fault.workers === fleet.size) return false;
        return await ended(fleet.scale(fault.workers));
      case "table-added":
        return await ended(fleet.roll(this.#targets.allTables));
      case "clock-jump":
        return await this.#jump(fault);
      case "partitions-added":
        return await this.#alone("broker", async () => {
          this.#partitions += fault.more;
          await this.#targets.topic.addPartitions(this.#partitions);
        });
      case "broker-restart":
        return await this.#alone("broker", async () => await broker.restart());
      case "broker-kill":
        return await this.#alone("broker", async () => {
          await broker.kill();
          await broker.restart();
        });
      case "broker-freeze":
        return await this.#alone("broker", async () => {
          broker.freeze();
          await sleep(fault.ms);
          broker.thaw();
        });
      case "kafka-reset":
        return kafka.reset(chosen(fault.share)) > 0;
      case "kafka-delay":
        return await slowDown(kafka, fault);
      case "kafka-black-hole":
        return await blackHole(kafka, chosen(fault.share), fault.ms);
      case "postgres-restart":
        return await this.#alone("postgres", async () => await server.restart());
      case "postgres-immediate":
        return await this.#alone("postgres", async () => await server.restart("SIGQUIT"));
      case "postgres-kill":
        return await this.#alone("postgres", async () => {
          await server.kill();
          await server.start();
        });
      case "postgres-terminate":
        return await this.#alone("postgres", async () => await this.#terminate());
      case "postgres-disk-full":
        return await this.#alone("postgres", async () => await this.#fillDisk(fault.ms));
      case "postgres-reset":
        return postgres.reset(chosen(fault.share)) > 0;
      case "postgres-delay":
        return await slowDown(postgres, fault);
      case "postgres-black-hole":
        return await blackHole(postgres, chosen(fault.share), fault.ms);
      case "commit-cut-before":
        return await shows(postgres.cuts, "before", () => cuts.before++);
      case "commit-cut-after":
        return await shows(postgres.cuts, "after", () => cuts.after++);
    }
  }

  async #stop(share: number, ms: number): Promise<boolean> {
    const replica = this.#targets.fleet.victim(share);
    const worker = replica?.worker;
    if (replica === undefined || worker === undefined || replica.stopped) return false;
    replica.stopped = true;
    worker.signal("SIGSTOP");
    await sleep(ms);
    worker.signal("SIGCONT");
    // One that is gone has a successor, which nobody has stopped.
    if (replica.worker === worker) replica.stopped = false;
    return true;
  }

  async #jump({ victim, seconds, ms }: Extract<Fault, { kind: "clock-jump" }>): Promise<boolean> {
    const replica = this.#targets.fleet.victim(victim);
    if (replica === undefined) return false;
    setClock(replica.clockFile, seconds);
    const jumped = await withinSeconds(SHOWS_SECONDS, async () => {
      const status = await replica.worker?.status().catch(() => undefined);
      return status !== undefined && Math.abs(status.heartbeat - Date.now() - seconds * 1000) < 10_000;
    });
    await sleep(ms);
    setClock(replica.clockFile, 0);
    return jumped;
  }

  async #terminate(): Promise<boolean> {
    const database = await this.#targets.server.database("postgres");
    const ended = await database.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'caudal %'",
    );
    return ended.length > 0;
  }

  /** Until the server has met it, and for a while after. */
  async #fillDisk(ms: number): Promise<boolean> {
    const { disk } = this.#targets.server;
    if (disk === undefined) return false;
    const before = disk.refusals;
    const fill = async (): Promise<boolean> => {
      disk.fill(); // again: the server gives WAL back that it does not need
      return await Promise.resolve(disk.refusals > before);
    };
    const met = await withinSeconds(SHOWS_SECONDS, fill);
    if (met) await sleep(ms);
    disk.free();
    await this.#targets.server.start();
    return met;
  }

  /** One after the other: a server that is being started cannot be started again. */
  async #alone(what: "broker" | "postgres", work: () => Promise<boolean | void>): Promise<boolean> {
    const turn = (this.#turns.get(what) ?? Promise.resolve()).then(work);
    this.#turns.set(
      what,
      turn.catch(() => undefined),
    );
    return (await turn) !== false;
  }
}

async function ended(work: Promise<void> | undefined): Promise<boolean> {
  await work;
  return work !== undefined;
}

async function slowDown(proxy: TcpProxy, fault: { readonly latencyMs: number; readonly ms: number }): Promise<boolean> {
  proxy.delay(fault.latencyMs);
  await sleep(fault.ms);
  proxy.delay(0);
  return true;
}

async function blackHole(proxy: TcpProxy, choose: () => boolean, ms: number): Promise<boolean> {
  const { count, release } = proxy.hold(choose);
  await sleep(ms);
  release();
  return count > 0;
}

async function shows<Name extends string>(
  counts: Readonly<Record<Name, number>>,
  name: Name,
  arm: () => void,
): Promise<boolean> {
  const before = counts[name];
  arm();
  return await withinSeconds(SHOWS_SECONDS, async () => await Promise.resolve(counts[name] > before));
}

async function withinSeconds(seconds: number, holds: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + seconds * 1000;
  return await poll(
    async () => {
      if (await holds()) return true;
      return performance.now() > end ? false : undefined;
    },
    { seconds: seconds + 10, everyMs: 50, onTimeout: () => "not seen" },
  );
}
