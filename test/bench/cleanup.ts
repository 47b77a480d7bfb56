/** What has to be undone at the end, in reverse order: after success, after an error, and after Ctrl-C. */
import { describeError } from "@caudal/workloads/runtime/errors";

export interface Cleanup {
  /** @returns takes the work back: it is no longer to be done at the end */
  add(work: () => Promise<void>): () => void;
  /** Does all of it, also when some of it fails; once, however often it is called. */
  run(): Promise<void>;
}

/** @param say told of work that fails */
export function newCleanup(say: (line: string) => void): Cleanup {
  let works: (() => Promise<void>)[] = [];
  let running: Promise<void> | undefined;
  const runAll = async (): Promise<void> => {
    for (const work of works.toReversed())
      await work().catch((error: unknown) => say(`cleaning up: ${describeError(error)}`));
  };
  return {
    add(work) {
      works.push(work);
      return () => {
        works = works.filter((one) => one !== work);
      };
    },
    run: async () => await (running ??= runAll()),
  };
}

/**
 * SIGINT and SIGTERM clean up and end the process, whatever goes on.
 *
 * @returns whether one has come: then what goes on fails, because all that it works with goes, and that says nothing
 */
export function cleanUpOnSignals(cleanup: Cleanup, say: (line: string) => void): () => boolean {
  let asked = false;
  const end = (signal: NodeJS.Signals): void => {
    if (asked) return;
    asked = true;
    process.on("unhandledRejection", () => undefined);
    say(`${signal}: stopping the engine and the servers, and removing what they wrote`);
    void cleanup.run().then(() => process.exit(signal === "SIGINT" ? 130 : 143));
  };
  process.on("SIGINT", end).on("SIGTERM", end);
  return () => asked;
}
