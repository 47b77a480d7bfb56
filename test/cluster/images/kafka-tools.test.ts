import { describe, expect, it } from "vitest";
import { kafkaScripts } from "./kafka-tools.ts";

describe("Kafka's scripts", () => {
  it("hand their arguments to the class that is meant", () => {
    expect(kafkaScripts["kafka-topics.sh"]).toMatch(
      /^#!\/bin\/sh\nexec java .* org\.apache\.kafka\.tools\.TopicCommand "\$@"\n$/s,
    );
  });

  it("are named as people know them", () => {
    for (const name of Object.keys(kafkaScripts)) expect(name).toMatch(/^kafka-[a-z-]+\.sh$/);
  });
});
