import { describe, expect, it } from "vitest";
import { caudalArgs } from "./install.ts";

describe("caudalArgs", () => {
  it("gives helm the images that the cluster has, as text even where a hash is all digits", () => {
    const args = caudalArgs({
      operator: { repository: "localhost/caudal/operator", tag: "123456789012" },
      workloads: { repository: "localhost/caudal/workloads", tag: "abc" },
    });
    expect(args.filter((_, index) => index % 2 === 0).every((flag) => flag === "--set-string")).toBe(true);
    expect(args).toContain("image.tag=123456789012");
    expect(args).toContain("workloads.image.repository=localhost/caudal/workloads");
  });
});
