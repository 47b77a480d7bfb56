/** What a stage's template may add to its pods: who may write pipelines may run pipelines, and no programs of their own. */
import { stagesOf } from "../stages.ts";
import type { Problem } from "../problem.ts";
import type { CheckInput } from "./check.ts";

/** Of where a pod runs: nothing that it may not know. */
const SOURCES = new Set(["fieldRef", "resourceFieldRef"]);

/**
 * Variables decide what a program is: NODE_OPTIONS, LD_PRELOAD, SSL_CERT_FILE and others run or trust whatever they name,
 * beside the stage's secrets. So only those pass that our own programs document.
 */
export function variablesAreOurs({ pipeline }: CheckInput): Problem[] {
  return stagesOf(pipeline).flatMap(({ role, name: stage, template }) =>
    (template?.env ?? []).flatMap(({ name, valueFrom }) => {
      const path = `spec.${role}s[${stage}].template.env[${name}]`;
      if (!isOurs(name))
        return {
          reason: "VariableNotAllowed",
          message: `${path}: a stage takes the variables LOG_LEVEL and OTEL_… alone: leave it out`,
        };
      const others = Object.keys(valueFrom ?? {}).filter((source) => !SOURCES.has(source));
      if (others.length === 0) return [];
      return {
        reason: "VariableNotAllowed",
        message: `${path}.valueFrom: ${others.join(", ")} would read what the pipeline's author may not: write value, fieldRef or resourceFieldRef; headers with a password belong into the operator's extraEnv, which hands on OTEL_EXPORTER_*`,
      };
    }),
  );
}

/** Those of the specification of OpenTelemetry: upper case, digits and underscores. */
function isOurs(name: string): boolean {
  return name === "LOG_LEVEL" || /^OTEL_[A-Z0-9_]+$/.test(name);
}
