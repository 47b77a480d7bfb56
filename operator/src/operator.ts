/** The parts of the operator put together: caches and probes on every replica, the controller on the one that leads. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { label, type StreamPipeline } from "@caudal/crds";
import { SLOTS_LIMIT_MS } from "./apply/cleanup.ts";
import { Conflicts } from "./apply/conflicts.ts";
import { ensureHmacKey } from "./apply/hmac-key.ts";
import { SlotKeeper } from "./apply/slots.ts";
import { StatusWriter } from "./apply/status.ts";
import { Writes } from "./apply/writes.ts";
import type { OperatorConfig } from "./config.ts";
import { Controller } from "./controller/controller.ts";
import { type HttpServer, type Readiness, serveHttp } from "./controller/http.ts";
import type { Metrics } from "./controller/metrics.ts";
import { KeyedQueue } from "./controller/queue.ts";
import { Backoff } from "./kube/backoff.ts";
import type { KubeClient } from "./kube/client.ts";
import { type Clock, monotonic } from "./kube/clock.ts";
import { KubeError } from "./kube/errors.ts";
import { EventRecorder } from "./kube/events.ts";
import { LeaderElection } from "./kube/lease.ts";
import { severityOf } from "./kube/severity.ts";
import { type KubeObject, type Resource, resources } from "./kube/object.ts";
import { Caches } from "./observe/caches.ts";
import { type AskStage, askOverHttp } from "./observe/ask-stage.ts";
import { StagePoller } from "./observe/stages.ts";
import { stagesOf } from "@caudal/pipeline";
import { reconcile, type ReconcileContext } from "./reconcile.ts";
import type { CheckInput } from "@caudal/pipeline/checks";
import { type AskSql, SqlChecks } from "./controller/sql-checks.ts";

export interface OperatorOptions {
  readonly config: OperatorConfig;
  readonly client: KubeClient;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly askSql: AskSql;
  readonly checkFakeName?: CheckInput["checkFakeName"];
  readonly askStage?: AskStage;
  /** Around each reconcile: a span. */
  readonly trace?: <T>(name: string, work: () => Promise<T>) => Promise<T>;
  /** Epoch milliseconds: what is written as a date. */
  readonly now?: () => number;
  /** For durations: never jumps. */
  readonly clock?: Clock;
  readonly discoverEveryMs?: number;
  readonly unseenAfterMs?: number;
  readonly watchSilenceMs?: number;
  readonly watchRetryMs?: number;
  readonly askEveryMs?: number;
  readonly leaseDurationMs?: number;
  /** How long the removal of a slot is tried before a deletion goes on without it. */
  readonly slotsLimitMs?: number;
}

/** A loop that has not gone round for this long is dead. */
const LOOP_MS = 120_000;

export class Operator {
  readonly #options: OperatorOptions;
  readonly #now: () => number;
  readonly #clock: Clock;
  readonly #slots: SlotKeeper;
  readonly #caches: Caches;
  readonly #stages: StagePoller;
  readonly #election: LeaderElection | undefined;
  readonly #sql: SqlChecks;
  readonly #stopping = new AbortController();
  #queue: KeyedQueue | undefined;
  #controller: Controller | undefined;
  #http: HttpServer | undefined;
  #hmacKey: Buffer | undefined;
  #beginning: Promise<void> | undefined;
  readonly #queueObserver: ReturnType<Metrics["queueObserver"]>;
  readonly #controllerObserver: ReturnType<Metrics["controllerObserver"]>;

