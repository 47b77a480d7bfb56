/** An object of the Kubernetes API as far as a pipeline's meaning depends on it: what it is to be, and what it says it is. */
export interface ReportedObject {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation?: number };
  readonly spec?: Record<string, unknown>;
  readonly status?: Record<string, unknown>;
}
