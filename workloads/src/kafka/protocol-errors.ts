/** From Kafka's error codes and the libraries' errors to ours. */
import { findErrorBy, protocolErrors, protocolErrorsCodesById, ResponseError } from "@platformatic/kafka";
import { describeError, WorkloadError } from "../runtime/errors.ts";
import {
  BrokerTooOld,
  KafkaForbidden,
  KafkaLoginFailed,
  KafkaUnavailable,
  OffsetsUnstable,
  TopicMissing,
} from "./errors.ts";

/** The codes that decide what we do; all others are one of these kinds. Source: Kafka's protocol guide. */
export const Code = {
  None: 0,
  OffsetOutOfRange: 1,
  CorruptMessage: 2,
  UnknownTopicOrPartition: 3,
  MessageTooLarge: 10,
  RecordListTooLarge: 18,
  IllegalGeneration: 22,
  UnknownMemberId: 25,
  RebalanceInProgress: 27,
  TopicAlreadyExists: 36,
  OutOfOrderSequence: 45,
  DuplicateSequence: 46,
  InvalidProducerEpoch: 47,
  InvalidProducerIdMapping: 49,
  UnknownProducerId: 59,
  ConcurrentTransactions: 51,
  MemberIdRequired: 79,
  UnstableOffsetCommit: 88,
  ProducerFenced: 90,
  TransactionalIdNotFound: 105,
} as const;

const forbidden = new Set([29, 30, 31, 53]);
const login = new Set([33, 34, 58]);
const tooOld = new Set([35, 43, 76]);

/** The error that a code stands for; `what` is what it is about. */
export function protocolError(code: number, what: string): WorkloadError {
  const name = protocolErrorsCodesById[code] ?? `error ${code}`;
  const text = `${what}: ${name} (${protocolErrors[name]?.message ?? "not a code that we know"})`;
  if (code === Code.UnstableOffsetCommit) return new OffsetsUnstable(text);
  if (code === Code.UnknownTopicOrPartition) return new TopicMissing(text);
  if (forbidden.has(code)) return new KafkaForbidden(`${text}; grant this user the right`);
  if (login.has(code)) return new KafkaLoginFailed(text);
  if (tooOld.has(code)) return new BrokerTooOld(`${text}; Kafka 3.3 or newer is needed`);
  return new KafkaUnavailable(text);
}

/** Any error of the library as one of ours. */
export function kafkaError(error: unknown, operation: string): Error {
  if (error instanceof WorkloadError) return error;
  if (!(error instanceof Error)) return new KafkaUnavailable(`${operation}: ${String(error)}`);
  const coded: unknown = findErrorBy(error, "code", "PLT_KFK_PROTOCOL")?.["apiCode"];
  if (typeof coded === "number") {
    const typed = protocolError(coded, operation);
    typed.cause = error;
    return typed;
  }
  const code = (error as { code?: unknown }).code;
  if (findErrorBy(error, "code", "PLT_KFK_AUTHENTICATION") !== null)
    return new KafkaLoginFailed(`Kafka does not let us in: ${describeError(error)}`, { cause: error });
  if (typeof code === "string" && /^(PLT_KFK_(NETWORK|TIMEOUT|USER|UNEXPECTED)|E[A-Z]+$|ERR_|CERT_|UNABLE_)/.test(code))
    return new KafkaUnavailable(`${operation}: ${describeError(error)}`, { cause: error });
  return error;
}

/** The response also when parts of it have error codes, for which the library rejects: each part decides what it means. */
export async function withCodes<T>(response: Promise<T>): Promise<T> {
  try {
    return await response;
  } catch (error) {
    const partial: unknown = error instanceof ResponseError ? error["response"] : undefined;
    if (partial === undefined || partial === null) throw error;
    return partial as T;
  }
}
