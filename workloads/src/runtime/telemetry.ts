/** OpenTelemetry traces: off until OTEL_EXPORTER_OTLP_ENDPOINT is set; the other OTEL_ variables work as documented. */
import {
  type Attributes,
  context,
  type Link,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { describeError } from "./errors.ts";

export interface Telemetry {
  readonly tracer: Tracer;
  /** Sends what is left. */
  stop(): Promise<void>;
}

/** Starts the SDK (OTLP over http/protobuf by default), or gives a tracer that does nothing. */
export async function startTelemetry(role: string, env: NodeJS.ProcessEnv): Promise<Telemetry> {
  const off = { tracer: trace.getTracer("caudal"), stop: async () => undefined };
  const endpoint = env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
  if (endpoint === undefined || endpoint === "") return off;
  const { NodeSDK } = await import("./telemetry-sdk.ts");
  const sdk = new NodeSDK({
    serviceName: env["OTEL_SERVICE_NAME"] ?? `caudal-${role}`,
    // Metrics and logs have ways of their own: /metrics, and stdout.
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return { tracer: trace.getTracer("caudal"), stop: async () => await sdk.shutdown() };
}

export interface SpanOptions {
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  /** W3C `traceparent` values of what led to this work. */
  readonly linkTo?: readonly string[];
}

/** Runs work inside a span that ends with it and records its error. */
export async function withSpan<T>(
  tracer: Tracer,
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const links = (options.linkTo ?? []).flatMap(linkOf);
  return await tracer.startActiveSpan(
    name,
    { kind: options.kind ?? SpanKind.INTERNAL, attributes: options.attributes ?? {}, links },
    async (span) => {
      try {
        return await work(span);
      } catch (error) {
        span.recordException(error instanceof Error ? error : describeError(error));
        span.setStatus({ code: SpanStatusCode.ERROR, message: describeError(error) });
        throw error;
      } finally {
        span.end();
      }
    },
  );
}

/** The `traceparent` of the active span, for a Kafka header; undefined when tracing is off or the span is not sampled. */
export function activeTraceparent(): string | undefined {
  const active = trace.getSpanContext(context.active());
  if (active === undefined || (active.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return carrier["traceparent"];
}

function linkOf(traceparent: string): Link[] {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent);
  const [, traceId, spanId, flags] = match ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return [];
  return [{ context: { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true } }];
}
