/** One API server for the files of tests that live in namespaces of their own: a server each would be a third of their time. */
import { startApiServer } from "../../cluster/index.ts";
import { definitions, SHARED_VARIABLE, TestServer } from "./server.ts";

/** @returns what stops it */
export default async function shareServer(): Promise<() => Promise<void>> {
  const server = await startApiServer();
  process.env[SHARED_VARIABLE] = server.kubeconfigPath;
  try {
    const shared = TestServer.shared();
    for (const file of Object.values(definitions)) await shared.define(file);
    await shared.stop();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return async () => await server.stop();
}
