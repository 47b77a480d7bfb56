/** The role: filters events, computes new ones from each, and writes them to its outputs, each by itself. */
import { type OutputConfig, outputGroup, type TransformConfig } from "@caudal/crds";
import { KafkaCluster } from "../kafka/cluster.ts";
import { sendDeadLetters } from "../kafka/dead-letters.ts";
import { watchForgotten } from "../kafka/forgotten.ts";
import { Membership } from "../kafka/membership.ts";
import { listOffsets } from "../kafka/offsets.ts";
import { Producer } from "../kafka/producer.ts";
import { TopicReader } from "../kafka/reader.ts";
import type { Flights } from "../kernel/flights.ts";
import { Projection } from "../kernel/projection.ts";
import { lostTopicsOf } from "../postgres/session.ts";
import { ConfigInvalid } from "../runtime/errors.ts";
import type { WorkHealth } from "../runtime/health.ts";
import { isRetryable } from "../runtime/retry.ts";
import type { Role, RuntimeContext } from "../runtime/role.ts";
import { compileTransformPlan } from "@caudal/pipeline/duckdb";
import type { TransformPlan } from "@caudal/pipeline/sql";
import { Assignments } from "../stage/assignments.ts";
import { checkLog } from "../stage/check-log.ts";
import { stageFlights } from "../stage/flights.ts";
import { CommitMemory } from "../stage/commit-memory.ts";
import { Holding } from "../stage/holding.ts";
import type { DeadLetters } from "../stage/ports.ts";
import { Seat } from "../stage/seat.ts";
import { tellLost } from "../stage/tell-lost.ts";
import { Trouble } from "../stage/trouble.ts";
import { watchEnds } from "../stage/watch-ends.ts";
import { OutputStandsBy } from "./errors.ts";
import { Lookups } from "./lookups.ts";
import type { Output } from "./output.ts";
import { isWriterOf, makeOutput } from "./outputs.ts";
import { Report, StageReport } from "./report.ts";
import { Worker } from "./worker.ts";

export const transformRole: Role = {
  async run(context) {
    const { transform } = context.config;
    if (transform === undefined) throw new ConfigInvalid("a transform's configuration needs `transform`");
    const plan = await compileTransformPlan(transform);
    context.health.setColumns(plan.columns.map(({ name, postgresType }) => ({ name, type: postgresType })));
    const healths = context.health.divide(transform.to.map(({ name }) => name));
    const report = new StageReport(
      context,
      transform.topic.name,
      transform.to.map(({ name }) => name),
    );
    const flights = stageFlights();
    await Promise.all(
      transform.to.map(async (output, index) => {
        const health = healths.get(output.name) ?? context.health;
        await serve({ context, transform, plan, output, health, report, flights, isFirst: index === 0 });
      }),
    );
  },
};

interface Service {
  readonly context: RuntimeContext;
  readonly transform: TransformConfig;
  readonly plan: TransformPlan;
  readonly output: OutputConfig;
  readonly health: WorkHealth;
  readonly report: StageReport;
  readonly flights: Flights | undefined;
  /** The first output of the spec tells of records that are no events, and counts the stage's events. */
  readonly isFirst: boolean;
}

