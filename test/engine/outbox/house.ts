/** The chores of a stage as a process of their own, without its work on events: to be killed at any moment. */
import { consumerGroup } from "@caudal/crds";
import { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { keepHouse } from "../../../workloads/src/aggregator/keep-house.ts";
import { ConfigInvalid } from "../../../workloads/src/runtime/errors.ts";
import type { Role } from "../../../workloads/src/runtime/role.ts";
import { runRole } from "../../../workloads/src/runtime/run.ts";
import { compilePlan } from "../../../pipeline/src/sql/compile.ts";

const role: Role = {
  async run(context) {
    const { config, drain, metrics } = context;
    const { aggregator, database, pipeline, stage } = config;
    if (aggregator === undefined || database === undefined) throw new ConfigInvalid("a stage with a database");
    const cluster = new KafkaCluster(config.kafka, { clientId: consumerGroup(config), metrics });
    const owner = { pipeline: `${pipeline.namespace}/${pipeline.name}`, stage: stage.name, uid: pipeline.uid };
    const options = {
      secret: database.secret,
      owner,
      onCall: () => undefined,
      cluster,
      sourceTopic: aggregator.topic.name,
    };
    await keepHouse(context, await compilePlan(aggregator), options, drain.signal);
    await cluster.close();
  },
};

const config = process.argv.at(-1);
process.exit(
  await runRole({
    role: "aggregator",
    load: async () => await Promise.resolve(role),
    env: process.env,
    ...(config === undefined ? {} : { config }),
  }),
);
