/** Two clocks: one for durations, which never jumps, and one for dates that people and other programs read. */

/** Milliseconds since some moment; goes on evenly whatever is done to the machine's date. */
export type Clock = () => number;

export const monotonic: Clock = () => performance.now();
