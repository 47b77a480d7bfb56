/** An engine's process: started, watched until it begins, stopped with all that it holds. */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { BenchFailed } from "./errors.ts";
import type { Command } from "./engines/engine.ts";

export interface EngineProcess {
  readonly pid: number;
  /** @throws BenchFailed with its last words when it has ended by itself */
  check(): void;
  /** SIGTERM, and SIGKILL when that does not help. */
  stop(): Promise<void>;
}

const BEGIN_SECONDS = 60;
const STOP_SECONDS = 30;
const LAST_WORDS = 3_000;

/**
 * Starts it and waits until it begins its work.
 *
 * @param begins in its output when it does
 * @param log file for its output
 * @param atBegin called at that moment
 * @throws BenchFailed when it ends before, or says nothing of the kind for 60 s
 */
export async function startEngine(
  { cwd, program, args, env }: Command,
  begins: RegExp,
  log: string,
  atBegin: (pid: number) => void,
): Promise<EngineProcess> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: _, ...inherited } = process.env;
  const child = spawn(program, args, { cwd, env: { ...inherited, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const withUs = (): void => void child.kill("SIGKILL");
  process.once("exit", withUs);
  child.once("exit", () => process.off("exit", withUs));
  const output = createWriteStream(log, { flags: "a" });
  let said = "";
  let begun = false;
  const take = (chunk: string): void => {
    output.write(chunk);
    said = (said + chunk).slice(-20_000);
    if (begun || !begins.test(said)) return;
    begun = true;
    atBegin(child.pid ?? 0);
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", take);
  child.once("close", () => output.end());
  let failure: Error | undefined;
  child.once("error", (error) => (failure = error));
  const check = (): void => {
    if (failure !== undefined) throw new BenchFailed(`cannot start ${program}: ${failure.message}`);
    if (!ended(child)) return;
    const how = child.exitCode === null ? `signal ${String(child.signalCode)}` : `code ${child.exitCode}`;
    throw new BenchFailed(`the engine ended with ${how}; its last words:\n${said.slice(-LAST_WORDS)}`);
  };
  const stop = async (): Promise<void> => {
    if (ended(child) || failure !== undefined) return;
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_SECONDS * 1000);
    await exit;
    clearTimeout(timer);
  };
  const deadline = performance.now() + BEGIN_SECONDS * 1000;
  while (!begun) {
    check();
    if (performance.now() > deadline) {
      await stop();
      throw new BenchFailed(`the engine did not begin in ${BEGIN_SECONDS} s; it said:\n${said.slice(-LAST_WORDS)}`);
    }
    await sleep(20);
  }
  return { pid: child.pid ?? 0, check, stop };
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
