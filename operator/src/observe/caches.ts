/**
 * Caches of every kind that the operator watches, each kind and namespace for itself: what cannot be read in one
 * namespace costs that namespace alone. Kinds that may be missing (Strimzi's, CloudNativePG's, the PodMonitor) are
 * noticed by asking discovery, which every service account may. A kind that was there and is away is not gone until it
 * has been away for a while.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { label } from "@caudal/crds";
import { Backoff } from "../kube/backoff.ts";
import type { KubeClient } from "../kube/client.ts";
import { type Clock, monotonic } from "../kube/clock.ts";
import { type KubeObject, type Resource, resources } from "../kube/object.ts";
import { Reflector } from "../kube/reflector.ts";
import { severityOf } from "../kube/severity.ts";
import type { Installed, Unseen } from "./observation.ts";

interface Watched {
  readonly resource: Resource;
  /** Only objects with a pipeline's label. */
  readonly labelled: boolean;
}

const watched: readonly Watched[] = [
  { resource: resources.streamPipeline, labelled: false },
  { resource: resources.deployment, labelled: true },
  { resource: resources.configMap, labelled: true },
  { resource: resources.service, labelled: true },
  { resource: resources.podDisruptionBudget, labelled: true },
  { resource: resources.pod, labelled: true },
  { resource: resources.podMonitor, labelled: true },
  { resource: resources.kafka, labelled: false },
  { resource: resources.kafkaTopic, labelled: true },
  { resource: resources.kafkaUser, labelled: true },
  // Not only ours: spec.database.clusterRef names another's.
  { resource: resources.databaseCluster, labelled: false },
  { resource: resources.database, labelled: true },
  { resource: resources.databaseRole, labelled: true },
];

/** What reading a kind comes to that the API server does not serve. */
const notServed = new Set(["NotFound", "KindNotServed"]);

/** Without them pipelines run as well. */
const harmless = new Set<string>([resources.podMonitor.kind]);

/** Always served by Kubernetes; the others come and go with their CRDs. */
const builtIn = new Set(["v1", "apps/v1", "policy/v1"]);

export interface CachesOptions {
  readonly client: KubeClient;
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[];
  readonly onChange: (resource: Resource, object: KubeObject) => void;
  /** Called when a kind came into sight or went out of it, anywhere. */
  readonly onKinds: () => void;
  readonly log: Logger;
  readonly discoverEveryMs?: number;
  /** What is not read for longer is not seen. */
  readonly unseenAfterMs?: number;
  readonly watchSilenceMs?: number;
  /** Longest pause between two tries to read a kind. */
  readonly watchRetryMs?: number;
  readonly clock?: Clock;
}

/** A watch that is silent is replaced by a list after a minute and a half. */
const UNSEEN_MS = 120_000;
/** Looks at discovery, all of which must say that a kind is away before it is gone. */
const LOOKS = 4;
/** Each step of a reflector has a limit far below this. */
const STILL_MS = 10 * 60_000;
/** How long what stands in the way is only a retry. */
const TROUBLE_MS = 10_000;

export class Caches {
  readonly #options: CachesOptions;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #reflectors = new Map<string, Reflector[]>();
  /** Since when discovery has not named a kind, on our clock. */
  readonly #away = new Map<string, number>();
  readonly #everServed = new Set<string>();
  #told = "";
  /** When discovery was asked last, and when it last answered for all groups. */
  #askedAt: number | undefined;
  #discoveredAt: number | undefined;
  readonly #begunAt: number;
  #turnedAt: number;
  #running: Promise<void> | undefined;

  constructor(options: CachesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? monotonic;
    this.#turnedAt = this.#begunAt = this.#clock();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    await Promise.all(this.#all().map((reflector) => reflector.stop()));
  }

