/** The life of a workload: configuration, telemetry, HTTP, the role, and an end whose exit code says why. */
import { HTTP_PORT, type WorkloadConfig } from "@caudal/crds";
import type { Logger } from "pino";
import { boundAllocations } from "./allocations.ts";
import { configFile, generationIn, loadConfig } from "./config.ts";
import { Drain } from "./drain.ts";
import { ConfigInvalid, describeError, Drained, reasonOf, UsageInvalid, WorkloadError } from "./errors.ts";
import { ExitCode } from "./exit.ts";
import { Health } from "./health.ts";
import { serveHttp } from "./http.ts";
import { createLog } from "./log.ts";
import { logWhatIsPrinted } from "./printed.ts";
import { createMetrics } from "./metrics.ts";
import type { Role, RuntimeContext } from "./role.ts";
import { pause } from "./retry.ts";
import { startTelemetry } from "./telemetry.ts";

export interface RunOptions {
  readonly role: WorkloadConfig["stage"]["role"];
  readonly load: () => Promise<Role>;
  readonly config?: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Runs a role to its end.
 *
 * Environment: CAUDAL_CONFIG, LOG_LEVEL, CAUDAL_HTTP_PORT (8080), CAUDAL_DRAIN_SECONDS (25), CAUDAL_FAILED_SECONDS (20:
 * how long /status still answers after an error that needs a person), OTEL_EXPORTER_OTLP_ENDPOINT and its relatives.
 *
 * @returns the exit code; it never rejects
 */
export async function runRole(options: RunOptions): Promise<ExitCode> {
  const { env, role } = options;
  let log = createLog({ role });
  try {
    log = createLog({ role }, env["LOG_LEVEL"]);
    const file = configFile(options.config, env);
    const config = await loadConfig(file);
    if (config.stage.role !== role)
      throw new ConfigInvalid(`this process is a ${role}, and the configuration is of a ${config.stage.role}`);
    const { namespace, name: pipeline } = config.pipeline;
    const labels = { namespace, pipeline, stage: config.stage.name, role };
    log = createLog(labels, env["LOG_LEVEL"]);
    logWhatIsPrinted(log);
    await boundAllocations(log);
    const telemetry = await startTelemetry(role, env);
    const context: RuntimeContext = {
      config,
      generation: async () => await generationIn(file, config.pipeline),
      log,
      metrics: createMetrics(labels, true),
      drain: new Drain(),
      health: new Health(config.pipeline.generation),
      tracer: telemetry.tracer,
    };
    const http = await serveHttp(wholeNumber(env, "CAUDAL_HTTP_PORT", HTTP_PORT), {
      health: context.health,
      registry: context.metrics.registry,
      log,
    });
    log.info({ generation: config.pipeline.generation, port: http.port, node: process.version }, "started");
    try {
      return await live(context, options);
    } finally {
      await http.close();
      await telemetry.stop().catch((error: unknown) => {
        log.warn({ error: describeError(error) }, "the last traces could not be sent");
      });
    }
  } catch (error) {
    return endedBy(error, log);
  }
}

/** Runs the role until it ends, or until the deadline of draining passes. */
async function live(context: RuntimeContext, { load, env }: RunOptions): Promise<ExitCode> {
  const { drain, health, log } = context;
  const drainMs = wholeNumber(env, "CAUDAL_DRAIN_SECONDS", 25) * 1000;
  const failedMs = wholeNumber(env, "CAUDAL_FAILED_SECONDS", 20) * 1000;
  const onSignal = (signal: NodeJS.Signals): void => {
    log.info({ signal, seconds: drainMs / 1000 }, "draining");
    drain.request(signal);
    health.setState("Draining");
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  const over = new AbortController();
  try {
    const role = await load();
    const deadline = drain.wait().then(async () => {
      await pause(drainMs, over.signal).catch(() => undefined);
      return ExitCode.DrainDeadline;
    });
    const code = await Promise.race([role.run(context).then(() => ExitCode.Drained), deadline]);
    if (code === ExitCode.DrainDeadline) log.error("the deadline of draining passed; unfinished work is done again");
    else log.info(drain.requested ? "drained" : "finished");
    return code;
  } catch (error) {
    const code = endedBy(error, log);
    if (code === ExitCode.Drained) return code;
    health.setError(reasonOf(error), describeError(error));
    health.setState("Failed");
    // The operator asks for /status now and then: let it read why before the process is gone.
    if (code === ExitCode.NeedsPerson || code === ExitCode.BadConfig)
      await pause(failedMs, drain.signal).catch(() => undefined);
    return code;
  } finally {
    over.abort();
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
  }
}

/** Logs why the process ends and gives its exit code. */
function endedBy(error: unknown, log: Logger): ExitCode {
  if (error instanceof Drained) {
    log.info("drained");
    return ExitCode.Drained;
  }
  const details = { reason: reasonOf(error), error: describeError(error) };
  if (error instanceof ConfigInvalid || error instanceof UsageInvalid) {
    log.fatal(details, "the configuration is not valid");
    return ExitCode.BadConfig;
  }
  if (error instanceof WorkloadError && !error.retryable) {
    log.fatal(details, "stopped by an error that needs a person");
    return ExitCode.NeedsPerson;
  }
  log.fatal({ ...details, stack: error instanceof Error ? error.stack : undefined }, "stopped by an unexpected error");
  return ExitCode.Unexpected;
}

/** @throws ConfigInvalid when the variable is set to something else than a whole number */
function wholeNumber(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = env[name];
  if (text === undefined || text === "") return otherwise;
  if (!/^[0-9]{1,6}$/.test(text)) throw new ConfigInvalid(`${name} is "${text}": set it to a whole number`);
  return Number(text);
}
