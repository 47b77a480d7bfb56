/** `caudal validate`: what API server and operator would say of a file. */
import type { Command } from "../command.ts";
import { PipelineInvalid, UsageError } from "../errors.ts";
import { checkPipeline, describeProblems } from "../pipeline/check.ts";
import { readPipelines } from "../pipeline/read.ts";

export const validateCommand: Command = {
  name: "validate",
  summary: "check pipelines in files as API server and operator would",
  help: `caudal validate FILE...

Checks every StreamPipeline of the files against the schema, its rules, and the operator's own checks: names, topics,
windows, generators' values, and all SQL, bound against the declared fields. All problems are told in one round, each
with its line and column. What depends on a cluster (listeners,
secrets, tables that another pipeline keeps) is not checked. Exit code 1 where a pipeline would be refused.

  FILE    YAML; - is standard input
`,
  options: {},
  async run({ positionals }) {
    if (positionals.length === 0) throw new UsageError("name a file: caudal validate PIPELINE.yaml");
    const refused: string[] = [];
    for (const file of positionals)
      for (const written of await readPipelines(file)) {
        const { pipeline, problems } = await checkPipeline(written);
        if (problems.length > 0) refused.push(describeProblems(file, problems));
        else process.stdout.write(`${file}: the pipeline ${pipeline.metadata.name} is valid\n`);
      }
    if (refused.length > 0) throw new PipelineInvalid(refused.join("\n"));
  },
};
