/** What /metrics shows; names that controller-runtime has are its names, so that its dashboards work. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import { CONDITION_TYPES, type StreamPipeline } from "@caudal/crds";
import type { CountRequest } from "../kube/transport.ts";
import type { ControllerObserver } from "./controller.ts";
import { SQL_CHECK_RESULTS, type SqlCheckResult } from "./sql-checks.ts";
import type { QueueObserver } from "./queue.ts";

const CONTROLLER = "streampipeline";
const RECONCILE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const STATUSES = ["True", "False", "Unknown"] as const;

export interface StageMetrics {
  readonly stage: string;
  readonly role: string;
  /** Undefined while no pod answers. */
  readonly lag: number | undefined;
}

export class Metrics {
  readonly registry = new Registry();
  readonly #leader: Gauge<"name">;
  readonly #leads: Gauge<"lease">;
  readonly #pipelines: Gauge<"ready">;
  readonly #suspended: Gauge<"namespace" | "pipeline">;
  readonly #conditions: Gauge<"namespace" | "pipeline" | "type" | "status">;
  readonly #lag: Gauge<"namespace" | "pipeline" | "stage" | "role">;
  readonly #writes: Counter<"kind" | "action">;
  readonly #asked: Counter<"result">;
  readonly #slotsLeft: Counter<"namespace" | "pipeline">;
  readonly #sqlChecks: Counter<"result">;
  readonly #requests: Counter<"code" | "method" | "host">;
  readonly #ready = new Map<string, string>();
  /** The stages shown of each pipeline, so that they can be taken away. */
  readonly #stages = new Map<string, { stage: string; role: string }[]>();

