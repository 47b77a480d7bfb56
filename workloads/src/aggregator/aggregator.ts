/** The role: keeps exact tables in PostgreSQL from a topic. Assignment → progress → lanes → batches → commits. */
import { type AggregatorConfig, consumerGroup } from "@caudal/crds";
import { KafkaCluster } from "../kafka/cluster.ts";
import { sendDeadLetters } from "../kafka/dead-letters.ts";
import { Membership } from "../kafka/membership.ts";
import { Producer } from "../kafka/producer.ts";
import { TopicReader } from "../kafka/reader.ts";
import { checkWindows } from "../postgres/marks.ts";
import { compareAndMove } from "../postgres/progress.ts";
import { callObserver, lostTopicsOf, ownerOf } from "../postgres/session.ts";
import { ConfigInvalid } from "../runtime/errors.ts";
import type { Role, RuntimeContext } from "../runtime/role.ts";
import { compilePlan } from "@caudal/pipeline/duckdb";
import { Kernel } from "../kernel/kernel.ts";
import type { AggregatorPlan } from "@caudal/pipeline/sql";
import { assign } from "./assign.ts";
import { Assignments } from "../stage/assignments.ts";
import { stageFlights } from "../stage/flights.ts";
import { CommitMemory } from "../stage/commit-memory.ts";
import { Seat } from "../stage/seat.ts";
import { tellLost } from "../stage/tell-lost.ts";
import { StandsBy, TablesRefused } from "./refused.ts";
import { tellWaiting, watchRefused } from "./stand-by.ts";
import { Holding } from "../stage/holding.ts";
import { House, keepHouse } from "./keep-house.ts";
import { Kernels } from "./kernels.ts";
import { Ledger, type LedgerOptions } from "./ledger.ts";
import { Report } from "./report.ts";
import { Trouble } from "../stage/trouble.ts";
import { watchEnds } from "../stage/watch-ends.ts";
import { WatermarkKeeper } from "./watermark-keeper.ts";
import { Worker, type WorkerParts } from "./worker.ts";

/** Idleness is known of what a broker has answered a moment ago. */
const ANSWER_MS = 1_000;

export const aggregatorRole: Role = {
  async run(context) {
    const { aggregator, database } = context.config;
    if (aggregator === undefined || database === undefined)
      throw new ConfigInvalid("an aggregator's configuration needs `aggregator` and `database`");
    await aggregate(context, aggregator, database.secret);
  },
};

