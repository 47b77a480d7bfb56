/**
 * Fills the table public.customers with people who do not exist, and makes it if it is missing.
 *
 *   node examples/customers/fake-data.ts --connection-string postgresql://user:password@host:5432/shop --interval 5 -n 10
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { faker } from "@faker-js/faker/locale/pt_BR";
import { Client } from "pg";

const usage = `Usage: node fake-data.js [options]

  --interval SECONDS             seconds between two rounds (default 10)
  -n ROWS                        new rows in a round (default 10); of every ten, one old row gets another phone
  --connection-string, -cs URL   the database (default postgresql://postgres@localhost:5432/postgres)
  --silent                       says nothing of what it does
  --help                         this text
`;

const TABLE = `
  create table if not exists public.customers (
    id bigint generated always as identity primary key,
    nome text not null,
    sexo text,
    endereco text,
    telefone text,
    email text,
    foto text,
    nascimento date,
    profissao text,
    dt_update timestamptz not null default now());
  create index if not exists customers_dt_update on public.customers (dt_update, id)`;

interface Options {
  readonly interval: number;
  readonly rows: number;
  readonly url: string;
  readonly silent: boolean;
}

/** @returns undefined when the text of usage is what was asked for */
function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    // Node knows no option of one dash and two letters.
    args: args.map((arg) => (arg === "-cs" ? "--connection-string" : arg)),
    options: {
      interval: { type: "string", default: "10" },
      rows: { type: "string", short: "n", default: "10" },
      "connection-string": { type: "string", default: "postgresql://postgres@localhost:5432/postgres" },
      silent: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const [interval, rows] = [Number(values.interval), Number(values.rows)];
  if (!Number.isFinite(interval) || interval < 0)
    throw new TypeError(`--interval ${values.interval}: write a number of seconds, such as 5 or 0.5`);
  if (!Number.isInteger(rows) || rows < 1 || rows > 10_000)
    throw new TypeError(`-n ${values.rows}: write a whole number from 1 to 10000`);
  return { interval, rows, url: values["connection-string"], silent: values.silent };
}

/** A number of a hundred that nobody has. */
const phone = (): string => `+1 202-555-01${faker.string.numeric(2)}`;

function person(): readonly (string | null)[] {
  const sex = faker.person.sexType();
  const [first, last] = [faker.person.firstName(sex), faker.person.lastName()];
  return [
    `${first} ${last}`,
    sex === "female" ? "F" : "M",
    `${faker.location.street()}, ${faker.location.buildingNumber()}, ${faker.location.city()}`,
    phone(),
    faker.internet.email({ firstName: first, lastName: last, provider: "example.org" }).toLowerCase(),
    `https://example.org/${faker.string.numeric(8)}.jpg`,
    faker.date.birthdate({ min: 18, max: 90, mode: "age" }).toISOString().slice(0, 10),
    faker.person.jobTitle(),
  ];
}

/** One transaction. @returns how many old rows were changed */
async function round(client: Client, rows: number): Promise<number> {
  const people = Array.from({ length: rows }, person);
  const columns = Array.from({ length: 8 }, (_, at) => people.map((values) => values[at]));
  const changes = Math.ceil(rows / 10);
  await client.query("begin");
  const { rowCount } = await client.query(
    `update public.customers set telefone = $1, dt_update = now()
      where id in (select id from public.customers order by random() limit $2)`,
    [phone(), changes],
  );
  await client.query(
    `insert into public.customers (nome, sexo, endereco, telefone, email, foto, nascimento, profissao)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::text[])`,
    columns,
  );
  await client.query("commit");
  return rowCount ?? 0;
}

async function main({ interval, rows, url, silent }: Options): Promise<void> {
  const client = new Client({ connectionString: url, application_name: "fake-data" });
  await client.connect();
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());
  await client.query(TABLE);
  while (!ended.signal.aborted) {
    const changed = await round(client, rows);
    if (!silent) console.log(`${new Date().toISOString()} ${rows} new customers, ${changed} changed`);
    await sleep(interval * 1000, undefined, { signal: ended.signal }).catch(() => undefined);
  }
  await client.end();
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(usage);
  else await main(options);
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  process.exitCode = 1;
}