  /** Dependencies that the API server serves, as far as is known: one that is away for a moment counts as served. */
  installed(): Installed {
    const served = (...kinds: readonly Resource[]) => kinds.every((kind) => !this.#isAbsent(kind));
    return {
      strimzi: served(resources.kafkaTopic, resources.kafka, resources.kafkaUser),
      cloudNativePg: served(resources.databaseCluster, resources.database, resources.databaseRole),
      podMonitors: served(resources.podMonitor),
    };
  }

  /** Whether a kind has been away for so long that its objects are gone too. */
  isGone(resource: Resource): boolean {
    const since = this.#away.get(resource.kind);
    return since !== undefined && !this.#reflectors.has(resource.kind) && this.#clock() - since >= this.#goneAfterMs;
  }

  /** Kinds of which the operator does not know now what exists in a namespace. */
  unseen(namespace: string): Unseen[] {
    return watched.flatMap(({ resource }) => {
      if (this.#isAbsent(resource) || harmless.has(resource.kind)) return [];
      const reflector = this.#reflectors.get(resource.kind)?.find((one) => covers(one, namespace));
      const why = reflector === undefined ? "discovery has not named it yet" : this.#whyUnseen(reflector);
      return why === undefined ? [] : [{ kind: resource.kind, plural: resource.plural, why }];
    });
  }

  get(resource: Resource, namespace: string, name: string): KubeObject | undefined {
    for (const reflector of this.#reflectors.get(resource.kind) ?? []) {
      const found = reflector.store.get(namespace, name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  ofPipeline(resource: Resource, namespace: string, pipeline: string): KubeObject[] {
    return (this.#reflectors.get(resource.kind) ?? []).flatMap((reflector) =>
      reflector.store.ofPipeline(namespace, pipeline),
    );
  }

  all(resource: Resource): KubeObject[] {
    return (this.#reflectors.get(resource.kind) ?? []).flatMap((reflector) => [...reflector.store.all()]);
  }

  /** Resolves when each first list was read or could not be, or when `signal` fires. */
  async whenTried(signal: AbortSignal): Promise<void> {
    const tried = () =>
      this.#askedAt !== undefined && this.#all().every(({ hasSynced, trouble }) => hasSynced || trouble !== undefined);
    while (!tried() && !signal.aborted) await sleep(100, undefined, { signal }).catch(() => undefined);
  }

  /** Kinds and namespaces that are not read as they should be, each with the reason: for people. */
  troubles(): string[] {
    return this.#all().flatMap((reflector) => {
      const { trouble } = reflector;
      const why =
        this.#whyUnseen(reflector) ??
        (trouble !== undefined && this.#clock() - trouble.since > TROUBLE_MS ? trouble.message : undefined);
      return why === undefined ? [] : [`${titleOf(reflector)}: ${why}`];
    });
  }

  /** Kinds by the number of namespaces in which they are not seen; 0 where all is well. */
  unseenCounts(): Map<string, number> {
    const counts = [...this.#reflectors].map(([kind, reflectors]): [string, number] => [
      kind,
      reflectors.filter((reflector) => this.#whyUnseen(reflector) !== undefined).length,
    ]);
    return new Map(counts);
  }

  /** Why the operator can do nothing anywhere, if so: discovery, or a kind that is seen in no namespace. */
  blind(): string | undefined {
    if (this.#discoveredAt === undefined) return "discovery has not answered yet";
    if (this.#clock() - this.#discoveredAt > this.#unseenAfterMs + this.#everyMs)
      return `discovery has not answered for ${seconds(this.#clock() - this.#discoveredAt)} s`;
    const why = [...this.#reflectors].flatMap(([kind, reflectors]) => {
      const reasons = reflectors.map((reflector) => this.#whyUnseen(reflector));
      const [first] = reflectors;
      if (harmless.has(kind) || first === undefined || reasons.includes(undefined)) return [];
      return [`${titleOf(first)} is not seen: ${reasons[0] ?? ""}`];
    });
    return why.length === 0 ? undefined : why.join("; ");
  }

  /** A loop that does not go round, if any: only a restart helps. */
  still(): string | undefined {
    if (this.#running !== undefined && this.#clock() - this.#turnedAt > STILL_MS)
      return "the loop of discovery stands still";
    const still = this.#all().find(({ stillFor }) => stillFor > STILL_MS);
    return still === undefined ? undefined : `the loop that watches ${titleOf(still)} stands still`;
  }

  get #everyMs(): number {
    return this.#options.discoverEveryMs ?? 15_000;
  }

  get #goneAfterMs(): number {
    return this.#everyMs * LOOKS;
  }

  get #unseenAfterMs(): number {
    return this.#options.unseenAfterMs ?? UNSEEN_MS;
  }

  #all(): Reflector[] {
    return [...this.#reflectors.values()].flat();
  }

  /** One that was never there is absent at once; one that was is away until it has been so for a while. */
  #isAbsent(resource: Resource): boolean {
    if (!this.#away.has(resource.kind) || this.#reflectors.has(resource.kind)) return false;
    return !this.#everServed.has(resource.kind) || this.isGone(resource);
  }

  #whyUnseen(reflector: Reflector): string | undefined {
    const { hasSynced, trouble, age } = reflector;
    const cause = trouble === undefined ? "" : `: ${trouble.message}`;
    if (!hasSynced) return `its first list has not been read${cause}`;
    if (age <= this.#unseenAfterMs) return undefined;
    return `it has not been read for ${seconds(age)} s${cause}`;
  }

  async #run(): Promise<void> {
    for (const { resource } of watched) if (builtIn.has(resource.apiVersion)) this.#open(resource);
    while (!this.#abort.signal.aborted) {
      this.#turnedAt = this.#clock();
      if (this.#discoveredAt === undefined || this.#clock() - (this.#askedAt ?? 0) >= this.#everyMs) {
        await this.#discover();
        this.#askedAt = this.#clock();
      }
      this.#announce();
      await sleep(Math.min(1_000, this.#everyMs), undefined, { signal: this.#abort.signal }).catch(() => undefined);
    }
  }

  /** Each group for itself: one that is not answered for says nothing of the others. */
  async #discover(): Promise<void> {
    const optional = watched.filter(({ resource }) => !builtIn.has(resource.apiVersion));
    const groups = [...new Set(optional.map(({ resource }) => resource.apiVersion))];
    const answers = await Promise.allSettled(groups.map((group) => this.#options.client.discover(group)));
    for (const [index, answer] of answers.entries()) {
      const kinds = optional.filter(({ resource }) => resource.apiVersion === groups[index]);
      if (answer.status === "rejected")
        this.#options.log[severityOf(answer.reason, this.#clock() - (this.#discoveredAt ?? this.#begunAt))](
          { group: groups[index], error: String(answer.reason) },
          "discovery failed; what was known stays",
        );
      else for (const { resource } of kinds) await this.#found(resource, answer.value?.has(resource.plural) === true);
    }
    if (answers.every(({ status }) => status === "fulfilled")) this.#discoveredAt = this.#clock();
  }

  async #found(resource: Resource, served: boolean): Promise<void> {
    const { kind } = resource;
    if (served) {
      this.#away.delete(kind);
      this.#everServed.add(kind);
      this.#open(resource);
      return;
    }
    const now = this.#clock();
    const since = this.#away.get(kind) ?? now;
    this.#away.set(kind, since);
    const known = this.#reflectors.get(kind);
    // Discovery alone is not believed: who is still told of its objects, or hears nothing, knows nothing of that.
    const gone = known?.every(({ trouble }) => trouble !== undefined && notServed.has(trouble.reason)) === true;
    if (known === undefined || !gone || now - since < this.#goneAfterMs) return;
    this.#reflectors.delete(kind);
    await Promise.all(known.map((reflector) => reflector.stop()));
  }

  #open(resource: Resource): void {
    if (this.#reflectors.has(resource.kind)) return;
    const { client, namespaces, onChange, log, watchSilenceMs, watchRetryMs } = this.#options;
    const labelled = watched.some((entry) => entry.resource === resource && entry.labelled);
    const reflectors = (namespaces.length === 0 ? [undefined] : namespaces).map(
      (namespace) =>
        new Reflector({
          client,
          resource,
          namespace,
          labelSelector: labelled ? label.pipeline : undefined,
          onChange: (object) => onChange(resource, object),
          log,
          clock: this.#clock,
          ...(watchSilenceMs === undefined ? {} : { silenceMs: watchSilenceMs }),
          ...(watchRetryMs === undefined ? {} : { backoff: new Backoff(watchRetryMs / 4, watchRetryMs) }),
        }),
    );
    this.#reflectors.set(resource.kind, reflectors);
    for (const reflector of reflectors) reflector.start();
  }

  /** Tells of kinds that came into sight or went out of it since the last time. */
  #announce(): void {
    const unseen = this.#all().filter((reflector) => this.#whyUnseen(reflector) !== undefined);
    const absent = watched.filter(({ resource }) => this.#isAbsent(resource)).map(({ resource }) => resource.kind);
    const now = `absent ${absent.join(", ")}; not seen ${unseen.map(titleOf).join(", ")}`;
    if (now === this.#told) return;
    this.#told = now;
    this.#options.log.info({ absent, unseen: unseen.map(titleOf) }, "kinds in sight changed");
    this.#options.onKinds();
  }
}

function covers({ namespace }: Reflector, wanted: string): boolean {
  return namespace === undefined || namespace === wanted;
}

function titleOf({ resource, namespace }: Reflector): string {
  return `${resource.kind}${namespace === undefined ? "" : ` in namespace ${namespace}`}`;
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}