async function aggregate(context: RuntimeContext, config: AggregatorConfig, secret: string): Promise<void> {
  const { drain, health, log, metrics } = context;
  const plan = await compilePlan(config);
  const topic = config.topic.name;
  const owner = ownerOf(context.config);
  const trouble = new Trouble(health, log);
  const onProblem = (error: unknown): void => trouble.note(error);
  const cluster = new KafkaCluster(context.config.kafka, { clientId: consumerGroup(context.config), metrics });
  const assignments = new Assignments();
  const membership = new Seat(
    () =>
      new Membership(cluster, {
        groupId: consumerGroup(context.config),
        topic,
        log,
        metrics,
        onAssigned: ({ partitions }) => assignments.set(partitions),
        onProblem,
      }),
    assignments,
  );
  const producer = new Producer(cluster, { metrics, onProblem });
  const target = { deadLetterTopic: config.deadLetterTopic, pipeline: owner.pipeline, stage: owner.stage };
  const flights = stageFlights();
  const kernels = new Kernels(
    async (tables) =>
      await Kernel.open({ ...plan, tables }, config.topic, {
        maxAheadMs: config.watermark.maxAheadMs,
        lateEvents: config.lateEvents,
        onTime: (ms) => context.health.noteTime(ms),
        ...(flights === undefined ? {} : { flights }),
      }),
  );
  const closing = closingTables(plan, config.lateEvents);
  const keeper = new WatermarkKeeper({
    tables: plan.tables,
    maxDelayMs: config.watermark.maxDelayMs,
    closing,
  });
  const report = new Report(context, { topic, idleTimeoutMs: config.watermark.idleTimeoutMs }, keeper, trouble);
  const ledgerOptions: LedgerOptions = {
    secret,
    owner,
    generation: context.generation,
    tables: plan.tables,
    move: compareAndMove,
    check: checkWindows,
    closing,
    onCall: callObserver(metrics),
    onRetry: () => metrics.retries.inc({ target: "postgres" }),
    log,
  };
  const memory = new CommitMemory();
  const parts: Omit<WorkerParts, "ledger" | "tables"> = {
    context,
    memory,
    latePolicy: config.lateEvents,
    openReader: (of) => new TopicReader(cluster, of, { metrics, onProblem, maxWaitMs: ANSWER_MS }),
    deadLetters: {
      send: async ({ topic: name, topicId }, letters) => {
        const addressed = letters.map((letter) => ({ ...letter, topic: name, topicId }));
        await sendDeadLetters(cluster, producer, target, addressed, Date.now());
      },
    },
    keeper,
    report,
    kernel: async (tables) => await kernels.get(tables),
    publishOffsets: (offsets) => {
      membership.commit(offsets.map((offset) => ({ ...offset, metadata: "" }))).catch((error: unknown) => {
        log.debug({ err: error }, "the group's offsets, kept for lag tools, could not be written");
      });
    },
    refused: new Map(),
  };

  const houseOptions = { ...ledgerOptions, cluster, sourceTopic: topic };
  const house = new House(
    async (tables, ended) => await keepHouse(context, { tables }, houseOptions, AbortSignal.any([drain.signal, ended])),
  );
  const admitted = async (): Promise<Ledger> => {
    try {
      return await Ledger.open(ledgerOptions);
    } catch (error) {
      if (!(error instanceof StandsBy)) throw error;
      // Others may write what this one may not: they get its partitions, and its place in the house.
      await Promise.all([membership.leave(), house.stop()]);
      if (error.served) report.standsBy(new Map(), new Map());
      else await tellWaiting(cluster, ledgerOptions, topic, report);
      throw error;
    }
  };
  /** Works on one assignment after another, until something fails, or other tables may be written. */
  const session = async (): Promise<void> => {
    const ledger = await admitted();
    const over = new AbortController();
    const { tables, refused } = ledger;
    trouble.stand(refused.length === 0 ? undefined : new TablesRefused(refused));
    const watching = refused.length === 0 ? undefined : watchRefused(ledgerOptions, tables, over);
    try {
      keeper.serve(tables);
      await house.serve(tables);
      membership.take();
      while (!drain.requested && !over.signal.aborted) {
        const ended = AbortSignal.any([drain.signal, over.signal]);
        const { partitions, changed } = await assignments.current(ended);
        report.expects(partitions);
        const assignment = await assign(
          {
            ...{ cluster, control: ledger.control, owner, topic, tables, memory },
            refused: refused.map(({ table }) => table),
            lost: lostTopicsOf(context.config),
            onTopic: (id) => health.setTopic(topic, id),
            onLost: (lost) => tellLost(context, "PostgreSQL", topic, lost),
          },
          partitions,
        );
        if (partitions.length === 0) trouble.clear();
        await new Worker({ ...parts, tables, ledger }, assignment).run(AbortSignal.any([changed, ended]));
      }
    } finally {
      over.abort();
      await watching;
      await ledger.close();
    }
  };

  const measuring = watchEnds({ cluster, topic, report, log, signal: drain.signal });
  try {
    await new Holding(trouble, drain, health).repeat(session);
  } finally {
    await Promise.all([house.stop(), measuring]);
    await membership.leave();
    await cluster.close();
    await kernels.close();
  }
}

/**
 * Tables whose windows take no late event: nothing changes a row of theirs that was sent as final. With each, how long
 * after the end of a window an event may be one of it: a session that would begin within its gap joins another.
 */
function closingTables(
  { tables }: AggregatorPlan,
  lateEvents: AggregatorConfig["lateEvents"],
): ReadonlyMap<string, number> {
  const closing = tables.filter(
    ({ size, advance, emit, gap }) =>
      lateEvents !== "Update" && size === advance && (emit?.revisions !== true || gap !== undefined),
  );
  return new Map(closing.map(({ name, gap = 0 }) => [name, gap]));
}
