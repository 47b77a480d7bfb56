/** What tests make up. */
export { configOf, tableOf, topicOf } from "./configs.ts";
export { givenPipeline } from "./given-pipeline.ts";
