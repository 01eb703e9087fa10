// Moments as people read them: in UTC or where the browser is, as the reader chooses.

import { language } from "./texts.js";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const UNITS = [
  ["year", 365 * DAY],
  ["month", 30 * DAY],
  ["week", 7 * DAY],
  ["day", DAY],
  ["hour", HOUR],
  ["minute", MINUTE],
];

const formats = new Map();

function format(name, zone, options) {
  const key = `${name} ${zone}`;
  if (!formats.has(key)) {
    const timeZone = zone === "utc" ? "UTC" : undefined;
    formats.set(key, new Intl.DateTimeFormat(language, { ...options, timeZone }));
  }
  return formats.get(key);
}

// Never "yesterday" or "last year": what was 47 hours ago is neither.
const RELATIVE = new Intl.RelativeTimeFormat(language, { numeric: "always", style: "short" });
const NOW = new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(0, "second");

/** How long ago `at` was, or how long until then; within a minute `now`. */
export function relative(at, now = Date.now()) {
  const ahead = Date.parse(at) - now;
  const [unit, length] = UNITS.find(([, each]) => Math.abs(ahead) >= each) ?? ["second", 1_000];
  if (unit === "second") return NOW;
  return RELATIVE.format(Math.trunc(ahead / length), unit);
}

/** `at` to the second, with the zone it is told in. */
export function exact(at, zone) {
  const options = { dateStyle: "medium", timeStyle: "long", hourCycle: "h23" };
  return format("exact", zone, options).format(Date.parse(at));
}

/** When something ends: the time, and the day too where that is not soon. */
export function until(at, zone, now = Date.now()) {
  const moment = Date.parse(at);
  return moment - now < DAY / 2 ? clock(moment, zone) : short(moment, zone);
}

const clock = (moment, zone) =>
  format("clock", zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(moment);

/** A day and, where it is not its begin, a time: for ranges and axes. */
export function short(moment, zone) {
  const day = format("day", zone, { day: "numeric", month: "short", year: "numeric" });
  const said = clock(moment, zone);
  return said === "00:00" ? day.format(moment) : `${day.format(moment)}, ${said}`;
}

/** A key that is the same for all moments of one day: `2026-11-28`. */
export function dayOf(at, zone) {
  if (zone === "utc") return at.slice(0, 10);
  const moment = new Date(Date.parse(at));
  const two = (number) => String(number).padStart(2, "0");
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}

/** A day as a heading: its weekday, date and, for the last two, what people call them. */
export function dayName(day, zone, now = Date.now()) {
  const at = `${day}T12:00:00${zone === "utc" ? "Z" : ""}`;
  const said = format("heading", zone, { dateStyle: "full" }).format(Date.parse(at));
  const ago = [0, 1].find((days) => dayOf(new Date(now - days * DAY).toISOString(), zone) === day);
  if (ago === undefined) return said;
  const near = new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(-ago, "day");
  return `${near[0].toUpperCase()}${near.slice(1)}, ${said}`;
}

/** RFC 3339 with milliseconds, as the API takes it. */
export const text = (moment) => new Date(moment).toISOString();
