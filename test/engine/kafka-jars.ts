/** Kafka's own jars from Maven's repository, in the cache that the cluster's image shares. */
import { join } from "node:path";
import { cached, contentKey } from "../cluster/host/cache.ts";
import { ToolMissing } from "../cluster/host/errors.ts";
import { repository } from "../cluster/host/paths.ts";
import { run, succeeds } from "../cluster/host/run.ts";

const sources = join(repository, "test/cluster/images/kafka");

/** The folder with all jars of the broker and its tools. */
export async function kafkaJars(): Promise<string> {
  if (!(await succeeds("java", ["-version"])))
    throw new ToolMissing("these tests run a Kafka broker: install Java 17 or newer (Debian: openjdk-17-jre-headless)");
  const pom = join(sources, "pom.xml");
  return await cached("kafka-jars", contentKey([], sources, [pom]), async (unfinished) => {
    if (!(await succeeds("mvn", ["-version"])))
      throw new ToolMissing("Kafka's jars come by Maven: install it (Debian: maven)");
    await run("mvn", ["-q", "-B", "-f", pom, `-Djars=${unfinished}`, "package"]);
  });
}
