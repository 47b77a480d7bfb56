/** The rules of examples/banking, each by a transaction of its samples, without a cluster. */
import { expect, test, vi } from "vitest";
import { caudal } from "./support/caudal.ts";

vi.setConfig({ testTimeout: 120_000 });

const samples = "examples/banking/samples";

test("the samples of banking are approved and refused as the rules say", async () => {
  const lookups = { conta: "contas", limite: "limites", regiao: "regioes" };
  const { code, stdout, stderr } = await caudal([
    ...["run", "examples/banking/pipeline.yaml", "--output", "json"],
    ...["--input", `bank_transactions=${samples}/transactions.jsonl`],
    ...Object.entries(lookups).flatMap(([name, file]) => ["--lookup", `${name}=${samples}/${file}.jsonl`]),
  ]);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
  const { tables } = JSON.parse(stdout) as {
    tables: Record<string, readonly { id_transacao: string; motivo: string | null; aprovada: boolean }[]>;
  };
  const decided = (tables["transacoes"] ?? []).map(({ id_transacao, motivo }) => [
    Number(id_transacao.slice(-3)),
    motivo,
  ]);
  expect(decided.sort(([a], [b]) => Number(a) - Number(b))).toEqual([
    [1, null],
    [2, "saldo insuficiente"],
    [3, null],
    [4, "acima do limite"],
    [5, "suspeita"],
    [6, null],
    [7, "conta bloqueada"],
    [8, "conta desconhecida"],
    [9, "regiao desconhecida"],
    [10, "mesma conta"],
    [11, "modalidade desconhecida"],
    [12, "acima do limite noturno"],
    [13, null],
    // The 14th is of nothing, and left out.
    [15, null],
  ]);
  expect((tables["transacoes"] ?? []).every(({ motivo, aprovada }) => aprovada === (motivo === null))).toBe(true);
});
