/** The one program of the workloads: `node main.js aggregator|generator|source|transform [--config FILE]`. */
import { parseArgs } from "node:util";
import { describeError, UsageInvalid } from "./runtime/errors.ts";
import { ExitCode } from "./runtime/exit.ts";
import type { Role } from "./runtime/role.ts";
import { runRole, type RunOptions } from "./runtime/run.ts";

const usage = `Usage: node main.js <role> [--config FILE]

Roles
  aggregator     keeps exact tables in PostgreSQL from a topic
  generator      writes made-up events to a topic
  source         sends the rows of a table, and their changes, to a topic
  transform      filters events and passes them on

Options
  --config FILE  the configuration (default: $CAUDAL_CONFIG, else /etc/caudal/config.json)
  --help         this text

Environment
  LOG_LEVEL                    trace, debug, info (default), warn, error or silent
  CAUDAL_HTTP_PORT             port of /metrics, /livez, /readyz and /status (default 8080)
  CAUDAL_DRAIN_SECONDS         time to finish after SIGTERM (default 25)
  CAUDAL_FAILED_SECONDS        how long /status still answers after an error that needs a person (default 20)
  OTEL_EXPORTER_OTLP_ENDPOINT  where traces go; unset: no traces

Exit codes
  0  asked to stop, and drained
  1  unexpected error
  2  bad command line or configuration
  3  asked to stop, and the deadline passed
  4  stopped by an error that needs a person
`;

const roles: Readonly<Record<RunOptions["role"], () => Promise<Role>>> = {
  aggregator: async () => (await import("./aggregator/aggregator.ts")).aggregatorRole,
  generator: async () => (await import("./generator/generator.ts")).generatorRole,
  source: async () => (await import("./source/source.ts")).sourceRole,
  transform: async () => (await import("./transform/transform.ts")).transformRole,
};

function isRole(name: string | undefined): name is RunOptions["role"] {
  return name !== undefined && Object.hasOwn(roles, name);
}

async function main(args: readonly string[]): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { config: { type: "string" }, help: { type: "boolean", short: "h" } },
    allowPositionals: true,
  });
  if (values.help === true) {
    process.stdout.write(usage);
    return ExitCode.Drained;
  }
  const [role, ...rest] = positionals;
  if (rest.length > 0 || !isRole(role))
    throw new UsageInvalid(role === undefined ? "name a role" : `"${positionals.join(" ")}" is no role`);
  return await runRole({
    role,
    load: roles[role],
    env: process.env,
    ...(values.config === undefined ? {} : { config: values.config }),
  });
}

try {
  // A role that gave up may leave sockets and timers behind: the code is known, so the process ends.
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${describeError(error)}\n\n${usage}`);
  process.exit(ExitCode.BadConfig);
}
