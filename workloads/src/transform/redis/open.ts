/** An output to Redis, from its configuration. */
import type { RedisOutputConfig } from "@caudal/crds";
import { planOf } from "../plan-of.ts";
import { RedisOutput, type RedisOutputOptions } from "./redis-output.ts";

export interface RedisOutputParts extends Pick<RedisOutputOptions, "owner" | "name" | "columns"> {
  readonly onCall: RedisOutputOptions["connection"]["onCall"];
}

/** @throws RedisRefused when the key's template does not fit the columns */
export function redisOutput(config: RedisOutputConfig, { onCall, ...parts }: RedisOutputParts): RedisOutput {
  const { key, as, ttlMs, secret } = config;
  return new RedisOutput({ ...parts, plan: planOf(key, as), key, as, ttlMs, connection: { secret, onCall } });
}
