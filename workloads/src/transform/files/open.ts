/** An output to files, from its configuration. */
import { fileURLToPath } from "node:url";
import type { FilesOutputConfig } from "@caudal/crds";
import type { CallObserver } from "../../postgres/connection.ts";
import type { Owner } from "../../postgres/core/table-decision.ts";
import { ConfigInvalid } from "../../runtime/errors.ts";
import type { OutputColumn } from "../output.ts";
import { planOf } from "../plan-of.ts";
import { FilesRefused } from "./errors.ts";
import { type FileStore, observed, type StoreObserver } from "./file-store.ts";
import { FilesOutput } from "./files-output.ts";
import { FolderStore } from "./folder-store.ts";
import { FileLedger } from "./ledger.ts";
import { S3Store } from "./s3-store.ts";
import { jsonLinesWriter } from "./write-json-lines.ts";
import { ParquetWriter } from "./write-parquet.ts";

export interface FilesOutputParts {
  readonly owner: Owner;
  /** Name of the output in its stage. */
  readonly name: string;
  readonly columns: readonly OutputColumn[];
  /** Folder of the database's secret. */
  readonly database: string;
  readonly onCall: CallObserver;
  readonly onStoreCall: StoreObserver;
}

/** Column that readers get from the names of folders. */
const DATE = "date";
const REGION = "us-east-1";

/** @throws FilesRefused when a column has the name of one that folders give */
export function filesOutput(config: FilesOutputConfig, parts: FilesOutputParts): FilesOutput {
  const { format, path, everyMs, maxEvents } = config;
  const { owner, name, columns, database, onCall, onStoreCall } = parts;
  if (columns.some((column) => column.name.toLowerCase() === DATE))
    throw new FilesRefused(`output ${name}: the folders of files give a column ${DATE}: write \`as\` another name`);
  const output = `${owner.stage}/${name}`;
  const plan = planOf(format, path, config.endpoint ?? "");
  return new FilesOutput({
    writer: { pipeline: owner.pipeline, stage: owner.stage, output: name },
    gather: { ms: everyMs, events: maxEvents },
    openLedger: async () => await FileLedger.open({ secret: database, owner, output, plan, onCall }),
    openStore: () => observed(storeOf(config), onStoreCall),
    openWriter: async (folder) => (format === "jsonl" ? jsonLinesWriter : await ParquetWriter.open(columns, folder)),
    wants: format === "jsonl" ? "json" : "columns",
  });
}

function storeOf({ path, endpoint, region, secret }: FilesOutputConfig): FileStore {
  const s3 = /^s3:\/\/([^/]+)\/(.*)$/.exec(path);
  if (s3 === null) return new FolderStore(fileURLToPath(path));
  if (secret === undefined) throw new ConfigInvalid(`files of ${path} need credentials: set credentialsSecretRef`);
  return new S3Store({
    bucket: s3[1] ?? "",
    prefix: s3[2] ?? "",
    region: region ?? REGION,
    secret,
    ...(endpoint === undefined ? {} : { endpoint }),
  });
}
