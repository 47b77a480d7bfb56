/** The engines that go from topic to topic: the same conditions and columns, each event once. */
import { join } from "node:path";
import { outputGroup, type WorkloadConfig } from "@caudal/crds";
import type { Progress } from "../../cluster/host/progress.ts";
import { buildWorkloads, topicConfig, workloadBegins, workloadCommand } from "./caudal.ts";
import type { Engine, Stage } from "./engine.ts";
import type { TransformKind } from "../transform-kinds.ts";
import { buildPeer, opens } from "./peer.ts";

export interface TransformEngine extends Pick<Engine, "begins"> {
  readonly name: "caudal" | "flink";
  readonly configuration: string;
  prepare(progress: Progress): Promise<void>;
  /** Consumer group that says how far it has come. */
  group(id: string): string;
  setUp(kind: TransformKind, ...stage: Parameters<Engine["setUp"]>): ReturnType<Engine["setUp"]>;
}

/** The engine with one kind of transform to do. */
export function setUpTransform(engine: TransformEngine, kind: TransformKind): Pick<Engine, "setUp" | "begins"> {
  return { begins: engine.begins, setUp: async (...stage) => await engine.setUp(kind, ...stage) };
}

export const outTopic = (id: string): string => `${id}-out`;

function transformConfig({ where, select }: TransformKind, stage: Stage): WorkloadConfig {
  return {
    version: 1,
    pipeline: { namespace: "bench", name: stage.id, uid: stage.id, generation: 1 },
    stage: { name: "pass", role: "transform" },
    kafka: { bootstrapServers: [stage.bootstrap] },
    transform: {
      topic: topicConfig(stage.topic.topic, stage.topic.shape),
      ...(where === undefined ? {} : { where }),
      ...(select === undefined ? {} : { select: [...select] }),
      lookups: [],
      deadLetterTopic: `${stage.id}-dlq`,
      to: [{ name: "out", topic: { name: outTopic(stage.id), key: "user_id", fields: [] } }],
      replicas: 1,
    },
  };
}

const caudal: TransformEngine = {
  name: "caudal",
  configuration: `Node ${process.versions.node}, exactly once`,
  prepare: async (progress) => await progress.step("bundling Caudal", buildWorkloads),
  setUp: async (kind, stage, _client, createTopic) => {
    await createTopic(`${stage.id}-dlq`);
    return await workloadCommand(stage, transformConfig(kind, stage));
  },
  begins: workloadBegins,
  group: (id) =>
    outputGroup(
      {
        pipeline: { namespace: "bench", name: id, uid: id, generation: 1 },
        stage: { name: "pass", role: "transform" },
      },
      "out",
    ),
};

let flinkFolder = "";
const flink: TransformEngine = {
  name: "flink",
  configuration: "Flink 2.2.0 SQL, parallelism 2, exactly once with a checkpoint every 10 s, heap 3 GiB",
  prepare: async (progress) => {
    flinkFolder = await progress.step("building the peer flink", async () => await buildPeer("flink"));
  },
  setUp: async ({ where, select, columns }, stage) => {
    const classpath = [join(flinkFolder, "build/classes"), join(flinkFolder, "lib/*")].join(":");
    const jvm = ["-Duser.timezone=UTC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Xmx3g", ...opens];
    return await Promise.resolve({
      cwd: stage.folder,
      program: "java",
      args: [...jvm, `-Djava.io.tmpdir=${stage.folder}`, "-cp", classpath, "FlinkTransform"],
      env: {
        TZ: "UTC",
        BENCH_ID: stage.id,
        BENCH_FOLDER: stage.folder,
        BENCH_BOOTSTRAP: stage.bootstrap,
        BENCH_TOPIC: stage.topic.topic,
        BENCH_OUT: outTopic(stage.id),
        BENCH_COLUMNS: Object.entries(columns)
          .map((column) => column.join(" "))
          .join(", "),
        BENCH_QUERY: `SELECT ${(select ?? ["*"]).join(", ")} FROM events${where === undefined ? "" : ` WHERE ${where}`}`,
      },
    });
  },
  begins: /^BEGIN$/m,
  group: (id) => id,
};

export const transformEngines: Readonly<Record<TransformEngine["name"], TransformEngine>> = { caudal, flink };
