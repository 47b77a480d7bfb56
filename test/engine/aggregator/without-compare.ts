/** The aggregator with progress that is moved without being compared: to show that the compare is what keeps it exact. */
import { createAggregator } from "../../../workloads/src/aggregator/aggregator.ts";
import type { MoveStatement } from "../../../workloads/src/postgres/progress.ts";
import { runRole } from "../../../workloads/src/runtime/run.ts";

const moveBlindly: MoveStatement = ({ owner, topic }, moves) => ({
  text: `update caudal.progress p set next_offset = greatest(p.next_offset, m.to_offset), leader_epoch = m.to_epoch
    from unnest($3::text[], $4::int[], $5::bigint[], $6::int[]) as m(output, partition, to_offset, to_epoch)
    where p.pipeline = $1 and p.topic = $2 and p.output = m.output and p.partition = m.partition`,
  values: [
    owner.pipeline,
    topic,
    moves.map(({ output }) => output),
    moves.map(({ partition }) => partition),
    moves.map(({ to }) => to),
    moves.map(({ toEpoch }) => toEpoch),
  ],
});

const config = process.argv.at(-1);
process.exit(
  await runRole({
    role: "aggregator",
    load: async () => await Promise.resolve(createAggregator(moveBlindly)),
    env: process.env,
    ...(config === undefined ? {} : { config }),
  }),
);
