/** Makes the faults of a schedule happen, each to the real thing, and counts those that did. */
import { setTimeout as sleep } from "node:timers/promises";
import { poll } from "../cluster/host/poll.ts";
import type { TcpProxy } from "../engine/tcp-proxy.ts";
import { setClock } from "./clock.ts";
import type { Fleet, Replica } from "./fleet.ts";
import type { Scenario } from "./scenario.ts";
import type { Servers } from "./servers.ts";
import { Dice } from "./src/dice.ts";
import type { Fault, FaultOf } from "./src/faults.ts";
import type { Turns } from "./turns.ts";

/** Time within which a fault must show: a commit comes, a disk is needed, a clock is read. */
const SHOWS_SECONDS = 15;
/** Other faults may keep workers from PostgreSQL meanwhile. */
const TOLD_SECONDS = 45;

export class Injector {
  readonly #servers: Servers;
  readonly #scenario: Scenario;
  readonly #turns: Turns;
  readonly #dice: Dice;

  constructor(seed: number, servers: Servers, scenario: Scenario, turns: Turns) {
    this.#servers = servers;
    this.#scenario = scenario;
    this.#turns = turns;
    this.#dice = new Dice(seed, "inject");
  }

  /** @returns whether it happened: a worker may be gone already, a connection not be there */
  async inject(fault: Fault): Promise<boolean> {
    const { kafka, postgres, cuts, server, broker, redis, s3 } = this.#servers;
    const own = this.#scenario.faults;
    const chosen = (share: number) => () => this.#dice.chance(share);
    const alone = this.#turns.alone.bind(this.#turns);
    switch (fault.kind) {
      case "worker-kill":
        return await ended(this.#victim(fault.victim)?.end("SIGKILL"));
      case "pod-kill":
        return await ended(this.#victim(fault.victim)?.replace());
      case "worker-drain":
        return await ended(this.#victim(fault.victim)?.end("SIGTERM"));
      case "worker-zombie":
      case "worker-pause":
        return await this.#stop(fault.victim, fault.ms);
      case "rolling-restart":
        return await ended(this.#fleet(fault.victim)?.roll());
      case "scale": {
        const fleet = this.#fleet(fault.victim);
        if (fault.workers === fleet?.size) return false;
        return await ended(fleet?.scale(fault.workers));
      }
      case "clock-jump":
        return await this.#jump(fault);
      case "table-added":
        return (await own[fault.kind]?.(fault)) === true;
      case "partitions-added":
        return (await own[fault.kind]?.(fault)) === true;
      case "slot-dropped":
        return (await own[fault.kind]?.(fault)) === true;
      case "slot-invalidated":
        return (await own[fault.kind]?.(fault)) === true;
      case "broker-restart":
        return await alone("broker", async () => await ended(broker.restart()));
      case "broker-kill":
        return await alone("broker", async () => {
          await broker.kill();
          return await ended(broker.restart());
        });
      case "broker-freeze":
        return await alone("broker", async () => await freeze(broker, fault.ms));
      case "kafka-reset":
        return kafka.reset(chosen(fault.share)) > 0;
      case "kafka-delay":
        return await slowDown(kafka, fault);
      case "kafka-black-hole":
        return await blackHole(kafka, chosen(fault.share), fault.ms);
      case "postgres-restart":
        return await alone("postgres", async () => await ended(server.restart()));
      case "postgres-immediate":
        return await alone("postgres", async () => await ended(server.restart("SIGQUIT")));
      case "postgres-kill":
        return await alone("postgres", async () => await away(server, 0));
      case "postgres-put-back":
        return await alone("postgres", async () => await this.#putBack(fault.ms));
      case "postgres-terminate":
        return await alone("postgres", async () => await this.#terminate());
      case "postgres-disk-full":
        return await alone("postgres", async () => await this.#fillDisk(fault.ms));
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
      case "redis-restart":
        return await alone("redis", async () => await ended(redis?.server.restart()));
      case "redis-kill":
        return await alone("redis", async () => await away(redis?.server, fault.ms));
      case "redis-freeze":
        return await alone("redis", async () => await freeze(redis?.server, fault.ms));
      case "redis-reset":
        return await resetSoon(redis?.proxy, chosen(fault.share));
      case "redis-black-hole":
        return await blackHole(redis?.proxy, chosen(fault.share), fault.ms);
      case "s3-kill":
        return await alone("s3", async () => await away(s3?.server, fault.ms));
      case "s3-reset":
        return await resetSoon(s3?.proxy, chosen(fault.share));
      case "s3-delay":
        return await slowDown(s3?.proxy, fault);
      case "s3-black-hole":
        return await blackHole(s3?.proxy, chosen(fault.share), fault.ms);
    }
  }

  /** One of the workers of all stages. @param share uniform in [0, 1) */
  #victim(share: number): Replica | undefined {
    const all = this.#scenario.fleets.flatMap(({ replicas }) => replicas);
    return all[Math.floor(share * all.length)];
  }

  #fleet(share: number): Fleet | undefined {
    const { fleets } = this.#scenario;
    return fleets[Math.floor(share * fleets.length)];
  }

  async #stop(share: number, ms: number): Promise<boolean> {
    const replica = this.#victim(share);
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

  async #jump({ victim, seconds, ms }: FaultOf<"clock-jump">): Promise<boolean> {
    const replica = this.#victim(victim);
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

  /** @returns whether workers that had made the lost commits say so, with how many offsets */
  async #putBack(ms: number): Promise<boolean> {
    const putBack = await this.#servers.server.save();
    await sleep(ms);
    const before = await this.#lost();
    await putBack();
    return await withinSeconds(TOLD_SECONDS, async () => (await this.#lost()) > before, 500);
  }

  /** Offsets that workers say were lost. */
  async #lost(): Promise<number> {
    const workers = this.#scenario.fleets.flatMap(({ replicas }) => replicas);
    const told = workers.map(async ({ worker }) => (await worker?.status().catch(() => undefined))?.lost ?? []);
    return (await Promise.all(told)).flat().reduce((sum, { offsets }) => sum + offsets, 0);
  }

  async #terminate(): Promise<boolean> {
    const database = await this.#servers.server.database("postgres");
    const ended = await database.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'caudal %'",
    );
    return ended.length > 0;
  }

  /** Until the server has met it, and for a while after. */
  async #fillDisk(ms: number): Promise<boolean> {
    const { disk } = this.#servers.server;
    if (disk === undefined) return false;
    const before = disk.refusals;
    const fill = async (): Promise<boolean> => {
      disk.fill(); // again: the server gives WAL back that it does not need
      return await Promise.resolve(disk.refusals > before);
    };
    const met = await withinSeconds(SHOWS_SECONDS, fill);
    if (met) await sleep(ms);
    disk.free();
    await this.#servers.server.start();
    return met;
  }
}

async function ended(work: Promise<void> | undefined): Promise<boolean> {
  await work;
  return work !== undefined;
}

/** SIGKILL, and a start after a while. */
async function away(
  server: { kill(): Promise<void>; start(): Promise<void> } | undefined,
  ms: number,
): Promise<boolean> {
  if (server === undefined) return false;
  await server.kill();
  await sleep(ms);
  await server.start();
  return true;
}

async function freeze(server: { freeze(): void; thaw(): void } | undefined, ms: number): Promise<boolean> {
  if (server === undefined) return false;
  server.freeze();
  await sleep(ms);
  server.thaw();
  return true;
}

async function slowDown(
  proxy: TcpProxy | undefined,
  fault: { readonly latencyMs: number; readonly ms: number },
): Promise<boolean> {
  if (proxy === undefined) return false;
  proxy.delay(fault.latencyMs);
  await sleep(fault.ms);
  proxy.delay(0);
  return true;
}

/** Connections that are open for moments alone have to be waited for. */
async function resetSoon(proxy: TcpProxy | undefined, choose: () => boolean): Promise<boolean> {
  if (proxy === undefined) return false;
  return await withinSeconds(SHOWS_SECONDS, async () => await Promise.resolve(proxy.reset(choose) > 0), 2);
}

async function blackHole(proxy: TcpProxy | undefined, choose: () => boolean, ms: number): Promise<boolean> {
  if (proxy === undefined) return false;
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

async function withinSeconds(seconds: number, holds: () => Promise<boolean>, everyMs = 50): Promise<boolean> {
  const end = performance.now() + seconds * 1000;
  return await poll(
    async () => {
      if (await holds()) return true;
      return performance.now() > end ? false : undefined;
    },
    { seconds: seconds + 10, everyMs, onTimeout: () => "not seen" },
  );
}
