/** Made-up people, wherever in the tree they are, have addresses and numbers that are nobody's. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "../cluster/host/paths.ts";

const address = /[\w.%+-]+@((?:[a-z0-9-]+\.)+[a-z]{2,})\b/gi;
/** With and without a country, an area in brackets, spaces: 202-555-0147, +1 (202) 555-0147, +12025550147. */
const number = /(?<![\w.:-])(?:\+\d{1,3}[ -]?)?(?:\(\d{2,3}\) ?|\d{2,3}[ -])?\d{3,5}-\d{4}(?![\w-])|\+\d{10,13}\b/g;
const reserved = /555-?01\d\d$/;
/** What faker makes unless it is told otherwise. */
const call = /faker\.(?:phone\.\w+|image\.avatar\w*|internet\.\w*[eE]mail)\((?![^)]*provider: "example\.org")/g;
/** Other people's words: names and hashes of packages. */
const foreign = /(?:^|\/)(?:package-lock\.json|go\.sum|go\.mod)$/;

/** What of a text is somebody's. */
function somebodys(text: string): string[] {
  const addresses = [...text.matchAll(address)].filter(([, host = ""]) => !/(^|\.)example\.org$/i.test(host));
  const numbers = [...text.matchAll(number)].filter(([found]) => !reserved.test(found));
  return [...addresses, ...numbers, ...text.matchAll(call)].map(([found]) => found);
}

test.each([
  ['ann@example.org, +1 202-555-0147, (303) 555-0110, faker.internet.email({ provider: "example.org" })', []],
  ["mail to bob@" + "gmail.com or ann@" + "example.com", ["bob@" + "gmail.com", "ann@" + "example.com"]],
  ["call (11) 98684" + "-0475", ["(11) 98684" + "-0475"]],
  ["call +5511" + "986840475 or 212-736" + "-5000", ["+5511" + "986840475", "212-736" + "-5000"]],
  ["faker." + "phone.number()", ["faker." + "phone.number("]],
  ["2026-05-04 13:10:53-0300, 10-20-3000, topic-0001", []],
])("in %j", (text, found) => expect(somebodys(text)).toEqual(found));

test("no file names an address or a number that somebody may have", () => {
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: repository, encoding: "utf8" }).split("\0");
  const told = files.flatMap((file) => {
    if (file === "" || foreign.test(file)) return [];
    const text = readFileSync(join(repository, file), "utf8");
    return text.includes("\0") ? [] : somebodys(text).map((found) => `${file}: ${found}`);
  });
  expect(told).toEqual([]);
});
