import { describe, expect, test } from "vitest";
import { childName, configMapName, databaseName, databaseOwner, topicObjectName } from "./names.ts";

describe("a child's name", () => {
  test("keeps pipeline a-b with stage c and pipeline a with stage b-c apart", () => {
    expect(childName("a-b", "c")).not.toBe(childName("a", "b-c"));
  });

  test("is a DNS label also for the longest pipeline and stage", () => {
    const name = childName("p".repeat(40), `s${"-".repeat(28)}s`);
    expect(name.length).toBeLessThanOrEqual(63);
    expect(name).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
    expect(configMapName("p".repeat(40), "s".repeat(30), "0123456789abcdef").length).toBeLessThanOrEqual(253);
  });

  test("is the same in every release", () => {
    expect(childName("app-events", "metrics")).toBe("app-events-metrics-e93271d6");
  });
});

describe("a topic's object", () => {
  test.each(["app-events", "a.b-c", "0"])("%s has the topic's name", (topic) => {
    expect(topicObjectName(topic)).toBe(topic);
  });

  test.each(["App_Events", "_", "a..b", "-a", "a_b", "x".repeat(249) + "_"])("%s has a slug with a hash", (topic) => {
    expect(topicObjectName(topic)).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?-[0-9a-f]{8}$/);
    expect(topicObjectName(topic).length).toBeLessThanOrEqual(253);
  });

  test("differs for topics of one slug", () => {
    expect(topicObjectName("a_b")).not.toBe(topicObjectName("A_b"));
  });
});

test("the owner of a database is never one of PostgreSQL's or CloudNativePG's own roles", () => {
  expect(databaseOwner("app-events")).toBe("app_events");
  expect(["postgres", "pg-x", "cnpg-x", "streaming-replica"].map(databaseOwner)).toEqual([
    "caudal_postgres",
    "caudal_pg_x",
    "caudal_cnpg_x",
    "caudal_streaming_replica",
  ]);
  expect(["caudal-pg-x", "caudal-caudal-postgres", "caudal-shop"].map(databaseOwner)).toEqual([
    "caudal_caudal_pg_x",
    "caudal_caudal_caudal_postgres",
    "caudal_shop",
  ]);
  expect(databaseName("app-events", undefined)).toBe("app_events");
  expect(databaseName("app-events", "other")).toBe("other");
});
