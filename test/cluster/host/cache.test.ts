import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type * as Cache from "./cache.ts";

const folder = mkdtempSync(join(tmpdir(), "caudal-cache-test-"));
// Imported once the environment names the folder.
let cache: typeof Cache;

beforeAll(async () => {
  vi.stubEnv("CAUDAL_CACHE", folder);
  vi.resetModules(); // Other files may have imported it, with another folder.
  cache = await import("./cache.ts");
});
afterAll(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
  rmSync(folder, { recursive: true });
});

describe("contentKey", () => {
  it("depends on texts, files, and where one ends and the next begins", () => {
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const keys = [
      cache.contentKey(["ab", "c"]),
      cache.contentKey(["a", "bc"]),
      cache.contentKey([], folder, [file("one", "text")]),
      cache.contentKey([], folder, [file("two", "text")]),
      cache.contentKey([], folder, [file("two", "other")]),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("does not depend on the order of the files", () => {
    const files = ["one", "two"].map((name) => join(folder, name));
    expect(cache.contentKey([], folder, files)).toBe(cache.contentKey([], folder, files.toReversed()));
  });
});

describe("cached", () => {
  it("makes a thing once, also for those who ask at the same time", async () => {
    let made = 0;
    const make = async (unfinished: string): Promise<void> => {
      made += 1;
      await Promise.resolve(writeFileSync(join(unfinished, "it"), "made"));
    };
    const paths = await Promise.all([1, 2, 3].map(async () => await cache.cached("thing", "k1", make)));
    expect(made).toBe(1);
    expect(new Set(paths)).toEqual(new Set([join(folder, "thing-k1")]));
  });

  it("leaves nothing that looks finished when the making fails, and makes it anew the next time", async () => {
    const broken = async (unfinished: string): Promise<void> => {
      writeFileSync(join(unfinished, "half"), "");
      return await Promise.reject(new RangeError("no space"));
    };
    await expect(cache.cached("thing", "k2", broken)).rejects.toThrow("no space");
    const path = await cache.cached("thing", "k2", async () => await Promise.resolve());
    expect(readdirSync(path)).toEqual([]);
  });
});
