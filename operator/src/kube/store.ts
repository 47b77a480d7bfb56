/** What a reflector knows of one kind: objects by namespace and name, and by the pipeline that their label names. */
import { label } from "@caudal/crds";
import type { KubeObject } from "./object.ts";

export class Store {
  readonly #objects = new Map<string, KubeObject>();
  readonly #byPipeline = new Map<string, Set<string>>();

  get(namespace: string, name: string): KubeObject | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  /** In a fixed order, by name. */
  ofPipeline(namespace: string, pipeline: string): KubeObject[] {
    const keys = [...(this.#byPipeline.get(`${namespace}/${pipeline}`) ?? [])].sort();
    return keys.flatMap((key) => this.#objects.get(key) ?? []);
  }

  all(): Iterable<KubeObject> {
    return this.#objects.values();
  }

  set(object: KubeObject): void {
    const key = keyOf(object);
    this.#unlink(key);
    this.#objects.set(key, object);
    const pipeline = pipelineKeyOf(object);
    if (pipeline === undefined) return;
    const keys = this.#byPipeline.get(pipeline);
    if (keys === undefined) this.#byPipeline.set(pipeline, new Set([key]));
    else keys.add(key);
  }

  delete(object: KubeObject): void {
    const key = keyOf(object);
    this.#unlink(key);
    this.#objects.delete(key);
  }

  #unlink(key: string): void {
    const old = this.#objects.get(key);
    const pipeline = old === undefined ? undefined : pipelineKeyOf(old);
    if (pipeline === undefined) return;
    const keys = this.#byPipeline.get(pipeline);
    keys?.delete(key);
    if (keys?.size === 0) this.#byPipeline.delete(pipeline);
  }
}

export function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace}/${object.metadata.name}`;
}

function pipelineKeyOf(object: KubeObject): string | undefined {
  const pipeline = object.metadata.labels?.[label.pipeline];
  return pipeline === undefined ? undefined : `${object.metadata.namespace}/${pipeline}`;
}
