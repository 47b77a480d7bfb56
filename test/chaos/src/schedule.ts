/** What happens in a round, and when: a pure function of the seed and the round's length. */
import { Dice } from "./dice.ts";

/** A fault with what it needs. `victim` and `share` are uniform in [0, 1): of those that are there when it happens. */
export type Fault =
  | { readonly kind: "worker-kill"; readonly victim: number }
  /** SIGSTOP for longer than its session with the group; then it wakes up again. */
  | { readonly kind: "worker-zombie"; readonly victim: number; readonly ms: number }
  /** SIGSTOP for less. */
  | { readonly kind: "worker-pause"; readonly victim: number; readonly ms: number }
  | { readonly kind: "worker-drain"; readonly victim: number }
  | { readonly kind: "rolling-restart" }
  | { readonly kind: "scale"; readonly workers: number }
  /** Plan change under load: a rolling restart with one table more. */
  | { readonly kind: "table-added" }
  /** The clock is set, and after a while set right. */
  | { readonly kind: "clock-jump"; readonly victim: number; readonly seconds: number; readonly ms: number }
  | { readonly kind: "partitions-added"; readonly more: number }
  | { readonly kind: "broker-restart" }
  | { readonly kind: "broker-kill" }
  | { readonly kind: "broker-freeze"; readonly ms: number }
  | { readonly kind: "kafka-reset"; readonly share: number }
  | { readonly kind: "kafka-delay"; readonly latencyMs: number; readonly ms: number }
  | { readonly kind: "kafka-black-hole"; readonly share: number; readonly ms: number }
  | { readonly kind: "postgres-restart" }
  | { readonly kind: "postgres-immediate" }
  | { readonly kind: "postgres-kill" }
  | { readonly kind: "postgres-terminate" }
  | { readonly kind: "postgres-disk-full"; readonly ms: number }
  | { readonly kind: "postgres-reset"; readonly share: number }
  | { readonly kind: "postgres-delay"; readonly latencyMs: number; readonly ms: number }
  | { readonly kind: "postgres-black-hole"; readonly share: number; readonly ms: number }
  /** The connection ends before the next COMMIT reaches the server. */
  | { readonly kind: "commit-cut-before" }
  /** The connection ends after the server has committed, before the client hears of it. */
  | { readonly kind: "commit-cut-after" };

export type FaultKind = Fault["kind"];

export interface Step {
  /** Since the load began. */
  readonly atMs: number;
  readonly fault: Fault;
}

export interface Round {
  readonly seed: number;
  readonly seconds: number;
  readonly workers: number;
  readonly partitions: number;
  readonly lateEvents: "Update" | "DeadLetter" | "Drop";
  readonly eventsPerSecond: number;
  /** Whether some records are refused by PostgreSQL alone, by a constraint that somebody has added. */
  readonly refusals: boolean;
  /** Whether the workers' clocks can jump (libfaketime is loaded into them). */
  readonly clocks: boolean;
  /** By time. */
  readonly steps: readonly Step[];
}

/** Workers at once, at most. */
export const MOST_WORKERS = 4;
const MOST_PARTITIONS = 8;
const QUIET_SECONDS = 3;
const MEAN_GAP_MS = 3_000;
/** The group's session is 15 s: whoever is silent for longer has lost its partitions. */
const SESSION_MS = 15_000;

const weights: Readonly<Record<Exclude<FaultKind, "table-added">, number>> = {
  "worker-kill": 10,
  "worker-zombie": 4,
  "worker-pause": 3,
  "worker-drain": 5,
  "rolling-restart": 2,
  scale: 6,
  "clock-jump": 4,
  "partitions-added": 3,
  "broker-restart": 2,
  "broker-kill": 3,
  "broker-freeze": 2,
  "kafka-reset": 5,
  "kafka-delay": 3,
  "kafka-black-hole": 3,
  "postgres-restart": 3,
  "postgres-immediate": 3,
  "postgres-kill": 3,
  "postgres-terminate": 3,
  "postgres-disk-full": 3,
  "postgres-reset": 5,
  "postgres-delay": 3,
  "postgres-black-hole": 3,
  "commit-cut-before": 6,
  "commit-cut-after": 6,
};