  constructor() {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#leads = new Gauge({
      name: "caudal_operator_leads",
      help: "1 while this process leads, by the Lease, as namespace/name.",
      labelNames: ["lease"],
      registers,
    });
    this.#leader = new Gauge({
      name: "leader_election_master_status",
      help: "1 while this process leads.",
      labelNames: ["name"],
      registers,
    });
    this.#pipelines = new Gauge({
      name: "caudal_pipelines",
      help: "StreamPipelines by the status of their condition Ready.",
      labelNames: ["ready"],
      registers,
    });
    this.#suspended = new Gauge({
      name: "caudal_pipeline_suspended",
      help: "1 where a pipeline's spec says that it is suspended.",
      labelNames: ["namespace", "pipeline"],
      registers,
    });
    this.#conditions = new Gauge({
      name: "caudal_pipeline_condition",
      help: "1 for the status that a pipeline's condition has, 0 for the others.",
      labelNames: ["namespace", "pipeline", "type", "status"],
      registers,
    });
    this.#lag = new Gauge({
      name: "caudal_stage_lag_events",
      help: "Events that a stage has not handled yet, as its pods report.",
      labelNames: ["namespace", "pipeline", "stage", "role"],
      registers,
    });
    this.#writes = new Counter({
      name: "caudal_operator_writes_total",
      help: "Objects that the operator created, updated, deleted or released.",
      labelNames: ["kind", "action"],
      registers,
    });
    this.#slotsLeft = new Counter({
      name: "caudal_slots_left_total",
      help: "Replication slots that a deleted pipeline has left behind: their databases keep their log.",
      labelNames: ["namespace", "pipeline"],
      registers,
    });
    this.#asked = new Counter({
      name: "caudal_stage_status_requests_total",
      help: "Questions to pods for their status.",
      labelNames: ["result"],
      registers,
    });
    this.#sqlChecks = new Counter({
      name: "caudal_operator_sql_checks_total",
      help: "Checks of pipelines' SQL: valid, invalid, limited (ended at a bound, and made again) or failed.",
      labelNames: ["result"],
      registers,
    });
    for (const result of SQL_CHECK_RESULTS) this.#sqlChecks.inc({ result }, 0);
    this.#requests = new Counter({
      name: "rest_client_requests_total",
      help: "Requests to the API server, by answer.",
      labelNames: ["code", "method", "host"],
      registers,
    });
  }

  readonly countRequest: CountRequest = (labels) => this.#requests.inc(labels);

  /** Shows whether this process leads. */
  showLeading(lease: { readonly namespace: string; readonly name: string }, leads: boolean): void {
    this.#leader.set({ name: lease.name }, leads ? 1 : 0);
    this.#leads.set({ lease: `${lease.namespace}/${lease.name}` }, leads ? 1 : 0);
  }

  countWrite(kind: string, action: string): void {
    this.#writes.inc({ kind, action });
  }

  countSlotLeft(namespace: string, pipeline: string): void {
    this.#slotsLeft.inc({ namespace, pipeline });
  }

  countAsked(result: "ok" | "error"): void {
    this.#asked.inc({ result });
  }

  countSqlCheck(result: SqlCheckResult): void {
    this.#sqlChecks.inc({ result });
  }

  /** @param counts namespaces, by kind, in which the kind is not seen; asked at each scrape */
  showUnseen(counts: () => ReadonlyMap<string, number>): void {
    new Gauge({
      name: "caudal_operator_unseen_namespaces",
      help: "Namespaces in which the operator cannot see a kind; 1 where it looks after all of them at once.",
      labelNames: ["kind"],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [kind, count] of counts()) this.set({ kind }, count);
      },
    });
  }

  queueObserver(): QueueObserver {
    const registers = [this.registry];
    const labelNames = ["name"] as const;
    const name = { name: CONTROLLER };
    const depth = new Gauge({ name: "workqueue_depth", help: "Keys that wait.", labelNames, registers });
    const adds = new Counter({ name: "workqueue_adds_total", help: "Keys that were added.", labelNames, registers });
    const retries = new Counter({ name: "workqueue_retries_total", help: "Retries.", labelNames, registers });
    const waited = new Histogram({
      name: "workqueue_queue_duration_seconds",
      help: "How long a key waited.",
      labelNames,
      buckets: RECONCILE_SECONDS,
      registers,
    });
    return {
      onAdd: () => adds.inc(name),
      onDepth: (keys) => depth.set(name, keys),
      onTaken: (ms) => waited.observe(name, ms / 1000),
      onRetry: () => retries.inc(name),
    };
  }

  controllerObserver(workers: number): ControllerObserver {
    const registers = [this.registry];
    const controller = { controller: CONTROLLER };
    const total = new Counter({
      name: "controller_runtime_reconcile_total",
      help: "Reconciles by result.",
      labelNames: ["controller", "result"],
      registers,
    });
    const errors = new Counter({
      name: "controller_runtime_reconcile_errors_total",
      help: "Reconciles that failed.",
      labelNames: ["controller"],
      registers,
    });
    const seconds = new Histogram({
      name: "controller_runtime_reconcile_time_seconds",
      help: "How long a reconcile took.",
      labelNames: ["controller"],
      buckets: RECONCILE_SECONDS,
      registers,
    });
    const active = new Gauge({
      name: "controller_runtime_active_workers",
      help: "Reconciles that run now.",
      labelNames: ["controller"],
      registers,
    });
    const most = new Gauge({
      name: "controller_runtime_max_concurrent_reconciles",
      help: "Reconciles that may run at once.",
      labelNames: ["controller"],
      registers,
    });
    most.set(controller, workers);
    for (const result of ["success", "requeue_after", "error"]) total.inc({ ...controller, result }, 0);
    errors.inc(controller, 0);
    return {
      onStart: () => active.inc(controller),
      onEnd: (result, took) => {
        active.dec(controller);
        total.inc({ ...controller, result });
        if (result === "error") errors.inc(controller);
        seconds.observe(controller, took);
      },
    };
  }

  /** Shows a pipeline's status; called after each reconcile. */
  showPipeline(pipeline: Pick<StreamPipeline, "metadata" | "spec" | "status">, stages: readonly StageMetrics[]): void {
    const { namespace, name } = pipeline.metadata;
    this.forgetPipeline(namespace, name);
    this.#suspended.set({ namespace, pipeline: name }, pipeline.spec.suspend ? 1 : 0);
    for (const type of CONDITION_TYPES) {
      const condition = pipeline.status?.conditions?.find((entry) => entry.type === type);
      for (const status of STATUSES)
        this.#conditions.set({ namespace, pipeline: name, type, status }, condition?.status === status ? 1 : 0);
      if (type === "Ready") this.#ready.set(`${namespace}/${name}`, condition?.status ?? "Unknown");
    }
    for (const { stage, role, lag } of stages) {
      if (lag !== undefined) this.#lag.set({ namespace, pipeline: name, stage, role }, lag);
    }
    this.#stages.set(
      `${namespace}/${name}`,
      stages.map(({ stage, role }) => ({ stage, role })),
    );
    this.#showReady();
  }

  forgetPipeline(namespace: string, pipeline: string): void {
    this.#ready.delete(`${namespace}/${pipeline}`);
    this.#suspended.remove({ namespace, pipeline });
    for (const type of CONDITION_TYPES)
      for (const status of STATUSES) this.#conditions.remove({ namespace, pipeline, type, status });
    this.#removeLag(namespace, pipeline);
    this.#showReady();
  }

  #removeLag(namespace: string, pipeline: string): void {
    const key = `${namespace}/${pipeline}`;
    for (const entry of this.#stages.get(key) ?? []) this.#lag.remove({ namespace, pipeline, ...entry });
    this.#stages.delete(key);
  }

  #showReady(): void {
    const counts = new Map<string, number>(STATUSES.map((status) => [status, 0]));
    for (const status of this.#ready.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    for (const [ready, count] of counts) this.#pipelines.set({ ready }, count);
  }
}
