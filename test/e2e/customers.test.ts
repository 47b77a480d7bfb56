/** examples/customers on the cluster: its topics, lake and tables agree with the database that is read, whatever was killed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withBundle } from "../bundle.ts";
import { loadPublicImages } from "../cluster/index.ts";
import { describeExample } from "../demo/example.ts";
import { readLake } from "../engine/outputs/lake.ts";
import { type Database, openDatabase } from "./support/database.ts";
import { replacePod, signalPod } from "./support/faults.ts";
import { type ClusterKafka, openKafka } from "./support/kafka.ts";
import { get, kubectl, list, NAMESPACE, type Pipeline, stagePods, until, untilCondition } from "./support/kube.ts";
import { PrintedPage, runPrinted } from "./support/printed.ts";
import { openTunnel } from "./support/tunnel.ts";

const folder = join(import.meta.dirname, "../../examples/customers");
const cdc = join(folder, "cdc");
/** What its README prints is run as it is printed, where these tests need the same. */
const text = readFileSync(join(folder, "README.md"), "utf8");
const readme = new PrintedPage(text);

let kafka: ClusterKafka;
let shop: Database | undefined;

/** Also where a demonstration runs: its topics and its databases go with it. */
const remove = async (): Promise<void> => {
  const gone = ["--ignore-not-found", "--timeout=180s"];
  for (const name of ["customers-cdc", "customers"]) {
    if ((await get("streampipeline", name)) === undefined) continue;
    const patch = JSON.stringify({ spec: { deletionPolicy: "Delete" } });
    await kubectl(["-n", NAMESPACE, "patch", "streampipeline", name, "--type=merge", "-p", patch]);
    await kubectl(["-n", NAMESPACE, "delete", "streampipeline", name, ...gone], undefined, 200_000);
  }
  await kubectl(["-n", NAMESPACE, "delete", "-f", cdc, "-f", folder, ...gone], undefined, 200_000);
};

beforeAll(async () => {
  await loadPublicImages(describeExample(folder, readFileSync(join(folder, "pipeline.yaml"), "utf8")).images);
  kafka = await openKafka();
  await remove();
  await readme.run("apply -f examples/customers");
  await untilCondition("customers", "Ready", "True", 400);
  await readme.run("streampipeline/customers ");
  await readme.run("apply -f examples/customers/cdc");
  await untilCondition("customers-cdc", "Ready", "True", 300);
  await readme.run("streampipeline/customers-cdc");
  shop = await openDatabase("customers-source");
});

afterAll(async () => {
  await shop?.close();
  await kafka.close();
  await remove();
});

type Event = Readonly<Record<string, unknown>> & { readonly id: number };

/** Events in order, each with its key. */
async function events(topic: string): Promise<Event[]> {
  const records = (await kafka.readAll(topic)).toSorted((a, b) => a.partition - b.partition || a.offset - b.offset);
  return records.flatMap(({ value }) => (value === null ? [] : [JSON.parse(value.toString()) as Event]));
}

const query = async <T extends object>(sql: string): Promise<T[]> =>
  await (shop ?? expect.fail("no database")).query<T>(sql);
const table = async () =>
  await query<{ id: number; telefone: string; updated: string }>(
    `select id::int, telefone, to_char(dt_update at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as updated from customers order by id`,
  );

