import { describe, expect, it } from "vitest";
import { fillIn } from "./add-ons.ts";

describe("fillIn", () => {
  it("puts values in their places and leaves the rest", () => {
    expect(fillIn("image: ${image}\nip: ${dnsIp} ${other}", { image: "x:1", dnsIp: "10.96.0.10" })).toBe(
      "image: x:1\nip: 10.96.0.10 ${other}",
    );
  });
});
