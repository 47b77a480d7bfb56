import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repository } from "../cluster/host/paths.ts";
import { describeExample, findExample } from "./example.ts";

describe("findExample", () => {
  it("reads app-events with its three tables", () => {
    expect(findExample(join(repository, "examples"), "app-events")).toMatchObject({
      pipeline: "app-events",
      databaseCluster: "app-events-db",
      database: "events_storage",
      tables: ["event_counts", "user_event_counts", "user_avg_waiting_time"],
    });
  });

  it("names the examples that there are when there is none of that name", () => {
    expect(() => findExample(join(repository, "examples"), "app-evnets")).toThrow(
      /no example "app-evnets".*app-events/,
    );
  });
});

describe("describeExample", () => {
  it("follows the defaults of the API", () => {
    const text = "metadata: { name: my-pipeline }\nspec: { database: { clusterRef: { name: shared } } }";
    expect(describeExample("x", text)).toMatchObject({
      databaseCluster: "shared",
      database: "my_pipeline",
      tables: [],
    });
  });
});