async function lake(into: string): Promise<void> {
  const secret = await get<{ data: Record<string, string> }>("secret", "customers-lake");
  const value = (key: string) => Buffer.from(secret?.data[key] ?? "", "base64").toString();
  const pod = async () => (await list("pods", "app=customers-lake"))[0]?.metadata.name ?? expect.fail("no S3 server");
  const tunnel = await openTunnel(NAMESPACE, pod, 7070);
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${tunnel.port}`,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: value("AWS_ACCESS_KEY_ID"), secretAccessKey: value("AWS_SECRET_ACCESS_KEY") },
  });
  try {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: "lake", Prefix: "customers/" }));
    for (const [n, { Key }] of Contents.entries()) {
      if (Key?.endsWith(".parquet") !== true) continue;
      const { Body } = await client.send(new GetObjectCommand({ Bucket: "lake", Key }));
      writeFileSync(join(into, `${n}.parquet`), (await Body?.transformToByteArray()) ?? Buffer.alloc(0));
    }
  } finally {
    client.destroy();
    await tunnel.close();
  }
}

describe("customers", () => {
  it("goes on while its stages and the database that is read are killed", async () => {
    const kill = async (pipeline: string, stage: string): Promise<void> => {
      await until(`a running ${stage} to kill`, 120, async () => {
        const [pod] = await stagePods(pipeline, stage);
        return pod !== undefined && signalPod(pod, "SIGKILL") > 0;
      });
    };
    await kill("customers", "customers");
    await kill("customers-cdc", "customers");
    await kill("customers", "lean");
    for (const pod of await list("pods", "cnpg.io/cluster=customers-source")) await replacePod(pod);
    await until("the database to be back", 180, async () => (await table().catch(() => [])).length >= 30);
    await kill("customers-cdc", "customers");
  });

  it("each row version is in the topic once, and an update of an old row arrives", async () => {
    expect(await readme.run("update customers set telefone")).toContain("UPDATE 1");
    expect(await readme.run("delete from customers")).toContain("DELETE 1");
    await kubectl(["-n", NAMESPACE, "scale", "deployment/customers-fake-data", "--replicas=0"]);
    await until(
      "the fake-data program to end",
      60,
      async () => (await list("pods", "app=customers-fake-data")).length === 0,
    );
    const rows = await table();
    let missing: unknown;
    const [timestamped, replicated] = [new Map<number, Event>(), new Map<number, Event>()];
    await until(
      "both topics to have what the table has",
      180,
      async () => {
        timestamped.clear();
        replicated.clear();
        for (const event of await events("psg-customers")) timestamped.set(event.id, event);
        for (const event of await events("psg-customers-cdc"))
          if (event["op"] === "delete") replicated.delete(event.id);
          else replicated.set(event.id, event);
        missing = rows.filter(
          ({ id, telefone }) =>
            timestamped.get(id)?.["telefone"] !== telefone || replicated.get(id)?.["telefone"] !== telefone,
        );
        return (missing as unknown[]).length === 0;
      },
      () => missing,
    );
    expect(timestamped.get(1)?.["telefone"]).toBe("+1 202-555-0100");
    expect([...replicated.keys()].sort((a, b) => a - b)).toEqual(rows.map(({ id }) => id));
    const versions = (await events("psg-customers")).map(({ id, dt_update }) => `${id} ${String(dt_update)}`);
    expect(new Set(versions).size).toBe(versions.length);
    const changes = (await events("psg-customers-cdc")).map((event) => JSON.stringify(event));
    expect(new Set(changes).size).toBe(changes.length);
    expect(changes.filter((change) => change.includes('"op":"delete"'))).toEqual([expect.stringContaining('"id":2,')]);
  });

  it("the lake has each event of the stream once, with dates as text", async () => {
    const stream = (await events("customers-stream")).map((event) => JSON.stringify(event)).sort();
    const into = mkdtempSync(join(tmpdir(), "caudal-lake-"));
    let found: string[] = [];
    try {
      await until(
        "the lake to have as many",
        120,
        async () => {
          await lake(into);
          const columns = "id::int as id, nome, telefone, email, dt_nascimento, dt_updt_conv";
          const rows = await readLake<object>(`select ${columns} from read_parquet('${into}/*.parquet')`).catch(
            () => [],
          );
          found = rows.map((row) => JSON.stringify(row)).sort();
          return found.length >= stream.length;
        },
        () => `${found.length} of ${stream.length}`,
      );
    } finally {
      rmSync(into, { recursive: true, force: true });
    }
    expect(found).toEqual(stream);
    const dates = /"dt_nascimento":"\d{4}-\d\d-\d\d","dt_updt_conv":"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"/;
    expect(stream.filter((event) => !dates.test(event))).toEqual([]);
  });

  it("the README's other commands show what it says", async () => {
    expect(await readme.run("from customers_now order by")).toMatch(/\(5 rows\)/);
    expect(await readme.run("from customers_now where id = 1")).toContain("+1 202-555-0100");
    expect(await readme.run("kafka-console-consumer")).toMatch(/"id":2,.*"op":"delete"/);
    const statements = [...text.matchAll(/^ +caudal> ((?:show|print) .*;)$/gm)].map(([, statement = ""]) => statement);
    const command = withBundle(`npm run -s caudal -- sql customers -e "${statements.join(" ")}"`);
    // A pod that has just begun has not told its status yet.
    let session = "";
    await until(
      "the session of the README",
      180,
      async () => {
        session = await runPrinted(command);
        return /psg-customers\s+\d+[\s\S]*customers\s.*RUNNING[\s\S]*"nome":/.test(session);
      },
      () => session,
    );
  });

  it("the replication slot goes with its pipeline", async () => {
    expect(await query("select slot_name from pg_replication_slots")).toHaveLength(1);
    await until("its slot in the pipeline's status", 180, async () => {
      const [stage] = (await get<Pipeline>("streampipeline", "customers-cdc"))?.status?.stages ?? [];
      return stage?.slot?.wal === "reserved" && stage.slot.retained.startsWith("<");
    });
    await readme.run("delete -f examples/customers/cdc/pipeline.yaml", 200_000);
    expect(await query("select slot_name from pg_replication_slots")).toEqual([]);
    expect(await query("select pubname from pg_publication")).toEqual([]);
    await readme.run("delete -f examples/customers/cdc/role.yaml", 200_000);
  });

  it("no command of the README was left out, but the one with a place for a password", () => {
    expect(readme.left).toEqual([expect.stringContaining("postgresql://shop:…@")]);
  });
});
