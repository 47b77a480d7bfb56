/** examples/banking on the cluster, with an end to its producers: all that it keeps agrees, whatever was killed meanwhile. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { decide, readKnown, type Transaction } from "../engine/outputs/banking-stages.ts";
import { type Database, openDatabase } from "./support/database.ts";
import { random, replacePod, signalPod } from "./support/faults.ts";
import { type ClusterKafka, openKafka } from "./support/kafka.ts";
import { commandsIn, runPrinted } from "./support/printed.ts";
import {
  apply,
  get,
  kubectl,
  list,
  NAMESPACE,
  type Pipeline,
  stagePods,
  until,
  untilCondition,
} from "./support/kube.ts";

type Decided = Transaction & { readonly motivo: string | null };

interface Spec {
  deletionPolicy?: string;
  readonly generators: { readonly name: string; rate: number; limit?: number }[];
}

const folder = join(import.meta.dirname, "../../examples/banking");
const commands = commandsIn(readFileSync(join(folder, "README.md"), "utf8"));
const LIMITS: Readonly<Record<string, number>> = { varejo: 9_000, empresas: 1_500, suspeitas: 500 };
const TRANSACTIONS = Object.values(LIMITS).reduce((sum, limit) => sum + limit, 0);

/** The example, but its producers end. */
function pipeline(): string {
  const document = parse(readFileSync(join(folder, "pipeline.yaml"), "utf8")) as { spec: Spec };
  document.spec.deletionPolicy = "Delete";
  for (const generator of document.spec.generators) {
    const limit = LIMITS[generator.name] ?? 0;
    Object.assign(generator, { limit, rate: limit / 45 });
  }
  return stringify(document, { aliasDuplicateObjects: false });
}

let kafka: ClusterKafka;
let database: Database | undefined;

/** Also where a demonstration runs: its topics and its database go with it. */
const remove = async (): Promise<void> => {
  if ((await get("streampipeline", "banking")) !== undefined) {
    const patch = JSON.stringify({ spec: { deletionPolicy: "Delete" } });
    await kubectl(["-n", NAMESPACE, "patch", "streampipeline", "banking", "--type=merge", "-p", patch]);
  }
  const gone = ["--ignore-not-found", "--timeout=180s"];
  await kubectl(["-n", NAMESPACE, "delete", "streampipeline", "banking", ...gone], undefined, 200_000);
  await kubectl(
    ["-n", NAMESPACE, "delete", "-f", join(folder, "seed.yaml"), "-f", join(folder, "valkey.yaml"), ...gone],
    undefined,
    200_000,
  );
  await kubectl(["-n", NAMESPACE, "delete", "pvc", "data-banking-valkey-0", ...gone], undefined, 200_000);
};

beforeAll(async () => {
  kafka = await openKafka();
  await remove();
  await kubectl(["-n", NAMESPACE, "apply", "-f", join(folder, "valkey.yaml"), "-f", join(folder, "seed.yaml")]);
  await apply(pipeline());
  await untilCondition("banking", "Ready", "True", 300);
  database = await openDatabase("banking-db");
});

afterAll(async () => {
  await database?.close();
  await kafka.close();
  await remove();
});

async function valkey(...args: readonly string[]): Promise<string> {
  return await kubectl(["-n", NAMESPACE, "exec", "banking-valkey-0", "--", "valkey-cli", ...args]);
}

function valuesOf<T>(records: readonly { readonly value: Buffer | null }[]): T[] {
  return records.flatMap(({ value }) => (value === null ? [] : [JSON.parse(value.toString()) as T]));
}

