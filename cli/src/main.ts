#!/usr/bin/env node
/** The program `caudal`, also found as `kubectl caudal`. */
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Command } from "./command.ts";
import { CliError, EXIT_FAILED, EXIT_USAGE, UsageError } from "./errors.ts";
import { version } from "./version.ts";

// Compiled code of earlier runs, in a folder that only its owner writes: a run takes half the time with it.
enableCompileCache(join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "caudal"));

/** What a command needs is read only by that command. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  sql: async () => (await import("./sql/command.ts")).sqlCommand,
  run: async () => (await import("./run/command.ts")).runCommand,
  validate: async () => (await import("./validate/command.ts")).validateCommand,
  status: async () => (await import("./status/command.ts")).statusCommand,
};

async function help(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map(async (load) => await load()));
  const list = all.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`).join("\n");
  return `caudal: streaming pipelines on Kubernetes, from the command line

${list}

  caudal COMMAND --help     what a command takes
  caudal --version
`;
}

async function main(args: readonly string[]): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(await help());
    if (name === undefined) process.exitCode = EXIT_USAGE;
    return;
  }
  if (name === "--version" || name === "version") {
    process.stdout.write(`${version}\n`);
    return;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined)
    throw new UsageError(`there is no command ${name}: write one of ${Object.keys(commands).join(", ")}`);
  const command = await load();
  const call = parse(command, rest);
  if (call.values["help"] === true) process.stdout.write(command.help);
  else await command.run(call);
}

function parse(command: Command, args: readonly string[]) {
  const options = { ...command.options, help: { type: "boolean", short: "h" } } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    // node:util says which option is wrong.
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${message}; caudal ${command.name} --help says what it takes`, { cause: error });
  }
}

// Whoever reads less than we print, as `head` does, ends the program and is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof CliError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode === EXIT_USAGE ? EXIT_USAGE : EXIT_FAILED;
}
