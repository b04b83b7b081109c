// The day in one strip: what fired in each quarter of an hour, and what is to come in the next six hours.
//
// What ended ok stands on the line, what went wrong hangs below it, however little that is beside the rest: as the bars
// of a script's last outcomes do. SVG, stretched to whatever there is; the hours below it are a grid of the same columns.

import { Panel, html, useMemo } from "./ui.js";
import { AHEAD_MS, DAY_MS, useDay } from "./day.js";
import { FAILED } from "./failures.js";
import { clock, number, plural } from "./format.js";
import { href } from "./route.js";
import { useNow } from "./store.js";

const BAR_MS = 900_000;
const HIGH = 44;
const DEEP = 14;
const LEAST = 3;
const WIDE = 0.7;
const LABEL_BARS = 12; // three hours
const LABEL_MS = LABEL_BARS * BAR_MS;

export function Pulse() {
  const { grid } = useDay();
  const minute = Math.floor(useNow(60_000) / 60_000) * 60_000;
  const bars = useMemo(() => (grid ? barsOf(grid, minute) : null), [grid, minute]);
  const more = html`<a class="panel-link" href=${href("timeline")}>Timeline</a>`;
  return html`<${Panel} title="Last 24 hours" note=${bars ? words(bars) : ""} actions=${more}>
    <div class="pulse" aria-busy=${!bars}>${bars && html`<${Bars} bars=${bars} now=${minute} /><${Hours} bars=${bars} />`}</div>
  <//>`;
}

function barsOf(grid, now) {
  const shift = new Date(now).getTimezoneOffset() * 60_000;
  const begin = Math.floor((now - DAY_MS - shift) / BAR_MS) * BAR_MS + shift;
  const bars = Array.from({ length: Math.ceil((DAY_MS + AHEAD_MS) / BAR_MS) }, (_, index) => ({ at: begin + index * BAR_MS, fired: 0, failed: 0, missed: 0, timeout: 0, skipped: 0, off: 0, slots: 0 }));
  const put = (counts, key) => counts?.forEach((n, index) => {
    const bar = n && bars[Math.floor((grid.from + index * grid.stepMs - begin) / BAR_MS)];
    if (bar) bar[key] += n;
  });
  for (const [status, counts] of Object.entries(grid.fires)) {
    put(counts, "fired");
    if (FAILED.includes(status)) put(counts, "failed");
  }
  put(grid.fires.timeout, "timeout");
  put(grid.fires.skipped_overload, "skipped");
  put(grid.fires.disabled, "off");
  put(grid.missed, "missed");
  put(grid.slots, "slots");
  return bars;
}

function words(bars) {
  const sum = (key) => bars.reduce((total, bar) => total + bar[key], 0);
  return `${plural(sum("fired"), "fire")}, ${sum("failed") ? number(sum("failed")) : "none"} failed; ${sum("slots") ? plural(sum("slots"), "slot") : "no slot"} to come in 6 hours`;
}

function Bars({ bars, now }) {
  const most = Math.max(1, ...bars.map((bar) => bar.fired - bar.failed + bar.slots));
  const worst = Math.max(1, ...bars.map((bar) => bar.failed));
  const high = (n) => (n ? Math.max(LEAST, (n / most) * HIGH) : 0);
  const nowAt = ((now - bars[0].at) / BAR_MS).toFixed(2);
  return html`<svg class="pulse-bars" viewBox=${`0 0 ${bars.length} ${HIGH + DEEP + 3}`} preserveAspectRatio="none" role="img" aria-label=${`Each quarter of an hour: ${words(bars)}`}>
    ${bars.map((bar, x) => {
      const quiet = bar.skipped + bar.off;
      const ok = high(bar.fired - bar.failed - quiet);
      const still = quiet ? Math.max(1.5, (quiet / most) * HIGH) : 0;
      const coming = high(bar.slots);
      const deep = bar.failed ? 4 + (DEEP - 4) * Math.sqrt(bar.failed / worst) : 0;
      const tone = bar.missed === bar.failed ? "miss" : bar.timeout === bar.failed ? "timeout" : "error";
      return html`<g key=${bar.at}><title>${barWords(bar)}</title>
        <rect class="pulse-hit" x=${x} y="0" width="1" height=${HIGH + DEEP + 3} />
        ${ok > 0 && html`<rect class="is-ok" x=${x + (1 - WIDE) / 2} y=${HIGH - ok} width=${WIDE} height=${ok} />`}
        ${still > 0 && html`<rect class=${bar.skipped ? "is-skip" : "is-off"} x=${x + (1 - WIDE) / 2} y=${HIGH - ok - still} width=${WIDE} height=${still} />`}
        ${coming > 0 && html`<rect class="is-coming" x=${x + (1 - WIDE) / 2} y=${HIGH - ok - still - coming} width=${WIDE} height=${coming} />`}
        ${deep > 0 && html`<rect class=${`is-${tone}`} x=${x + (1 - WIDE) / 2 - 0.1} y=${HIGH + 2} width=${WIDE + 0.2} height=${deep} />`}
      </g>`;
    })}
    <path class="pulse-base" d=${`M0 ${HIGH + 0.5}H${bars.length}`} />
    <path class="pulse-now" d=${`M${nowAt} 0V${HIGH + DEEP + 3}`} />
  </svg>`;
}

function barWords(bar) {
  const parts = [[bar.fired - bar.failed - bar.skipped - bar.off, "ok"], [bar.failed - bar.missed - bar.timeout, "failed"], [bar.timeout, "timed out"], [bar.missed, "missed"], [bar.skipped, "skipped"], [bar.off, "off"], [bar.slots, "to come"]];
  const said = parts.filter(([n]) => n > 0).map(([n, word]) => `${number(n)} ${word}`).join(", ");
  return `${clock(new Date(bar.at))} to ${clock(new Date(bar.at + BAR_MS))}: ${said || "nothing"}`;
}

function Hours({ bars }) {
  const shift = new Date(bars[0].at).getTimezoneOffset() * 60_000;
  const shown = bars.map((bar, index) => ({ at: bar.at, index })).filter(({ at, index }) => (at - shift) % LABEL_MS === 0 && index <= bars.length - LABEL_BARS / 2);
  const place = (index) => (element) => element?.style.setProperty("--column", index + 1);
  return html`<div class="pulse-hours" aria-hidden="true">${shown.map(({ at, index }) => html`<span key=${at} class=${(at - shift) % (2 * LABEL_MS) ? "is-odd" : ""} ref=${place(index)}>${clock(new Date(at))}</span>`)}</div>`;
}
