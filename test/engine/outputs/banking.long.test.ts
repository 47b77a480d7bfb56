/** examples/banking from end to end, while its stages, its database and its Valkey are killed. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { repository } from "../../cluster/host/paths.ts";
import { poll } from "../../cluster/host/poll.ts";
import { randomFrom } from "../aggregator/events.ts";
import { killWorkers, startWorker, type Worker } from "../aggregator/stage.ts";
import { createTopic, type LoggedRecord, type Topic } from "../aggregator/topic.ts";
import { type Broker, sharedBroker } from "../broker.ts";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";
import { type Redis, startRedis } from "../redis.ts";
import { bankingSeed, bankingStages, decide, readKnown, type Transaction, TRANSACTIONS } from "./banking-stages.ts";

type Decided = Transaction & { readonly motivo: string | null };

let broker: Broker;
let server: Postgres;
let redis: Redis;
let database: Database;
let topics: readonly [source: Topic, decided: Topic, ...letters: Topic[]];

beforeAll(async () => {
  [broker, server, redis] = await Promise.all([sharedBroker(), startPostgres(), startRedis()]);
  database = await server.database("bank");
  await database.query(bankingSeed());
  const make = async (name: string, partitions: number) => await createTopic(broker, name, partitions);
  topics = [
    await make("bank_transactions", 6),
    await make("processed-transactions", 6),
    await make("banking-approve-dlq", 1),
    await make("banking-store-dlq", 1),
    await make("banking-panel-dlq", 1),
  ];
});
afterAll(async () => {
  await killWorkers();
  for (const topic of topics) await topic.close();
  await Promise.all([broker.stop(), server.stop(), redis.stop()]);
});

const valuesOf = <T>(records: readonly LoggedRecord[]): T[] =>
  records.flatMap(({ value }) => (value === null ? [] : [JSON.parse(value.toString()) as T]));

/** Offsets of the source that have been decided, by the consumer group of the output. */
async function decidedTo(source: Topic): Promise<ReadonlyMap<number, number>> {
  const groupId = "caudal.bank.banking.approve.decided";
  const [offsets] = await source.admin.fetchOffsets({ groupId, topics: [source.name] });
  return new Map((offsets?.partitions ?? []).map(({ partition, offset }) => [partition, Number(offset)]));
}

/** What is not yet committed of the decided transactions. */
async function missing(ends: ReadonlyMap<number, number>): Promise<readonly string[]> {
  const rows = await database.query<{ output: string; partition: number; next_offset: string }>(
    "select output, partition, next_offset from caudal.progress where topic = 'processed-transactions'",
  );
  const places = new Map(rows.map((row) => [`${row.output} ${row.partition}`, Number(row.next_offset)]));
  for (const output of ["hot", "latest"])
    for (const partition of ends.keys()) {
      const key = `caudal:progress:bank/banking/store/${output}:processed-transactions:${partition}`;
      places.set(`${output} ${partition}`, Number(await redis.command("HGET", key, "next")));
    }
  return ["transacoes", "hot", "latest", "transacoes_por_minuto", "recusas_por_minuto"].flatMap((output) =>
    [...ends].flatMap(([partition, end]) => {
      const place = places.get(`${output} ${partition}`) ?? 0;
      return place >= end ? [] : [`${output}/${partition} ${place} of ${end}`];
    }),
  );
}

async function untilNone(what: () => Promise<readonly string[]>, seconds: number): Promise<void> {
  let last: readonly string[] = [];
  const none = async (): Promise<true | undefined> => {
    last = await what().catch((error: unknown) => [String(error)]);
    return last.length === 0 ? true : undefined;
  };
  await poll(none, { seconds, everyMs: 200, onTimeout: () => `still missing: ${last.join(", ")}` });
}

const behind = (places: ReadonlyMap<number, number>, ends: ReadonlyMap<number, number>): string[] =>
  [...ends].flatMap(([partition, end]) =>
    (places.get(partition) ?? 0) >= end ? [] : [`${partition}: ${places.get(partition)} of ${end}`],
  );

