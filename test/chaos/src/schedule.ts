/** What happens in a round, and when: a pure function of the system, the seed and the round's length. */
import { Dice } from "./dice.ts";
import { type Fault, type FaultKind, makeFault, MOST_WORKERS } from "./faults.ts";

export const SYSTEMS = ["aggregates", "banking", "customers"] as const;
/** What is under test: an aggregator; transforms with a lookup behind each other; sources and a transform of all outputs. */
export type System = (typeof SYSTEMS)[number];

export interface Step {
  /** Since the load began. */
  readonly atMs: number;
  readonly fault: Fault;
}

interface RoundOf<S extends System> {
  readonly system: S;
  readonly seed: number;
  readonly seconds: number;
  /** Of each stage, at first. */
  readonly workers: number;
  readonly partitions: number;
  /** Events, or rows that are changed. */
  readonly eventsPerSecond: number;
  /** Whether the workers' clocks can jump (libfaketime is loaded into them). */
  readonly clocks: boolean;
  /** By time. */
  readonly steps: readonly Step[];
}

export interface AggregatesRound extends RoundOf<"aggregates"> {
  readonly lateEvents: "Update" | "DeadLetter" | "Drop";
  /** Whether some records are refused by PostgreSQL alone, by a constraint that somebody has added. */
  readonly refusals: boolean;
}

export type BankingRound = RoundOf<"banking">;

export interface CustomersRound extends RoundOf<"customers"> {
  /** Whether deletes come with the whole row (`replica identity full`), or with its key alone. */
  readonly wholeRows: boolean;
  /** Rows that are there before the sources begin. */
  readonly rows: number;
}

export type Round = AggregatesRound | BankingRound | CustomersRound;

const MOST_PARTITIONS = 8;
const QUIET_SECONDS = 3;
const MEAN_GAP_MS = 3_000;

type Weights = Readonly<Partial<Record<Exclude<FaultKind, "table-added" | "postgres-put-back">, number>>>;

const network = { reset: 5, delay: 3, blackHole: 3 };
const weights = {
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
  "kafka-reset": network.reset,
  "kafka-delay": network.delay,
  "kafka-black-hole": network.blackHole,
  "postgres-restart": 3,
  "postgres-immediate": 3,
  "postgres-kill": 3,
  "postgres-terminate": 3,
  "postgres-disk-full": 3,
  "postgres-reset": network.reset,
  "postgres-delay": network.delay,
  "postgres-black-hole": network.blackHole,
  "commit-cut-before": 6,
  "commit-cut-after": 6,
} as const satisfies Weights;
/** Who a worker is matters where it writes to Kafka under an identity of its own. */
const pods = { "pod-kill": 6 } as const satisfies Weights;
const redis = {
  "redis-restart": 2,
  "redis-kill": 4,
  "redis-freeze": 2,
  "redis-reset": network.reset,
  "redis-black-hole": network.blackHole,
} as const satisfies Weights;
const s3 = {
  "s3-kill": 4,
  "s3-reset": network.reset,
  "s3-delay": network.delay,
  "s3-black-hole": network.blackHole,
} as const satisfies Weights;
const slots = { "slot-dropped": 2, "slot-invalidated": 2 } as const satisfies Weights;

/** A topic whose records are keyed by row does not get more partitions: versions of a row would be in two. */
const { "partitions-added": _keyed, ...keyedWeights } = weights;

/** By system. @param seconds length of the load; what follows it heals and is compared */
export const plans: { readonly [S in System]: (seed: number, seconds: number) => Extract<Round, { system: S }> } = {
  aggregates: (seed, seconds) => {
    const nature = new Dice(seed, "nature");
    const workers = nature.whole(1, 3);
    const partitions = nature.whole(2, 5);
    const lateEvents = nature.weighted({ Update: 7, DeadLetter: 2, Drop: 1 });
    const eventsPerSecond = Math.round(10 ** (2.5 + nature.unit()));
    const clocks = nature.chance(0.5);
    // A table that catches up meets a record that others have put into the dead letters on its own: not both then.
    const adds = nature.chance(0.5);
    const dice = new Dice(seed, "faults");
    const steps = faults(dice, weights, { seconds, clocks, partitions, mostWorkers: MOST_WORKERS });
    if (adds)
      steps.push({ atMs: Math.round(seconds * 1000 * (0.3 + 0.3 * dice.unit())), fault: { kind: "table-added" } });
    const loss = new Dice(seed, "lost commits");
    // What is late is judged again after a loss: under the other policies an event may be in its row and among the letters.
    if (lateEvents === "Update" && loss.chance(0.5)) steps.push(losesCommits(loss, seconds));
    steps.sort((a, b) => a.atMs - b.atMs);
    return {
      ...{ system: "aggregates", seed, seconds, workers, partitions, lateEvents, eventsPerSecond, clocks, steps },
      refusals: !adds && lateEvents === "Update" && nature.chance(0.6),
    };
  },
  banking: (seed, seconds) => {
    const nature = new Dice(seed, "nature of banking");
    const workers = nature.whole(1, 2);
    const partitions = nature.whole(2, 5);
    const eventsPerSecond = Math.round(10 ** (2 + nature.unit()));
    const clocks = nature.chance(0.3);
    const dice = new Dice(seed, "faults of banking");
    const bounds = { seconds, clocks, partitions, mostWorkers: MOST_OF_SEVERAL };
    const steps = faults(dice, { ...weights, ...pods, ...redis }, bounds);
    return { system: "banking", seed, seconds, workers, partitions, eventsPerSecond, clocks, steps };
  },
  customers: (seed, seconds) => {
    const nature = new Dice(seed, "nature of customers");
    const workers = nature.whole(1, 2);
    const partitions = nature.whole(2, 5);
    const eventsPerSecond = Math.round(10 ** (1.5 + nature.unit()));
    const clocks = nature.chance(0.3);
    const wholeRows = nature.chance(0.5);
    const rows = nature.whole(0, 12_000);
    const dice = new Dice(seed, "faults of customers");
    const bounds = { seconds, clocks, partitions, mostWorkers: MOST_OF_SEVERAL };
    const steps = faults(dice, { ...keyedWeights, ...pods, ...redis, ...s3, ...slots }, bounds);
    return {
      ...{ system: "customers", seed, seconds, workers, partitions, eventsPerSecond, clocks, steps },
      ...{ wholeRows, rows },
    };
  },
};

function losesCommits(dice: Dice, seconds: number): Step {
  const atMs = Math.round(seconds * 1000 * (0.2 + 0.5 * dice.unit()));
  return { atMs, fault: { kind: "postgres-put-back", ms: Math.round(1_000 + 4_000 * dice.unit()) } };
}

/** Of each of several stages. */
const MOST_OF_SEVERAL = 3;

interface Bounds {
  readonly seconds: number;
  readonly clocks: boolean;
  readonly partitions: number;
  readonly mostWorkers: number;
}

function faults(dice: Dice, of: Weights, { seconds, clocks, partitions, mostWorkers }: Bounds): Step[] {
  const steps: Step[] = [];
  let total = partitions;
  for (let at = QUIET_SECONDS * 1000; ;) {
    at += Math.max(300, dice.gap(MEAN_GAP_MS));
    if (at >= seconds * 1000) return steps;
    const fault = makeFault(dice, dice.weighted(of as Required<Weights>), mostWorkers);
    if (fault.kind === "clock-jump" && !clocks) continue;
    if (fault.kind === "partitions-added" && (total += fault.more) > MOST_PARTITIONS) {
      total -= fault.more;
      continue;
    }
    steps.push({ atMs: Math.round(at), fault });
  }
}
