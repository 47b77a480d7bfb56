/** Which topics stages read and write. */
import type { StreamPipeline } from "@caudal/crds";
import { type StageSpec, stagesOf } from "../stages.ts";
import type { Check } from "./check.ts";

interface Use {
  readonly path: string;
  readonly topic: string;
}

export const topicsAreDeclared: Check = ({ pipeline }) => {
  const declared = pipeline.spec.topics.map(({ name }) => name);
  return stagesOf(pipeline)
    .flatMap((stage) => [{ path: `${pathOf(stage)}.topic`, topic: stage.topic }, ...writesOf(stage)])
    .filter(({ topic }) => !declared.includes(topic))
    .map(({ path, topic }) => ({
      reason: "TopicNotDeclared",
      message: `${path}: the topic ${topic} is not declared: write ${declared.join(" or ")}, or add it to spec.topics`,
    }));
};

/** An event that goes round never ends: what comes out of a stage comes in again. */
export const topicsDoNotGoRound: Check = ({ pipeline }) =>
  roundsOf(pipeline).map(({ topics, uses }) => ({
    reason: "TopicsGoRound",
    message: `${uses[0] ?? "spec"}: the topics go round, ${[...topics, topics[0] ?? ""].join(" → ")} (by ${uses.join(", ")}): each event would come back for ever: let one of them write to another topic`,
  }));

interface Edge extends Use {
  readonly from: string;
}

/** Each round once: the shortest way back to its first topic. */
function roundsOf(
  pipeline: StreamPipeline,
): { readonly topics: readonly string[]; readonly uses: readonly string[] }[] {
  const edges: readonly Edge[] = stagesOf(pipeline).flatMap((stage) =>
    writesOf(stage).map((use) => ({ ...use, from: stage.topic })),
  );
  const told = new Set<string>();
  return edges.flatMap((edge) => {
    if (told.has(edge.from)) return [];
    const back = wayBack(edge, edges);
    // A stage cannot write to the topic that it reads: the API server says so.
    if (back === undefined || back.length < 2) return [];
    for (const { from } of back) told.add(from);
    return { topics: back.map(({ from }) => from), uses: back.map(({ path }) => path) };
  });
}

function wayBack(first: Edge, edges: readonly Edge[]): readonly Edge[] | undefined {
  const seen = new Set<string>();
  let ways: (readonly Edge[])[] = [[first]];
  while (ways.length > 0) {
    const home = ways.find((way) => way.at(-1)?.topic === first.from);
    if (home !== undefined) return home;
    ways = ways.flatMap((way) => {
      const { topic = "" } = way.at(-1) ?? {};
      if (seen.has(topic)) return [];
      seen.add(topic);
      return edges.filter(({ from }) => from === topic).map((edge) => [...way, edge]);
    });
  }
  return undefined;
}

function writesOf(stage: StageSpec): readonly Use[] {
  const path = pathOf(stage);
  if (stage.role === "transform")
    return stage.to.flatMap(({ name, topic }) =>
      topic === undefined ? [] : { path: `${path}.to[${name}].topic`, topic },
    );
  if (stage.role !== "aggregator") return [];
  return stage.tables.flatMap(({ name, emit }) =>
    emit === undefined ? [] : { path: `${path}.tables[${name}].emit.final.topic`, topic: emit.final.topic },
  );
}

function pathOf({ role, name }: StageSpec): string {
  return `spec.${role}s[${name}]`;
}