/** Transactions with their value twice: who reads the first one approves what the next one books, or the reverse. */
async function valuesTwice(): Promise<readonly string[]> {
  const accounts = await database.query<{ id_usuario: string; uf: string }>(
    "select id_usuario, uf from contas where not bloqueada and saldo between 60 and 5000 order by id_usuario limit 20",
  );
  return accounts.map(({ id_usuario: payer, uf }, n) => {
    const names = ["valor_transacao", "valor_transac\\u0061o"];
    const values = n % 2 === 0 ? [50, 900_000] : [900_000, 50];
    const [first, second] = values.map((value, i) => `"${names[n % 3 === 0 ? i : 0]}":${value}`);
    const id = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
    const others = { id_usuario_pagador: payer, id_usuario_recebedor: id, id_regiao: uf, modalidade_pagamento: "PIX" };
    const time = new Date().toISOString();
    return `{"id_transacao":"${id}",${first},${JSON.stringify({ ...others, data_horario: time }).slice(1, -1)},${second}}`;
  });
}

it("approves or refuses each transaction once, and history, Valkey and panel agree", { timeout: 400_000 }, async () => {
  const [source, processed] = topics;
  const stages = bankingStages({ bootstrap: broker.bootstrap, database: database.secret, valkey: redis.secret });
  const start = async (stage: string): Promise<Worker> => {
    const config = stages.get(stage);
    if (config === undefined) throw new RangeError(`banking has no stage ${stage}`);
    return await startWorker(config);
  };
  const names = ["approve", "approve", "store", "panel"];
  const workers = await Promise.all(names.map(start));
  const generators = await Promise.all(["varejo", "empresas", "suspeitas"].map(start));

  const twice = await valuesTwice();
  expect(twice.length).toBe(20);
  await source.send(twice);
  const total = TRANSACTIONS + twice.length;

  const random = randomFrom(20_264);
  for (let kill = 0; kill < 6; kill++) {
    await sleep(500 + random() * 1_500);
    const index = Math.floor(random() * workers.length);
    await workers[index]?.kill();
    if (kill === 1) await redis.restart("SIGKILL");
    if (kill === 3) {
      await server.kill();
      await server.start();
    }
    workers[index] = await start(names[index] ?? "");
  }

  const made = async (): Promise<number> =>
    (await source.admin.fetchTopicOffsets(source.name)).reduce((sum, { high }) => sum + Number(high), 0);
  await untilNone(async () => ((await made()) >= total ? [] : [`${total - (await made())} to make`]), 120);
  for (const generator of generators) await generator.drain();
  const sourceEnds = await source.seal();
  await untilNone(async () => behind(await decidedTo(source), sourceEnds), 120);
  const ends = await processed.seal();
  await untilNone(async () => await missing(ends), 120);

  // The topic: each transaction has one decision, and it is the right one.
  const transactions = valuesOf<Transaction>(await source.readTo(sourceEnds));
  const records = (await processed.readTo(ends)).filter(({ value }) => value !== null);
  const decisions = valuesOf<Decided>(records);
  const ids = (of: readonly Transaction[]): string[] => of.map(({ id_transacao }) => id_transacao).sort();
  expect(transactions.length).toBe(total);
  expect(ids(decisions)).toEqual(ids(transactions));
  const facts = await readKnown(async (text) => await database.query(text));
  expect(decisions.filter((one) => one.motivo !== decide(one, facts)).slice(0, 3)).toEqual([]);
  const reasons = new Set(decisions.map(({ motivo }) => motivo));
  for (const reason of [null, "suspeita", "regiao desconhecida", "saldo insuficiente", "conta bloqueada"])
    expect(reasons).toContain(reason);

  // History and Valkey hold the same.
  const history = await database.query<Decided & { aprovada: boolean; data_horario: Date }>("select * from transacoes");
  expect(ids(history as unknown as Transaction[])).toEqual(ids(transactions));
  const byId = new Map(decisions.map((one) => [one.id_transacao, one]));
  const wrong = history.filter((row) => {
    const one = byId.get(row.id_transacao);
    return (
      one === undefined ||
      row.motivo !== one.motivo ||
      row.aprovada !== (one.motivo === null) ||
      row.valor_transacao !== one.valor_transacao ||
      row.data_horario.getTime() !== Date.parse(one.data_horario)
    );
  });
  expect(wrong.slice(0, 3)).toEqual([]);
  const keys = (await redis.command("KEYS", "transacao:*")) as string[];
  expect(keys.map((key) => key.slice("transacao:".length)).sort()).toEqual(ids(transactions));
  for (const row of history.filter((_, i) => i % 97 === 0)) {
    const flat = (await redis.command("HGETALL", `transacao:${row.id_transacao}`)) as string[];
    const hash = Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]]] : [])));
    expect(hash).toMatchObject({
      aprovada: String(row.aprovada),
      valor_transacao: String(row.valor_transacao),
      ...(row.motivo === null ? {} : { motivo: row.motivo }),
    });
    expect(Date.parse(String(hash["data_horario"]))).toBe(row.data_horario.getTime());
    expect("motivo" in hash).toBe(row.motivo !== null);
  }
  const latest = new Map(decisions.map((one) => [one.id_usuario_pagador, one.id_transacao]));
  const users = [...latest.keys()];
  const stored = (await redis.command("MGET", ...users.map((user) => `usuario:${user}`))) as (string | null)[];
  expect(stored.map((text) => (JSON.parse(text ?? "{}") as Partial<Transaction>).id_transacao)).toEqual([
    ...latest.values(),
  ]);

  // The panel counts them all, and its queries run.
  const panel = await database.query<{ key: string; transacoes: string; valor: number }>(
    `select concat_ws(' ', id_regiao, modalidade_pagamento, aprovada, extract(epoch from window_start)::bigint) as key,
      transacoes, valor from transacoes_por_minuto`,
  );
  const counted = new Map<string, { count: number; value: number }>();
  for (const one of decisions) {
    const minute = Math.floor(Date.parse(one.data_horario) / 60_000) * 60;
    const approved = one.motivo === null ? "t" : "f";
    const key = `${one.id_regiao} ${one.modalidade_pagamento} ${approved} ${minute}`;
    const group = counted.get(key) ?? { count: 0, value: 0 };
    counted.set(key, { count: group.count + 1, value: group.value + one.valor_transacao });
  }
  expect(panel.length).toBe(counted.size);
  for (const { key, transacoes, valor } of panel) {
    expect([key, Number(transacoes)]).toEqual([key, counted.get(key)?.count]);
    expect(Math.abs(valor / (counted.get(key)?.value ?? 1) - 1)).toBeLessThan(1e-9);
  }
  const answers = await dashboard();
  const approved = decisions.filter(({ motivo }) => motivo === null).length;
  expect(answers["approved-and-refused"]).toMatchObject([
    { aprovadas: String(approved), recusadas: String(total - approved) },
  ]);
  const sum = (name: string, column: string): number =>
    (answers[name] ?? []).reduce((total, row) => total + Number(row[column]), 0);
  for (const name of ["by-region", "by-modality", "per-minute"])
    expect([name, sum(name, "aprovadas"), sum(name, "recusadas")]).toEqual([name, approved, total - approved]);
  expect(sum("refusals", "recusadas")).toBe(total - approved);
  expect(answers["latest"]).toHaveLength(50);
  for (const worker of workers) expect(await worker.drain()).toBe(0);
});

/** What each query of the dashboard gives. */
async function dashboard(): Promise<Readonly<Record<string, readonly Record<string, unknown>[]>>> {
  const folder = join(repository, "examples/banking/dashboard");
  const answers: Record<string, readonly Record<string, unknown>[]> = {};
  for (const file of readdirSync(folder))
    answers[file.replace(".sql", "")] = await database.query(readFileSync(join(folder, file), "utf8"));
  return answers;
}
