/** What Redis can answer, as one class per outcome. */
import { WorkloadError } from "../../runtime/errors.ts";

export abstract class RedisError extends WorkloadError {}

/** No connection, a lost one, a server that starts, follows or does not answer: back off and connect again. */
export class RedisUnavailable extends RedisError {
  readonly code = "REDIS_UNAVAILABLE";
  readonly reason = "RedisUnavailable";
  readonly retryable = true;
}

/** Memory is used up: back off, and let a person know. */
export class RedisExhausted extends RedisError {
  readonly code = "REDIS_EXHAUSTED";
  readonly reason = "RedisExhausted";
  readonly retryable = true;
}

/** Passwords, privileges, settings: a person has to change something. */
export class RedisRefused extends RedisError {
  readonly code = "REDIS_REFUSED";
  readonly reason = "RedisRefused";
  readonly retryable = false;
}

/** A partition's progress is not as expected: someone else has moved it, or Redis has lost it. */
export class RedisProgressMoved extends RedisError {
  readonly code = "REDIS_PROGRESS_MOVED";
  readonly reason = "ProgressMoved";
  readonly retryable = true;
}

const byWord: Readonly<Record<string, new (message: string, options?: ErrorOptions) => RedisError>> = {
  OOM: RedisExhausted,
  MISCONF: RedisExhausted, // it cannot write to its disk
  NOAUTH: RedisRefused,
  WRONGPASS: RedisRefused,
  NOPERM: RedisRefused,
  LOADING: RedisUnavailable,
  MASTERDOWN: RedisUnavailable,
  READONLY: RedisUnavailable, // a replica, or a primary that was just demoted
  NOREPLICAS: RedisUnavailable,
  NOSCRIPT: RedisUnavailable, // someone flushed the scripts: a new connection brings them again
  BUSY: RedisUnavailable,
};

/**
 * @param error as thrown by the client, by its socket or by reading the secret
 * @param doing what was tried, for people, such as `write`
 */
export function redisError(error: unknown, doing: string): RedisError {
  if (error instanceof RedisError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const word = /^(?:-?ERR )?([A-Z]+)\b/.exec(text)?.[1] ?? "";
  // An error within a script names the command's own error behind ours.
  const inner = Object.keys(byWord).find((known) => word === known || new RegExp(`\\b${known} `).test(text));
  const isReply = /^[A-Z]+ /.test(text);
  const Class = inner !== undefined ? byWord[inner] : isReply ? RedisRefused : RedisUnavailable;
  return new (Class ?? RedisUnavailable)(`${doing}: ${text}`, { cause: error });
}
