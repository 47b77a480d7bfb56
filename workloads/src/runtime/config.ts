/** The workload's configuration: the JSON file that the operator hands it. */
import { readFile } from "node:fs/promises";
import { path, WorkloadConfig } from "@caudal/crds";
import { Value } from "typebox/value";
import { ConfigInvalid, describeError } from "./errors.ts";

/** The file to read: the argument, else CAUDAL_CONFIG, else where the operator mounts it. */
export function configFile(argument: string | undefined, env: NodeJS.ProcessEnv): string {
  return argument ?? env["CAUDAL_CONFIG"] ?? path.config;
}

/**
 * Reads and checks the configuration.
 *
 * @throws ConfigInvalid that names the file, and every place that is wrong
 */
export async function loadConfig(file: string): Promise<WorkloadConfig> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new ConfigInvalid(
      `cannot read the configuration ${file}: ${describeError(error)}; name another file with --config or CAUDAL_CONFIG`,
      { cause: error },
    );
  }
  return parseConfig(text, file);
}

/** Checks a configuration's text; `file` is only named in errors. */
export function parseConfig(text: string, file: string): WorkloadConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigInvalid(`the configuration ${file} is not JSON: ${describeError(error)}`, { cause: error });
  }
  if (!Value.Check(WorkloadConfig, value)) {
    const places = Value.Errors(WorkloadConfig, value)
      .slice(0, 8)
      .map((error) => `${error.instancePath === "" ? "/" : error.instancePath} ${error.message}`);
    throw new ConfigInvalid(`the configuration ${file} is not valid: ${places.join("; ")}`);
  }
  const { role } = value.stage;
  if (value[role] === undefined)
    throw new ConfigInvalid(`the configuration ${file} is of a stage with role ${role} and has no "${role}"`);
  return value;
}

/**
 * The generation that the configuration's file has now. A change elsewhere in the pipeline writes it anew, and replaces
 * no pod.
 *
 * @param known what is in force where the file cannot be read, or is of another pipeline
 */
export async function generationIn(file: string, known: WorkloadConfig["pipeline"]): Promise<number> {
  try {
    const { pipeline } = await loadConfig(file);
    return pipeline.uid === known.uid ? Math.max(pipeline.generation, known.generation) : known.generation;
  } catch (error) {
    if (error instanceof ConfigInvalid) return known.generation;
    throw error;
  }
}
