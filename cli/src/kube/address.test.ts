import { describe, expect, test } from "vitest";
import { type ClusterAddress, readAddress } from "./address.ts";

describe("addresses of the cluster's DNS", () => {
  test.each<[host: string, address: ClusterAddress | undefined]>([
    ["app-events-db-rw", { namespace: "own", service: "app-events-db-rw" }],
    ["platform-kafka-bootstrap.demo.svc", { namespace: "demo", service: "platform-kafka-bootstrap" }],
    [
      "platform-dual-role-0.platform-kafka-brokers.demo.svc.cluster.local",
      { namespace: "demo", service: "platform-kafka-brokers", pod: "platform-dual-role-0" },
    ],
    ["db.example.com", undefined],
    ["localhost", undefined],
    ["127.0.0.1", undefined],
  ])("%s", (host, address) => {
    expect(readAddress(host, "own")).toEqual(address);
  });
});
