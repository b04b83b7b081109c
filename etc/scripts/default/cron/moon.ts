/**
 * The phase of the moon, by the mean length of a month: good to about half a day.
 *
 * @schedule @every 1m
 * @timezone Europe/Berlin
 * @timeout 5s
 * @description Says the phase of the moon; TypeScript with a handler, run without a build
 * @tags example
 */

interface Moon {
  phase: string;
  ageDays: number;
  litPercent: number;
}

const MONTH_DAYS = 29.530588853;
const A_NEW_MOON_MS: number = Date.UTC(2000, 0, 6, 18, 14);
const PHASES = [
  'new moon', 'waxing crescent', 'first quarter', 'waxing gibbous',
  'full moon', 'waning gibbous', 'last quarter', 'waning crescent',
] as const;

export default async function handler(): Promise<Moon> {
  const slot: string | undefined = process.env.SCHEDD_SLOT;
  const atMs = slot === undefined ? Date.now() : Date.parse(slot);
  const age = ((((atMs - A_NEW_MOON_MS) / 86_400_000) % MONTH_DAYS) + MONTH_DAYS) % MONTH_DAYS;
  const moon: Moon = {
    phase: PHASES[Math.round((age / MONTH_DAYS) * 8) % 8],
    ageDays: Math.round(age * 10) / 10,
    litPercent: Math.round(50 * (1 - Math.cos((2 * Math.PI * age) / MONTH_DAYS))),
  };
  console.log(`${moon.phase}, ${moon.litPercent} % lit`);
  return moon;
}
