import { expect, test } from "vitest";
import { givenPipeline } from "../testing/given-pipeline.ts";
import { variablesAreOurs } from "./pods.ts";

type Env = readonly { readonly name: string; readonly value?: string; readonly valueFrom?: Record<string, unknown> }[];

function problemsOf(env: Env): string[] {
  const pipeline = givenPipeline((spec) => {
    for (const stage of spec.aggregators ?? []) stage.template = { env: [...env] };
  });
  return variablesAreOurs({ pipeline }).map(({ message }) => message);
}

test.each([
  [{ name: "LOG_LEVEL", value: "debug" }],
  [{ name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://collector:4318" }],
  [{ name: "OTEL_TRACES_SAMPLER_ARG", value: "0.1" }],
  [{ name: "OTEL_RESOURCE_ATTRIBUTES", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
  [{ name: "OTEL_BSP_MAX_QUEUE_SIZE", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } }],
])("%j is taken", (variable) => expect(problemsOf([variable])).toEqual([]));

test.each([
  ["NODE_OPTIONS", "--import=data:text/javascript,steal()"],
  ["NODE_EXTRA_CA_CERTS", "/tmp/ca.pem"],
  ["NODE_TLS_REJECT_UNAUTHORIZED", "0"],
  ["LD_PRELOAD", "/tmp/x.so"],
  ["LD_LIBRARY_PATH", "/tmp"],
  ["OPENSSL_CONF", "/tmp/openssl.cnf"],
  ["SSL_CERT_FILE", "/tmp/ca.pem"],
  ["SSLKEYLOGFILE", "/tmp/keys"],
  ["UV_THREADPOOL_SIZE", "1000"],
  ["GLIBC_TUNABLES", "x"],
  ["MALLOC_ARENA_MAX", "1"],
  ["PATH", "/tmp"],
  ["HOME", "/tmp"],
  ["AWS_SHARED_CREDENTIALS_FILE", "/tmp/x"],
  ["PGSSLMODE", "disable"],
  ["HTTPS_PROXY", "http://evil.example.org"],
  ["CAUDAL_CONFIG", "/tmp/config.json"],
  ["POD_NAME", "another"],
  ["node_options", "--inspect"],
  ["OTEL_x", "1"],
  ["LOG_LEVELS", "debug"],
])("%s is refused", (name, value) =>
  expect(problemsOf([{ name, value }])).toEqual([
    `spec.aggregators[metrics].template.env[${name}]: a stage takes the variables LOG_LEVEL and OTEL_… alone: leave it out`,
  ]),
);

test.each(["secretKeyRef", "configMapKeyRef", "fileKeyRef"])(
  "a value from %s is refused, also beside another",
  (source) => {
    const valueFrom = { fieldRef: { fieldPath: "metadata.name" }, [source]: { name: "other", key: "password" } };
    expect(problemsOf([{ name: "OTEL_EXPORTER_OTLP_HEADERS", valueFrom }])).toEqual([
      expect.stringMatching(new RegExp(`valueFrom: ${source} would read .* write value, fieldRef or resourceFieldRef`)),
    ]);
  },
);
