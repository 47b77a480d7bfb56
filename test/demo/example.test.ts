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
      tables: ["event_counts", "user_event_counts", "user_avg_waiting_time"].map((name) => ({
        name,
        order: ["window_start", 3],
      })),
    });
  });

  it("finds the queries and the images of banking", () => {
    const { queries, images } = findExample(join(repository, "examples"), "banking");
    expect(queries.map(({ name }) => name)).toContain("by-region");
    expect(queries.every(({ sql }) => !sql.endsWith(";"))).toBe(true);
    expect(images).toEqual(["postgres:17", "valkey/valkey:8.1"]);
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

  it("finds the tables of transforms, which are ordered by the time of their topic", () => {
    const text = `
metadata: { name: bank }
spec:
  topics: [{ name: paid, timestamp: at }, { name: users }]
  transforms:
    - { name: store, topic: paid, to: [{ name: history, table: { name: payments } }, { name: hot, redis: {} }] }
    - { name: people, topic: users, to: [{ name: all, table: { name: users, key: [id] } }] }
  aggregators: [{ name: a, tables: [{ name: counts }] }]`;
    expect(describeExample("x", text).tables).toEqual([
      { name: "payments", order: ["at"] },
      { name: "users", order: ["id"] },
      { name: "counts", order: ["window_start", 3] },
    ]);
  });
});
