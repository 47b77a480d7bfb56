/** A condition before it is compared with the one that stands. */
import type { Condition, ConditionType } from "@caudal/crds";
import { plainText } from "../kube/plain-text.ts";

export interface Finding {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** One of several things that make a condition False. */
export interface Cause {
  readonly reason: string;
  readonly message: string;
}

const MESSAGE_LIMIT = 8_000;
/** As many causes as a person reads. */
const CAUSES = 5;

export const holds = (reason: string, message: string): Finding => ({ status: "True", reason, message });
export const fails = (reason: string, message: string): Finding => ({ status: "False", reason, message });

/** The first cause gives the reason; the message names them all, up to a few. */
export function failsFor(causes: readonly Cause[]): Finding {
  const [first] = causes;
  if (first === undefined) return { status: "Unknown", reason: "Unknown", message: "" };
  const rest = causes.length > CAUSES ? `; and ${causes.length - CAUSES} more` : "";
  return fails(
    first.reason,
    causes
      .slice(0, CAUSES)
      .map(({ message }) => message)
      .join("; ") + rest,
  );
}

/** Puts a finding in form; the time of the last transition stays while the status does. */
export function setCondition(
  type: ConditionType,
  finding: Finding,
  before: readonly Condition[],
  at: { readonly generation: number; readonly now: number },
): Condition {
  const old = before.find((condition) => condition.type === type);
  const message = plainText(finding.message, MESSAGE_LIMIT);
  return {
    type,
    status: finding.status,
    reason: camelCase(finding.reason),
    message,
    observedGeneration: at.generation,
    lastTransitionTime: old?.status === finding.status ? old.lastTransitionTime : seconds(at.now),
  };
}

/** The last day that a date can have, and the first: pods may tell any number. */
const MAX_MS = 8_640_000_000_000_000;

/** ISO 8601 in UTC. @param ms epoch milliseconds */
export function isoTime(ms: number): string {
  return new Date(Math.min(MAX_MS, Math.max(-MAX_MS, ms))).toISOString();
}

/** To the second. @param ms epoch milliseconds */
export const seconds = (ms: number): string => isoTime(ms).replace(/\.\d+Z$/, "Z");
/** To the minute. @param ms epoch milliseconds */
export const minute = (ms: number): string => isoTime(ms).replace(/:\d+\.\d+Z$/, "Z");
/** To the day. @param ms epoch milliseconds */
export const day = (ms: number): string => isoTime(ms).replace(/T.*$/, "");

/** Reasons that other operators give may hold what the API server refuses. */
function camelCase(reason: string): string {
  const letters = reason
    .replace(/[^A-Za-z0-9_,:]+/g, "")
    .replace(/^[^A-Za-z]+/, "")
    .replace(/[,:]+$/, "");
  return letters === "" ? "Unknown" : letters.slice(0, 1024);
}
