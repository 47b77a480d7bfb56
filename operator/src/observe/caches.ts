/**
 * Caches of every kind that the operator watches. Kinds that may be missing (Strimzi's, CloudNativePG's, the
 * PodMonitor) are noticed by asking discovery, which every service account may, and watched from then on.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { label } from "@caudal/crds";
import type { KubeClient } from "../kube/client.ts";
import { type KubeObject, type Resource, resources } from "../kube/object.ts";
import { Reflector } from "../kube/reflector.ts";
import type { Installed } from "./observation.ts";

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

/** Always served by Kubernetes; the others come and go with their CRDs. */
const builtIn = new Set(["v1", "apps/v1", "policy/v1"]);

export interface CachesOptions {
  readonly client: KubeClient;
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[];
  readonly onChange: (resource: Resource, object: KubeObject) => void;
  /** Called when a kind arrived and its first list is read, or when it went. */
  readonly onKinds: () => void;
  readonly log: Logger;
  readonly discoverEveryMs?: number;
  readonly now?: () => number;
}

/** The API server has not been heard for this long: what the caches say may be old. */
const STALE_MS = 12 * 60_000;
/** Discovery, which does not wait for changes, is asked more often. */
const DISCOVERY_STALE_MS = 3 * 60_000;

export class Caches {
  readonly #options: CachesOptions;
  readonly #now: () => number;
  readonly #abort = new AbortController();
  readonly #reflectors = new Map<string, Reflector[]>();
  readonly #announced = new Set<string>();
  #discoveredAt: number | undefined;
  #running: Promise<void> | undefined;

  constructor(options: CachesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    await Promise.all([...this.#reflectors.values()].flat().map((reflector) => reflector.stop()));
  }

  /** Whether the API server serves this kind and its objects are known. */
  has(resource: Resource): boolean {
    const reflectors = this.#reflectors.get(resource.kind) ?? [];
    return reflectors.length > 0 && reflectors.every((reflector) => reflector.hasSynced);
  }

  installed(): Installed {
    return {
      strimzi: this.has(resources.kafkaTopic) && this.has(resources.kafka) && this.has(resources.kafkaUser),
      cloudNativePg:
        this.has(resources.databaseCluster) && this.has(resources.database) && this.has(resources.databaseRole),
      podMonitors: this.has(resources.podMonitor),
    };
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

  /** What is not read yet, if anything: discovery, or the first list of a kind that exists. */
  notSynced(): string | undefined {
    if (this.#discoveredAt === undefined) return "discovery has not answered yet";
    for (const [kind, reflectors] of this.#reflectors)
      if (!reflectors.every((reflector) => reflector.hasSynced || reflector.isAbsent))
        return `the first list of ${kind} has not been read`;
    return undefined;
  }

  /** Resolves when the first lists are read, or when `signal` fires. */
  async whenSynced(signal: AbortSignal): Promise<void> {
    while (this.notSynced() !== undefined && !signal.aborted)
      await sleep(100, undefined, { signal }).catch(() => undefined);
  }

  /** What has not been heard of for too long, if anything. */
  stale(): string | undefined {
    const now = this.#now();
    if (this.#discoveredAt !== undefined && now - this.#discoveredAt > DISCOVERY_STALE_MS)
      return "discovery has not answered for 3 minutes";
    for (const [kind, reflectors] of this.#reflectors)
      for (const reflector of reflectors)
        if (!reflector.isAbsent && now - reflector.lastActivity > STALE_MS)
          return `the watch of ${kind} has been silent for 12 minutes`;
    return undefined;
  }

  async #run(): Promise<void> {
    for (const { resource } of watched) if (builtIn.has(resource.apiVersion)) this.#open(resource);
    while (!this.#abort.signal.aborted) {
      try {
        await this.#discover();
        this.#discoveredAt = this.#now();
      } catch (error) {
        this.#options.log.warn({ error: String(error) }, "discovery failed; what was known stays");
      }
      this.#announce();
      // Until all first lists are read, look more often, so that a kind that arrived is announced soon.
      const wait = this.notSynced() === undefined ? (this.#options.discoverEveryMs ?? 15_000) : 200;
      await sleep(wait, undefined, { signal: this.#abort.signal }).catch(() => undefined);
    }
  }

  async #discover(): Promise<void> {
    const optional = watched.filter(({ resource }) => !builtIn.has(resource.apiVersion));
    for (const apiVersion of new Set(optional.map(({ resource }) => resource.apiVersion))) {
      const served = await this.#options.client.discover(apiVersion);
      for (const { resource } of optional) {
        if (resource.apiVersion !== apiVersion) continue;
        if (served?.has(resource.plural) === true) this.#open(resource);
        else await this.#close(resource);
      }
    }
  }

  #open(resource: Resource): void {
    const known = this.#reflectors.get(resource.kind);
    if (known !== undefined && !known.some((reflector) => reflector.isAbsent)) return;
    const { client, namespaces, onChange, log } = this.#options;
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
        }),
    );
    this.#reflectors.set(resource.kind, reflectors);
    for (const reflector of reflectors) reflector.start();
  }

  async #close(resource: Resource): Promise<void> {
    const known = this.#reflectors.get(resource.kind);
    if (known === undefined) return;
    this.#reflectors.delete(resource.kind);
    await Promise.all(known.map((reflector) => reflector.stop()));
  }

  /** Tells of kinds that came or went since the last time. */
  #announce(): void {
    let changed = false;
    for (const { resource } of watched) {
      if (this.has(resource) === this.#announced.has(resource.kind)) continue;
      changed = true;
      if (this.has(resource)) this.#announced.add(resource.kind);
      else this.#announced.delete(resource.kind);
      this.#options.log.info({ kind: resource.kind, served: this.has(resource) }, "kind noticed");
    }
    if (changed) this.#options.onKinds();
  }
}
