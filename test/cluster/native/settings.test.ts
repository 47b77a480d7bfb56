import { describe, expect, it } from "vitest";
import { addresses, freeSlot, nodeSettings, slots } from "./settings.ts";

const places = { clusterDir: "/repo/.cluster", binaryDir: "/cache/bin", snapshotter: "overlayfs" } as const;

/** First and last address of a range, as numbers. */
function bounds(cidr: string): readonly [number, number] {
  const [address = "", bits = "32"] = cidr.split("/");
  const first = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return [first, first + 2 ** (32 - Number(bits)) - 1];
}

describe("addresses", () => {
  it("overlap in no two slots", () => {
    const ranges = Array.from({ length: slots }, (_, slot) => addresses(slot))
      .flatMap(({ hostIp, podCidr, serviceCidr }) => [hostIp.replace(/1$/, "0/30"), podCidr, serviceCidr].map(bounds))
      .sort(([one], [other]) => one - other);
    for (const [index, [first]] of ranges.entries()) expect(first).toBeGreaterThan(ranges[index - 1]?.[1] ?? 0);
  });

  it("of the API server and of DNS are in the range of Services", () => {
    for (const slot of [0, 1, slots - 1]) {
      const { serviceCidr, apiServiceIp, dnsIp } = addresses(slot);
      const [first, last] = bounds(serviceCidr);
      for (const ip of [apiServiceIp, dnsIp]) {
        expect(bounds(ip)[0]).toBeGreaterThan(first);
        expect(bounds(ip)[0]).toBeLessThanOrEqual(last);
      }
    }
  });

  it("of the first slot are those that everyone expects", () => {
    expect(addresses(0)).toMatchObject({ dnsIp: "10.96.0.10", apiServiceIp: "10.96.0.1", podCidr: "10.244.0.0/24" });
  });
});

describe("freeSlot", () => {
  const route = (slot: number): string =>
    `10.96.${slot * 16}.0/20 via 10.99.${slot}.2 dev x\n10.99.${slot}.0/30 dev x proto kernel scope link`;

  it("is the first on a host without clusters", () => {
    expect(freeSlot("default via 192.0.2.1 dev eth0\n192.0.2.0/24 dev eth0 scope link\n")).toBe(0);
  });

  it("passes over what other clusters, or the host's own networks, use", () => {
    expect(freeSlot(route(0))).toBe(1);
    expect(freeSlot(`${route(0)}\n${route(2)}\n10.244.1.0/24 dev vpn`)).toBe(3);
  });

  it("is none when all are taken", () => {
    expect(freeSlot(Array.from({ length: slots }, (_, slot) => route(slot)).join("\n"))).toBeUndefined();
  });
});

describe("nodeSettings", () => {
  it("names a link no longer than the kernel allows", () => {
    expect(nodeSettings("0123456789abcdef", 0, places).link.length).toBeLessThanOrEqual(15);
  });
});
