/** Outputs of transforms. */
import { parseKeyTemplate } from "@caudal/crds";
import type { Check } from "./check.ts";

/** Whether its columns are those of the select, the check of the SQL says. */
export const redisKeysAreTemplates: Check = ({ pipeline }) =>
  (pipeline.spec.transforms ?? []).flatMap((stage) =>
    stage.to.flatMap(({ name, redis }) => {
      const template = redis === undefined ? undefined : parseKeyTemplate(redis.key);
      if (typeof template !== "string") return [];
      return {
        reason: "KeyTemplateInvalid",
        message: `spec.transforms[${stage.name}].to[${name}].redis.key: ${template}`,
      };
    }),
  );
