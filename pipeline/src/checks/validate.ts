/** All checks of what the API server's own rules cannot say; also for pipelines read from a file. */
import type { Problem } from "../problem.ts";
import type { Check, CheckInput } from "./check.ts";
import { listenerAuthenticationIsSupported, listenerExists, standbysSuffice } from "./connections.ts";
import { fieldPlacesAreRead, fieldPlacesAreWritten } from "./field-places.ts";
import { generatorValuesFit } from "./generator-values.ts";
import { matchedColumnsCanBeNamed, tablesCanBeNamed } from "./identifiers.ts";
import {
  columnsAreNotReserved,
  databaseNameIsFree,
  stageNamesAreUnique,
  tableNamesAreUnique,
  tablesAreFree,
} from "./names.ts";
import { sourceColumnsAreFields, sourceTopicKeysAreRowKeys } from "./sources.ts";
import {
  deadLettersGoElsewhere,
  decimalsFit,
  fieldNamesDifferInMoreThanCase,
  messageBytesIsANumber,
  resultsGoElsewhere,
  stageTopicsHaveFields,
  topicNamesDoNotCollide,
} from "./topics.ts";
import { topicsAreDeclared, topicsDoNotGoRound } from "./graph.ts";
import { redisKeysAreTemplates } from "./outputs.ts";
import { variablesAreOurs } from "./pods.ts";
import { windowsFit } from "./windows.ts";
import { durationsAreWritten, fieldTypesExist, timestampsAreTimes } from "./written-forms.ts";

/** In the order in which their findings are told. */
export const checks: Readonly<Record<string, Check>> = {
  stageNamesAreUnique,
  tablesCanBeNamed,
  matchedColumnsCanBeNamed,
  tableNamesAreUnique,
  tablesAreFree,
  columnsAreNotReserved,
  databaseNameIsFree,
  fieldNamesDifferInMoreThanCase,
  fieldTypesExist,
  decimalsFit,
  fieldPlacesAreRead,
  fieldPlacesAreWritten,
  timestampsAreTimes,
  durationsAreWritten,
  topicsAreDeclared,
  topicsDoNotGoRound,
  stageTopicsHaveFields,
  topicNamesDoNotCollide,
  deadLettersGoElsewhere,
  resultsGoElsewhere,
  messageBytesIsANumber,
  sourceColumnsAreFields,
  sourceTopicKeysAreRowKeys,
  redisKeysAreTemplates,
  windowsFit,
  generatorValuesFit,
  listenerExists,
  listenerAuthenticationIsSupported,
  standbysSuffice,
  variablesAreOurs,
};

export function validate(input: CheckInput): Problem[] {
  return Object.values(checks).flatMap((check) => check(input));
}

/**
 * What is wrong with the SQL beside what has been found already: a place that has been told is not told again, and what
 * the fields of a topic are was checked before.
 */
export function beside(found: readonly Problem[], sql: readonly Problem[]): readonly Problem[] {
  if (found.length === 0) return sql;
  const told = new Set(found.map(({ message }) => placeOf(message)));
  return sql.filter(({ message }) => !message.startsWith("spec.topics[") && !told.has(placeOf(message)));
}

/** The place that a message begins with. */
function placeOf(message: string): string {
  return message.slice(0, message.indexOf(": "));
}