/** @param seconds length of the load; what follows it heals and is compared */
export function planRound(seed: number, seconds: number): Round {
  const nature = new Dice(seed, "nature");
  const workers = nature.whole(1, 3);
  const partitions = nature.whole(2, 5);
  const lateEvents = nature.weighted({ Update: 7, DeadLetter: 2, Drop: 1 });
  const eventsPerSecond = Math.round(10 ** (2.5 + nature.unit()));
  const clocks = nature.chance(0.5);
  // A table that catches up meets a record that others have put into the dead letters on its own: not both then.
  const adds = nature.chance(0.5);
  const dice = new Dice(seed, "faults");
  const steps = faults(dice, seconds, clocks, partitions);
  if (adds)
    steps.push({ atMs: Math.round(seconds * 1000 * (0.3 + 0.3 * dice.unit())), fault: { kind: "table-added" } });
  steps.sort((a, b) => a.atMs - b.atMs);
  return {
    ...{ seed, seconds, workers, partitions, lateEvents, eventsPerSecond, clocks, steps },
    refusals: !adds && lateEvents === "Update" && nature.chance(0.6),
  };
}

function faults(dice: Dice, seconds: number, clocks: boolean, partitions: number): Step[] {
  const steps: Step[] = [];
  let total = partitions;
  for (let at = QUIET_SECONDS * 1000; ;) {
    at += Math.max(300, dice.gap(MEAN_GAP_MS));
    if (at >= seconds * 1000) return steps;
    const fault = makeFault(dice, dice.weighted(weights));
    if (fault.kind === "clock-jump" && !clocks) continue;
    if (fault.kind === "partitions-added" && (total += fault.more) > MOST_PARTITIONS) {
      total -= fault.more;
      continue;
    }
    steps.push({ atMs: Math.round(at), fault });
  }
}

function makeFault(dice: Dice, kind: keyof typeof weights): Fault {
  const victim = dice.unit();
  const ms = (least: number, most: number): number => Math.round(least + dice.unit() * (most - least));
  switch (kind) {
    case "worker-kill":
    case "worker-drain":
      return { kind, victim };
    case "worker-zombie":
      return { kind, victim, ms: SESSION_MS + ms(1_000, 6_000) };
    case "worker-pause":
      return { kind, victim, ms: ms(1_000, 12_000) };
    case "scale":
      return { kind, workers: dice.whole(1, MOST_WORKERS) };
    case "clock-jump":
      return {
        ...{ kind, victim, ms: ms(3_000, 15_000) },
        seconds: dice.pick([-86_400, -3_600, -30, 30, 3_600, 86_400 * 400]),
      };
    case "partitions-added":
      return { kind, more: dice.whole(1, 2) };
    case "broker-freeze":
      return { kind, ms: ms(1_000, 10_000) };
    case "postgres-disk-full":
      return { kind, ms: ms(2_000, 6_000) };
    case "kafka-reset":
    case "postgres-reset":
      return { kind, share: 0.3 + 0.7 * dice.unit() };
    case "kafka-delay":
    case "postgres-delay":
      return { kind, latencyMs: ms(5, 400), ms: ms(2_000, 8_000) };
    case "kafka-black-hole":
    case "postgres-black-hole":
      return { kind, share: 0.3 + 0.7 * dice.unit(), ms: ms(1_000, 12_000) };
    case "rolling-restart":
    case "broker-restart":
    case "broker-kill":
    case "postgres-restart":
    case "postgres-immediate":
    case "postgres-kill":
    case "postgres-terminate":
    case "commit-cut-before":
    case "commit-cut-after":
      return { kind };
  }
}

/** A fault in words: its kind, and what was chosen for it. */
export function describeFault(fault: Fault): string {
  const { kind, ...details } = fault;
  const words = Object.entries(details).map(([name, value]) => `${name} ${Math.round(Number(value) * 100) / 100}`);
  return [kind, ...words].join(" ");
}
