/** Kafka's command line tools under the names that people know, upon the jars alone. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const tools = "org.apache.kafka.tools";

/** File in /opt/kafka/bin → main class. */
const classes: Readonly<Record<string, string>> = {
  "kafka-acls.sh": `${tools}.AclCommand`,
  "kafka-broker-api-versions.sh": `${tools}.BrokerApiVersionsCommand`,
  "kafka-configs.sh": "kafka.admin.ConfigCommand",
  "kafka-console-consumer.sh": `${tools}.consumer.ConsoleConsumer`,
  "kafka-console-producer.sh": `${tools}.ConsoleProducer`,
  "kafka-consumer-groups.sh": `${tools}.consumer.group.ConsumerGroupCommand`,
  "kafka-delete-records.sh": `${tools}.DeleteRecordsCommand`,
  "kafka-dump-log.sh": `${tools}.DumpLogSegments`,
  "kafka-get-offsets.sh": `${tools}.GetOffsetShell`,
  "kafka-metadata-quorum.sh": `${tools}.MetadataQuorumCommand`,
  "kafka-storage.sh": "kafka.tools.StorageTool",
  "kafka-topics.sh": `${tools}.TopicCommand`,
  "kafka-transactions.sh": `${tools}.TransactionsCommand`,
};

/** The text of every script, by its file name. */
export const kafkaScripts: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(classes).map(([name, main]) => [
    name,
    `#!/bin/sh
exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \\
  -Dlog4j2.configurationFile=/opt/kafka/config/tools-log4j2.properties \\
  -cp "/opt/kafka/libs/*" ${main} "$@"
`,
  ]),
);

export async function writeKafkaScripts(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(kafkaScripts)) {
    await writeFile(join(folder, name), text);
    await chmod(join(folder, name), 0o755);
  }
}
