import { expect, it } from "vitest";
import { CommitChain } from "./commit-chain.ts";

function gate() {
  const opened = Promise.withResolvers<void>();
  return { open: () => opened.resolve(), passed: opened.promise };
}

it("commits in order, one at a time", async () => {
  const log: string[] = [];
  const chain = new CommitChain<string>(async (batch) => {
    log.push(`begin ${batch}`);
    await Promise.resolve();
    log.push(`end ${batch}`);
  });
  chain.push("a");
  chain.push("b");
  await chain.atMost(0);
  expect(log).toEqual(["begin a", "end a", "begin b", "end b"]);
});

it("drops what follows a failure", async () => {
  const committed: string[] = [];
  const chain = new CommitChain<string>(async (batch) => {
    if (batch === "b") throw new TypeError("refused");
    committed.push(batch);
    await Promise.resolve();
  });
  for (const batch of ["a", "b", "c"]) chain.push(batch);
  await chain.atMost(0);
  expect(committed).toEqual(["a"]);
  expect(chain.failure).toMatchObject({ batch: "b", error: { message: "refused" } });
});

it("lets the next batch be computed while one commits", async () => {
  const first = gate();
  const chain = new CommitChain<string>(async (batch) => (batch === "a" ? await first.passed : undefined));
  chain.push("a");
  await chain.atMost(1);
  chain.push("b");
  expect(chain.length).toBe(2);
  first.open();
  await chain.atMost(0);
  expect(chain.length).toBe(0);
});
