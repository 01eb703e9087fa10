// A timeline as bars that can be drawn.

import { DAY, HOUR } from "./time.js";

const LENGTHS = { hour: HOUR, day: DAY, week: 7 * DAY };
const MOST_BARS = 120;

/** Bars `{from, to, count}` of a timeline, at most `MOST_BARS`, within what was asked. */
export function bars({ buckets, interval, since, until }, now = Date.now()) {
  const length = LENGTHS[interval];
  const together = Math.ceil(buckets.length / MOST_BARS) || 1;
  // The API counts some minutes ahead, since events may be dated so; a picture ends now.
  const [first, last] = [Date.parse(since), Math.min(Date.parse(until), now)];
  const found = [];
  for (let at = 0; at < buckets.length; at += together) {
    const group = buckets.slice(at, at + together);
    found.push({
      from: Math.max(first, Date.parse(group[0].start)),
      to: Math.max(Date.parse(group[0].start), Math.min(last, Date.parse(group.at(-1).start) + length)),
      count: group.reduce((sum, each) => sum + each.events, 0),
    });
  }
  return found;
}
