/** How a cluster is named on the command line. Pure: what help prints loads no client. */

/** The options of every command that asks a cluster. */
export const KUBE_OPTIONS = {
  context: { type: "string" },
  namespace: { type: "string", short: "n" },
  kubeconfig: { type: "string" },
} as const;

export const KUBE_HELP = `      --context NAME        of the kubeconfig (its current one)
  -n, --namespace NAME      of the pipeline (that of the context, or default)
      --kubeconfig FILE     ($KUBECONFIG, or ~/.kube/config)
`;