/** Serves one output until draining. */
async function serve(service: Service): Promise<void> {
  const { context, transform, plan, output, health, isFirst } = service;
  const { drain, metrics } = context;
  const log = context.log.child({ output: output.name });
  const trouble = new Trouble(health, log);
  const onProblem = (error: unknown): void => trouble.note(error);
  const group = outputGroup(context.config, output.name);
  const cluster = new KafkaCluster(context.config.kafka, { clientId: group, metrics });
  const topic = transform.topic.name;
  const lost = lostTopicsOf(context.config);
  const assignments = new Assignments();
  const seat = new Seat(
    () =>
      new Membership(cluster, {
        groupId: group,
        topic,
        log,
        metrics,
        onAssigned: ({ partitions, ...member }) => assignments.set(partitions, member),
        onProblem,
      }),
    assignments,
  );
  const deadLetters = deadLettersOf(service, cluster, new Producer(cluster, { metrics, onProblem }));
  const report = new Report(service.report, output.name, isFirst, trouble);
  const refused = new Map<number, number>();
  const memory = new CommitMemory();

  /** Asks whether the output may be written. One that may not takes no partition: others may write it. */
  const admit = async (writer: Output): Promise<void> => {
    if (writer.accept === undefined) return;
    const info = await cluster.topic(topic);
    context.health.setTopic(topic, info.topicId);
    try {
      await writer.accept({ topic, topicId: info.topicId, lost }, await listOffsets(cluster, info, "earliest"));
    } catch (error) {
      if (isRetryable(error)) throw error;
      await seat.leave();
      const waiting = error instanceof OutputStandsBy ? error.waiting : undefined;
      report.standsBy(
        waiting ?? new Map(),
        waiting === undefined ? new Map() : await listOffsets(cluster, info, "latest"),
      );
      throw error;
    }
  };

  /** Works on one assignment after another, until something fails. */
  const session = async (): Promise<void> => {
    const lookups = await Lookups.open(context, transform, plan, onProblem);
    const writer = await makeOutput({ context, config: output, plan, sourceTopic: topic, cluster });
    const onTime = (ms: number): void => context.health.noteTime(ms);
    const bounds = { onTime, ...(service.flights === undefined ? {} : { flights: service.flights }) };
    const projection = await Projection.open(plan, transform.topic, writer, lookups, bounds);
    try {
      await admit(writer);
      seat.take();
      while (!drain.requested) {
        const { partitions, assignee, changed } = await assignments.current(drain.signal);
        report.expects(partitions);
        const info = await cluster.topic(topic);
        context.health.setTopic(topic, info.topicId);
        const source = { topic, topicId: info.topicId, lost };
        const starts = await listOffsets(cluster, info, "earliest", partitions);
        const positions = await writer.positions(source, assignee ?? { memberId: "", generation: -1 }, starts);
        await checkLog(cluster, info, positions, starts);
        const incarnation = writer.incarnation ?? "";
        const places = positions.map(({ partition, offset }) => ({
          output: output.name,
          partition,
          offset,
          incarnation,
        }));
        tellLost({ ...context, log }, storeOf(output), topic, memory.compare(places));
        report.assigned(positions, await listOffsets(cluster, info, "latest", partitions));
        if (partitions.length === 0) trouble.clear();
        const reader = new TopicReader(cluster, { name: topic, topicId: info.topicId }, { metrics, onProblem });
        const parts = { source, output: writer, projection, reader, deadLetters, report, refused, memory };
        await new Worker(
          { ...parts, context: { tracer: context.tracer, drain, health }, name: output.name, tellsBadRows: isFirst },
          positions,
        ).run(AbortSignal.any([changed, drain.signal]));
      }
    } finally {
      await writer.close();
      await projection.close();
      await lookups?.close();
    }
  };

  const measuring = watchEnds({ cluster, topic, report, log, signal: drain.signal });
  const watching = watch(service, cluster, group, () => seat.partitions.includes(0));
  try {
    await new Holding(trouble, drain, health).repeat(session);
    await Promise.all([watching, measuring]);
  } finally {
    await seat.leave();
    await cluster.close();
  }
}

/** What holds the output's progress, for people. */
function storeOf({ topic, redis }: OutputConfig): string {
  return topic !== undefined ? "Kafka" : redis !== undefined ? "Redis" : "PostgreSQL";
}

/** Of an output to a topic: whoever has the first partition looks after the writers of all, and of those that are gone. */
async function watch(
  { context, output: { topic } }: Service,
  cluster: KafkaCluster,
  group: string,
  isOurs: () => boolean,
): Promise<void> {
  if (topic === undefined) return;
  const writers = { own: isWriterOf(group), topics: [topic.name], group };
  await watchForgotten(cluster, writers, { signal: context.drain.signal, log: context.log, isOurs });
}

function deadLettersOf({ context, transform }: Service, cluster: KafkaCluster, producer: Producer): DeadLetters {
  const { pipeline, stage } = context.config;
  const target = {
    deadLetterTopic: transform.deadLetterTopic,
    pipeline: `${pipeline.namespace}/${pipeline.name}`,
    stage: stage.name,
  };
  return {
    send: async ({ topic, topicId }, letters) => {
      const addressed = letters.map((letter) => ({ ...letter, topic, topicId }));
      await sendDeadLetters(cluster, producer, target, addressed, Date.now());
    },
  };
}
