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
}

/** Called around each write: throws, or lets it pass. */
export interface Faults {
  before?(write: Write): void;
  after?(write: Write): void;
}

/** Leases and events are not what a pipeline consists of: they pass. */
const passing = new Set(["Lease", "Event"]);

export function faulty(client: KubeClient, faults: Faults): KubeClient {
  let number = 0;
  return new Proxy(client, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      const call = (...args: unknown[]): unknown => Reflect.apply(method, target, args);
      const verb = verbs.find((entry) => entry === name);
      if (verb === undefined) return call;
      return async (...args: unknown[]) => {
        const { kind = "" } = args[0] as { kind?: string };
        if (passing.has(kind)) return await (call(...args) as Promise<unknown>);
        const write = { number: ++number, verb, kind };
        faults.before?.(write);
        const result = await (call(...args) as Promise<unknown>);
        faults.after?.(write);
        return result;
      };
    },
  });
}

/** The process dies at one write: nothing is written from then on. */
export function crashAt(at: number, when: "before" | "after"): Faults & { readonly crashed: boolean } {
  let crashed = false;
  const die = () => {
    crashed = true;
    throw new Crashed("the process has died");
  };
  return {
    get crashed() {
      return crashed;
    },
    before: ({ number }) => {
      if (crashed || (when === "before" && number === at)) die();
    },
    after: ({ number }) => {
      if (when === "after" && number === at) die();
    },
  };
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
