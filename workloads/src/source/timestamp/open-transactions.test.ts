import { expect, test } from "vitest";
import { OpenTransactions } from "./open-transactions.ts";

const open = (id: string, since?: number, prepared = false) => ({ id, since, prepared });

test("what was open at the first look of all may have been so for ever, until it ends", () => {
  const transactions = new OpenTransactions(null);
  expect(transactions.look(100, [open("1/1")])).toBeNull();
  expect(transactions.look(200, [open("1/1"), open("2/1")])).toBeNull();
  expect(transactions.look(300, [open("2/1")])).toBe(100);
  expect(transactions.look(400, [])).toBe(400);
});

test("an earlier process's floor holds for what is found open at the start", () => {
  const transactions = new OpenTransactions(50);
  expect(transactions.look(100, [open("1/1")])).toBe(50);
  expect(transactions.look(200, [open("1/1"), open("2/1")])).toBe(50);
  expect(transactions.look(300, [open("2/1")])).toBe(100);
});

test("a start that may be seen is taken as it is", () => {
  const transactions = new OpenTransactions(null);
  expect(transactions.look(100, [open("1/1", 70), open("2/1", 90)])).toBe(70);
  expect(transactions.look(200, [open("2/1", 90)])).toBe(90);
});

test("a prepared transaction, whose id is new, is as old as any that was open before", () => {
  const transactions = new OpenTransactions(50);
  expect(transactions.look(100, [open("1/1")])).toBe(50);
  expect(transactions.look(200, [open("prepared 7", undefined, true)])).toBe(50);
  expect(transactions.look(300, [open("prepared 7", undefined, true), open("3/1")])).toBe(50);
});
