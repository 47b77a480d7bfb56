/** What a call to the API server can come to, one class an outcome. Messages never hold a request's body. */

export abstract class KubeError extends Error {
  abstract readonly code: string;
  abstract readonly reason: string;
  abstract readonly retryable: boolean;
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** 404: the object, or its whole kind, does not exist. */
export class NotFound extends KubeError {
  readonly code: string = "ENOTFOUND";
  readonly reason: string = "NotFound";
  readonly retryable: boolean = false;
}

/** 404 that names no object: the kind is not served now, which says nothing about its objects. */
export class KindNotServed extends NotFound {
  override readonly code = "EKINDNOTSERVED";
  override readonly reason = "KindNotServed";
  override readonly retryable = true;
}

/** 409: the object is not the one that was looked at; look again. */
export class Conflict extends KubeError {
  readonly code = "ECONFLICT";
  readonly reason = "Conflict";
  readonly retryable = true;
}

/** 410: the resource version is too old to list or watch from. */
export class Gone extends KubeError {
  readonly code = "EGONE";
  readonly reason = "Expired";
  readonly retryable = true;
}

/** 401 and 403. */
export class Forbidden extends KubeError {
  readonly code: string = "EFORBIDDEN";
  readonly reason: string = "Forbidden";
  readonly retryable = true;
}

/** 403 for what would be made in a namespace that is being deleted. */
export class NamespaceEnds extends Forbidden {
  override readonly code = "ENAMESPACEENDS";
  override readonly reason = "NamespaceEnds";
}

/** 400 and 422: the API server refuses the object itself. */
export class Invalid extends KubeError {
  readonly code = "EINVALID";
  readonly reason = "Refused";
  readonly retryable = false;
}

/** 429: the API server asks for a pause. */
export class TooManyRequests extends KubeError {
  readonly code = "ETOOMANY";
  readonly reason = "TooManyRequests";
  readonly retryable = true;
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Any other status. */
export class ServerFailed extends KubeError {
  readonly code = "ESERVER";
  readonly reason = "ServerError";
  readonly retryable = true;
}

/** No answer: refused, cut or timed out. Whether a write took place is unknown. */
export class Unreachable extends KubeError {
  readonly code = "EUNREACHABLE";
  readonly reason = "ApiServerUnreachable";
  readonly retryable = true;
}

/** An answer that is not the JSON it should be. */
export class BadAnswer extends KubeError {
  readonly code = "EBADANSWER";
  readonly reason = "BadAnswer";
  readonly retryable = true;
}

/** Longest part of the API server's own message that is passed on. */
const MESSAGE_LIMIT = 600;

/** The error that an answer's status stands for. The API server's messages may quote values: they are cut short. */
export function errorOf(status: number, what: string, said: string, retryAfterMs: number): KubeError {
  const message = `${what}: ${status} ${said.length > MESSAGE_LIMIT ? `${said.slice(0, MESSAGE_LIMIT)}…` : said}`;
  switch (status) {
    case 400:
    case 422:
      return new Invalid(message);
    case 401:
    case 403:
      return said.endsWith("because it is being terminated") ? new NamespaceEnds(message) : new Forbidden(message);
    case 404:
      return new KindNotServed(message);
    case 409:
      return new Conflict(message);
    case 410:
      return new Gone(message);
    case 429:
      return new TooManyRequests(message, retryAfterMs);
    default:
      return new ServerFailed(message);
  }
}
