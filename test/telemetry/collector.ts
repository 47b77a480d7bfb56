/** A collector of traces for tests: takes OTLP over HTTP with protobuf bodies, and keeps the spans. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import protobuf from "protobufjs";

/** The part of opentelemetry.proto.collector.trace.v1 that the tests look at; the numbers are the protocol's. */
const schema = `
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9; repeated Link links = 13; Status status = 15;
  }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`;
const requestType = protobuf.parse(schema).root.lookupType("Request");

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface CollectedSpan {
  readonly resource: Attributes;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly durationNs: bigint;
  readonly attributes: Attributes;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
}

export interface Collector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  /** What has arrived, in order. */
  readonly spans: readonly CollectedSpan[];
  stop(): Promise<void>;
}

export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const server = createServer((request, response) => {
    receive(request).then(
      (received) => {
        spans.push(...received);
        response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
      },
      (error: unknown) => response.writeHead(400).end(String(error)),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    stop: async () => {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}

async function receive(request: IncomingMessage): Promise<CollectedSpan[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (request.method !== "POST" || request.url !== "/v1/traces")
    throw new Error(`only POST /v1/traces is taken, not ${request.method} ${request.url}`);
  if (request.headers["content-type"] !== "application/x-protobuf")
    throw new Error(`only protobuf is taken, not ${request.headers["content-type"]}`);
  const body = Buffer.concat(chunks);
  return decode(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body);
}

interface KeyValue {
  key: string;
  value?: { stringValue?: string; boolValue?: boolean; intValue?: string; doubleValue?: number };
}
interface WireSpan {
  traceId: number[];
  spanId: number[];
  parentSpanId: number[];
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: KeyValue[];
  links: { traceId: number[]; spanId: number[] }[];
  status: { code: number } | null;
}

/** The spans of an ExportTraceServiceRequest. */
export function decode(body: Uint8Array): CollectedSpan[] {
  const request = requestType.toObject(requestType.decode(body), {
    longs: String,
    bytes: Array,
    defaults: true,
  }) as { resourceSpans: { resource: { attributes: KeyValue[] } | null; scopeSpans: { spans: WireSpan[] }[] }[] };
  return request.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => read(span, attributesOf(resource?.attributes ?? [])))),
  );
}

function read(span: WireSpan, resource: Attributes): CollectedSpan {
  return {
    resource,
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: hex(span.parentSpanId),
    name: span.name,
    kind: span.kind,
    durationNs: BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano),
    attributes: attributesOf(span.attributes),
    links: span.links.map((link) => ({ traceId: hex(link.traceId), spanId: hex(link.spanId) })),
    status: span.status?.code ?? 0,
  };
}

const hex = (bytes: readonly number[]): string => Buffer.from(bytes).toString("hex");

function attributesOf(pairs: readonly KeyValue[]): Attributes {
  return Object.fromEntries(
    pairs.map(({ key, value = {} }) => [
      key,
      value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue ?? Number.NaN),
    ]),
  );
}
