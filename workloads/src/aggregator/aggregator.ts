/** The role: keeps exact tables in PostgreSQL from a topic. Assignment → progress → lanes → batches → commits. */
import { type AggregatorConfig, consumerGroup } from "@caudal/crds";
import { KafkaCluster } from "../kafka/cluster.ts";
import { sendDeadLetters } from "../kafka/dead-letters.ts";
import { Membership } from "../kafka/membership.ts";
import { Producer } from "../kafka/producer.ts";
import { TopicReader } from "../kafka/reader.ts";
import { checkWindows } from "../postgres/marks.ts";
import { compareAndMove } from "../postgres/progress.ts";
import { callObserver, ownerOf } from "../postgres/session.ts";
import { ConfigInvalid } from "../runtime/errors.ts";
import type { Role, RuntimeContext } from "../runtime/role.ts";
import { compilePlan } from "../sql/compile.ts";
import { Kernel } from "../kernel/kernel.ts";
import type { AggregatorPlan } from "../sql/plan.ts";
import { assign } from "./assign.ts";
import { Assignments } from "../stage/assignments.ts";
import { stageFlights } from "../stage/flights.ts";
import { Holding } from "../stage/holding.ts";
import { keepHouse } from "./keep-house.ts";
import { Kernels } from "./kernels.ts";
import { Ledger, type LedgerOptions } from "./ledger.ts";
import { Report } from "./report.ts";
import { Trouble } from "../stage/trouble.ts";
import { watchEnds } from "../stage/watch-ends.ts";
import { WatermarkKeeper } from "./watermark-keeper.ts";
import { Worker, type WorkerParts } from "./worker.ts";

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
  const membership = new Membership(cluster, {
    groupId: consumerGroup(context.config),
    topic,
    log,
    metrics,
    onAssigned: ({ partitions }) => assignments.set(partitions),
    onProblem,
  });
  const producer = new Producer(cluster, { metrics, onProblem });
  const target = { deadLetterTopic: config.deadLetterTopic, pipeline: owner.pipeline, stage: owner.stage };
  const flights = stageFlights();
  const kernels = new Kernels(
    async (tables) =>
      await Kernel.open({ ...plan, tables }, config.topic, {
        maxAheadMs: config.watermark.maxAheadMs,
        lateEvents: config.lateEvents,
        ...(flights === undefined ? {} : { flights }),
      }),
  );
  const closing = closingTables(plan, config.lateEvents);
  const keeper = new WatermarkKeeper({
    outputs: plan.tables.map(({ name }) => name),
    maxDelayMs: config.watermark.maxDelayMs,
    closing,
  });
  const report = new Report(context, { topic, idleTimeoutMs: config.watermark.idleTimeoutMs }, keeper, trouble);
  const ledgerOptions: LedgerOptions = {
    secret,
    owner,
    tables: plan.tables,
    move: compareAndMove,
    check: checkWindows,
    closing,
    onCall: callObserver(metrics),
    onRetry: () => metrics.retries.inc({ target: "postgres" }),
    log,
  };
  const parts: Omit<WorkerParts, "ledger"> = {
    context,
    tables: plan.tables,
    latePolicy: config.lateEvents,
    openReader: (of) => new TopicReader(cluster, of, { metrics, onProblem }),
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

  const house = { ...ledgerOptions, cluster, sourceTopic: topic };
  const ended = new AbortController();
  let housekeeping: Promise<void> | undefined;
  /** Works on one assignment after another, until something fails. */
  const session = async (): Promise<void> => {
    const ledger = await Ledger.open(ledgerOptions);
    housekeeping ??= keepHouse(context, plan, house, AbortSignal.any([drain.signal, ended.signal]));
    try {
      while (!drain.requested) {
        const { partitions, changed } = await assignments.current(drain.signal);
        report.expects(partitions);
        const assignment = await assign(
          { cluster, control: ledger.control, owner, topic, tables: plan.tables },
          partitions,
        );
        if (partitions.length === 0) trouble.clear();
        const wake = AbortSignal.any([changed, drain.signal]);
        await new Worker({ ...parts, ledger }, assignment).run(wake);
      }
    } finally {
      await ledger.close();
    }
  };

  membership.start();
  const measuring = watchEnds({ cluster, topic, report, log, signal: drain.signal });
  try {
    await new Holding(trouble, drain, health).repeat(session);
  } finally {
    ended.abort();
    await Promise.all([housekeeping, measuring]);
    await membership.stop();
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
