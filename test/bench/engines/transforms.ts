/** The engines that go from topic to topic: the same condition and columns, each event once. */
import { join } from "node:path";
import { outputGroup, type WorkloadConfig } from "@caudal/crds";
import type { Progress } from "../../cluster/host/progress.ts";
import { buildWorkloads, topicConfig, workloadBegins, workloadCommand } from "./caudal.ts";
import type { Engine, Stage } from "./engine.ts";
import { buildPeer, opens } from "./peer.ts";

export const WHERE = "waiting_time_ms > 100";
export const SELECT = [
  ...["user_id", "event_type", "event_ts", "waiting_time_ms"],
  "waiting_time_ms > 500 or event_type = 'purchase' as slow",
];

export interface TransformEngine extends Pick<Engine, "setUp" | "begins"> {
  readonly name: "caudal" | "flink";
  readonly configuration: string;
  prepare(progress: Progress): Promise<void>;
  /** Consumer group that says how far it has come. */
  group(id: string): string;
}

export const outTopic = (id: string): string => `${id}-out`;

function transformConfig(stage: Stage): WorkloadConfig {
  return {
    version: 1,
    pipeline: { namespace: "bench", name: stage.id, uid: stage.id, generation: 1 },
    stage: { name: "pass", role: "transform" },
    kafka: { bootstrapServers: [stage.bootstrap] },
    transform: {
      topic: topicConfig(stage.topic.topic, stage.topic.shape),
      where: WHERE,
      select: SELECT,
      lookups: [],
      deadLetterTopic: `${stage.id}-dlq`,
      to: [{ name: "out", topic: { name: outTopic(stage.id), key: "user_id", fields: [] } }],
      replicas: 1,
    },
  };
}

const caudal: TransformEngine = {
  name: "caudal",
  configuration: `Node ${process.versions.node}, a transform with where and select, exactly once`,
  prepare: async (progress) => await progress.step("bundling Caudal", buildWorkloads),
  setUp: async (stage, _client, createTopic) => {
    await createTopic(`${stage.id}-dlq`);
    return await workloadCommand(stage, transformConfig(stage));
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
  setUp: async (stage) => {
    const classpath = [join(flinkFolder, "build/classes"), join(flinkFolder, "lib/*")].join(":");
    const [slow = "", ...fields] = [...SELECT].reverse();
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
        BENCH_WHERE: WHERE,
        BENCH_SELECT: [...fields.reverse(), slow].join(", "),
      },
    });
  },
  begins: /^BEGIN$/m,
  group: (id) => id,
};

export const transformEngines: Readonly<Record<TransformEngine["name"], TransformEngine>> = { caudal, flink };
