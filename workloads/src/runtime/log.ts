/** Structured logs: one JSON object a line on stdout, without secrets. */
import { type DestinationStream, type Logger, pino } from "pino";
import { ConfigInvalid } from "./errors.ts";

export type { Logger } from "pino";

const secrets = ["password", "username", "sasl.password", "connectionString", "uri", "token", "authorization"];

/**
 * @param labels on every line, such as namespace, pipeline, stage and role
 * @param level trace, debug, info, warn, error or silent; `LOG_LEVEL` in production
 * @throws ConfigInvalid when the level is none of these
 */
export function createLog(
  labels: Readonly<Record<string, string>>,
  level = "info",
  destination?: DestinationStream,
): Logger {
  if (level !== "silent" && !(level in pino.levels.values))
    throw new ConfigInvalid(
      `LOG_LEVEL is "${level}": use one of ${Object.keys(pino.levels.values).join(", ")} or silent`,
    );
  return pino(
    {
      level,
      base: labels,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: "[redacted]" },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}
