// The keys, and what they do.

import { Dialog, html } from "./ui.js";

const KEYS = [
  ["Ctrl K", "Go to a script or a view, or do something"],
  ["/", "Search here, or else the schedules"],
  ["j k", "Next and previous in a list"],
  ["Enter", "Open it"],
  ["t", "Run it now"],
  ["p", "Pause it, or resume it"],
  ["g o", "Overview"],
  ["g s", "Schedules"],
  ["g l", "Timeline"],
  ["g m", "Load"],
  ["g h", "History"],
  ["g r", "Reload"],
  ["+ - ← →", "Timeline: closer, wider, earlier, later"],
  ["Home", "Timeline: back to now"],
  [", .", "Timeline: the mark before, and the next"],
  ["Esc", "Close, or leave the search"],
  ["?", "This list"],
];

export function Help({ onClose }) {
  return html`<${Dialog} title="Keys" onClose=${onClose}>
    <dl class="keys">${KEYS.map(([keys, what]) => html`<div key=${keys}><dt>${keys.split(" ").map((key) => html`<kbd key=${key}>${key}</kbd> `)}</dt><dd>${what}</dd></div>`)}</dl>
  <//>`;
}
