/** OpenTelemetry's SDK in a module of its own: it is imported only where traces are on, and brings many modules. */
export { NodeSDK } from "@opentelemetry/sdk-node";