  constructor(options: OperatorOptions) {
    const { client, config, log, metrics } = options;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#clock = options.clock ?? monotonic;
    this.#slots = new SlotKeeper({ clock: this.#clock, onEnded: (key) => this.#queue?.add(key) });
    this.#sql = new SqlChecks({
      ask: options.askSql,
      onChecked: (key) => this.#queue?.add(key),
      onResult: (result) => metrics.countSqlCheck(result),
    });
    this.#queueObserver = metrics.queueObserver();
    this.#controllerObserver = metrics.controllerObserver(config.workers);
    this.#caches = new Caches({
      client,
      namespaces: config.namespaces,
      onChange: (resource, object) => this.#changed(resource, object),
      onKinds: () => this.#enqueueAll(),
      log,
      clock: this.#clock,
      ...(options.discoverEveryMs === undefined ? {} : { discoverEveryMs: options.discoverEveryMs }),
      ...(options.unseenAfterMs === undefined ? {} : { unseenAfterMs: options.unseenAfterMs }),
      ...(options.watchSilenceMs === undefined ? {} : { watchSilenceMs: options.watchSilenceMs }),
      ...(options.watchRetryMs === undefined ? {} : { watchRetryMs: options.watchRetryMs }),
    });
    metrics.showUnseen(() => this.#caches.unseenCounts());
    this.#stages = new StagePoller({
      pods: () =>
        this.#controller === undefined ? [] : this.#caches.all(resources.pod).filter((pod) => this.#isOfPipeline(pod)),
      ask: options.askStage ?? askOverHttp,
      onChange: (key) => this.#queue?.add(key),
      onAsked: (result) => metrics.countAsked(result),
      log,
      clock: this.#clock,
      ...(options.askEveryMs === undefined ? {} : { everyMs: options.askEveryMs }),
    });
    if (config.leaderElection)
      this.#election = new LeaderElection({
        client,
        namespace: config.ownNamespace,
        name: config.leaseName,
        identity: config.identity,
        onStarted: () => this.#lead(),
        onStopped: () => this.#follow(),
        log,
        clock: this.#clock,
        ...(options.leaseDurationMs === undefined ? {} : { durationMs: options.leaseDurationMs }),
      });
  }

  /** Port of the probes and metrics. */
  get port(): number {
    return this.#http?.port ?? 0;
  }

  get isLeading(): boolean {
    return this.#controller !== undefined;
  }

  /** Resolves when probes and metrics are served; caches fill and leadership comes later. */
  async start(): Promise<void> {
    const { config, metrics } = this.#options;
    const probes = { live: () => this.#notLive(), ready: () => this.#readiness() };
    this.#http = await serveHttp(config.port, metrics.registry, probes);
    this.#showLeading(false);
    this.#caches.start();
    this.#stages.start();
    this.#beginning = this.#compete();
  }

  /** Leads, or waits to lead, once the key of the HMACs is known: an API server that is away delays it. */
  async #compete(): Promise<void> {
    const { config, client, log } = this.#options;
    const backoff = new Backoff(500, 15_000);
    const begun = this.#clock();
    while (!this.#stopping.signal.aborted) {
      try {
        this.#hmacKey = await ensureHmacKey(client, config.ownNamespace, config.hmacSecretName);
        if (this.#election === undefined) this.#lead();
        else this.#election.start();
        return;
      } catch (error) {
        if (!(error instanceof KubeError)) throw error;
        log[severityOf(error, this.#clock() - begun)](
          { reason: error.reason, error: error.message },
          "the key of the HMACs could not be read; tried again",
        );
        await sleep(backoff.next(), undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }

  /** Ends what runs, gives the lease back, and closes the port last. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#beginning;
    await this.#stopController();
    await this.#election?.stop();
    await Promise.all([this.#stages.stop(), this.#caches.stop(), this.#sql.stop()]);
    await this.#http?.close();
  }

  #lead(): void {
    const { client, config, log, metrics } = this.#options;
    const hmacKey = this.#hmacKey;
    if (hmacKey === undefined) return;
    const queue = new KeyedQueue({
      observer: this.#queueObserver,
      clock: this.#clock,
      // One is left to the others, whatever a namespace does.
      atOnceByTenant: Math.max(1, config.workers - 1),
    });
    const events = new EventRecorder({ client, reporter: config.identity, log, now: this.#now, clock: this.#clock });
    const context: ReconcileContext = {
      client,
      caches: this.#caches,
      stages: this.#stages,
      hmacKey,
      now: this.#now,
      clock: this.#clock,
      settings: {
        image: config.workloadImage,
        imagePullPolicy: config.imagePullPolicy,
        imagePullSecrets: config.imagePullSecrets,
        env: config.workloadEnv,
      },
      sql: this.#sql,
      ...(this.#options.checkFakeName === undefined ? {} : { checkFakeName: this.#options.checkFakeName }),
      writes: new Writes(events, log, (kind, action) => metrics.countWrite(kind, action)),
      statusWriter: new StatusWriter(client),
      conflicts: new Conflicts(),
      metrics,
      slots: this.#slots,
      log,
      slotsLimitMs: this.#options.slotsLimitMs ?? SLOTS_LIMIT_MS,
      tellOperator: async (fact) => {
        log.error({ reason: fact.reason }, fact.note);
        await events.record(aboutOperator(config), fact);
      },
      resyncMs: config.resyncMs,
    };
    const trace = this.#options.trace ?? (async (_name, work) => await work());
    this.#queue = queue;
    this.#controller = new Controller({
      queue,
      reconcile: (key) => trace(`reconcile ${key}`, () => reconcile(context, key)),
      workers: config.workers,
      observer: this.#controllerObserver,
      clock: this.#clock,
      log,
    });
    this.#showLeading(true);
    void this.#begin(this.#controller);
  }

  /** What could not be read by then is not seen, and its pipelines say so. */
  async #begin(controller: Controller): Promise<void> {
    await this.#caches.whenTried(this.#stopping.signal);
    if (this.#controller !== controller) return;
    this.#enqueueAll();
    controller.start();
  }

  #showLeading(leads: boolean): void {
    const { config, metrics } = this.#options;
    metrics.showLeading({ namespace: config.ownNamespace, name: config.leaseName }, leads);
  }

  #follow(): void {
    void this.#stopController();
  }

  async #stopController(): Promise<void> {
    const controller = this.#controller;
    this.#controller = undefined;
    this.#queue = undefined;
    this.#showLeading(false);
    await controller?.stop();
  }

  /** Whether a pod's labels name a stage that a pipeline has. */
  #isOfPipeline({ metadata: { namespace, labels = {} } }: KubeObject): boolean {
    const pipeline = this.#caches.get(resources.streamPipeline, namespace, labels[label.pipeline] ?? "");
    return (
      pipeline !== undefined &&
      stagesOf(pipeline as unknown as StreamPipeline).some(({ name }) => name === labels[label.stage])
    );
  }

  /** Finds the pipelines that an object is about. */
  #changed(resource: Resource, object: KubeObject): void {
    const { namespace, name, labels } = object.metadata;
    if (resource === resources.streamPipeline) {
      this.#queue?.add(`${namespace}/${name}`);
      return;
    }
    const owner = labels?.[label.pipeline];
    if (owner !== undefined) this.#queue?.add(`${namespace}/${owner}`);
    if (resource !== resources.kafka && resource !== resources.databaseCluster) return;
    for (const pipeline of this.#caches.all(resources.streamPipeline)) {
      if (pipeline.metadata.namespace !== namespace) continue;
      const spec = pipeline.spec as { kafka?: Reference; database?: Reference } | undefined;
      const used = resource === resources.kafka ? spec?.kafka : spec?.database;
      if (used?.clusterRef?.name === name) this.#queue?.add(`${namespace}/${pipeline.metadata.name}`);
    }
  }

  /** Every pipeline, and every name that a topic or database still bears: its pipeline may be gone. */
  #enqueueAll(): void {
    for (const { metadata } of this.#caches.all(resources.streamPipeline))
      this.#queue?.add(`${metadata.namespace}/${metadata.name}`);
    for (const kind of [resources.kafkaTopic, resources.databaseCluster, resources.database, resources.databaseRole])
      for (const { metadata } of this.#caches.all(kind)) {
        const owner = metadata.labels?.[label.pipeline];
        if (owner !== undefined && metadata.labels?.[label.released] !== "true")
          this.#queue?.add(`${metadata.namespace}/${owner}`);
      }
  }

  #notLive(): string | undefined {
    const now = this.#clock();
    if (now - this.#stages.lastActivity > LOOP_MS) return "the loop that asks stages stands still";
    if (this.#hmacKey !== undefined && this.#election !== undefined && now - this.#election.lastActivity > LOOP_MS)
      return "the loop that renews the lease stands still";
    const stuck = this.#controller?.stuck();
    if (stuck !== undefined) return `the reconcile of ${stuck} does not end`;
    return this.#caches.still();
  }

  /** What is not seen in one namespace of several costs that one alone: it is told, and the operator is ready. */
  #readiness(): Readiness {
    if (this.#hmacKey === undefined)
      return { ready: false, message: `Secret/${this.#options.config.hmacSecretName} has not been read` };
    const blind = this.#caches.blind();
    const troubles = this.#caches.troubles();
    return {
      ready: blind === undefined,
      message: [...(blind === undefined ? ["ok"] : [blind]), ...troubles].join("\n"),
    };
  }
}

/** What events about the operator itself are about: there as long as it is installed. */
function aboutOperator({ ownNamespace, leaseName }: OperatorConfig): KubeObject {
  const { apiVersion, kind } = resources.lease;
  return { apiVersion, kind, metadata: { name: leaseName, namespace: ownNamespace } };
}

interface Reference {
  readonly clusterRef?: { readonly name?: string };
}
