import { afterEach } from "vitest";
import type { Topic } from "../aggregator/topic.ts";

/** Closes topics of a test after it. */
export function useTopics(): { readonly keep: (topic: Topic) => Topic } {
  const open: Topic[] = [];
  afterEach(async () => {
    for (const topic of open.splice(0)) await topic.close();
  });
  return {
    keep: (topic) => {
      open.push(topic);
      return topic;
    },
  };
}
