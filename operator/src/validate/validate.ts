/** All checks of what the API server's own rules cannot say; also for pipelines read from a file. */
import type { Problem } from "../status/facts.ts";
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
import { redisKeysAreTemplates } from "./outputs.ts";
import { variablesAreOurs } from "./pods.ts";
import { windowsFit } from "./windows.ts";

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
  decimalsFit,
  fieldPlacesAreRead,
  fieldPlacesAreWritten,
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
