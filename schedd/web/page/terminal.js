// A run's output on the page: rows are appended by hand, a frame at a time, and the oldest are let go.
//
// A script may print faster than anybody reads. A component that draws all lines anew for each batch would hold
// the page; here a line costs one node, whatever stands above it, and no more than MOST_ROWS are ever there.

import { PLAIN, pieces } from "./ansi.js";
import { bytes, plural } from "./format.js";

export const MOST_ROWS = 4_000;
const BLOCK = 200; // rows that appear and go together
const MOST_WAITING = 20_000; // lines that wait for a frame: a page in the background draws none
const MOST_CHARS = 65_536; // of one row

export class Terminal {
  /** `onChange({rows, left, following, fresh})` hears of what a person may want to know. */
  constructor(element, onChange) {
    this.element = element;
    this.following = true;
    this.left = 0;
    this._onChange = onChange;
    this._waiting = [];
    this._lost = 0;
    this._rows = 0;
    this._fresh = 0;
    this._style = PLAIN;
    this._open = null; // the row of a line that goes on
    this._frame = 0;
    this._onScroll = () => this._scrolled();
    element.addEventListener("scroll", this._onScroll, { passive: true });
  }

  line({ text, at, n, part }) {
    this._put({ text, at, n, part });
  }

  gap({ bytes: size, lines }) {
    const what = lines == null ? bytes(size) : `${plural(lines, "line")}, ${bytes(size)}`;
    this._put({ mark: `${what} left out` });
  }

  follow(on = true) {
    this.following = on;
    if (on) {
      this._fresh = 0;
      this.element.scrollTop = this.element.scrollHeight;
    }
    this._tell();
  }

  text() {
    this._draw();
    return [...this.element.querySelectorAll(".term-row")].map((row) => row.textContent).join("\n");
  }

  clear() {
    this._waiting = [];
    this.element.replaceChildren();
    this._rows = this._fresh = this.left = 0;
    this._open = null;
    this._style = PLAIN;
    this._tell();
  }

  close() {
    cancelAnimationFrame(this._frame);
    clearTimeout(this._later);
    this.element.removeEventListener("scroll", this._onScroll);
  }

  _put(item) {
    this._waiting.push(item);
    if (this._waiting.length > MOST_WAITING) {
      this._lost += this._waiting.splice(0, BLOCK).length;
    }
    if (this._frame) return;
    // A hidden page has no frames; a second is then soon enough.
    if (document.hidden) {
      this._later ??= setTimeout(() => { this._later = null; this._draw(); }, 1000);
    } else {
      this._frame = requestAnimationFrame(() => this._draw());
    }
  }

  _draw() {
    cancelAnimationFrame(this._frame);
    this._frame = 0;
    const items = this._waiting.splice(0);
    this.left += this._lost;
    this._lost = 0;
    // What would go at once is not made at all.
    const skipped = Math.max(0, items.length - MOST_ROWS);
    this.left += skipped;
    for (const item of skipped ? items.slice(skipped) : items) this._append(item);
    this._trim();
    if (this.following) this.element.scrollTop = this.element.scrollHeight;
    else this._fresh += items.length;
    if (items.length) this._tell();
  }

  _append(item) {
    if (item.mark) {
      this._row("term-mark").textContent = item.mark;
      this._open = null;
      return;
    }
    const { pieces: parts, style } = pieces(item.text, this._style);
    this._style = style;
    const goesOn = this._open && this._open.textContent.length < MOST_CHARS;
    const row = goesOn ? this._open : this._row("term-row");
    if (!goesOn && item.n != null) row.dataset.n = item.n;
    if (!goesOn && item.at) row.dataset.at = item.at.slice(11, 23);
    for (const { text, classes } of parts) {
      if (!classes) row.append(text);
      else {
        const span = document.createElement("span");
        span.className = classes;
        span.textContent = text;
        row.append(span);
      }
    }
    this._open = item.part ? row : null;
  }

  _row(name) {
    let block = this.element.lastElementChild;
    if (!block || block.childElementCount >= BLOCK) {
      block = document.createElement("div");
      block.className = "term-block";
      this.element.append(block);
    }
    const row = document.createElement("div");
    row.className = name;
    block.append(row);
    this._rows += 1;
    return row;
  }

  _trim() {
    while (this._rows > MOST_ROWS) {
      const block = this.element.firstElementChild;
      const count = block.childElementCount;
      const height = this.following ? 0 : block.offsetHeight;
      block.remove();
      this._rows -= count;
      this.left += count;
      // Who reads further up keeps the line under the eye.
      if (height) this.element.scrollTop -= height;
    }
  }

  _scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    const atEnd = scrollHeight - scrollTop - clientHeight < 8;
    if (atEnd === this.following) return;
    this.following = atEnd;
    if (atEnd) this._fresh = 0;
    this._tell();
  }

  _tell() {
    this._onChange({ rows: this._rows, left: this.left, following: this.following, fresh: this._fresh });
  }
}

