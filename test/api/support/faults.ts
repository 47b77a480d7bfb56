/** A client that fails on purpose: around chosen writes, or with chosen answers. */
import type { KubeClient } from "../../../operator/src/kube/client.ts";
import { type KubeError, Unreachable } from "../../../operator/src/kube/errors.ts";

/** The process is taken to have died here. */
export class Crashed extends Unreachable {}

const verbs = ["apply", "create", "replace", "patch", "delete"] as const;

export interface Write {
  /** Counted from 1. */
  readonly number: number;
  readonly verb: (typeof verbs)[number];
  /** Kind, where the call names one. */
  readonly kind: string;
  /** Of status alone, which says what is and makes nothing. */
  readonly isStatus: boolean;
}

/** Called around each write: throws, or lets it pass. */
export interface Faults {
  before?(write: Write): void;
  after?(write: Write): void;
  /** Before a read: one that is dead does not read either, nor do what it would have done next. */
  read?(): void;
}

const reads = new Set(["get", "list", "discover"]);

/** Leases and events are not what a pipeline consists of: they pass. */
const passing = new Set(["Lease", "Event"]);

/** Its writes take place one after another, so that what a fault at one of them leaves is one thing. */
export function faulty(client: KubeClient, faults: Faults): KubeClient {
  let number = 0;
  let last: Promise<unknown> = Promise.resolve();
  return new Proxy(client, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      const call = (...args: unknown[]): unknown => Reflect.apply(method, target, args);
      const verb = verbs.find((entry) => entry === name);
      if (verb === undefined && reads.has(String(name)))
        return async (...args: unknown[]) => {
          faults.read?.();
          return await (call(...args) as Promise<unknown>);
        };
      if (verb === undefined) return call;
      return async (...args: unknown[]) => {
        const { kind = "" } = args[0] as { kind?: string };
        if (passing.has(kind)) return await (call(...args) as Promise<unknown>);
        const { subresource } = (args[1] ?? {}) as { subresource?: string };
        const write = async (): Promise<unknown> => {
          const about = { number: ++number, verb, kind, isStatus: subresource === "status" };
          faults.before?.(about);
          const result = await (call(...args) as Promise<unknown>);
          faults.after?.(about);
          return result;
        };
        const written = last.then(write);
        last = written.catch(() => undefined);
        return await written;
      };
    },
  });
}

/** Some writes are answered with an error, by turns before and after they took place. */
export function failSome(every: number, error: () => KubeError): Faults & { readonly failed: number } {
  let failed = 0;
  const fail = () => {
    failed++;
    throw error();
  };
  return {
    get failed() {
      return failed;
    },
    before: ({ number }) => {
      if (number % (2 * every) === 0) fail();
    },
    after: ({ number }) => {
      if (number % (2 * every) === every) fail();
    },
  };
}
