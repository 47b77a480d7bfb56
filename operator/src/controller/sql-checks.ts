/**
 * Checks of SQL, by DuckDB in processes of their own and off the queue: nobody waits for them with a worker in hand.
 * Verdicts are remembered. A check that was ended at a bound is no verdict: it is made again, later each time.
 *
 * Two run at once at most, which bounds their memory: one of those that may take some seconds, as ordinary ones do, and
 * one of those that have shown to take longer. In each lane namespaces take turns.
 */
import type { StreamPipeline } from "@caudal/crds";
import { CheckLimited } from "@caudal/pipeline/sql";
import { FairLine } from "./fair-line.ts";
import type { Problem } from "@caudal/pipeline";
import {
  boundHint,
  SQL_CPU_MS,
  findingsOf,
  keyOf,
  questionOf,
  type SqlAnswer,
  type SqlFindings,
  type SqlQuestion,
} from "@caudal/pipeline/checks";

/** Throws where the SQL could not be checked, which says nothing about it. */
export type AskSql = (question: SqlQuestion, bounds: AskBounds) => Promise<SqlAnswer>;

export interface AskBounds {
  /** Processor time after which it is ended. */
  readonly cpuMs: number;
  readonly signal: AbortSignal;
}

export interface SqlState extends SqlFindings {
  /** There is no verdict yet, and why; what runs goes on as it was. */
  readonly unchecked?: Problem & {
    /** When to look again at the latest; a verdict is announced. */
    readonly againMs: number;
    /** It has only just been asked: not worth a word yet. */
    readonly isNew: boolean;
  };
}

export const SQL_CHECK_RESULTS = ["valid", "invalid", "limited", "failed"] as const;
export type SqlCheckResult = (typeof SQL_CHECK_RESULTS)[number];

export interface SqlChecksOptions {
  readonly ask: AskSql;
  /** A pipeline, as `namespace/name`, has a verdict, or a reason why it has none. */
  readonly onChecked: (pipeline: string) => void;
  readonly onResult?: (result: SqlCheckResult) => void;
  /** Verdicts that are remembered. */
  readonly remembered?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/** Enough for 10,000 pipelines while each of them changes. */
const REMEMBERED = 20_000;
/** Processor time: a hundred ordinary tables take two seconds. */
const QUICK_CPU_MS = 4_000;
/** A check is not worth a word before this. */
const NEW_MS = 2_000;
const RETRY_MS = { limited: 60_000, failed: 5_000 } as const;
const RETRY_MOST_MS = 1_800_000;
const LIMITED = "SqlCheckLimited";

interface Job {
  readonly key: string;
  readonly tenant: string;
  readonly question: SqlQuestion;
  readonly since: number;
  /** Who waits for it. */
  readonly pipelines: Set<string>;
}

/** A check without a verdict. */
interface Miss {
  readonly problem: Problem;
  readonly times: number;
  readonly until: number;
}

class Lane {
  readonly line = new FairLine<Job>();
  readonly cpuMs: number;
  isBusy = false;

  constructor(cpuMs: number) {
    this.cpuMs = cpuMs;
  }
}

export class SqlChecks {
  readonly #options: SqlChecksOptions;
  readonly #now: () => number;
  readonly #verdicts: Recent<SqlFindings>;
  readonly #misses: Recent<Miss>;
  readonly #jobs = new Map<string, Job>();
  readonly #quick = new Lane(QUICK_CPU_MS);
  readonly #long = new Lane(SQL_CPU_MS);
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(options: SqlChecksOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#verdicts = new Recent(options.remembered ?? REMEMBERED);
    this.#misses = new Recent(options.remembered ?? REMEMBERED);
  }

  /** What is known of a pipeline's SQL; what is not known yet is asked. */
  check(pipeline: StreamPipeline): SqlState {
    const question = questionOf(pipeline);
    if (question === undefined) return { problems: [] };
    const key = keyOf(question);
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    const now = this.#now();
    const missed = this.#misses.get(key);
    if (missed !== undefined && missed.until > now)
      return { problems: [], unchecked: { ...missed.problem, againMs: missed.until - now, isNew: false } };

    const { namespace, name } = pipeline.metadata;
    let job = this.#jobs.get(key);
    if (job === undefined) {
      job = { key, tenant: namespace, question, since: now, pipelines: new Set() };
      this.#jobs.set(key, job);
      const lane = missed?.problem.reason === LIMITED ? this.#long : this.#quick;
      lane.line.add(namespace, job);
      this.#run(lane);
    }
    job.pipelines.add(`${namespace}/${name}`);
    const left = job.since + NEW_MS - now;
    const problem = missed?.problem ?? { reason: "SqlBeingChecked", message: "the SQL is being checked" };
    return { problems: [], unchecked: { ...problem, againMs: left > 0 ? left : RETRY_MS.limited, isNew: left > 0 } };
  }

  /** Ends what runs. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const { line } of [this.#quick, this.#long]) line.clear();
    await Promise.all(this.#running);
  }

  #run(lane: Lane): void {
    if (lane.isBusy || this.#stopping.signal.aborted) return;
    const job = lane.line.take();
    if (job === undefined) return;
    lane.isBusy = true;
    const running = this.#ask(lane, job).finally(() => {
      lane.isBusy = false;
      this.#running.delete(running);
      this.#run(lane);
    });
    this.#running.add(running);
  }

  async #ask(lane: Lane, job: Job): Promise<void> {
    const { ask, onChecked, onResult } = this.#options;
    try {
      const findings = findingsOf(await ask(job.question, { cpuMs: lane.cpuMs, signal: this.#stopping.signal }));
      this.#verdicts.set(job.key, findings);
      this.#misses.delete(job.key);
      onResult?.(findings.problems.length === 0 ? "valid" : "invalid");
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (error instanceof CheckLimited && lane === this.#quick) {
        this.#long.line.add(job.tenant, job);
        this.#run(this.#long);
        return;
      }
      this.#miss(job, error);
    }
    this.#jobs.delete(job.key);
    for (const pipeline of job.pipelines) onChecked(pipeline);
  }

  #miss({ key, question }: Job, error: unknown): void {
    const kind = error instanceof CheckLimited ? "limited" : "failed";
    const times = (this.#misses.get(key)?.times ?? 0) + 1;
    const waitMs = Math.min(RETRY_MS[kind] * 2 ** (times - 1), RETRY_MOST_MS);
    const why = error instanceof Error ? error.message : String(error);
    const again = `it is tried again after ${waitMs / 1000} s, and what runs goes on as it was`;
    const hint = `; if this stays, ${boundHint(question)}`;
    const message = `the SQL could not be checked, which says nothing about it: ${why}; ${again}${kind === "limited" ? hint : ""}`;
    const reason = kind === "limited" ? LIMITED : "SqlNotChecked";
    this.#misses.set(key, { problem: { reason, message }, times, until: this.#now() + waitMs });
    this.#options.onResult?.(kind);
  }
}

/** What was used last, up to a number of entries. */
class Recent<V> {
  readonly #entries = new Map<string, V>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > this.#most && oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
