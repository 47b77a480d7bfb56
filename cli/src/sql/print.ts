/** PRINT: records as they are. */
import type { RecordBlock } from "@caudal/workloads/kafka/record-block";
import { valueAt } from "@caudal/workloads/kafka/record-block";
import type { Reading, Topics } from "../live/topics.ts";
import type { Printer } from "../output/printer.ts";
import type { Result } from "../output/result.ts";

const COLUMNS: Result["columns"] = [
  { name: "time", kind: "time" },
  { name: "partition", kind: "number" },
  { name: "offset", kind: "number" },
  { name: "key", kind: "text" },
  { name: "value", kind: "text" },
];

/** @param limit records at most; without one it goes on until the signal */
export async function printTopic(
  topics: Topics,
  topic: string,
  reading: Reading,
  limit: number | undefined,
  printer: Printer,
): Promise<void> {
  const show = printer.stream();
  let shown = 0;
  if (limit === 0) return;
  for await (const blocks of topics.read(topic, reading)) {
    const rows = blocks.flatMap(rowsOf).slice(0, limit === undefined ? undefined : limit - shown);
    shown += rows.length;
    if (rows.length > 0) show({ columns: COLUMNS, rows });
    if (shown === limit) return;
  }
}

function rowsOf(block: RecordBlock): (string | null)[][] {
  return Array.from({ length: block.count }, (_, row) => [
    new Date(block.timestamps[row] ?? 0).toISOString().replace("T", " ").replace("Z", "+00"),
    String(block.partition),
    String(block.offsets[row] ?? 0),
    block.original(row).key?.toString() ?? null,
    valueAt(block, row)?.toString() ?? null,
  ]);
}