describe("banking", () => {
  it("goes on while its stages, its Valkey and its PostgreSQL are killed", async () => {
    const next = random(20_265);
    const killStage = async (stage: string): Promise<void> => {
      await sleep(1_000 + next() * 3_000);
      await until(`a running ${stage} to kill`, 120, async () => {
        const [pod] = await stagePods("banking", stage);
        return pod !== undefined && signalPod(pod, "SIGKILL") > 0;
      });
    };
    await killStage("approve");
    await killStage("store");
    const [held] = await list("pods", "app=banking-valkey");
    expect(held === undefined ? 0 : signalPod(held, "SIGKILL")).toBeGreaterThan(0);
    await killStage("panel");
    await killStage("approve");
    for (const pod of await list("pods", "cnpg.io/cluster=banking-db")) await replacePod(pod);
    await killStage("store");
  });

  it("has approved or refused each transaction once, and history, Valkey and panel agree", async () => {
    await until("the producers to reach their limits", 300, async () => {
      const stages = (await get<Pipeline>("streampipeline", "banking"))?.status?.stages ?? [];
      return Object.keys(LIMITS).every((name) => stages.find((stage) => stage.name === name)?.state === "Completed");
    });
    const query = (database ?? (database = await openDatabase("banking-db"))).query;
    const transactions = valuesOf<Transaction>(await kafka.readAll("bank_transactions"));
    // A producer that was disturbed may have written a second of them again: those are decided again too.
    expect(transactions.length).toBeGreaterThanOrEqual(TRANSACTIONS);
    const ids = (of: readonly Transaction[]): string[] => of.map(({ id_transacao }) => id_transacao).sort();
    const decisions = await until("a decision for each of them", 180, async () => {
      const found = valuesOf<Decided>(await kafka.readAll("processed-transactions"));
      return found.length >= transactions.length && found;
    });
    expect(ids(decisions)).toEqual(ids(transactions));
    const facts = await readKnown(query);
    expect(decisions.filter((one) => one.motivo !== decide(one, facts)).slice(0, 3)).toEqual([]);

    const distinct = new Map(decisions.map((one) => [one.id_transacao, one]));
    const ends = await kafka.ends("processed-transactions");
    let behind: unknown;
    await until(
      "history and panel to reach the end",
      180,
      async () => {
        const progress = await query<{ output: string; partition: number; next_offset: string }>(
          "select output, partition, next_offset from caudal.progress where topic = 'processed-transactions'",
        );
        behind = progress.filter(({ partition, next_offset }) => Number(next_offset) < (ends.get(partition) ?? 0));
        return progress.length === 3 * ends.size && (behind as unknown[]).length === 0;
      },
      () => behind,
    );
    const history = await query<{ id_transacao: string; motivo: string | null; aprovada: boolean }>(
      "select id_transacao, motivo, aprovada from transacoes",
    );
    expect(history.length).toBe(distinct.size);
    const differs = history.filter(
      ({ id_transacao, motivo, aprovada }) =>
        distinct.get(id_transacao)?.motivo !== motivo || aprovada !== (motivo === null),
    );
    expect(differs.slice(0, 3)).toEqual([]);

    let keys: string[] = [];
    await until(
      "Valkey to hold each of them",
      180,
      async () => {
        keys = (await valkey("--scan", "--pattern", "transacao:*", "--count", "2000")).trim().split("\n");
        return keys.length >= distinct.size;
      },
      () => `${keys.length} of ${distinct.size}`,
    );
    expect(keys.map((key) => key.slice("transacao:".length)).sort()).toEqual([...distinct.keys()].sort());
    for (const key of keys.slice(0, 10)) {
      const one = distinct.get(key.slice("transacao:".length));
      expect([key, (await valkey("hget", key, "motivo")).trim()]).toEqual([key, one?.motivo ?? ""]);
    }

    const approved = decisions.filter(({ motivo }) => motivo === null).length;
    const [counts] = await query<{ approved: string; refused: string }>(
      `select sum(transacoes) filter (where aprovada) as approved, sum(transacoes) filter (where not aprovada) as refused
        from transacoes_por_minuto`,
    );
    expect(counts).toEqual({ approved: String(approved), refused: String(decisions.length - approved) });
  });

  it.each(readdirSync(join(folder, "dashboard")))("answers the dashboard's %s", async (file) => {
    const rows = await database?.query(readFileSync(join(folder, "dashboard", file), "utf8"));
    expect(rows?.length).toBeGreaterThan(0);
  });

  /** What each command of the README must show, in its order: the last ones look at what the first ones let run again. */
  const shows: readonly (readonly [part: string, pattern: RegExp])[] = [
    ["apply", /streampipeline\S* configured/],
    ["wait", /condition met/],
    ["update limites", /UPDATE 1/],
    ["caudal -- run", /saldo insuficiente/],
    ["from transacoes order by", /\(5 rows\)/],
    ["by-region.sql", /\(\d+ rows\)/],
    ["refusals.sql", /\(\d+ rows\)/],
    ["valkey-cli get", /"id_usuario_pagador":"00000000-0000-4000-8000-000000000001"/],
    ["keyspace", /db0:keys=\d+/],
    ["processed-transactions", /"id_transacao":/],
  ];

  it("the README has a command for each thing to look at", () => {
    expect(shows.map(([part]) => commands.filter((command) => command.includes(part)).length)).toEqual(
      commands.map(() => 1),
    );
  });

  it.each(commands)("%s", async (command) => {
    const [, pattern] = shows.find(([part]) => command.includes(part)) ?? [];
    expect(await runPrinted(command, 600_000)).toMatch(pattern ?? /^$/);
  });
});
