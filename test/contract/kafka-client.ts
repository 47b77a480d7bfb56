/** Kafka clients from outside the cluster: whatever host a broker advertises, connections go through one forwarded port. */
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { Kafka, logLevel } from "kafkajs";
import type { SASLOptions } from "kafkajs";
import { until } from "./cluster.ts";

/** Whom to believe that they are the broker, and under which name. */
export interface Trust {
  ca: string;
  servername: string;
}

/** A client of the listener behind a port on loopback. */
export function kafkaAt(port: number, login?: { username: string; password: string }, trust?: Trust): Kafka {
  const sasl: SASLOptions | undefined = login === undefined ? undefined : { mechanism: "scram-sha-512", ...login };
  return new Kafka({
    clientId: "contract",
    brokers: ["broker:1"],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 10_000,
    authenticationTimeout: 10_000,
    requestTimeout: 10_000,
    retry: { retries: 2, initialRetryTime: 200 },
    socketFactory: ({ onConnect }) =>
      trust === undefined
        ? connect(port, "127.0.0.1", onConnect)
        : connectTls({ host: "127.0.0.1", port, ...trust }, onConnect),
    ...(sasl === undefined ? {} : { sasl }),
  });
}

/** Runs with an admin client, which is closed afterwards. */
export async function asAdmin<T>(kafka: Kafka, run: (admin: ReturnType<Kafka["admin"]>) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await run(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Whether the broker accepts a login; a connection that is lost over it is no answer and tried again. */
export async function canLogIn(port: number, username: string, password: string): Promise<boolean> {
  return until("an answer to a login", async () => {
    try {
      await asAdmin(kafkaAt(port, { username, password }), () => Promise.resolve());
      return true;
    } catch (error) {
      if (error instanceof Error && error.message.includes("invalid credentials")) return false;
      throw error;
    }
  });
}

/** Sends one record with a client. */
export async function send(kafka: Kafka, topic: string, value: string): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  try {
    await producer.connect();
    await producer.send({ topic, messages: [{ value }] });
  } finally {
    await producer.disconnect();
  }
}
