/** The stages of examples/banking as processes of this host, with the very configuration that the operator plans. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { path, type StreamPipeline, type WorkloadConfig, withDefaults } from "@caudal/crds";
import { parse, parseAllDocuments } from "yaml";
import { stagesOf } from "../../../pipeline/src/stages.ts";
import { buildWorkloadConfig } from "../../../pipeline/src/workload-config.ts";
import { repository } from "../../cluster/host/paths.ts";

const folder = join(repository, "examples/banking");

/** Events that each generator makes, and how many a second: all of them within some 15 s. */
const LIMITS: Readonly<Record<string, { readonly limit: number; readonly rate: number }>> = {
  varejo: { limit: 6_000, rate: 400 },
  empresas: { limit: 1_000, rate: 66 },
  suspeitas: { limit: 400, rate: 26 },
};
export const TRANSACTIONS = Object.values(LIMITS).reduce((sum, { limit }) => sum + limit, 0);

/** Where things are in place of where they are in a pod. */
export interface Places {
  readonly bootstrap: string;
  /** Folders of secrets. */
  readonly database: string;
  readonly valkey: string;
}

/** By stage. */
export function bankingStages({ bootstrap, database, valkey }: Places): ReadonlyMap<string, WorkloadConfig> {
  const given = parse(readFileSync(join(folder, "pipeline.yaml"), "utf8")) as StreamPipeline;
  const metadata = { ...given.metadata, namespace: "bank", uid: "u1", generation: 1, resourceVersion: "1" };
  const pipeline = withDefaults({ ...given, metadata });
  const access = { connection: { bootstrapServers: [bootstrap] }, reason: "", message: "", user: false, acls: false };
  return new Map(
    stagesOf(pipeline).map((stage) => {
      const planned = JSON.stringify(buildWorkloadConfig(pipeline, stage, access, undefined))
        .replaceAll(path.database, database)
        .replaceAll(path.secret("banking-valkey"), valkey);
      const config = JSON.parse(planned) as WorkloadConfig;
      const { generator } = config;
      return [
        stage.name,
        generator === undefined ? config : { ...config, generator: { ...generator, ...LIMITS[stage.name] } },
      ];
    }),
  );
}

/** The statements of the seed job. */
export function bankingSeed(): string {
  const [config] = parseAllDocuments(readFileSync(join(folder, "seed.yaml"), "utf8"));
  return (config?.toJS() as { readonly data: { readonly "seed.sql": string } }).data["seed.sql"];
}

export interface Transaction {
  readonly id_transacao: string;
  readonly id_usuario_pagador: string;
  readonly id_usuario_recebedor: string;
  readonly id_regiao: string;
  readonly modalidade_pagamento: string;
  readonly data_horario: string;
  readonly valor_transacao: number;
}

export interface Known {
  readonly accounts: ReadonlyMap<string, { readonly uf: string; readonly saldo: string; readonly bloqueada: boolean }>;
  readonly limits: ReadonlyMap<string, { readonly por_transacao: string; readonly noturno: string }>;
  readonly states: ReadonlySet<string>;
}

type Query = <Row extends Record<string, unknown>>(text: string) => Promise<Row[]>;

/** What the tables say that the decision looks at. */
export async function readKnown(query: Query): Promise<Known> {
  const accounts = await query<{ id_usuario: string; uf: string; saldo: string; bloqueada: boolean }>(
    "select * from contas",
  );
  const limits = await query<{ modalidade: string; por_transacao: string; noturno: string }>("select * from limites");
  const states = await query<{ uf: string }>("select uf from regioes");
  return {
    accounts: new Map(accounts.map((account) => [account.id_usuario, account])),
    limits: new Map(limits.map((limit) => [limit.modalidade, limit])),
    states: new Set(states.map(({ uf }) => uf)),
  };
}

/** Why a transaction is refused, by the rules as the README tells them; null when it is not. */
export function decide(tx: Transaction, { accounts, limits, states }: Known): string | null {
  const account = accounts.get(tx.id_usuario_pagador);
  const limit = limits.get(tx.modalidade_pagamento);
  const value = tx.valor_transacao;
  if (account === undefined) return "conta desconhecida";
  if (account.bloqueada) return "conta bloqueada";
  if (!states.has(tx.id_regiao)) return "regiao desconhecida";
  if (tx.id_usuario_pagador === tx.id_usuario_recebedor) return "mesma conta";
  if (limit === undefined) return "modalidade desconhecida";
  if (value > Number(limit.por_transacao)) return "acima do limite";
  const hour = new Date(Date.parse(tx.data_horario) - 3 * 3_600_000).getUTCHours();
  if ((hour >= 20 || hour < 6) && value > Number(limit.noturno)) return "acima do limite noturno";
  if (value >= 9_000 && value <= 9_999.99 && tx.id_regiao !== account.uf) return "suspeita";
  return value > Number(account.saldo) ? "saldo insuficiente" : null;
}
