/** What tests and the demo use of the cluster. */
export { startApiServer, type ApiServer } from "./api-server/api-server.ts";
export { ensureCluster, loadImages, loadPublicImages, removeCluster, type Cluster } from "./cluster.ts";
export { ClusterError } from "./host/errors.ts";
export { helmBinary, kubernetesBinaries } from "./host/binaries.ts";
export { images } from "./images/names.ts";
