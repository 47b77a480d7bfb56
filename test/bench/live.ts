/** A steady load with the times of the clock; every so often an event that can be told from all others. */
import { setTimeout as sleep } from "node:timers/promises";
import { appEvents, eventMaker, userName } from "./events.ts";
import { partitionsOfUsers } from "./load.ts";
import { openSender } from "./sender.ts";

/** An event of a type of its own: when its row is there, it has been counted. */
export interface Marker {
  readonly type: string;
  /** Start of its one-minute window, epoch ms. */
  readonly window: number;
  /** Milliseconds of performance.now(), before it was handed to the producer. */
  readonly sentAt: number;
}

export interface LiveOptions {
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
  /** Events per second. */
  readonly rate: number;
  readonly onMarker: (marker: Marker) => void;
  readonly say: (line: string) => void;
}

export interface Live {
  /** Ends the load. @returns events sent and acknowledged in all */
  stop(): Promise<number>;
}

const TICK_MS = 20;
const MARKERS_PER_SECOND = 48;
const WINDOW_MS = 60_000;

export function startLive({ bootstrap, topic, partitions, rate, onMarker, say }: LiveOptions): Live {
  const sender = openSender(bootstrap, topic, say);
  const make = eventMaker(appEvents);
  const places = partitionsOfUsers(appEvents.users, partitions);
  const markEvery = Math.max(1, Math.round(rate / MARKERS_PER_SECOND));
  const start = performance.now();
  let stopping = false;
  let sent = 0;

  const tick = async (): Promise<void> => {
    const due = Math.floor(((performance.now() - start) / 1000) * rate);
    const now = Date.now();
    const sentAt = performance.now();
    for (; sent < due; sent++) {
      const marked = sent % markEvery === 0;
      const type = `marker-${sent}`;
      const { user, time, value } = marked ? make(now, 0, type) : make(now, 0);
      sender.add(places[user] ?? 0, now, userName(user), value);
      if (marked) onMarker({ type, window: Math.floor(time / WINDOW_MS) * WINDOW_MS, sentAt });
    }
    await sender.flush();
  };
  const loading = (async () => {
    while (!stopping) {
      await tick();
      await sleep(TICK_MS);
    }
  })();
  return {
    stop: async () => {
      stopping = true;
      await loading.finally(async () => await sender.close());
      return sent;
    },
  };
}
