import { describe, expect, it } from "vitest";
import { nameProblem, readTableName, sqlName, tableTitle } from "./identifiers.ts";

const long = "x".repeat(63);

describe("a text that names a table", () => {
  it.each([
    ["orders", "public", "orders", "orders"],
    ["public.orders", "public", "orders", "orders"],
    ['"orders"', "public", "orders", "orders"],
    ["Orders", "public", "Orders", '"Orders"'],
    ["Preços", "public", "Preços", '"Preços"'],
    ["select", "public", "select", "select"],
    ['"Order Details"', "public", "Order Details", '"Order Details"'],
    ['"my-table"', "public", "my-table", '"my-table"'],
    ['"a""b"', "public", 'a"b', '"a""b"'],
    ["sales.orders", "sales", "orders", "sales.orders"],
    ['"sales"."orders"', "sales", "orders", "sales.orders"],
    ['"sales.orders"', "public", "sales.orders", '"sales.orders"'],
    ['"Sales-2026"."Order Details"', "Sales-2026", "Order Details", '"Sales-2026"."Order Details"'],
    ['sales."a.b"', "sales", "a.b", 'sales."a.b"'],
    [long, "public", long, long],
    [`"${"ç".repeat(31)}"`, "public", "ç".repeat(31), `"${"ç".repeat(31)}"`],
  ])("%s", (text, schema, name, title) => {
    expect(readTableName(text)).toEqual({ schema, name });
    expect(tableTitle(text)).toBe(title);
    expect(tableTitle(title)).toBe(title);
  });

  it.each([
    ["my-table", '"my-table"'],
    ["Order Details", '"Order Details"'],
    ["a.b.c", '"a.b.c"'],
    ["1st", '"1st"'],
    ['a"b', '"a""b"'],
    ["a.", '"a."'],
    ["t; drop table u", '"t; drop table u"'],
  ])("%s is none: the words say %s", (text, written) => {
    expect(readTableName(text)).toMatch(/needs double quotes/);
    expect(readTableName(text)).toContain(`write ${written}, or schema.${written}`);
    expect(tableTitle(text)).toBe(text);
  });

  it.each([`${long}x`, `"${"ç".repeat(32)}"`, `${long}x.orders`])("%s is longer than PostgreSQL keeps", (text) => {
    expect(readTableName(text)).toMatch(/6\d bytes, and PostgreSQL cuts names off behind 63: write a shorter one/);
  });
});

it.each(["@timestamp", "user-id", "kubernetes.pod_name", "preço", "Order Date", "type", "select", 'a"b', "$", " "])(
  "%s can be the name of a column",
  (name) => {
    expect(nameProblem(name)).toBeUndefined();
  },
);

it.each(["", "#row", "a\nb", "a\u0000", `${long}x`, "ç".repeat(32)])("%j cannot", (name) => {
  expect(nameProblem(name)).toMatch(/write another|write a shorter one/);
});

it("names are quoted where SQL needs it", () => {
  expect(["id", "Id", "user-id", 'a"b', "preço"].map(sqlName)).toEqual([
    "id",
    '"Id"',
    '"user-id"',
    '"a""b"',
    '"preço"',
  ]);
});
