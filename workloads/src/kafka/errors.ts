/** What can go wrong between us and Kafka: one class per outcome. */
import { annotation, topicIdText } from "@caudal/crds";
import { WorkloadError } from "../runtime/errors.ts";

/** A partition, for errors that are about one. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** A broker cannot be reached, does not answer in time, or is not (yet) the one to ask. Passes by itself. */
export class KafkaUnavailable extends WorkloadError {
  readonly code = "KAFKA_UNAVAILABLE";
  readonly reason = "KafkaUnavailable";
  readonly retryable = true;
}

/** Offsets of a group belong to a transaction that is not over: it ends soon, unless its broker has forgotten it. */
export class OffsetsUnstable extends KafkaUnavailable {}

/** The broker does not accept who we say we are. Credentials are read again at each try, so a rotation heals it. */
export class KafkaLoginFailed extends WorkloadError {
  readonly code = "KAFKA_LOGIN_FAILED";
  readonly reason = "KafkaLoginFailed";
  readonly retryable = true;
  /** Whether the message says whose login it is. */
  readonly told: boolean;

  constructor(message: string, { told = false, ...options }: ErrorOptions & { readonly told?: boolean } = {}) {
    super(message, options);
    this.told = told;
  }
}

/** The broker knows who we are and forbids what we ask. An ACL that is granted later heals it. */
export class KafkaForbidden extends WorkloadError {
  readonly code = "KAFKA_FORBIDDEN";
  readonly reason = "KafkaForbidden";
  readonly retryable = true;
}

/** The topic does not exist, or not yet. */
export class TopicMissing extends WorkloadError {
  readonly code = "TOPIC_MISSING";
  readonly reason = "TopicMissing";
  readonly retryable = true;
}

/** A topic of the same name is another one now: it was deleted and made again. A person says whether to go on with it. */
export class TopicRecreated extends WorkloadError {
  readonly code = "TOPIC_RECREATED";
  readonly reason = "TopicRecreated";
  readonly retryable = false;
  readonly topic: string;

  /** @param places next offset by partition, as progress has them; [] where it is not known */
  constructor(
    topic: string,
    was: string,
    is: string,
    places: readonly { readonly partition: number; readonly nextOffset: number }[] = [],
  ) {
    const old = topicIdText(was) ?? was;
    const read = [...new Map(places.map((place) => [place.partition, place.nextOffset]))]
      .sort(([a], [b]) => a - b)
      .map(([partition, next]) => `${topic}/${partition} up to offset ${next}`);
    super(
      `topic ${topic} was deleted and made again (its id was ${old} and is ${topicIdText(is) ?? is}): its records are gone` +
        (read.length === 0 ? "" : `, of which were read: ${shortened(read)}`) +
        ". Nothing of the new topic is read until a person says so, and then from its start, and results stay: name the " +
        `old one in the pipeline's annotation ${annotation.acknowledgeLostTopics}: "${topic}=${old}"`,
    );
    this.topic = topic;
  }
}

/** What a person can do where the log does not go on at a place: nothing is left out without their word. */
const HOW_TO_GO_ON =
  "nothing more is read there until a person decides: select caudal.forget_table('name') drops a table, which is made " +
  "anew from what the log still holds; an output under another name begins at the log's start too";

/** The log does not hold the offset that is to be read next. We never jump. */
export class OffsetOutOfRange extends WorkloadError {
  readonly code = "OFFSET_OUT_OF_RANGE";
  readonly reason = "OffsetOutOfRange";
  readonly retryable = false;
  readonly place: Place;
  readonly offset: number;
  readonly logStartOffset: number;
  readonly logEndOffset: number;

  constructor(place: Place, offset: number, logStartOffset: number, logEndOffset: number) {
    const lost = offset < logStartOffset;
    super(
      `${place.topic}/${place.partition} holds the offsets ${logStartOffset} to ${logEndOffset}, ` +
        `and ${offset} is to be read next: ` +
        (lost
          ? `retention removed ${logStartOffset - offset} offsets before they were read`
          : "the log was cut or replaced") +
        `; ${HOW_TO_GO_ON}`,
    );
    this.place = place;
    this.offset = offset;
    this.logStartOffset = logStartOffset;
    this.logEndOffset = logEndOffset;
  }
}

/** A new leader's log differs from what was read of the old one: records that were read are gone. */
export class LogTruncated extends WorkloadError {
  readonly code = "LOG_TRUNCATED";
  readonly reason = "LogTruncated";
  readonly retryable = false;
  readonly place: Place;

  constructor(place: Place, offset: number, epoch: number, divergesAt: number) {
    super(
      `${place.topic}/${place.partition} was read to offset ${offset} in leader epoch ${epoch}, ` +
        `and its leader's log ends that epoch at ${divergesAt}: records that were read are gone ` +
        `(an unclean leader election); ${HOW_TO_GO_ON}`,
    );
    this.place = place;
  }
}

/** A batch's checksum does not match its bytes, again and again. It is never skipped. */
export class CorruptBatch extends WorkloadError {
  readonly code = "CORRUPT_BATCH";
  readonly reason = "CorruptBatch";
  readonly retryable = false;
}

/** Records in a form that we do not read: message formats before Kafka 0.11, an unknown codec. */
export class FormatUnsupported extends WorkloadError {
  readonly code = "FORMAT_UNSUPPORTED";
  readonly reason = "FormatUnsupported";
  readonly retryable = false;
}

/** The broker lacks what we rely on. */
export class BrokerTooOld extends WorkloadError {
  readonly code = "BROKER_TOO_OLD";
  readonly reason = "BrokerTooOld";
  readonly retryable = false;
}

/** The group does not know this member, or not in this generation: it joins again by itself. */
export class MembershipLost extends WorkloadError {
  readonly code = "MEMBERSHIP_LOST";
  readonly reason = "MembershipLost";
  readonly retryable = true;
}

/** Another process writes under our transactional id now: what we had begun is undone, and nothing of us counts any more. */
export class ProducerFenced extends WorkloadError {
  readonly code = "PRODUCER_FENCED";
  readonly reason = "ProducerFenced";
  readonly retryable = true;
}

/** The broker does not take a record of this size. */
export class RecordTooLarge extends WorkloadError {
  readonly code = "RECORD_TOO_LARGE";
  readonly reason = "RecordTooLarge";
  readonly retryable = false;
  /** How many there are in the batch that was refused. */
  readonly records: number;

  constructor(message: string, records = 1) {
    super(message);
    this.records = records;
  }
}

/** As many partitions as a person reads. */
const PLACES = 12;

function shortened(places: readonly string[]): string {
  const more = places.length > PLACES ? ` and ${places.length - PLACES} more partitions` : "";
  return places.slice(0, PLACES).join(", ") + more;
}
