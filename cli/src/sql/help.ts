/** What the prompt says of itself. Pure. */
import { META_HELP } from "./meta.ts";
import { RECORD_COLUMNS } from "./record-columns.ts";

const FORM = Math.max(...META_HELP.map(([form]) => form.length));

export const PROMPT_HELP = `Statements end with ; and may have several lines.

  SHOW TOPICS;  SHOW TABLES;  SHOW STREAMS;  SHOW CONNECTORS;  SHOW PIPELINES;
  DESCRIBE name;
  PRINT topic [FROM BEGINNING] [LIMIT n];
  SELECT … FROM topic [WHERE …] EMIT CHANGES [LIMIT n];    what comes, until Ctrl-C
  SELECT … FROM topic [JOIN table …] …;                    what is there (SQL of DuckDB)
  SELECT … FROM table …;                                   the pipeline's tables (PostgreSQL)
  CREATE STREAM name AS SELECT … FROM topic [WHERE …];     a transform and its topic, in the pipeline
  DROP STREAM name;
  SET 'auto.offset.reset' = 'earliest';                    PRINT and EMIT CHANGES begin with the first record

Commands end with their line.

${META_HELP.map(([form, does]) => `  ${form.padEnd(FORM)}  ${does}\n`).join("")}
A topic's records also have ${RECORD_COLUMNS.slice(0, -1).join(", ")} and ${RECORD_COLUMNS.at(-1) ?? ""}.
`;
