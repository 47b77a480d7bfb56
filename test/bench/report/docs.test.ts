import { describe, expect, it } from "vitest";
import { withSection } from "./docs.ts";

describe("withSection", () => {
  const page =
    "# A\n<!-- bench:throughput -->\nold\n<!-- bench:end -->\nb\n<!-- bench:latency -->\n<!-- bench:end -->\n";

  it("replaces the section and nothing else, also the second time", () => {
    const once = withSection(page, "throughput", "new");
    expect(once).toBe(page.replace("\nold\n", "\n\nnew\n\n"));
    expect(withSection(once, "throughput", "new")).toBe(once);
    expect(withSection(page, "latency", "l")).toContain(
      "old\n<!-- bench:end -->\nb\n<!-- bench:latency -->\n\nl\n\n<!--",
    );
  });

  it("says which marks are missing", () => {
    expect(() => withSection(page, "growth", "new")).toThrow(/no section <!-- bench:growth -->/);
  });
});
