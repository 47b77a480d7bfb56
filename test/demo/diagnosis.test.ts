import { describe, expect, it } from "vitest";
import { podsNotReady } from "./diagnosis.ts";

const header = "NAMESPACE   NAME   READY   STATUS    RESTARTS   AGE";

describe("podsNotReady", () => {
  it("keeps those that are neither ready nor done", () => {
    const stuck = "caudal-demo  app-0  0/1  CrashLoopBackOff  3  1m";
    const rest = ["kube-system  coredns-1  1/1  Running  0  1m", "x  test  0/1  Completed  0  1m"];
    expect(podsNotReady([header, ...rest, stuck].join("\n"))).toEqual([header, stuck]);
  });

  it("is empty when all is well", () => {
    expect(podsNotReady(`${header}\nx  y  2/2  Running  0  1m\n`)).toEqual([]);
  });
});
