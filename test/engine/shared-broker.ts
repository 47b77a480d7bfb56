/** One broker for the files of tests that leave it alone: most of them have topics, groups and names of their own. */
import { type Broker, SHARED_VARIABLE, startBroker } from "./broker.ts";

/** @returns what stops it */
export default async function shareBroker(): Promise<() => Promise<void>> {
  const broker: Broker = await startBroker();
  process.env[SHARED_VARIABLE] = JSON.stringify({ bootstrap: broker.bootstrap, data: broker.data });
  return async () => await broker.stop();
}
