/** PRINT: records as they are. */
import type { RecordBlock } from "@caudal/workloads/kafka/record-block";
import { valueAt } from "@caudal/workloads/kafka/record-block";
import type { Reading, Topics } from "../live/topics.ts";
import type { Printer } from "../output/printer.ts";
import type { Result } from "../output/result.ts";

const PLACE: Result["columns"] = [
  { name: "time", kind: "time" },
  { name: "partition", kind: "number" },
  { name: "offset", kind: "number" },
  { name: "key", kind: "text" },
];
const HEADERS: Result["columns"] = [{ name: "headers", kind: "json" }];
const VALUE: Result["columns"] = [{ name: "value", kind: "text" }];

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
  let withHeaders: boolean | undefined;
  if (limit === 0) return;
  for await (const blocks of topics.read(topic, reading)) {
    // Dead letters have their reason there; most records have none.
    withHeaders ??= blocks.some((block) => block.count > 0 && block.original(0).headers.length > 0);
    const rows = blocks.flatMap((block) => rowsOf(block, withHeaders === true));
    const part = rows.slice(0, limit === undefined ? undefined : limit - shown);
    shown += part.length;
    const columns = withHeaders ? [...PLACE, ...HEADERS, ...VALUE] : [...PLACE, ...VALUE];
    if (part.length > 0) show.add({ columns, rows: part });
    if (shown === limit) break;
  }
  show.end();
}

function rowsOf(block: RecordBlock, withHeaders: boolean): (string | null)[][] {
  return Array.from({ length: block.count }, (_, row) => {
    const { key, headers } = block.original(row);
    return [
      new Date(block.timestamps[row] ?? 0).toISOString().replace("T", " ").replace("Z", "+00"),
      String(block.partition),
      String(block.offsets[row] ?? 0),
      key?.toString() ?? null,
      ...(withHeaders
        ? [JSON.stringify(Object.fromEntries(headers.map(([name, value]) => [name, value?.toString() ?? null])))]
        : []),
      valueAt(block, row)?.toString() ?? null,
    ];
  });
}
