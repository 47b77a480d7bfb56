import { describe, expect, it } from "vitest";
import { hostPrograms, missingPackages } from "./packages.ts";

describe("missingPackages", () => {
  it("is empty where every program is", () => {
    expect(missingPackages((file) => file)).toEqual([]);
  });

  it("names the packages, not the programs", () => {
    const missing = new Set(["ip", "mvn", "/usr/lib/cni/bridge"]);
    const found = missingPackages((file) => (missing.has(file) ? undefined : file));
    expect(found).toEqual(["containernetworking-plugins", "iproute2", "maven"]);
  });

  it("knows a package for each", () => {
    expect(missingPackages(() => undefined)).toHaveLength(hostPrograms.length);
  });
});
