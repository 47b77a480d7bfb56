/** Faults, and how one of a kind is drawn. */
import type { Dice } from "./dice.ts";

/** A fault with what it needs. `victim` and `share` are uniform in [0, 1): of those that are there when it happens. */
export type Fault =
  | { readonly kind: "worker-kill"; readonly victim: number }
  /** A node is lost: the worker ends, and its successor has another name. */
  | { readonly kind: "pod-kill"; readonly victim: number }
  /** SIGSTOP for longer than its session with the group; then it wakes up again. */
  | { readonly kind: "worker-zombie"; readonly victim: number; readonly ms: number }
  /** SIGSTOP for less. */
  | { readonly kind: "worker-pause"; readonly victim: number; readonly ms: number }
  | { readonly kind: "worker-drain"; readonly victim: number }
  /** Of one stage. */
  | { readonly kind: "rolling-restart"; readonly victim: number }
  | { readonly kind: "scale"; readonly victim: number; readonly workers: number }
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
  /** Its data is copied, and after a while the copy is put back: acknowledged commits are lost. */
  | { readonly kind: "postgres-put-back"; readonly ms: number }
  | { readonly kind: "postgres-disk-full"; readonly ms: number }
  | { readonly kind: "postgres-reset"; readonly share: number }
  | { readonly kind: "postgres-delay"; readonly latencyMs: number; readonly ms: number }
  | { readonly kind: "postgres-black-hole"; readonly share: number; readonly ms: number }
  /** The connection ends before the next COMMIT reaches the server. */
  | { readonly kind: "commit-cut-before" }
  /** The connection ends after the server has committed, before the client hears of it. */
  | { readonly kind: "commit-cut-after" }
  | { readonly kind: "redis-restart" }
  /** SIGKILL, and it is away for a while. */
  | { readonly kind: "redis-kill"; readonly ms: number }
  | { readonly kind: "redis-freeze"; readonly ms: number }
  | { readonly kind: "redis-reset"; readonly share: number }
  | { readonly kind: "redis-black-hole"; readonly share: number; readonly ms: number }
  /** SIGKILL of the S3 server, which is away for a while. */
  | { readonly kind: "s3-kill"; readonly ms: number }
  | { readonly kind: "s3-reset"; readonly share: number }
  | { readonly kind: "s3-delay"; readonly latencyMs: number; readonly ms: number }
  | { readonly kind: "s3-black-hole"; readonly share: number; readonly ms: number }
  /** The source's replication slot is dropped; then its owner raises `resync`, as the stage's message says. */
  | { readonly kind: "slot-dropped" }
  /** The server takes away the log that the slot still needs. */
  | { readonly kind: "slot-invalidated" };

export type FaultKind = Fault["kind"];
export type FaultOf<Kind extends FaultKind> = Extract<Fault, { readonly kind: Kind }>;

/** Workers of a stage at once, at most. */
export const MOST_WORKERS = 4;
/** The group's session is 15 s: whoever is silent for longer has lost its partitions. */
const SESSION_MS = 15_000;

export function makeFault(
  dice: Dice,
  kind: Exclude<FaultKind, "table-added" | "postgres-put-back">,
  mostWorkers: number,
): Fault {
  const victim = dice.unit();
  const ms = (least: number, most: number): number => Math.round(least + dice.unit() * (most - least));
  switch (kind) {
    case "worker-kill":
    case "pod-kill":
    case "worker-drain":
    case "rolling-restart":
      return { kind, victim };
    case "worker-zombie":
      return { kind, victim, ms: SESSION_MS + ms(1_000, 6_000) };
    case "worker-pause":
      return { kind, victim, ms: ms(1_000, 12_000) };
    case "scale":
      return { kind, victim, workers: dice.whole(1, mostWorkers) };
    case "clock-jump":
      return {
        ...{ kind, victim, ms: ms(3_000, 15_000) },
        seconds: dice.pick([-86_400, -3_600, -30, 30, 3_600, 86_400 * 400]),
      };
    case "partitions-added":
      return { kind, more: dice.whole(1, 2) };
    case "broker-freeze":
    case "redis-freeze":
      return { kind, ms: ms(1_000, 10_000) };
    case "redis-kill":
    case "s3-kill":
      return { kind, ms: ms(0, 8_000) };
    case "postgres-disk-full":
      return { kind, ms: ms(2_000, 6_000) };
    case "kafka-reset":
    case "postgres-reset":
    case "redis-reset":
    case "s3-reset":
      return { kind, share: 0.3 + 0.7 * dice.unit() };
    case "kafka-delay":
    case "postgres-delay":
    case "s3-delay":
      return { kind, latencyMs: ms(5, 400), ms: ms(2_000, 8_000) };
    case "kafka-black-hole":
    case "postgres-black-hole":
    case "redis-black-hole":
    case "s3-black-hole":
      return { kind, share: 0.3 + 0.7 * dice.unit(), ms: ms(1_000, 12_000) };
    case "broker-restart":
    case "broker-kill":
    case "postgres-restart":
    case "postgres-immediate":
    case "postgres-kill":
    case "postgres-terminate":
    case "commit-cut-before":
    case "commit-cut-after":
    case "redis-restart":
    case "slot-dropped":
    case "slot-invalidated":
      return { kind };
  }
}

/** A fault in words: its kind, and what was chosen for it. */
export function describeFault(fault: Fault): string {
  const { kind, ...details } = fault;
  const words = Object.entries(details).map(([name, value]) => `${name} ${Math.round(Number(value) * 100) / 100}`);
  return [kind, ...words].join(" ");
}
