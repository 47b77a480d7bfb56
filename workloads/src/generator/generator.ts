/**
 * The generator: makes events at its pace, sends them, and keeps with its consumer group how far each shard is.
 *
 * The topic's partitions are what the replicas share: the owner of partition s makes the events of shard s, whose keys
 * may lead them to any partition. Progress is kept about every second and when draining, after the acknowledgement: at
 * least once. After a crash at most the last second is made again, with the same values where they depend on the seed.
 */
import { SpanKind } from "@opentelemetry/api";
import { setTimeout as sleep } from "node:timers/promises";
import { consumerGroup, type GeneratorConfig } from "@caudal/crds";
import { KafkaCluster } from "../kafka/cluster.ts";
import { Membership } from "../kafka/membership.ts";
import { Producer } from "../kafka/producer.ts";
import type { Header } from "../kafka/batch-encoder.ts";
import { ConfigInvalid, describeError, Drained, reasonOf } from "../runtime/errors.ts";
import { FailureLog } from "../runtime/failure-log.ts";
import { isRetryable, retry } from "../runtime/retry.ts";
import type { Role, RuntimeContext } from "../runtime/role.ts";
import { activeTraceparent, withSpan } from "../runtime/telemetry.ts";
import { eventMaker, type MakeEvent, ValuesInvalid } from "./core/event.ts";
import { Outbox } from "./outbox.ts";
import { type Shard, Shards } from "./shards.ts";

/** Milliseconds between looks at what is due. */
const TICK_MS = 50;
/** The same when none will be: another assignment may bring more. */
const COMPLETED_TICK_MS = 500;
const KEEP_MS = 1_000;
/** Events of one shard that are made in one go: others have their turn, and the loop its heartbeat. */
const MOST_AT_ONCE = 10_000;

export const generatorRole: Role = {
  async run(context) {
    const config = context.config.generator;
    if (config === undefined) throw new ConfigInvalid('the configuration has no "generator"');
    const make = makerOf(config);
    const generator = new Generator(context, config, make);
    try {
      await generator.run();
    } finally {
      await generator.close();
    }
  },
};

function makerOf(config: GeneratorConfig): MakeEvent {
  try {
    return eventMaker(config);
  } catch (error) {
    if (error instanceof ValuesInvalid) throw new ConfigInvalid(error.message, { cause: error });
    throw error;
  }
}

class Generator {
  readonly #context: RuntimeContext;
  readonly #config: GeneratorConfig;
  readonly #make: MakeEvent;
  readonly #cluster: KafkaCluster;
  readonly #producer: Producer;
  readonly #membership: Membership;
  readonly #shards: Shards;
  readonly #failures: FailureLog;
  #outbox = new Outbox(1);
  #assigned = -1;
  #keptAt = 0;

  constructor(context: RuntimeContext, config: GeneratorConfig, make: MakeEvent) {
    this.#context = context;
    this.#config = config;
    this.#make = make;
    const { log, metrics } = context;
    this.#failures = new FailureLog(log);
    const groupId = consumerGroup(context.config);
    const onProblem = (error: unknown): void => this.#problem(error);
    this.#cluster = new KafkaCluster(context.config.kafka, { clientId: groupId, metrics });
    this.#producer = new Producer(this.#cluster, { metrics, onProblem });
    this.#shards = new Shards(config, groupId);
    const topic = config.topic.name;
    const onAssigned = (): void => context.health.clearError();
    this.#membership = new Membership(this.#cluster, { groupId, topic, log, metrics, onAssigned, onProblem });
  }

