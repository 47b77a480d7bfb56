import type { KafkaUser } from "./types.ts";

/** One rule as the broker keeps it, with Kafka's numbers for its enumerations. */
export interface Acl {
  resourceType: 2 | 3 | 4 | 5;
  resourceName: string;
  resourcePatternType: 3 | 4;
  principal: string;
  host: string;
  operation: Operation;
  permissionType: 2 | 3;
}

type Operation = (typeof operations)[keyof typeof operations];

const operations = {
  All: 2,
  Read: 3,
  Write: 4,
  Create: 5,
  Delete: 6,
  Alter: 7,
  Describe: 8,
  ClusterAction: 9,
  DescribeConfigs: 10,
  AlterConfigs: 11,
  IdempotentWrite: 12,
} as const;
const resourceTypes = { topic: 2, group: 3, cluster: 4, transactionalId: 5 } as const;

/** The rules that a KafkaUser asks for: one for each operation of each of its ACLs. */
export function aclsOf(user: KafkaUser): Acl[] {
  return (user.spec?.authorization?.acls ?? []).flatMap(({ resource, operations: named, type, host }) =>
    named.flatMap((name) => {
      const resourceType = resourceTypes[resource.type as keyof typeof resourceTypes];
      const operation = operations[name as keyof typeof operations];
      return {
        resourceType,
        resourceName: resourceType === 4 ? "kafka-cluster" : (resource.name ?? "*"),
        resourcePatternType: resource.patternType === "prefix" ? (4 as const) : (3 as const),
        principal: `User:${user.metadata.name}`,
        host: host ?? "*",
        operation,
        permissionType: type === "deny" ? (2 as const) : (3 as const),
      };
    }),
  );
}

/** The difference between the rules that the broker has and those that all users ask for. */
export function diffAcls(wanted: readonly Acl[], present: readonly Acl[]): { create: Acl[]; remove: Acl[] } {
  const have = new Set(present.map(textOf));
  const want = new Set(wanted.map(textOf));
  return {
    create: wanted.filter((acl) => !have.has(textOf(acl))),
    remove: present.filter((acl) => !want.has(textOf(acl))),
  };
}

function textOf(acl: Acl): string {
  const { resourceType, resourceName, resourcePatternType, principal, host, operation, permissionType } = acl;
  return JSON.stringify([resourceType, resourceName, resourcePatternType, principal, host, operation, permissionType]);
}
