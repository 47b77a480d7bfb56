/** The operator's process. */
import { KubeConfig } from "@kubernetes/client-node";
import { checkFakeName } from "@caudal/workloads/generator/core/fake";
import { createLog } from "@caudal/workloads/runtime/log";
import { logWhatIsPrinted } from "@caudal/workloads/runtime/printed";
import { startTelemetry, withSpan } from "@caudal/workloads/runtime/telemetry";
import { checkSql } from "@caudal/pipeline/sql";
import { ConfigError, help, type OperatorConfig, readConfig } from "./config.ts";
import { Metrics } from "./controller/metrics.ts";
import { HttpKubeClient } from "./kube/client.ts";
import { Transport } from "./kube/transport.ts";
import { Operator } from "./operator.ts";

/** Exit codes that tell a person, or an exit code's reader, what happened. */
const EXIT_CONFIG = 2;
const EXIT_FAILED = 1;
/** Beyond this a shutdown is cut off: Kubernetes would kill the process soon after. */
const SHUTDOWN_MS = 20_000;

if (process.argv.includes("--help") || process.argv.includes("-h")) {
  process.stdout.write(help);
  process.exit(0);
}

function configure(): OperatorConfig {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

const config = configure();
const log = createLog({ role: "operator" }, config.logLevel);
logWhatIsPrinted(log);
const metrics = new Metrics();
const telemetry = await startTelemetry("operator", process.env);
const kubeConfig = new KubeConfig();
kubeConfig.loadFromDefault();
const transport = new Transport(kubeConfig, metrics.countRequest);
const operator = new Operator({
  config,
  client: new HttpKubeClient(transport),
  metrics,
  log,
  askSql: (question, bounds) => checkSql(question, bounds),
  checkFakeName,
  trace: (name, work) => withSpan(telemetry.tracer, name, {}, work),
});

let stopping = false;
async function stop(signal: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info({ signal }, "stopping");
  setTimeout(() => process.exit(EXIT_FAILED), SHUTDOWN_MS).unref();
  await operator.stop();
  await telemetry.stop();
  transport.close();
  process.exit(0);
}
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop(signal));
process.on("unhandledRejection", (error) => {
  log.fatal({ error: error instanceof Error ? error.stack : String(error) }, "a promise failed unseen; restarting");
  process.exit(EXIT_FAILED);
});

log.info({ namespaces: config.namespaces, identity: config.identity }, "starting");
await operator.start();