  /** Makes events until draining; then keeps what was done. */
  async run(): Promise<void> {
    const { drain, health } = this.#context;
    health.setReady(false, "waiting for partitions from the consumer group");
    this.#membership.start();
    while (!drain.requested) {
      health.beat();
      if (this.#membership.assignment.generation !== this.#assigned) await this.#takeOver();
      const more = await this.#makeDue();
      if (performance.now() - this.#keptAt >= KEEP_MS) await this.#keep();
      this.#showState();
      // Not at the drain's signal: it is soon over.
      if (!more) await sleep(this.#shards.completed ? COMPLETED_TICK_MS : TICK_MS);
    }
    await this.#keep();
  }

  async close(): Promise<void> {
    await this.#membership.stop();
    await this.#cluster.close();
  }

  /** Begins with the shards of a new assignment; outages are waited for. */
  async #takeOver(): Promise<void> {
    const { drain, health, log } = this.#context;
    const { generation, partitions } = this.#membership.assignment;
    try {
      await retry(
        async () => {
          const info = await this.#cluster.topic(this.#config.topic.name);
          const all = info.partitions.map(({ partition }) => partition);
          this.#shards.assign(partitions, await this.#membership.committed(all), all.length, performance.now());
          this.#outbox = new Outbox(all.length);
        },
        { signal: drain.signal, maxMs: 3_000, onRetry: (error) => this.#problem(error) },
      );
    } catch (error) {
      if (error instanceof Drained) return;
      throw error;
    }
    this.#assigned = generation;
    health.clearError();
    health.setReady(true, "running");
    log.info(
      { generation, shards: this.#shards.owned.map(({ shard, done }) => ({ shard, done })) },
      "took over shards",
    );
    await this.#keep();
  }

  /** Makes and sends what is due. @returns whether there was so much that more is due at once */
  async #makeDue(): Promise<boolean> {
    const now = performance.now();
    const due = this.#shards.owned.map((shard) => {
      const wanted = Math.min(shard.pace.due(now, shard.done), shard.total - shard.done);
      return { shard, events: Math.min(wanted, MOST_AT_ONCE), more: wanted > MOST_AT_ONCE };
    });
    const events = due.reduce((sum, one) => sum + one.events, 0);
    if (events === 0) return false;
    const attributes = {
      "caudal.events": events,
      "messaging.system": "kafka",
      "messaging.operation.type": "send",
      "messaging.destination.name": this.#config.topic.name,
    };
    await withSpan(this.#context.tracer, "generate", { kind: SpanKind.PRODUCER, attributes }, async () => {
      const traceparent = activeTraceparent();
      const headers: Header[] = traceparent === undefined ? [] : [["traceparent", traceparent]];
      const made = new Map<Shard, number>();
      for (const { shard, events: wanted } of due) {
        for (let n = 0; n < wanted; n++) {
          const event = shard.shard + (shard.done + (made.get(shard) ?? 0)) * shard.shards;
          const at = Date.now();
          this.#outbox.add(this.#make(event, at), event, at, headers);
          made.set(shard, (made.get(shard) ?? 0) + 1);
          if (this.#outbox.full) await this.#send(made);
        }
      }
      await this.#send(made);
    });
    return due.some(({ more }) => more);
  }

  /** Sends the outbox; what is acknowledged counts as done. */
  async #send(made: Map<Shard, number>): Promise<void> {
    const { health, metrics } = this.#context;
    const topic = this.#config.topic.name;
    const { events } = this.#outbox;
    const bytes = await this.#outbox.flush(this.#producer, topic);
    for (const [shard, count] of made) shard.done += count;
    made.clear();
    if (events === 0) return;
    metrics.events.inc({ topic }, events);
    metrics.batches.inc();
    metrics.bytes.inc(bytes);
    health.count({ events });
    health.clearError();
    this.#failures.clear();
    health.beat();
  }

  /** Keeps progress with the group. What cannot be kept now is kept later, or made again by who owns it then. */
  async #keep(): Promise<void> {
    this.#keptAt = performance.now();
    const unkept = this.#shards.unkept();
    if (unkept.length === 0) return;
    try {
      await this.#membership.commit(unkept.map(({ offset }) => offset));
      for (const { shard, offset } of unkept) shard.kept = offset.offset;
    } catch (error) {
      if (!isRetryable(error)) throw error;
      this.#problem(error);
    }
  }

  #showState(): void {
    if (this.#assigned >= 0) this.#context.health.setState(this.#shards.completed ? "Completed" : "Running");
  }

  #problem(error: unknown): void {
    const { health } = this.#context;
    health.beat();
    this.#failures.note(error);
    if (this.#failures.isToShow(error)) health.setError(reasonOf(error), describeError(error));
  }
}
