/** Values that a chart refuses, each with a message that names the place and what is wrong. */
import { describe, expect, it } from "vitest";
import { type ChartName, render } from "./support/helm.ts";

const refused: [ChartName, string, RegExp][] = [
  ["caudal", "replica=2", /additional properties 'replica' not allowed/],
  ["caudal", "image.name=x", /at '\/image': additional properties 'name' not allowed/],
  ["caudal", "workloads.image.pullPolicy=Sometimes", /at '\/workloads\/image\/pullPolicy': value must be one of/],
  ["caudal", "replicas=two", /at '\/replicas': got string, want integer/],
  ["caudal", "replicas=-1", /at '\/replicas': minimum: got -1, want 0/],
  ["caudal", "image.digest=latest", /at '\/image\/digest': .*does not match pattern/],
  ["caudal", "watchNamespaces=orders", /at '\/watchNamespaces': got string, want array/],
  ["caudal", "watchNamespaces={Orders}", /at '\/watchNamespaces\/0': .*does not match pattern/],
  ["caudal", "logLevel=loud", /at '\/logLevel': value must be one of 'trace'/],
  ["caudal", "otel.endpoint=collector:4318", /at '\/otel\/endpoint': .*does not match pattern/],
  ["caudal", "resources.limits.memory=lots", /at '\/resources\/limits\/memory'/],
  ["caudal", "crds.install=true", /at '\/crds': additional properties 'install' not allowed/],
  ["caudal", "metrics.monitor.kind=Probe", /at '\/metrics\/monitor\/kind': value must be one of/],
  ["caudal", "extraEnv[0].value=x", /at '\/extraEnv\/0': missing property 'name'/],
  ["platform", "brokers=3", /additional properties 'brokers' not allowed/],
  ["platform", "kafka.replicas=0", /at '\/kafka\/replicas': minimum: got 0, want 1/],
  ["platform", "kafka.storage.size=big", /at '\/kafka\/storage\/size': .*does not match pattern/],
  ["platform", "kafka.plain.enabled=false", /at '\/kafka\/scram\/enabled': value must be true/],
  ["platform", "name=Platform", /at '\/name': .*does not match pattern/],
];

describe("values that a chart does not know", () => {
  it.each(refused)("%s refuses --set %s", async (chart, pair, message) => {
    await expect(render(chart, { set: [pair] })).rejects.toThrow(message);
  });
});
