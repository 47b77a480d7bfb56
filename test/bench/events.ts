/** The events that every engine reads: what an app would send, the same for the same seed. Pure. */

export interface EventShape {
  /** Distinct users, `u00000` and on. */
  readonly users: number;
  /** Exponent of their Zipf distribution; 0: all alike. */
  readonly skew: number;
  /** Event time that the events cover, in ms. */
  readonly spanMs: number;
  /** Text that every event carries besides, in bytes. */
  readonly padding: number;
  /** Whether an event has a UUID. */
  readonly identified: boolean;
}

/** About 140 bytes an event. */
export const appEvents: EventShape = {
  users: 10_000,
  skew: 0.8,
  spanMs: 30 * 60_000,
  padding: 0,
  identified: true,
};

/** When the first window begins. Long past, so that no broker or engine takes an event for one of the future. */
export const EPOCH_MS = Date.UTC(2026, 0, 1);
/** Events arrive up to this much out of order. */
export const DISORDER_MS = 3_000;
/** Ends every partition, in a window of its own that no comparison looks at: it moves the watermarks past all others. */
export const SENTINEL = { user: "~sentinel", type: "sentinel", afterMs: 2 * 3_600_000 } as const;

const SEED = 42;
const TYPES = ["view", "click", "search", "add_to_cart", "logout", "purchase"] as const;
/** Running sums of the types' shares. */
const SHARES = [0.55, 0.75, 0.87, 0.94, 0.98, 1] as const;
const MEAN_WAITING_MS = 250;

/** A number in [0, 1) at each call. */
export type Random = () => number;

/** sfc32, Chris Doty-Humphrey's small fast counting generator, from PractRand. */
export function random(seed: number): Random {
  let [a, b, c, counter] = [0, seed | 0, seed | 0, 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

export interface AppEvent {
  /** Index of the user; its name is {@link userName}. */
  user: number;
  /** Epoch milliseconds. */
  time: number;
  /** JSON in ASCII. */
  value: string;
}

export const userName = (user: number): string => `u${String(user).padStart(5, "0")}`;

/**
 * Makes events in the order of the log. The object it gives is the same at each call.
 *
 * @returns a function of the nominal time (epoch ms) and of a type in place of a drawn one
 */
export function eventMaker(shape: EventShape): (nominal: number, earliest: number, type?: string) => AppEvent {
  const next = random(SEED);
  const users = zipf(shape);
  const names = Array.from({ length: shape.users }, (_, user) => userName(user));
  const hex = Array.from({ length: 65_536 }, (_, word) => word.toString(16).padStart(4, "0"));
  const padding = shape.padding === 0 ? "" : `,"details":"${"x".repeat(shape.padding)}"`;
  const word = (): string => hex[Math.floor(next() * 65_536)] ?? "";
  const uuid = (): string =>
    `${word()}${word()}-${word()}-4${word().slice(1)}-a${word().slice(1)}-${word()}${word()}${word()}`;
  const event: AppEvent = { user: 0, time: 0, value: "" };
  return (nominal, earliest, type = typeOf(next())) => {
    const id = shape.identified ? `"event_id":"${uuid()}",` : "";
    event.user = users(next());
    event.time = Math.max(earliest, nominal - Math.floor(next() * DISORDER_MS));
    const waiting = Math.round(-Math.log(1 - next()) * MEAN_WAITING_MS * 100) / 100;
    event.value = eventJson(id, names[event.user] ?? "", type, event.time, waiting, padding);
    return event;
  };
}

/** The event that ends a partition. */
export function sentinelValue(shape: EventShape, partition: number): string {
  const last = String(partition).padStart(12, "0");
  const id = shape.identified ? `"event_id":"00000000-0000-4000-a000-${last}",` : "";
  return eventJson(id, SENTINEL.user, SENTINEL.type, EPOCH_MS + SENTINEL.afterMs, 0, "");
}

function eventJson(id: string, user: string, type: string, time: number, waiting: number, padding: string): string {
  return `{${id}"user_id":"${user}","event_type":"${type}","event_ts":${time},"waiting_time_ms":${waiting}${padding}}`;
}

function typeOf(draw: number): string {
  let type = 0;
  while (draw > (SHARES[type] ?? 1)) type++;
  return TYPES[type] ?? TYPES[0];
}

/** Draws a user by its share: user i has a share proportional to 1 / (i + 1)^skew. */
function zipf({ users, skew }: EventShape): (draw: number) => number {
  if (skew === 0) return (draw) => Math.floor(draw * users);
  const sums = new Float64Array(users);
  let sum = 0;
  for (let user = 0; user < users; user++) sums[user] = sum += (user + 1) ** -skew;
  return (draw) => {
    const wanted = draw * sum;
    let [low, high] = [0, users - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sums[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
