/** What tests and the demo use of the cluster. */
export { startApiServer, type ApiServer } from "./api-server/api-server.ts";
