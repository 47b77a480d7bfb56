/** Reads what the engine, PostgreSQL and the broker have used. What the benchmark's own questions cost is left out. */
import type { Client } from "pg";
import { cpuSeconds } from "./process-usage.ts";
import type { Servers } from "./servers.ts";

export interface Reading {
  /** Milliseconds of a clock that never goes back. */
  readonly at: number;
  readonly engine: number;
  readonly postgres: number;
  readonly broker: number;
}

export interface Meter {
  /** CPU-seconds so far. @param engines the engine's processes */
  read(engines: readonly number[]): Reading;
}

/** @param client whose backend asks the benchmark's questions */
export async function newMeter({ broker, postgres }: Servers, client: Client): Promise<Meter> {
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const backend = rows[0]?.pid ?? 0;
  return {
    read: (engines) => ({
      at: performance.now(),
      engine: engines.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
      postgres: cpuSeconds(postgres.pid ?? 0) - cpuSeconds(backend),
      broker: cpuSeconds(broker.pid ?? 0),
    }),
  };
}

export interface Usage {
  readonly seconds: number;
  readonly engine: number;
  readonly postgres: number;
  readonly broker: number;
}

export function usage(from: Reading, to: Reading): Usage {
  return {
    seconds: (to.at - from.at) / 1000,
    engine: to.engine - from.engine,
    postgres: to.postgres - from.postgres,
    broker: to.broker - from.broker,
  };
}
