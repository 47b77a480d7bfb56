/** Says what goes on, with the seconds since the start: one line when a step begins, one when it ends. */

export interface Progress {
  /** Runs the work under a title; a step that is over at once (all was there) is not mentioned. */
  step<T>(title: string, work: () => Promise<T>): Promise<T>;
  say(line: string): void;
}

const quickMs = 400;

/** Progress on stderr, so that stdout is left to results. */
export function progressTo(write: (line: string) => void = (line) => process.stderr.write(`${line}\n`)): Progress {
  const start = performance.now();
  const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);
  const say = (line: string): void => write(`${seconds(start).padStart(7)} s  ${line}`);
  return {
    say,
    async step(title, work) {
      const begin = performance.now();
      let said = false;
      const timer = setTimeout(() => {
        said = true;
        say(`${title} …`);
      }, quickMs);
      try {
        const result = await work();
        if (said) say(`${title}: done in ${seconds(begin)} s`);
        return result;
      } catch (error) {
        say(`${title}: FAILED after ${seconds(begin)} s`);
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
